"""Errors by offset, magnitude and the like; tables of classes; what is certain and wrong."""

import csv
from itertools import pairwise

import matplotlib.image
import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import DataError
from seisvision.evaluation.directions import direction
from seisvision.judging.error_sources import error_against
from seisvision.judging.figures_sources import error_against_figure, overlay_figure, picture_file
from seisvision.outputs.angles.predictions import AnglePredictions
from seisvision.outputs.classes.predictions import ClassPredictions
from seisvision.outputs.classes.tables import COLUMNS, STRATA_COLUMNS, class_table, strata_table
from seisvision.outputs.numbers.predictions import ScalarPredictions
from seisvision.outputs.predictions import SHARE_WRONG

SCALAR = {"kind": "scalar", "name": "offset", "unit": "km", "transform": "none",
          "tolerance_relative": 0.1, "tolerance_absolute": 10.0}  # fmt: skip


def named(ids: list[str], events: list | None = None) -> SampleIds:
    """Events, or traces where events are given."""
    return SampleIds.of_events(ids) if events is None else SampleIds("trace", ids, events)


def scalars(target: np.ndarray, value: np.ndarray, sigma: float | np.ndarray = np.nan, events: list | None = None):
    decoded = np.full((len(target), 6), np.nan)
    decoded[:, 0], decoded[:, 1] = value, sigma
    ids = [str(i) for i in range(len(target))]
    return ScalarPredictions.from_decoded(SCALAR, named(ids, events), target, decoded)


def classes(target: np.ndarray, prediction: np.ndarray, n_classes: int = 3, events: list | None = None):
    about = {"kind": "class", "name": "type", "class_names": [f"class {k}" for k in range(n_classes)]}
    decoded = np.full((len(target), n_classes), 0.1 / (n_classes - 1))
    decoded[np.arange(len(target)), prediction] = 0.9
    ids = [str(i) for i in range(len(target))]
    return ClassPredictions.from_decoded(about, named(ids, events), target, decoded)


def test_an_error_that_grows_with_offset_is_seen_in_the_bins_and_one_that_does_not_is_not() -> None:
    rng = np.random.default_rng(0)
    offset, magnitude = rng.uniform(0, 1000, 600), rng.uniform(4, 6, 600)
    said = scalars(offset, offset + 0.1 * offset * rng.normal(size=600))
    bins = error_against(said, {"offset_km": offset, "magnitude": magnitude})
    by_offset, by_magnitude = bins["offset_km"], bins["magnitude"]
    values = [one.error.value for one in by_offset]
    assert values == sorted(values) and values[-1] > 5 * values[0]
    # The median of |N(0, s)| is 0.6745 s.
    for one in by_offset[1:]:
        assert one.error.value == pytest.approx(0.06745 * one.middle, rel=0.35)
        assert one.error.low < one.error.value < one.error.high
    flat = [one.error for one in by_magnitude]
    assert max(one.low for one in flat) < min(one.high for one in flat), "all intervals share a value"
    for some in bins.values():
        assert sum(one.error.n for one in some) == 600, "every sample is in one bin"
        assert all(a.high <= b.low for a, b in pairwise(some))


def test_classes_have_the_share_wrong_with_the_wilson_interval() -> None:
    stations = np.repeat([4.0, 10.0], 50)
    target = np.zeros(100, dtype=int)
    prediction = np.r_[np.ones(20, int), np.zeros(30, int), np.ones(5, int), np.zeros(45, int)]
    few, many = error_against(classes(target, prediction), {"n_stations": stations})["n_stations"]
    assert (few.measure, few.error.value, many.error.value) == (SHARE_WRONG, 0.4, 0.1)
    assert (few.low, few.high, many.low) == (4.0, 4.0, 10.0), "equal values stay together"
    assert few.error.low == pytest.approx(0.2761, abs=1e-3) and few.error.high == pytest.approx(0.5382, abs=1e-3)


def test_traces_of_few_events_get_wider_intervals_than_as_many_independent_samples() -> None:
    rng = np.random.default_rng(1)
    size = np.repeat(rng.exponential(1.0, 24), 25)
    offset = np.tile(np.arange(25.0), 24)
    many = error_against(scalars(offset, offset + size), {"offset_km": offset})["offset_km"]
    events = [str(i // 25) for i in range(600)]
    few = error_against(scalars(offset, offset + size, events=events), {"offset_km": offset})["offset_km"]
    assert all(one.n_events == 24 for one in few)
    assert all(a.error.high - a.error.low > 1.5 * (b.error.high - b.error.low) for a, b in zip(few, many, strict=True))


def test_quantities_that_say_nothing_are_left_out() -> None:
    target = np.arange(40.0)
    said = scalars(target, target + 1)
    quantities = {
        "same": np.ones(40),
        "unknown": np.full(40, np.nan),
        "few": np.r_[np.arange(8.0), np.full(32, np.nan)],
    }
    assert error_against(said, quantities) == {}


def test_angles_across_north_are_near() -> None:
    about = {"kind": "angle", "name": "azimuth", "period_deg": 360.0, "tolerance_deg": 15.0}
    target = np.full(40, 359.0)
    decoded = np.stack([np.full(40, 1.0), np.full(40, np.nan)], axis=1)
    ids = [str(i) for i in range(40)]
    said = AnglePredictions.from_decoded(about, named(ids), target, decoded)
    bins = error_against(said, {"gap_deg": np.arange(40.0)})["gap_deg"]
    assert [one.error.value for one in bins] == [2.0] * len(bins) and bins[0].measure == "median_ae_deg"


def test_the_class_table_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    target = rng.integers(0, 3, 300)
    prediction = np.where(rng.random(300) < 0.7, target, rng.integers(0, 3, 300))
    said = classes(np.r_[target, -1], np.r_[prediction, 0])
    table = [dict(zip(COLUMNS, row, strict=True)) for row in class_table(said, said.measures())]
    wanted = precision_recall_fscore_support(target, prediction)
    for k, row in enumerate(table):
        assert [row[name] for name in ("precision", "recall", "f1", "n")] == pytest.approx([one[k] for one in wanted])
        for name in ("precision", "recall", "f1"):
            assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
    assert sum(row["n_predicted"] for row in table) == 300


def test_a_network_that_only_counts_stations_knows_nothing_within_strata() -> None:
    rng = np.random.default_rng(4)
    n_stations = rng.permutation(np.repeat([5, 10, 20], 200))
    target = (rng.random(600) < n_stations / 25).astype(int)
    for prediction, low, high in (((n_stations > 12).astype(int), 0.5, 0.5), (target, 1.0, 1.0)):
        said = classes(np.r_[target, -1], np.r_[prediction, 0])
        rows = strata_table(said, "n_stations", np.r_[n_stations, 9])
        table = [dict(zip(STRATA_COLUMNS, row, strict=True)) for row in rows]
        assert len(table) == 3 and sum(row["n"] for row in table) == 600
        assert all(low <= row["balanced_accuracy"] <= high for row in table)
        assert [row["low"] for row in table] == sorted(row["low"] for row in table)
    assert not strata_table(said, "n_stations", np.full(601, 12)), "all alike: no strata"


def test_the_surprising_are_certain_and_wrong_and_not_merely_far_off() -> None:
    target = np.array([100.0, 100.0, 100.0, np.nan])
    said = scalars(target, np.array([200.0, 110.0, 101.0, 5.0]), sigma=np.array([100.0, 1.0, 2.0, 0.1]))
    assert said.worst(2).tolist() == [0, 1] and said.surprising(2).tolist() == [1, 0]
    assert not len(scalars(target, target).surprising(2)), "no sigma, no surprise"


def test_figures_are_written_and_bad_shapes_refused(tmp_path) -> None:
    offset = np.arange(100.0)
    bins = error_against(scalars(offset, offset + 1), {"offset_km": offset})
    assert matplotlib.image.imread(error_against_figure(tmp_path / "a.png", bins)).shape[0] > 100
    with pytest.raises(DataError, match="nothing to draw"):
        error_against_figure(tmp_path / "b.png", {})
    pictures, maps = np.zeros((2, 3, 8, 6), np.uint8), np.random.default_rng(0).normal(size=(2, 8, 6))
    overlay_figure(tmp_path / "c.png", pictures, maps, ["a", "b"], signed=True, title="t")
    with pytest.raises(DataError, match="do not belong together"):
        overlay_figure(tmp_path / "d.png", pictures, maps[:, :4], ["a", "b"], signed=False)


def test_a_picture_keeps_its_pixels(tmp_path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (3, 5, 7), dtype=np.uint8)
    read = matplotlib.image.imread(picture_file(tmp_path / "one.png", picture))
    assert np.array_equal((read[..., :3] * 255).round().astype(np.uint8), picture.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("val/offset_mae_km", -1),
        ("val/loss", -1),
        ("train/type_accuracy", 1),
        ("lr-AdamW", 0),
        ("val/offset_bias_km", 0),
    ],
)
def test_the_direction_of_a_measure_is_known_by_its_name(name: str, wanted: int) -> None:
    assert direction(name, ["offset", "type"]) == wanted


def test_tables_come_back_as_they_were_written(tmp_path) -> None:
    from seisvision.records.tables import read_table, write_table

    path = write_table(
        tmp_path / "tables" / "t.csv", ["event", "picture", "value"], [['=x,"y"', "../p.png", np.nan], ["b", "", 1.5]]
    )
    table = read_table(path)
    assert table.rows == [['=x,"y"', tmp_path / "tables" / "../p.png", None], ["b", None, 1.5]]
    with path.open(newline="") as handle:
        assert len(list(csv.reader(handle))) == 3


def test_names_that_look_like_numbers_stay_names(tmp_path) -> None:
    from seisvision.records.tables import read_table, write_table

    rows = [["20160113001234", "000123", "1", 1.0, 0.1234567, 7], ["1e5", "nan", "", np.nan, np.inf, np.int64(8)]]
    path = write_table(tmp_path / "t.csv", ["event", "sample", "target", "prediction", "p", "n"], rows)
    assert read_table(path).rows == [
        ["20160113001234", "000123", "1", 1.0, 0.123457, 7.0],
        ["1e5", "nan", None, None, "inf", 8.0],
    ]


def test_tables_without_quotes_of_older_versions_are_read_by_the_names_of_their_columns(tmp_path) -> None:
    from seisvision.records.tables import read_table

    path = tmp_path / "old.csv"
    path.write_text("event,sample,why,target,value\n000123,7,worst,a,0.5\n20160113001234,8,other,b,\n")
    assert read_table(path).rows == [
        ["000123", "7", "worst", "a", 0.5], ["20160113001234", "8", "other", "b", None]
    ]  # fmt: skip
