"""What several passes or members say together, and what of it is noise and what is not known."""

import math
from pathlib import Path

import numpy as np
import pytest

from seisvision.base.sample_ids import SampleIds
from seisvision.outputs.angles.predictions import AnglePredictions
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.classes.predictions import ClassPredictions
from seisvision.outputs.numbers.predictions import ScalarPredictions
from seisvision.outputs.numbers.scale import LEVELS, LearntScale
from seisvision.records.prediction_table import read_predictions, write_predictions

IDS = SampleIds.of_events(["a"])
DEPTH = {
    "name": "depth", "kind": "scalar", "target": "depth_km", "unit": "km", "transform": "none", "loss": "gaussian",
    "tolerance_relative": 0.1, "tolerance_absolute": 1.0,
}  # fmt: skip
AZIMUTH = {"name": "azimuth", "kind": "angle", "target": "azimuth", "period_deg": 360.0, "tolerance_deg": 15.0}
KIND = {"name": "kind", "kind": "class", "target": "kind", "class_names": ["a", "b"]}


def number(value: float, deviation: float, **about: object) -> ScalarPredictions:
    """One number whose distribution has a standard deviation on the learnt scale."""
    told = DEPTH | about
    scale = LearntScale.of(told)
    centre = scale.forward(np.array([value]))
    ends = [end for level in LEVELS for end in scale.ends(centre, np.array([deviation]), level)]
    sigma = (ends[1] - ends[0]) / 2
    return ScalarPredictions.from_decoded(told, IDS, np.array([1.0]), np.stack([[value], sigma, *ends], axis=1))


def angle(value: float, sigma: float = math.nan) -> AnglePredictions:
    return AnglePredictions.from_decoded(AZIMUTH, IDS, np.array([0.0]), np.array([[value, sigma]]))


def classes(*probability: float) -> ClassPredictions:
    return ClassPredictions.from_decoded(KIND, IDS, np.array([0]), np.array([probability]))


def test_variances_are_averaged_and_neither_their_logarithms_nor_sigmas() -> None:
    together = average_predictions([number(5, 1.0), number(5, 3.0)])
    unit = together.scale.sigma(np.zeros(1), np.ones(1))[0]
    mean_of_variances = math.sqrt((1 + 9) / 2)
    assert together.apart["sigma_aleatoric"][0] / unit == pytest.approx(mean_of_variances)
    mean_of_logarithms, mean_of_sigmas = math.sqrt(3), 2.0
    assert min(abs(mean_of_variances - wrong) for wrong in (mean_of_logarithms, mean_of_sigmas)) > 0.1
    assert together.apart["sigma_epistemic"][0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("about", [{}, {"loss": "laplace"}, {"transform": "log1p"}], ids=["none", "laplace", "log1p"])
def test_noise_and_disagreement_add_to_the_whole(about: dict) -> None:
    together = average_predictions([number(4, 0.4, **about), number(8, 0.3, **about)])
    scale = together.scale
    values = scale.forward(np.array([4.0, 8.0]))
    expected = math.sqrt((0.4**2 + 0.3**2) / 2 + values.var())
    assert scale.deviation_of(together.decoded)[0] == pytest.approx(expected)
    middle = np.array([values.mean()])
    assert together.apart["sigma_epistemic"][0] == pytest.approx(scale.sigma(middle, np.array([values.std()]))[0])
    assert scale.sigma(middle, np.array([expected]))[0] == pytest.approx(together.decoded[0, 1])


def test_without_a_learnt_spread_only_the_disagreement_is_known() -> None:
    members = [
        ScalarPredictions.from_decoded(
            {**DEPTH, "loss": "huber"}, IDS, np.ones(1), np.array([[value, *[math.nan] * 5]])
        )
        for value in (4.0, 6.0)
    ]
    together = average_predictions(members)
    assert math.isnan(together.apart["sigma_aleatoric"][0]) and math.isnan(together.decoded[0, 1])
    assert together.apart["sigma_epistemic"][0] == pytest.approx(
        LearntScale("none", None).sigma(np.zeros(1), np.ones(1))[0]
    )


def test_angles_are_averaged_as_vectors() -> None:
    together = average_predictions([angle(350, 5.0), angle(20, 5.0)])
    assert together.value[0] == pytest.approx(5.0)  # degrees would give 185
    assert together.apart["sigma_epistemic"][0] == pytest.approx(15, rel=0.02)
    assert together.apart["sigma_aleatoric"][0] == pytest.approx(5, rel=0.01)
    parts = together.apart["sigma_aleatoric"][0], together.apart["sigma_epistemic"][0]
    assert math.hypot(*parts) == pytest.approx(together.decoded[0, 1])


def test_a_member_that_knows_little_counts_little() -> None:
    sure, unsure = angle(0, 5.0), angle(90, 120.0)
    assert average_predictions([sure, unsure]).value[0] < 10


def test_classes_tell_doubt_that_is_shared_from_doubt_that_is_not() -> None:
    shared = average_predictions([classes(0.5, 0.5), classes(0.5, 0.5)])
    disputed = average_predictions([classes(1.0, 0.0), classes(0.0, 1.0)])
    for one in (shared, disputed):
        assert one.apart["predictive_entropy"][0] == pytest.approx(math.log(2))
    assert shared.apart["mutual_information"][0] == pytest.approx(0)
    assert disputed.apart["mutual_information"][0] == pytest.approx(math.log(2))


def test_one_member_alone_cannot_disagree() -> None:
    assert math.isnan(average_predictions([number(5, 1.0)]).apart["sigma_epistemic"][0])
    assert math.isnan(average_predictions([classes(0.7, 0.3)]).apart["mutual_information"][0])


def test_what_is_told_apart_is_written_and_read_back(tmp_path: Path) -> None:
    said = {"depth": average_predictions([number(5, 1.0), number(6, 2.0)])}
    write_predictions(tmp_path / "predictions.csv", said)
    again = read_predictions(tmp_path / "predictions.csv", DEPTH)
    for name, values in said["depth"].apart.items():
        assert again.apart[name] == pytest.approx(values, rel=1e-5)
    assert again.take(np.array([0])).apart.keys() == said["depth"].apart.keys()
