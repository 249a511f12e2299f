"""Faults of numbers learnt, values that stand for none, units, origins and copies are found, and sound sets pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from audited_sets import edit_samples, edit_table, write_sound_set

from seisvision.data.audit.audit import check_set
from seisvision.data.audit.copies import set_copies
from seisvision.data.audit.findings import Finding
from seisvision.data.audit.table import AuditTable
from seisvision.data.audit.targets import Learnt, stand_ins
from seisvision.data.sets.waveform_set import WaveformSet

Change = Callable[[pd.DataFrame], object]


@pytest.fixture()
def sound(tmp_path: Path) -> Path:
    return write_sound_set(tmp_path / "sound").path


def codes(path: Path, change: Change | None = None, *learnt: Learnt) -> dict[str, Finding]:
    waveform_set = WaveformSet(path) if change is None else edit_table(path, change)
    return {finding.code: finding for finding in check_set(waveform_set, learnt=learnt)}


def event_number(table: pd.DataFrame) -> pd.Series:
    return table["source_id"].str[2:].astype(int)


def put_in(column: str, value: float | str, every: int = 8) -> Change:
    """The value in one of ``every`` events."""

    def change(table: pd.DataFrame) -> None:
        table[column] = table[column].astype(object)
        table.loc[event_number(table) % every == 0, column] = value

    return change


def scaled(column: str, factor: float) -> Change:
    return lambda table: table.__setitem__(column, table[column].astype(float) * factor)


def test_sound_numbers_of_every_kind_pass(sound: Path) -> None:
    learnt = [Learnt(column) for column in ("source_depth_km", "source_magnitude", "path_ep_distance_km")]
    found = codes(sound, None, *learnt, Learnt("path_back_azimuth_deg", "angle"))
    assert {finding.severity for finding in found.values()} <= {"note"}


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("source_depth_km", -5.0, "depth_sentinel"),
        ("source_depth_km", -1.0, "depth_sentinel"),
        ("source_magnitude", -1.0, "magnitude_sentinel"),
        ("source_magnitude", 0.0, "magnitude_sentinel"),
        ("source_magnitude", 9.99, "magnitude_sentinel"),
        ("path_ep_distance_km", 999.0, "distance_sentinel"),
        ("path_ep_distance_km", 0.0, "distance_sentinel"),
    ],
)
def test_values_for_none_are_fatal_where_they_are_learnt_and_told_elsewhere(
    sound: Path, column: str, value: float, code: str
) -> None:
    found = codes(sound, put_in(column, value))
    assert found[code].severity == "warning" and f"is {value:g}" in found[code].title
    assert codes(sound, None, Learnt(column))[code].severity == "fatal"


@pytest.mark.parametrize(
    ("kind", "column", "change", "code"),
    [
        ("scalar", "source_depth_km", put_in("source_depth_km", 7.0, 1), "target_constant"),
        ("scalar", "source_depth_km", put_in("source_depth_km", "12 km", 2), "target_unreadable"),
        ("scalar", "source_depth_km", lambda t: t.loc.__setitem__((1, "source_depth_km"), 30.0), "target_contradicts"),
        ("angle", "source_strike_deg", lambda t: t.__setitem__("source_strike_deg", 500.0), "angle_impossible"),
        (
            "angle",
            "source_strike_deg",
            lambda t: t.__setitem__("source_strike_deg", event_number(t) % 37 / 6),
            "angle_radians",
        ),
        (
            "angle",
            "source_strike_deg",
            lambda t: t.__setitem__("source_strike_deg", np.where(event_number(t) % 4, 9.0 * event_number(t), -1.0)),
            "target_sentinel",
        ),
        (
            "scalar",
            "source_volume_m3",
            lambda t: t.__setitem__("source_volume_m3", np.where(event_number(t) % 4, 3.0 + event_number(t), 1e6)),
            "target_sentinel",
        ),
        (
            "scalar",
            "source_magnitude",
            lambda t: t.__setitem__("source_magnitude_type", np.where(event_number(t) % 3, "ml", "Mww")),
            "magnitude_types_mixed",
        ),
    ],
)
def test_faults_of_what_is_learnt_are_fatal(sound: Path, kind: str, column: str, change: Change, code: str) -> None:
    assert codes(sound, change, Learnt(column, kind))[code].severity == "fatal"


def test_only_the_events_that_are_learnt_from_count(sound: Path) -> None:
    waveform_set = edit_table(sound, put_in("source_magnitude", -1.0))
    rows = (event_number(waveform_set.metadata) % 8 != 0).to_numpy()
    found = {finding.code for finding in check_set(waveform_set, learnt=[Learnt("source_magnitude", rows=rows)])}
    assert "magnitude_sentinel" not in found


def test_spellings_of_one_magnitude_are_one_and_types_that_tell_the_class_are_told(sound: Path) -> None:
    spelt = codes(sound, lambda t: t.__setitem__("source_magnitude_type", np.where(t.index % 2, "mww", "Mw")))
    assert "magnitude_types_mixed" not in spelt
    apart = codes(sound, lambda t: t.__setitem__("source_magnitude_type", t["source_type"].replace("quake", "ML")))
    assert apart["magnitude_types_mixed"].severity == "warning"
    assert apart["confound_magnitude_type"].severity == "warning"


def hide_places(table: pd.DataFrame) -> None:
    table[["source_latitude_deg", "source_longitude_deg"]] = ""
    slant_km = np.hypot(table["path_ep_distance_km"], table["source_depth_km"])
    table["trace_s_arrival_sample"] = table["trace_p_arrival_sample"] + slant_km / 8 * 20


@pytest.mark.parametrize(("factor", "unit"), [(1000.0, "metres"), (1 / 111.2, "degrees"), (0.6214, "miles")])
def test_distances_in_other_units_are_named(sound: Path, factor: float, unit: str) -> None:
    found = codes(sound, scaled("path_ep_distance_km", factor))["distance_contradicts"]
    assert found.severity == "fatal" and found.title.endswith(f"they are in {unit}")


def test_distances_without_coordinates_are_noted_and_compared_with_the_picks(sound: Path) -> None:
    found = codes(sound, hide_places)
    assert found["distance_unchecked"].severity == "note" and "distance_contradicts_picks" not in found
    assert codes(sound, scaled("path_ep_distance_km", 1000.0))["distance_contradicts_picks"].severity == "fatal"


def test_shallow_depths_in_metres_are_found_by_the_arrivals(sound: Path) -> None:
    found = codes(sound, lambda t: t.__setitem__("source_depth_km", 150.0 + 13 * event_number(t)))
    assert found["depth_contradicts"].severity == "fatal" and "depth_impossible" not in found


def test_fixed_depths_are_noted_and_a_warning_where_depth_is_learnt(sound: Path) -> None:
    assert codes(sound, put_in("source_depth_km", 10.0, 4))["depth_fixed"].severity == "note"
    assert codes(sound, None, Learnt("source_depth_km"))["depth_fixed"].severity == "warning"


def test_elevations_in_kilometres_and_longitudes_of_two_kinds(sound: Path) -> None:
    def change(table: pd.DataFrame) -> None:
        table["station_elevation_m"] = 0.3 + table["station_code"].str[1:].astype(int) / 7
        table.loc[:4, "station_longitude_deg"] += 360
        table["station_longitude_deg"] = table["station_longitude_deg"].astype(float)

    found = codes(sound, change)
    assert found["elevation_unit"].severity == "note" and found["longitudes_mixed"].severity == "note"
    assert "station_moved" not in found and "distance_contradicts" not in found


def test_stations_at_the_date_line_have_not_moved(tmp_path: Path) -> None:
    turned = {
        "station_longitude_deg": lambda event, station: 179.9999 if event % 2 else -179.9999,
        "station_latitude_deg": lambda event, station: 10.0 + station,
        "path_ep_distance_km": lambda event, station: "",
        "path_azimuth_deg": lambda event, station: "",
        "path_back_azimuth_deg": lambda event, station: "",
    }
    found = {finding.code for finding in check_set(write_sound_set(tmp_path / "set", 12, **turned))}
    assert "station_moved" not in found


def shift_origins(seconds: Callable[[pd.Timestamp], float], every: int) -> Change:
    def change(table: pd.DataFrame) -> None:
        origins = [pd.Timestamp(text) for text in table["source_origin_time"]]
        chosen = event_number(table) % every == 0
        table["source_origin_time"] = [
            (time + pd.Timedelta(seconds=seconds(time) if late else 0)).isoformat()
            for time, late in zip(origins, chosen, strict=True)
        ]

    return change


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (27.0, "leap seconds of their time: a clock that counts"),
        (18.0, "leap seconds of their time: a clock of GPS"),
        (3600.0, "whole hours"),
        (-9 * 3600.0, "whole hours"),
        (45.0, "the catalogue, or the association"),
    ],
)
def test_origins_that_all_arrivals_contradict(sound: Path, seconds: float, said: str) -> None:
    found = codes(sound, shift_origins(lambda time: seconds, 4))["origin_contradicts"]
    assert (found.count, found.of, found.severity) == (10, 40, "fatal")
    assert said in found.remedy and "event ev000" in found.examples[0]


def test_one_early_station_is_no_early_event(sound: Path) -> None:
    def change(table: pd.DataFrame) -> None:
        table.loc[7, "trace_start_time"] = (
            pd.Timestamp(table.loc[7, "trace_start_time"]) - pd.Timedelta(seconds=60)
        ).isoformat()

    assert "origin_contradicts" not in codes(sound, change)


def test_numbers_as_catalogues_have_them_hold_no_value_for_none() -> None:
    rng = np.random.default_rng(1)
    assert not stand_ins(np.round(rng.normal(0.5, 0.7, 400), 1))
    assert not stand_ins(np.round(rng.exponential(9, 400)))
    assert not stand_ins(np.concatenate([np.zeros(200), rng.uniform(0.5, 30, 300)]))
    assert not stand_ins(np.round(rng.uniform(0, 360, 400) / 5) * 5, ordered=False)


def copies_of(path: Path, cache: Path | None = None) -> list[tuple[int, int]]:
    waveform_set = WaveformSet(path)
    return set_copies(waveform_set, AuditTable(waveform_set), cache)


@pytest.mark.parametrize(
    "alter",
    [
        lambda one: one,
        lambda one: -2.5e-6 * one,
        lambda one: np.round(one / 10),
        lambda one: np.roll(one, 37, axis=-1),
        lambda one: one + 5000.0,
    ],
    ids=["equal", "scaled and turned over", "rounded", "cut elsewhere", "offset"],
)
def test_copies_of_a_recording_are_found(sound: Path, alter: Callable[[np.ndarray], np.ndarray]) -> None:
    assert copies_of(sound) == []
    kept: list[np.ndarray] = []
    edit_samples(sound, 3, lambda samples: kept.append(samples[1].copy()))
    edit_samples(sound, 8, lambda samples: samples.__setitem__(4, alter(kept[0])))
    assert copies_of(sound) == [(16, 44)]


def test_what_was_found_is_kept_and_a_folder_that_cannot_be_written_is_no_fault(sound: Path, tmp_path: Path) -> None:
    assert copies_of(sound, tmp_path / "cache") == []
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text('{"pairs": [[1, 2]]}')
    assert copies_of(sound, tmp_path / "cache") == [(1, 2)]
    kept.write_text("{")
    assert copies_of(sound, tmp_path / "cache") == []
    (tmp_path / "file").write_text("")
    assert copies_of(sound, tmp_path / "file" / "cache") == []


def test_zeros_among_small_distances_stand_for_none_but_zeros_among_shallow_depths_need_not() -> None:
    values = np.where(np.arange(120) % 6 == 0, 0.0, np.linspace(16.0, 700.0, 120))
    assert stand_ins(values, never_zero=True) == [0.0]
    assert stand_ins(np.where(np.arange(120) % 6 == 0, 0.0, np.linspace(0.5, 700.0, 120))) == []
