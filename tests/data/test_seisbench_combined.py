"""Several sets as one: equal windows, ids that cannot collide, one vocabulary, and nothing lost without a reason."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from audited_sets import LENGTH_S, RATE_HZ, write_sound_set
from small_sets import write_foreign

from seisvision.data.audit.audit import check_set
from seisvision.data.audit.confounds import set_confounds
from seisvision.data.audit.table import AuditTable
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sources.combined import CombinedSource, Member, translate
from seisvision.errors import ConfigurationError, DataError

CUT = {"components": "Z", "sampling_rate_hz": 10.0, "before_s": 1.5, "length_s": 15.0, "jitter_s": 1.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets 'early' and 'late' with equal event ids; onsets at 3 to 7 s, or 4 s later."""
    path = tmp_path_factory.mktemp("data")
    write_sound_set(path / "early", 30)
    late = write_sound_set(path / "late", 30).path
    table = pd.read_csv(late / "metadata.csv", keep_default_na=False)
    # The same samples told to begin four seconds earlier stand for records with a longer lead.
    rolled = {"trace_onset_s": 4.0, "trace_p_arrival_sample": 4.0 * RATE_HZ}
    for column, shift in rolled.items():
        table[column] += shift
    starts = pd.to_datetime(table["trace_start_time"], format="ISO8601") - pd.Timedelta(seconds=4)
    table["trace_start_time"] = [time.isoformat() for time in starts]
    table["source_type"] = table["source_type"].map({"quake": "EQ", "blast": "EX"})
    table["source_depth_m"] = table.pop("source_depth_km") * 1000
    table.to_csv(late / "metadata.csv", index=False)
    import h5py

    with h5py.File(late / "waveforms.hdf5", "r+") as file:
        for dataset in file["data"].values():
            dataset[...] = np.roll(dataset[()], round(4 * RATE_HZ), axis=-1)
    return path


LATE = {
    "path": "late",
    "columns": {"source_depth_m": "source_depth_km"},
    "factors": {"source_depth_km": 0.001},
    "values": {"source_type": {"EQ": "quake", "EX": "blast"}},
}


def combined(folder: Path, *sets: dict[str, Any], **changes: Any) -> WaveformSet:
    return WaveformSet(CombinedSource(list(sets), **(CUT | changes)).prepare(folder))


def test_ids_vocabulary_and_windows_are_one(folder: Path) -> None:
    waveform_set = combined(folder, {"path": "early"}, LATE)
    table = waveform_set.metadata
    assert (
        len(waveform_set) == 60
        and waveform_set.source_ids[0] == "early:ev000"
        and "late:ev000" in waveform_set.source_ids
    )
    assert dict(table["source_set"].value_counts()) == {"early": 150, "late": 150}
    assert set(table["source_type"]) == {"quake", "blast"} and "source_depth_m" not in table
    assert table["source_depth_km"].between(1, 20).all()
    assert set(waveform_set.n_samples) == {150} and set(table["trace_sampling_rate_hz"]) == {10.0}
    assert set(table["trace_component_order"]) == {"Z"}
    np.testing.assert_allclose(table["trace_p_arrival_sample"] / 10, table["trace_onset_s"], atol=0.01)
    assert table["trace_onset_s"].between(0.4, 2.6).all() and table["trace_onset_s"].std() > 0.4


def test_the_same_motion_is_the_same_from_either_set(folder: Path) -> None:
    """Both sets hold the same events, recorded with another lead: cut without shift they must agree."""
    waveform_set = combined(folder, {"path": "early"}, LATE, jitter_s=0.0)
    starts = waveform_set.metadata.set_index("source_id")["trace_start_time"]
    for event in ("ev003", "ev017"):
        one, other = (waveform_set.read_event(f"{name}:{event}", "Z").waveforms for name in ("early", "late"))
        for first, second in zip(one, other, strict=True):
            assert np.corrcoef(first[0], second[0])[0, 1] > 0.98
            assert np.abs(first).max() == 1.0
        times = [pd.to_datetime(starts[f"{name}:{event}"]).to_numpy("datetime64[ns]") for name in ("early", "late")]
        assert np.abs((times[0] - times[1]) / np.timedelta64(1, "s")).max() < 0.11


def test_the_band_moves_no_arrival(folder: Path) -> None:
    cuts = [combined(folder, {"path": "early"}, jitter_s=0.0, band_hz=band_hz) for band_hz in (None, [0.5, 3.0])]
    assert len({cut.fingerprint for cut in cuts}) == 2
    assert "zero phase" in str(cuts[1].card["processing"])
    lags = []
    for row in range(0, 50, 5):
        plain, filtered = (cut.read_trace(row, "Z")[0][0].astype(float) for cut in cuts)
        lags.append(np.argmax(np.correlate(filtered, plain, "full")) - len(plain) + 1)
    assert not np.any(lags)


def test_window_style_is_warned_of_where_it_is_not_equal(folder: Path, tmp_path: Path) -> None:
    codes = {finding.code for finding in check_set(combined(folder, {"path": "early"}, LATE))}
    assert "window_style" not in codes
    # The same sets thrown together as they are.
    tables = []
    for name in ("early", "late"):
        table = pd.read_csv(folder / name / "metadata.csv")
        tables.append(table.assign(source_set=name, source_id=name + ":" + table["source_id"]))
    joined = pd.concat(tables, ignore_index=True)
    joined["trace_name"] = [f"b0${i},:3,:600" for i in range(len(joined))]
    write_foreign(tmp_path / "heap", joined, {"b0": np.zeros((1, 3, 600))}, {"sampling_rate": RATE_HZ})
    heap = WaveformSet(tmp_path / "heap")
    finding = next(item for item in check_set(heap) if item.code == "window_style")
    assert finding.severity == "warning" and "onset in window" in finding.title
    assert {item.attribute: item.auc for item in set_confounds(AuditTable(heap))}["onset in window"] > 0.85


def test_whatever_does_not_fit_is_listed(folder: Path) -> None:
    late = LATE | {"values": {"source_type": {"EQ": "quake", "EX": None}}, "select": {"source_type": ["quake"]}}
    waveform_set = combined(folder, {"path": "early"}, late, length_s=LENGTH_S - 7.5)
    with (waveform_set.path / "rejected.csv").open() as file:
        rejected = list(csv.DictReader(file))
    causes = {(row["source"], row["cause"]) for row in rejected}
    assert ("late", "class_left_out") in causes and ("late", "outside_recording") in causes
    traces = sum(1 for row in rejected if row["trace_id"])
    kept_or_listed = len(waveform_set.metadata) + traces
    whole_events = sum(1 for row in rejected if row["cause"] in ("class_left_out", "not_selected"))
    assert kept_or_listed == 2 * 30 * 5 - 5 * whole_events
    assert set(waveform_set.event_table().query("source_set == 'late'")["source_type"]) <= {"quake"}


def test_made_once_and_named_by_content(folder: Path) -> None:
    source = CombinedSource([{"path": "early"}, LATE], **CUT)
    path = source.prepare(folder)
    written = (path / "card.json").stat().st_mtime_ns
    assert source.prepare(folder) == path and (path / "card.json").stat().st_mtime_ns == written
    card = json.loads((path / "card.json").read_text())
    assert card["fingerprint"] == source.fingerprint(folder) == WaveformSet(path).fingerprint
    assert [item["name"] for item in card["source"]] == ["early", "late"]
    assert (
        CombinedSource([{"path": "early"}, LATE], **(CUT | {"jitter_s": 0.5})).fingerprint(folder)
        != card["fingerprint"]
    )
    assert CombinedSource([{"path": "early"}, LATE], seed=1, **CUT).fingerprint(folder) != card["fingerprint"]


def test_bad_settings_are_named(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="different names"):
        CombinedSource([{"path": "a/x"}, {"path": "b/x"}])
    with pytest.raises(ConfigurationError, match="Did you mean 'columns'"):
        CombinedSource([{"path": "x", "column": {}}])
    with pytest.raises(ConfigurationError, match="Did you mean 'length_s'"):
        CombinedSource([{"path": "x"}], lenght_s=3)
    with pytest.raises(DataError, match="no column 'source_depth'"):
        translate(WaveformSet(folder / "early").metadata, Member("early", columns={"source_depth": "source_depth_km"}))
    with pytest.raises(DataError, match="was found neither"):
        CombinedSource([{"path": "nowhere"}]).prepare(folder)
