"""Stated distributions against what came true, and conformal intervals whatever was stated."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from seisvision.base.sample_ids import SampleIds
from seisvision.evaluation.calibration import crps_of_quantiles, stated_angles
from seisvision.evaluation.conformal import conformal_threshold
from seisvision.experiments.supervised.conformal import conformal_measures, conformal_rows
from seisvision.outputs.angles.predictions import AnglePredictions
from seisvision.outputs.classes.predictions import ClassPredictions
from seisvision.outputs.numbers.predictions import ScalarPredictions
from seisvision.outputs.numbers.scale import LEVELS, LearntScale

ABOUT = {
    "name": "distance", "kind": "scalar", "target": "km", "unit": "km",
    "tolerance_relative": 0.1, "tolerance_absolute": 1.0,
}  # fmt: skip
N = 4000


def said(loss: str, transform: str, stated: float, true: float) -> ScalarPredictions:
    """Values whose errors have the spread ``true`` on the learnt scale, and that state ``stated``."""
    about = {**ABOUT, "loss": loss, "transform": transform}
    scale, generator = LearntScale.of(about), np.random.default_rng(0)
    centre = generator.uniform(2, 3, N)
    noise = generator.laplace(0, 1 / math.sqrt(2), N) if loss == "laplace" else generator.normal(0, 1, N)
    target = scale.inverse(centre + true * noise)
    ends = [end for level in LEVELS for end in scale.ends(centre, np.full(N, stated), level)]
    decoded = np.stack([scale.inverse(centre), (ends[1] - ends[0]) / 2, *ends], axis=1)
    return ScalarPredictions.from_decoded(about, SampleIds.of_events([str(i) for i in range(N)]), target, decoded)


@pytest.mark.parametrize(("loss", "transform"), [("gaussian", "none"), ("laplace", "log1p"), ("evidential", "log1p")])
def test_right_distributions_cover_what_they_state(loss: str, transform: str) -> None:
    shares = said(loss, transform, 0.3, 0.3).stated().shares()
    for level, share in shares.items():
        assert share == pytest.approx(float(level) / 100, abs=0.025)
    narrow, wide = (said(loss, transform, stated, 0.3).stated().shares()["95"] for stated in (0.1, 0.9))
    assert narrow < 0.8 and wide > 0.99


def test_likelihood_and_score_are_best_where_the_distribution_is_right() -> None:
    for name in ("nll", "crps"):
        means = {
            spread: getattr(said("gaussian", "log1p", spread, 0.3).stated(), name).mean() for spread in (0.1, 0.3, 0.9)
        }
        assert means[0.3] < means[0.1] and means[0.3] < means[0.9], name


def test_likelihood_is_that_of_the_value_in_its_unit() -> None:
    one = said("gaussian", "log1p", 0.3, 0.3)
    scale = LearntScale.of(one.about)
    centre = float(scale.forward(one.value[:1])[0])

    def density(km: float) -> float:
        moved = ScalarPredictions(one.about, one.ids.take([0]), np.array([km]), one.decoded[:1])
        return math.exp(-float(moved.stated().nll[0]))

    grid = np.linspace(0, 60, 200)
    assert density(10.0) == pytest.approx(stats.norm.pdf(math.log1p(10), centre, 0.3) / 11, rel=1e-3)
    assert integrate.trapezoid([density(km) for km in grid], grid) == pytest.approx(1, abs=0.01)


def test_score_of_a_normal_distribution_is_the_known_one() -> None:
    target = np.array([-1.0, 0.0, 2.5])
    found = crps_of_quantiles(target, lambda share: np.full(3, stats.norm.ppf(share)))
    exact = target * (2 * stats.norm.cdf(target) - 1) + 2 * stats.norm.pdf(target) - 1 / math.sqrt(math.pi)
    assert found == pytest.approx(exact, abs=0.01)


def test_angles_wrap_in_every_measure() -> None:
    generator = np.random.default_rng(1)
    error = (generator.normal(0, 20, N) + 180) % 360 - 180
    stated = stated_angles(error, np.full(N, 20.0), 360.0)
    assert stated.shares()["68"] == pytest.approx(0.68, abs=0.02)
    narrow, wide = (stated_angles(error, np.full(N, sigma), 360.0) for sigma in (6.0, 70.0))
    for name in ("nll", "crps"):
        assert getattr(stated, name).mean() < min(getattr(one, name).mean() for one in (narrow, wide))
    assert stated_angles(np.zeros(1), np.array([500.0]), 360.0).width95[0] == 360
    assert stated_angles(np.zeros(1), np.array([500.0]), 360.0).nll[0] == pytest.approx(math.log(360), abs=0.1)


def test_conformal_coverage_of_new_events_is_at_least_the_level() -> None:
    """Samples of an event share most of their error, and events have very different numbers of samples."""
    generator = np.random.default_rng(2)
    covered = {0.68: [], 0.95: []}
    for _ in range(400):
        count = generator.integers(1, 30, 41)
        events = np.repeat(np.arange(41), count)
        scores = np.abs(generator.standard_t(3, 41)[events] + 0.3 * generator.normal(size=len(events)))
        known = events < 40
        for level, shares in covered.items():
            threshold = conformal_threshold(scores[known], events[known], level)
            shares.append((scores[~known] <= threshold).mean())
    for level, shares in covered.items():
        assert level - 0.03 < np.mean(shares) < level + 0.05


def test_too_few_events_for_a_level_give_no_interval() -> None:
    assert conformal_threshold(np.arange(10.0), np.arange(10), 0.95) == math.inf
    assert conformal_threshold(np.arange(20.0), np.arange(20), 0.95) == 19
    assert conformal_threshold(np.full(3, np.nan), np.arange(3), 0.5) == math.inf


def test_intervals_that_state_too_little_are_widened_and_told_by_group() -> None:
    whole = said("gaussian", "log1p", 0.1, 0.3)
    validation, test = whole.take(np.arange(1000)), whole.take(np.arange(1000, N))
    rows = conformal_rows(validation, test, {"offset_km": test.target})
    measures = conformal_measures(rows)
    assert measures["conformal_coverage_95"]["value"] == pytest.approx(0.95, abs=0.015)
    assert test.stated().shares()["95"] < 0.6
    assert len({row["group"] for row in rows}) == 4 and {row["unit"] for row in rows} == {"km"}


def test_sets_of_classes_hold_the_true_one() -> None:
    generator = np.random.default_rng(3)
    probability = generator.dirichlet([1, 1, 1], N)
    target = (probability.cumsum(1) < generator.uniform(size=(N, 1))).sum(1)
    about = {"name": "kind", "kind": "class", "target": "kind", "class_names": ["a", "b", "c"]}
    ids = SampleIds.of_events([str(i) for i in range(N)])
    one = ClassPredictions.from_decoded(about, ids, target, probability)
    rows = conformal_rows(one.take(np.arange(2000)), one.take(np.arange(2000, N)), {})
    at90 = next(row for row in rows if row["level"] == 0.9 and row["group"] == "all")
    assert at90["coverage"] == pytest.approx(0.9, abs=0.02) and 1 <= at90["median_size"] <= 3
    assert {row["group"] for row in rows} == {"all", "true class a", "true class b", "true class c"}


def test_angles_without_a_sigma_have_conformal_sectors_too() -> None:
    generator = np.random.default_rng(4)
    target = generator.uniform(0, 360, N)
    value = (target + generator.normal(0, 10, N)) % 360
    about = {"name": "azimuth", "kind": "angle", "target": "azimuth", "period_deg": 360.0, "tolerance_deg": 15.0}
    ids = SampleIds.of_events([str(i) for i in range(N)])
    one = AnglePredictions.from_decoded(about, ids, target, np.stack([value, np.full(N, np.nan)], axis=1))
    rows = conformal_rows(one.take(np.arange(2000)), one.take(np.arange(2000, N)), {})
    at68 = next(row for row in rows if row["level"] == 0.68)
    assert at68["median_size"] == pytest.approx(10, abs=1) and at68["coverage"] == pytest.approx(0.68, abs=0.03)
