"""Every planted fault is found, with its example, and sound sets have none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from audited_sets import edit_samples, edit_table, write_sound_set

from seisvision.data.audit.audit import audit_set, check_set
from seisvision.data.audit.findings import Finding
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.data.synthesis.synthesise import synthesise


@pytest.fixture()
def sound(tmp_path: Path) -> Path:
    return write_sound_set(tmp_path / "sound").path


def found(waveform_set: WaveformSet) -> dict[str, Finding]:
    return {finding.code: finding for finding in audit_set(waveform_set).findings}


def test_a_sound_set_has_nothing_but_notes(sound: Path) -> None:
    findings = audit_set(WaveformSet(sound)).findings
    assert {finding.severity for finding in findings} <= {"note"}, [finding.sentence() for finding in findings]


def test_a_clean_synthetic_set_has_nothing_fatal(tmp_path: Path) -> None:
    parameters = SynthesisParameters(
        n_events=12, length_s=300.0, offset_range_deg=(2.0, 5.0), n_stations=(3, 5), noise_db=-60.0, fault=0.0
    )
    path = synthesise(parameters, tmp_path / "set", tmp_path / "cache", 1)
    assert not [finding for finding in audit_set(WaveformSet(path)).findings if finding.severity == "fatal"]


def put(column: str, row: int, value: Any) -> Callable[[pd.DataFrame], None]:
    def change(table: pd.DataFrame) -> None:
        table[column] = table[column].astype(object)
        table.loc[row, column] = value

    return change


def put_everywhere(column: str, make: Callable[[pd.DataFrame], Any]) -> Callable[[pd.DataFrame], None]:
    return lambda table: table.__setitem__(column, make(table))


def repeat_row(first: int, other: int, **changes: Any) -> Callable[[pd.DataFrame], None]:
    """Make the trace of row ``other`` tell the same as that of ``first``, with changes."""

    def change(table: pd.DataFrame) -> None:
        kept = table.loc[other, "trace_name"]
        table.loc[other] = table.loc[first]
        table.loc[other, "trace_name"] = kept
        for column, value in changes.items():
            table.loc[other, column] = value

    return change


def shift_clock(row: int, seconds: float) -> Callable[[pd.DataFrame], None]:
    def change(table: pd.DataFrame) -> None:
        moved = pd.Timestamp(table.loc[row, "trace_start_time"]) + pd.Timedelta(seconds=seconds)
        table.loc[row, "trace_start_time"] = moved.isoformat()

    return change


def tell_event_twice(kind: str) -> Callable[[pd.DataFrame], None]:
    """Event 5 happens a second after event 4, at its place."""

    def change(table: pd.DataFrame) -> None:
        one, other = table["source_id"] == "ev004", table["source_id"] == "ev005"
        for column in ("source_latitude_deg", "source_longitude_deg"):
            table.loc[other, column] = table.loc[one, column].iloc[0]
        moved = pd.Timestamp(table.loc[one, "source_origin_time"].iloc[0]) + pd.Timedelta(seconds=1)
        table.loc[other, "source_origin_time"] = moved.isoformat()
        table.loc[other, "source_type"] = kind

    return change


def relabel(chosen: Callable[[pd.DataFrame], Any], kind: str) -> Callable[[pd.DataFrame], None]:
    return lambda table: table.__setitem__("source_type", table["source_type"].where(~chosen(table), kind))


def exchange_azimuths(table: pd.DataFrame) -> None:
    table["path_azimuth_deg"] = table["path_back_azimuth_deg"]


def null_island(table: pd.DataFrame) -> None:
    table.loc[7, ["source_latitude_deg", "source_longitude_deg"]] = 0.0


@pytest.mark.parametrize(
    ("code", "severity", "change", "example"),
    [
        ("coordinates_impossible", "fatal", put("station_latitude_deg", 7, 91.5), "event ev001 station XX.S2 (row 7)"),
        ("coordinates_zero", "warning", null_island, "ev001"),
        ("depth_impossible", "fatal", put("source_depth_km", 12, 12000.0), "ev002"),
        ("magnitude_impossible", "fatal", put("source_magnitude", 12, -999.0), "ev002"),
        ("distance_negative", "fatal", put("path_ep_distance_km", 3, -4.0), "ev000 station XX.S3"),
        ("distance_contradicts", "warning", put("path_ep_distance_km", 3, 400.0), "ev000 station XX.S3"),
        ("path_azimuth_contradicts", "warning", exchange_azimuths, "ev000"),
        ("station_moved", "warning", put("station_latitude_deg", 7, 46.4), "XX.S2 by"),
        ("time_unreadable", "fatal", put("trace_start_time", 7, "yesterday"), "ev001 station XX.S2"),
        ("time_impossible", "warning", put("trace_start_time", 7, "1970-01-01T00:01:00Z"), "ev001 station XX.S2"),
        ("start_missing", "fatal", put("trace_start_time", 7, ""), "ev001"),
        ("clock_jump", "warning", shift_clock(7, 3600.0), "ev001 station XX.S2"),
        ("origin_after_arrival", "warning", shift_clock(7, -60.0), "ev001 station XX.S2"),
        ("arrival_odd", "warning", shift_clock(7, 40.0), "ev001 station XX.S2"),
        ("arrival_impossible", "warning", shift_clock(7, 900.0), "ev001 station XX.S2"),
        ("arrival_outside", "warning", put("trace_p_arrival_sample", 7, 9999.0), "ev001 station XX.S2"),
        ("labels_contradict", "fatal", put("source_type", 7, "blast"), "ev001"),
        ("event_contradicts", "warning", put("source_magnitude", 7, 2.9999), "ev001"),
        ("duplicate_event", "warning", tell_event_twice("blast"), "ev004 and ev005"),
        ("duplicate_event_contradicts", "fatal", tell_event_twice("quake"), "ev004 and ev005"),
        ("duplicate_trace", "warning", repeat_row(6, 7), "ev001 station XX.S1 (row 7)"),
        ("recording_shared", "warning", repeat_row(6, 12, source_id="ev002"), "station XX.S1"),
        ("class_small", "warning", relabel(lambda t: t["source_id"] < "ev004", "rare"), "rare: 4 events"),
        ("one_class", "note", put_everywhere("source_type", lambda t: "quake"), ""),
        ("no_labels", "note", put_everywhere("source_type", lambda t: ""), ""),
        ("labels_missing", "note", relabel(lambda t: t["source_id"] == "ev003", ""), "ev003"),
        ("rates_mixed", "note", put("trace_sampling_rate_hz", 7, 40.0), "20.0: 199 traces"),
        ("units_mixed", "note", put("trace_unit", 7, "counts"), "m/s: 199 traces"),
        ("onset_fixed", "note", put_everywhere("trace_onset_s", lambda t: 5.0), ""),
        ("coordinates_missing", "note", put("source_latitude_deg", 7, ""), "ev001"),
    ],
)  # fmt: skip
def test_faults_of_the_table(
    sound: Path, code: str, severity: str, change: Callable[[pd.DataFrame], Any], example: str
) -> None:
    findings = {finding.code: finding for finding in check_set(edit_table(sound, change))}
    assert code in findings, list(findings)
    assert findings[code].severity == severity
    assert not example or any(example in text for text in findings[code].examples), findings[code].examples
    assert findings[code].remedy


def put_samples(station: int, start: int, end: int, value: Any) -> Callable[[np.ndarray], None]:
    return lambda samples: samples.__setitem__((station, 0, slice(start, end)), value)


def clip(samples: np.ndarray) -> None:
    samples[2, 0] = np.clip(1000 * np.sin(np.arange(samples.shape[2]) / 5), -600, 600)


@pytest.mark.parametrize(
    ("code", "severity", "change"),
    [
        ("samples_missing", "warning", put_samples(2, 100, 140, np.nan)),
        ("samples_infinite", "fatal", put_samples(2, 100, 101, np.inf)),
        ("channel_dead", "warning", put_samples(2, 0, 600, 7.0)),
        ("channel_flat", "warning", put_samples(2, 100, 300, 7.0)),
        ("channel_clipped", "warning", clip),
        ("channel_offset", "warning", lambda samples: samples[2].__iadd__(1e5)),
        ("channel_spike", "warning", put_samples(2, 500, 501, 1e6)),
        ("padding", "note", lambda samples: samples[2, :, :200].__imul__(0)),
    ],
)
def test_faults_of_the_samples(sound: Path, code: str, severity: str, change: Callable[[np.ndarray], Any]) -> None:
    findings = found(edit_samples(sound, 3, change))
    assert code in findings, list(findings)
    assert findings[code].severity == severity
    assert findings[code].count == 1 and "event ev003 station XX.S2 (row 17)" in findings[code].examples[0]


def per_trace(samples: np.ndarray) -> None:
    samples[...] = np.arange(samples.shape[0])[:, None, None] - 2.0


def gaps_about_one_value(samples: np.ndarray) -> None:
    samples[...] = np.nan
    samples[:, :, 200:300] = 0.0


@pytest.mark.parametrize(
    "change",
    [
        lambda samples: samples.__imul__(0),
        lambda samples: samples.__setitem__(..., 7.0),
        lambda samples: samples.__setitem__(..., np.nan),
        per_trace,
        gaps_about_one_value,
    ],
    ids=["zeros", "one value", "gaps", "one value a trace", "zeros and gaps"],
)
def test_an_event_in_which_nothing_moves_is_named(sound: Path, change: Callable[[np.ndarray], Any]) -> None:
    # More dead channels than a finding has examples come first, of events in which something moves.
    for event in range(3):
        edit_samples(sound, event, lambda samples: samples[:, 0].__imul__(0))
    findings = found(edit_samples(sound, 31, change))
    assert not any("ev031" in text for text in findings["channel_dead"].examples)
    finding = findings["event_dead"]
    assert finding.examples == ("event ev031",) and (finding.count, finding.of) == (1, 40)
    assert finding.severity == "warning" and finding.unit == "events" and finding.remedy


def test_an_event_with_one_live_channel_is_not_dead_and_many_dead_ones_are_fatal(sound: Path) -> None:
    def all_but_one_channel(samples: np.ndarray) -> None:
        samples[:4] = 0.0
        samples[4, :2] = 3.0

    assert "event_dead" not in found(edit_samples(sound, 31, all_but_one_channel))
    for event in range(30):
        edit_samples(sound, event, lambda samples: samples.__imul__(0))
    assert found(WaveformSet(sound))["event_dead"].severity == "fatal"


def test_copies(sound: Path) -> None:
    kept: list[np.ndarray] = []
    edit_samples(sound, 3, lambda samples: kept.append(samples[1].copy()))
    findings = found(edit_samples(sound, 8, lambda samples: samples.__setitem__(4, kept[0])))
    assert findings["copy_between_events"].severity == "fatal"
    assert (
        "event ev003 station XX.S1 (row 16) and event ev008 station XX.S4"
        in findings["copy_between_events"].examples[0]
    )
    findings = found(edit_samples(sound, 8, lambda samples: samples.__setitem__(3, samples[2])))
    assert findings["copy_within_event"].severity == "warning"


def test_a_station_upside_down_in_an_array(tmp_path: Path) -> None:
    """A small array far from the source; networks with wide meshes cannot be judged."""
    array = {
        "station_latitude_deg": lambda event, station: 46.5 + 0.002 * station,
        "station_longitude_deg": lambda event, station: -121.0 + 0.002 * (station % 2),
        "path_ep_distance_km": lambda event, station: 60.0,
    }
    path = write_sound_set(tmp_path / "array", 20, **array).path
    assert "polarity" not in found(WaveformSet(path))
    finding = found(edit_samples(path, 3, lambda samples: samples[2].__imul__(-1)))["polarity"]
    assert finding.count == 1 and finding.examples == ("event ev003 station XX.S2 (row 17)",)


def test_a_truncated_file_is_fatal_and_named(sound: Path) -> None:
    findings = found(edit_table(sound, put("trace_name", 7, "bucket1$9,:3,:600")))
    assert findings["unreadable"].severity == "fatal" and findings["unreadable"].count == 5


def test_events_of_one_place_are_told(tmp_path: Path) -> None:
    pairs = write_sound_set(tmp_path / "pairs", 20, source_cell=lambda event, _: f"cell{event // 2}")
    found = [finding for finding in check_set(pairs) if finding.code == "place_shared"]
    assert [(finding.severity, finding.count, finding.of) for finding in found] == [("note", 20, 20)]
    alone = write_sound_set(tmp_path / "alone", 20, source_cell=lambda event, _: f"cell{event}")
    assert not [finding for finding in check_set(alone) if finding.code == "place_shared"]
