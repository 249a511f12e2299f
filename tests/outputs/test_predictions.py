import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.angles.predictions import AnglePredictions
from seisvision.outputs.classes.predictions import ClassPredictions
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.numbers.predictions import ScalarPredictions
from seisvision.records.prediction_table import read_predictions, write_predictions

OFFSET = {
    "kind": "scalar",
    "name": "offset",
    "target": "path_ep_distance_km",
    "unit": "km",
    "transform": "log1p",
    "tolerance_relative": 0.1,
    "tolerance_absolute": 10.0,
}
FORCE = {"kind": "angle", "name": "force", "target": "source_azimuth_deg", "period_deg": 360, "tolerance_deg": 15.0}
SOURCE = {"kind": "class", "name": "source", "target": "source_type", "class_names": ["earthquake", "glacial"]}
HEADLINE = "acc_tol_rel0.10_abs10km"


def named(ids: list[str], source_ids: list[str] | None) -> SampleIds:
    """Events, or traces where events are given."""
    return SampleIds.of_events(ids) if source_ids is None else SampleIds("trace", ids, source_ids)


def scalar(target: Any, value: Any, source_ids: list[str] | None = None) -> ScalarPredictions:
    target, value = np.asarray(target, float), np.asarray(value, float)
    ids = [f"s{i}" for i in range(len(target))]
    decoded = np.full((len(target), 6), np.nan)
    decoded[:, 0] = value
    return ScalarPredictions.from_decoded(OFFSET, named(ids, source_ids), target, decoded)


def angle(target: Any, value: Any) -> AnglePredictions:
    ids = [f"s{i}" for i in range(len(target))]
    decoded = np.stack([np.asarray(value, float), np.full(len(target), np.nan)], axis=1)
    return AnglePredictions.from_decoded(FORCE, SampleIds.of_events(ids), np.asarray(target, float), decoded)


def classes(target: Any, said: Any, source_ids: list[str] | None = None) -> ClassPredictions:
    ids = [f"s{i}" for i in range(len(target))]
    return ClassPredictions.from_decoded(
        SOURCE, named(ids, source_ids), np.asarray(target), np.eye(2)[np.asarray(said, int)] * 0.8 + 0.1
    )


def one_of_each() -> list[Any]:
    rng = np.random.default_rng(0)
    target = rng.uniform(100, 2000, 60)
    return [
        scalar(target, target * rng.lognormal(0, 0.1, 60)),
        angle(target % 360, (target + rng.normal(0, 20, 60)) % 360),
        classes(rng.integers(0, 2, 60), rng.integers(0, 2, 60)),
    ]


@pytest.mark.parametrize("predictions", one_of_each(), ids=["scalar", "angle", "class"])
def test_every_kind_keeps_the_protocol(predictions: Any) -> None:
    measures = predictions.measures(0.9, predictions.target[:30])
    assert predictions.headline in measures
    assert set(predictions.table_columns) <= set(measures)
    assert next(iter(predictions.table_columns)) == predictions.headline
    details = predictions.details()
    json.dumps({**details, **{k: v.to_dict() for k, v in measures.items()}}, allow_nan=False)
    assert details["headline"] == predictions.headline
    columns = predictions.columns()
    assert list(columns)[:2] == ["target", "prediction"] and {len(cells) for cells in columns.values()} == {60}
    halves = [predictions.select(predictions.sample_ids[30:]), predictions.select(predictions.sample_ids[:30])]
    together = type(predictions).concatenate(halves)
    assert together.sample_ids == predictions.sample_ids[30:] + predictions.sample_ids[:30]
    assert together.measures()[predictions.headline].value == pytest.approx(measures[predictions.headline].value)
    nothing = predictions.difference(together)
    assert (nothing["value"], nothing["of"], nothing["n"]) == (0, predictions.headline, 60)
    assert nothing["p_value"] == 1 and nothing["test"]
    json.dumps(nothing, allow_nan=False)
    assert predictions_class(predictions.about["kind"]) is type(predictions)


def test_columns_are_in_physical_units_and_leave_the_unknown_empty() -> None:
    said = ScalarPredictions.from_decoded(
        OFFSET,
        SampleIds("trace", ["0", "1"], ["e", "e"]),
        np.array([100.0, np.nan]),
        np.array([[110.5, 5, 105, 116, 100, 121], [50, np.nan, np.nan, np.nan, np.nan, np.nan]]),
    )
    columns = said.columns()
    assert {name: cells[0] for name, cells in columns.items()} == {
        "target": 100.0,
        "prediction": 110.5,
        "error": 10.5,
        "sigma": 5.0,
        "low68": 105.0,
        "high68": 116.0,
        "low95": 100.0,
        "high95": 121.0,
    }
    assert columns["prediction"][1] == 50 and math.isnan(columns["target"][1]) and math.isnan(columns["sigma"][1])
    assert said.n_labelled == 1
    assert said.details()["coverage"] == {"50": 0.0, "68": 0.0, "90": 0.0, "95": 1.0}
    assert angle([350.0], [10.0]).columns()["error"] == [20.0]
    assert classes([0, -1], [1, 0]).columns()["target"] == ["earthquake", ""]


@pytest.mark.parametrize("known", [(False, True), (True, False), (False, False), (True, True)], ids=str)
def test_numbers_that_are_not_known_come_back_from_a_table(known: tuple[bool, bool], tmp_path: Path) -> None:
    decoded = np.full((2, 6), np.nan)
    decoded[:, 0] = [3.5, 4.5]
    decoded[list(known), 1:] = 0.25
    about = {"kind": "scalar", "name": "depth", "target": "source_depth_km", "unit": "km", "transform": "none",
             "tolerance_relative": 0.1, "tolerance_absolute": 1.0}  # fmt: skip
    said = ScalarPredictions(about, SampleIds.of_events(["a", "b"]), np.array([3.0, np.nan]), decoded)
    write_predictions(tmp_path / "predictions.csv", {"depth": said})
    found = read_predictions(tmp_path / "predictions.csv", about)
    np.testing.assert_allclose(found.decoded, decoded)
    np.testing.assert_allclose(found.target, said.target)


def test_training_targets_give_what_guessing_would_get() -> None:
    target = np.array([100.0, 200.0, 300.0, 400.0])
    found = scalar(target, target).measures(train_target=np.array([190.0, 205.0, 9999.0, np.nan]))
    assert found["baseline_median_ae_km"].value == 100
    assert found[f"baseline_{HEADLINE}"].value == 0.25
    assert found["median_ae_km"].value == 0 and "baseline_pearson" not in found
    of_angle = angle([10.0, 350.0], [10.0, 350.0]).measures(train_target=np.array([355.0, 0.0, 5.0]))
    assert of_angle["baseline_median_ae_deg"].value == pytest.approx(10)
    of_class = classes([0, 0, 1], [0, 0, 1]).measures(train_target=np.array([0, 0, 1]))
    assert of_class["majority_baseline_accuracy"].value == pytest.approx(2 / 3)
    with pytest.raises(DataError, match="median guess"):
        scalar(target, target).measures(train_target=np.array([np.nan]))


def test_a_refusal_to_predict_is_counted_and_not_taken_for_an_error() -> None:
    found = scalar([100.0, 200.0, 300.0, np.nan], [100.0, np.nan, 300.0, 1.0])
    assert found.measures()["answered"].value == pytest.approx(2 / 3)
    assert found.measures()[HEADLINE].n == 2
    assert found.difference(scalar([100.0, 200.0, 300.0, np.nan], [500.0] * 4))["n"] == 2
    assert "answered" not in scalar([1.0], [1.0]).measures()
    silent = scalar([100.0], [math.nan])
    assert silent.measures()[HEADLINE].n == 0 and silent.difference(silent)["value"] is None


def test_differences_are_paired_by_sample_and_resampled_by_event() -> None:
    rng = np.random.default_rng(1)
    events = [f"e{i // 20}" for i in range(800)]
    target = rng.uniform(500, 2000, 800)
    hard = rng.random(40)[np.arange(800) // 20] < 0.4
    a = scalar(target, np.where(hard, 2.0, 1.0) * target, events)
    b = scalar(target, np.where(hard | (np.arange(800) < 100), 2.0, 1.0) * target, events)
    shuffled = b.take(rng.permutation(800))
    found = a.difference(shuffled)
    alone = a.measures()[HEADLINE]
    assert found["value"] == pytest.approx(((~hard) & (np.arange(800) < 100)).mean())
    assert 0 <= found["low"] < found["value"] < found["high"]
    assert found["high"] - found["low"] < alone.high - alone.low
    single = scalar(target, a.value).difference(scalar(target, b.value))
    assert found["high"] - found["low"] > 2 * (single["high"] - single["low"])
    assert found["p_value"] > single["p_value"]


def test_class_differences_are_wider_where_samples_share_events() -> None:
    target = np.zeros(100, int)
    a, b = classes(target, target), classes(target, np.arange(100) < 20)
    found = a.difference(b)
    assert found["value"] == pytest.approx(0.2) and found["of"] == "accuracy" and found["p_value"] < 0.001
    events = [f"e{i // 20}" for i in range(100)]
    clustered = classes(target, target, events).difference(classes(target, np.arange(100) < 20, events))
    # One of five events: with so few, the difference may well be chance.
    assert clustered["p_value"] > 0.05 and clustered["low"] < 0
    assert clustered["high"] - clustered["low"] > found["high"] - found["low"]


@pytest.mark.parametrize("n", [20, 60, 300])
def test_the_interval_of_two_classifiers_decides_as_the_exact_mcnemar_test_but_never_more_boldly(n: int) -> None:
    target, place = np.zeros(n, int), np.arange(n)
    for only_a in range(12):
        for only_b in range(4):
            a, b = classes(target, place < only_b), classes(target, (place >= only_b) & (place < only_a + only_b))
            found = a.difference(b)
            exact = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
            assert (found["low"] > 0 or found["high"] < 0) == (found["p_value"] < 0.05)
            assert found["p_value"] >= 0.05 or exact < 0.08, (only_a, only_b)
            assert exact > 0.01 or found["p_value"] < 0.05, (only_a, only_b)


def test_two_networks_that_are_always_right_may_still_differ_on_other_events() -> None:
    small, large = (classes(np.zeros(n, int), np.zeros(n, int)) for n in (20, 500))
    found = [one.difference(one) for one in (small, large)]
    assert found[0]["low"] < -0.05 < 0.05 < found[0]["high"], "not [0, 0]"
    assert 0 < found[1]["high"] < 0.01


def test_class_differences_pair_by_id_and_leave_out_the_unlabelled() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 100)
    worse = classes(target, np.where(np.arange(100) < 20, 1 - target, target)).take(rng.permutation(100))
    found = classes(target, target).difference(worse)
    assert found["value"] == pytest.approx(0.2) and 0.1 < found["low"] < 0.2 < found["high"] < 0.31
    network, baseline = classes([0, 1, -1], [0, 1, 0]), classes([0, 1], [0, 0])
    assert network.difference(baseline)["n"] == 2 and network.difference(baseline)["value"] == 0.5
    with pytest.raises(DataError, match="true values"):
        baseline.difference(classes([1, 0], [0, 1]))


def test_angle_differences_are_of_median_errors() -> None:
    target = np.arange(0.0, 360.0, 3.0)
    found = angle(target, target + 8).difference(angle(target, target - 30))
    assert (found["value"], found["low"], found["high"]) == (-22, -22, -22) and found["p_value"] < 0.01


def test_the_worst_come_first_and_the_unlabelled_never() -> None:
    assert scalar([100.0, 100.0, np.nan, 100.0], [110.0, 50.0, 999.0, 100.0]).worst(2).tolist() == [1, 0]
    assert angle([0.0, 0.0, 0.0], [350.0, 180.0, 5.0]).worst(2).tolist() == [1, 0]
    assert classes([0, 1, -1, 1], [1, 1, 1, 0]).worst(5).tolist() == [0, 3]


def test_other_samples_labels_and_shapes_are_refused() -> None:
    a = scalar([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(DataError, match="same samples"):
        a.difference(scalar([1.0], [1.0]))
    with pytest.raises(DataError, match="true values"):
        a.difference(scalar([1.0, 3.0], [1.0, 2.0]))
    with pytest.raises(DataError, match="not predicted"):
        a.select(["s0", "x"])
    with pytest.raises(DataError, match="listed 2 times"):
        ScalarPredictions.concatenate([a, a])
    in_metres = ScalarPredictions({**OFFSET, "unit": "m"}, SampleIds.of_events(["x"]), np.zeros(1), np.zeros((1, 6)))
    with pytest.raises(DataError, match="different outputs"):
        ScalarPredictions.concatenate([a, in_metres])
    with pytest.raises(DataError, match="needs"):
        ScalarPredictions.from_decoded(OFFSET, SampleIds.of_events(["a"]), np.zeros(1), np.zeros((1, 2)))
    with pytest.raises(DataError, match="do not belong together"):
        AnglePredictions.from_decoded(FORCE, SampleIds.of_events(["a", "b"]), np.zeros(1), np.zeros((1, 2)))
    with pytest.raises(DataError, match="lacks 'tolerance_absolute'"):
        ScalarPredictions.from_decoded(
            {k: v for k, v in OFFSET.items() if k != "tolerance_absolute"},
            SampleIds.of_events([]),
            np.zeros(0),
            np.zeros((0, 6)),
        )
    with pytest.raises(ConfigurationError, match="Did you mean 'scalar'"):
        predictions_class("scaler")
