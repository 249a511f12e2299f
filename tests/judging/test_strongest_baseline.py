"""Trees on all features, the choice of the baseline to beat, and what is kept of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.evaluation.baselines.attributes import WAVEFORM_NAMES, trace_attributes, waveform_attributes
from seisvision.evaluation.baselines.feature_table import FeatureTable
from seisvision.judging.baselines import Features, Part, choose_strongest, fit_output
from seisvision.judging.stored_baselines import StoredBaselines, read_stored
from seisvision.outputs.baseline import strongest_baseline

KIND = {"kind": "class", "target": "kind", "class_names": ["quake", "blast"]}
ANGLE = {"kind": "angle", "name": "a", "target": "a", "period_deg": 360, "tolerance_deg": 15.0}
DEPTH = {
    "kind": "scalar", "name": "z", "target": "z", "unit": "km", "transform": "log1p",
    "tolerance_relative": 0.2, "tolerance_absolute": 0.0,
}  # fmt: skip


def parts_of(values: np.ndarray, column: str) -> dict[str, Part]:
    n = len(values)
    whole = Part(SampleIds.of_events([f"e{i}" for i in range(n)]), {column: values})
    place = np.arange(n) / n
    return {
        "train": whole.where(place < 0.5),
        "val": whole.where((place >= 0.5) & (place < 0.75)),
        "test": whole.where(place >= 0.75),
    }


def table_of(values: np.ndarray, *names: str) -> FeatureTable:
    return FeatureTable(SampleIds.of_events([f"e{i}" for i in range(len(values))]), list(names), values)


def exclusive_or(n: int = 400, seed: int = 0) -> tuple[FeatureTable, np.ndarray]:
    """Two features of which neither, and no line through both, tells the class."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 2))
    return table_of(values, "a", "b"), (values[:, 0] * values[:, 1] > 0).astype(int)


def test_trees_find_what_no_line_separates_and_are_the_ones_to_beat() -> None:
    table, target = exclusive_or()
    parts = parts_of(target, "kind")
    features = Features({"physics": table}, {"physics": table})
    fitted = fit_output(features, KIND, parts)
    accuracy = {name: one.metrics["test"]["accuracy"].value for name, one in fitted.items()}
    assert accuracy["physics"] < 0.65 < 0.85 < min(accuracy["boosting"], accuracy["forest"])
    choice = choose_strongest(fitted, parts["train"], lambda _: pytest.fail("validation events are there"))
    assert choice is not None and choice.name in ("boosting", "forest")
    again = fit_output(features, KIND, parts)
    assert np.array_equal(again["forest"].predictions["test"].decoded, fitted["forest"].predictions["test"].decoded)


def test_the_test_events_have_no_say_in_the_choice() -> None:
    table, target = exclusive_or()
    spoilt = table.values.copy()
    spoilt[300:] = np.random.default_rng(1).normal(size=(100, 2))
    parts = parts_of(target, "kind")
    names = [
        strongest_baseline(fit_output(Features({"physics": one}, {"physics": one}), KIND, parts), "val")
        for one in (table, table_of(spoilt, "a", "b"))
    ]
    assert names[0] == names[1]


def test_without_validation_events_training_events_are_held_out_whole() -> None:
    table, target = exclusive_or()
    whole = parts_of(target, "kind")
    train, asked = whole["train"], []
    events = [f"event-{i // 4}" for i in range(len(train.ids))]
    train = Part(SampleIds("trace", train.ids.ids, events), train.targets)
    features = Features({"physics": table}, {"physics": table})

    def refit(parts: Any) -> Any:
        asked.append(parts)
        return fit_output(features, KIND, parts)

    fitted = fit_output(features, KIND, {"train": train, "test": whole["test"]})
    choice = choose_strongest(fitted, train, refit)
    assert choice is not None and choice.name in ("boosting", "forest") and "held out" in choice.chosen_on
    held, left = (set(asked[0][part].ids.source_ids) for part in ("val", "train"))
    assert len(held) == 10 and not held & left


def test_numbers_and_angles_have_trees_too() -> None:
    rng = np.random.default_rng(3)
    values = rng.uniform(-1, 1, (400, 2))
    depth_km = np.exp(3 + 2 * np.abs(values[:, 0]))
    angle = np.degrees(np.arctan2(values[:, 1], values[:, 0])) % 360
    for about, target, worst in ((DEPTH, depth_km, 7.0), (ANGLE, angle, 12.0)):
        table = table_of(values, "x", "y")
        fitted = fit_output(Features({}, {"both": table}), about, parts_of(target, str(about["target"])))
        unit = about.get("unit", "deg")
        for name in ("boosting", "forest"):
            assert fitted[name].metrics["test"][f"median_ae_{unit}"].value < worst
        assert strongest_baseline(fitted, "val") != "median", "of errors the smallest is the best"


def test_one_that_hardly_ever_answers_is_not_the_one_to_beat() -> None:
    distance_km = np.linspace(50, 900, 200)
    picked = distance_km[:, None].copy()
    picked[np.arange(200) % 5 > 0] = np.nan
    about = DEPTH | {"target": "path_ep_distance_km"}
    features = Features({"s_minus_p": table_of(picked, "distance_km")}, {})
    fitted = fit_output(features, about, parts_of(distance_km, "path_ep_distance_km"))
    assert fitted["s_minus_p"].metrics["val"][fitted["s_minus_p"].predictions["val"].headline].value == 1
    assert strongest_baseline(fitted, "val") == "median"


def test_features_that_no_training_sample_has_do_no_harm() -> None:
    table, target = exclusive_or()
    values = np.concatenate([table.values, np.full((400, 1), np.nan)], axis=1)
    values[350:, 2] = 1.0
    with_gap = table_of(values, "a", "b", "c")
    fitted = fit_output(Features({"physics": with_gap}, {"physics": with_gap}), KIND, parts_of(target, "kind"))
    assert fitted["boosting"].metrics["test"]["accuracy"].value > 0.85
    nothing = table_of(np.full((400, 1), np.nan), "c")
    empty = fit_output(Features({"physics": nothing}, {"physics": nothing}), KIND, parts_of(target, "kind"))
    assert empty["forest"].skipped == empty["physics"].skipped == "no feature is known of any training sample"


def test_stored_features_fit_the_same_baselines_to_other_events(tmp_path: Path) -> None:
    table, target = exclusive_or()
    parts = parts_of(target, "kind")
    features = Features({"physics": table}, {"physics": table})
    fitted = fit_output(features, KIND, parts)
    StoredBaselines(parts["train"], features.together, {}, {}, 3407).write(tmp_path / "baselines.npz")
    stored = read_stored(tmp_path / "baselines.npz", "event")
    # The other set happens to use the same names.
    test = parts["test"]
    renamed = Part(SampleIds.of_events([f"e{i}" for i in range(100)]), test.targets)
    other = table_of(table.select(test.ids.ids), "a", "b")
    beside = stored.beside(Features({"physics": other}, {"physics": other}))
    again = fit_output(beside, KIND, {"train": stored.training_part(), "all": renamed})
    for name in ("majority", "physics", "boosting", "forest"):
        assert again[name].predictions["all"].decoded == pytest.approx(fitted[name].predictions["test"].decoded)
    unlike = table_of(table.values[:, :1], "other")
    lacking = stored.beside(Features({"physics": unlike}, {"physics": unlike}))
    assert "are not other" in str(lacking.alone["physics"]) and not lacking.together


def test_attributes_say_what_they_are_called() -> None:
    rate_hz, time_s = 20.0, np.arange(1200) / 20
    short, long = (np.exp(-np.clip(time_s - 10, 0, None) / decay_s) * (time_s >= 10) for decay_s in (1.0, 10.0))
    waves = np.stack([short * np.sin(2 * np.pi * 5 * time_s), long * np.sin(2 * np.pi * 1 * time_s), np.zeros(1200)])
    values = dict(zip(WAVEFORM_NAMES, waveform_attributes(waves, rate_hz).T, strict=True))
    assert values["log_centroid_hz"][0] == pytest.approx(np.log(5), abs=0.1)
    assert values["log_median_hz"][1] == pytest.approx(0, abs=0.1)
    assert values["log_kurtosis"][0] > values["log_kurtosis"][1] + 1
    # The envelope falls to a tenth in ln(10) times the decay.
    assert np.exp(values["log_seconds_above_tenth"][1]) == pytest.approx(10 * np.log(10), rel=0.1)
    assert all(np.isnan(column[2]) for column in values.values())
    louder = waveform_attributes(1e6 * waves[:2], rate_hz)
    assert np.allclose(louder[:, 1:], waveform_attributes(waves[:2], rate_hz)[:, 1:], atol=1e-6)


def test_the_first_motion_points_away_from_the_source() -> None:
    time_s = np.arange(400) / 20
    pulse = np.exp(-(((time_s - 6) / 0.3) ** 2))
    for back_azimuth_deg in (30.0, 200.0):
        away = np.radians(back_azimuth_deg + 180)
        traces = np.stack([pulse, pulse * np.cos(away), pulse * np.sin(away)])[None, None]
        batch = {keys.WAVEFORM: traces, keys.ONSET_S: np.array([[5.5]]), keys.SAMPLING_RATE_HZ: 20.0}
        found = trace_attributes(batch)
        north, east = (found.values[0, found.names.index(f"first_motion_{name}")] for name in ("north", "east"))
        assert np.degrees(np.arctan2(-east, -north)) % 360 == pytest.approx(back_azimuth_deg, abs=1)
