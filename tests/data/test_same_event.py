"""One event under two ids: found by origin, recording and waveform, and kept on one side of every split."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_sets import event_waveforms, trace_row, write_set

from seisvision.data.sets.recording_shapes import set_shapes, shape_of
from seisvision.data.sets.same_event import (
    SAME_SPAN,
    EventFacts,
    same_origins,
    same_recordings,
    told_twice,
)
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.sources.combined import CombinedSource
from seisvision.data.splitting.splits import make_split


def _origins(*events: tuple[float, float, float]) -> EventFacts:
    """Facts of events that have only an origin: seconds, latitude, longitude."""
    origin_s, latitude_deg, longitude_deg = np.array(events, dtype=float).reshape(-1, 3).T
    none = np.empty(0)
    ids = [f"e{number}" for number in range(len(events))]
    return EventFacts(ids, origin_s, latitude_deg, longitude_deg, none.astype(int), none.astype(str), none, none)


@pytest.mark.parametrize(
    ("late_s", "north_km", "same"),
    [
        (0.0, 0.0, True),
        (2.0, 10.0, True),  # another agency
        (-4.0, 12.0, True),  # earlier, and farther away
        (8.5, 48.0, True),
        (4.0, 0.0, False),  # the next shock of a swarm
        (2.0, 60.0, False),
        (-20.0, 30.0, False),
        (np.nan, 0.0, False),
    ],
)
@pytest.mark.parametrize("longitude_deg", [12.0, 180.0, -360.0])
def test_origins_of_one_event(late_s: float, north_km: float, same: bool, longitude_deg: float) -> None:
    one = _origins((1e9, 61.0, longitude_deg), (1e9 + 3600, 61.0, longitude_deg))
    other = _origins((1e9 - 9e4, 0.0, 0.0), (1e9 + late_s, 61.0 + north_km / 111.195, longitude_deg + 360))
    assert same_origins(one, other).tolist() == ([[0, 1]] if same else [])


def _recorded(*traces: tuple[int, str, float, float]) -> EventFacts:
    """Facts of events that have only recordings: number, station, start and end."""
    event, station, start_s, end_s = (np.array(values) for values in zip(*traces, strict=True))
    unknown = np.full(int(event.max()) + 1, np.nan)
    ids = [f"e{number}" for number in range(len(unknown))]
    return EventFacts(ids, unknown, unknown, unknown, event, station, start_s, end_s)


@pytest.mark.parametrize(
    ("station", "start_s", "end_s", "same"),
    [
        ("UW.A", 100.0, 160.0, True),
        ("UW.A", 103.0, 163.0, True),
        ("UW.A", 110.0, 130.0, True),  # cut out of it
        ("UW.A", 0.0, 400.0, True),
        ("UW.A", 120.0, 180.0, False),
        ("UW.B", 100.0, 160.0, False),
        ("UW.A", 160.0, 220.0, False),
    ],
)
def test_recordings_of_one_station(station: str, start_s: float, end_s: float, same: bool) -> None:
    one = _recorded((0, "UW.C", 100.0, 160.0), (1, "UW.A", 100.0, 160.0), (1, "UW.A", 900.0, 960.0))
    other = _recorded((0, "UW.A", 500.0, 560.0), (1, station, start_s, end_s))
    assert same_recordings(one, other).tolist() == ([[1, 1]] if same else [])


def test_recordings_of_many_stations_are_found_as_pair_by_pair() -> None:
    """Stations of one recording, of several, and of one set only."""
    generator = np.random.default_rng(0)

    def drawn(n_stations: int) -> EventFacts:
        stations = generator.integers(0, n_stations, 60)
        starts_s = generator.uniform(0, 100, 60)
        lengths_s = generator.choice([0.0, 50.0, 60.0, 200.0], 60)
        rows = zip(range(60), stations, starts_s, starts_s + lengths_s, strict=True)
        return _recorded(*((event // 2, f"UW.{station}", start, end) for event, station, start, end in rows))

    one, other = drawn(15), drawn(60)
    expected = set()
    for a, b in np.ndindex(60, 60):
        shared_s = min(one.end_s[a], other.end_s[b]) - max(one.start_s[a], other.start_s[b])
        shorter_s = min(one.end_s[a] - one.start_s[a], other.end_s[b] - other.start_s[b])
        if one.station[a] == other.station[b] and shorter_s > 0 and shared_s > SAME_SPAN * shorter_s:
            expected.add((one.event[a], other.event[b]))
    assert len(expected) > 5
    assert same_recordings(one, other).tolist() == sorted(map(list, expected))


def test_chains_too_long_for_one_event_are_left_alone() -> None:
    swarm = [(1e9 + 2.0 * number, 64.0, -17.0) for number in range(30)]
    pair = [(2e9, 10.0, 10.0), (2e9 + 1, 10.0, 10.0)]
    told = told_twice(_origins(*swarm, *pair))
    assert told.group_of == {"e30": "e30", "e31": "e30"} and told.n_chained == 30
    assert "1 events have several ids (e30 and e31)" in told.describe()


def _catalogue(n_events: int, **columns: object) -> pd.DataFrame:
    times = [f"2019-03-{1 + number % 28:02d}T{number // 28:02d}:00:00Z" for number in range(n_events)]
    places = {"source_latitude_deg": 40.0 + 0.5 * np.arange(n_events), "source_longitude_deg": 20.0}
    table = pd.DataFrame({"source_origin_time": times, **places, "source_type": ["a", "b"] * (n_events // 2)})
    return table.assign(**columns).set_axis([f"q{number}" for number in range(n_events)], axis=0)


def _with_second_ids(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """The first n events once more, as another agency lists them."""
    again = table.iloc[:n].copy()
    times = pd.to_datetime(again["source_origin_time"]) + pd.Timedelta(seconds=2)
    again["source_origin_time"] = times.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    again["source_latitude_deg"] += 0.09
    again.index = [f"isc{number}" for number in range(n)]
    return pd.concat([table, again])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"by": "time"},
        {"stratify_by": "source_type"},
        {"n_folds": 3, "fold": 1},
        {"by": "source_cell"},
        {"by": "region"},
    ],
    ids=str,
)
def test_two_ids_of_one_event_are_on_one_side(settings: dict, caplog: pytest.LogCaptureFixture, monkeypatch) -> None:
    monkeypatch.setattr(logging.getLogger("seisvision"), "propagate", True)
    table = _with_second_ids(_catalogue(60), 20)
    table["region"] = [f"r{number % 41}" for number in range(len(table))]
    with caplog.at_level(logging.WARNING, "seisvision"):
        split = make_split(table, seed=3, **settings)
    part_of = {name: part for part, ids in split.parts.items() for name in ids}
    assert len(part_of) == 80 and len(set(part_of.values())) == 3
    assert all(part_of[f"q{number}"] == part_of[f"isc{number}"] for number in range(20))
    assert "20 events have several ids (q0 and isc0" in caplog.text


def test_splits_of_sets_without_such_events_stay_as_they_were() -> None:
    table = _catalogue(60)
    for settings in ({}, {"by": "time"}, {"stratify_by": "source_type"}, {"by": "source_cell"}):
        bare = table if settings.get("by") else table.drop(columns="source_origin_time")
        assert make_split(table, **settings).hash == make_split(bare, **settings).hash
    assert make_split(table).hash == "6aa750624e6c"


def _write_shared(path: Path, shift_s: float) -> WaveformSet:
    """Eight events, the last two of which are one recording, windows ``shift_s`` apart, under origins far apart."""
    long = np.random.default_rng(1).normal(size=(2, 3, 400)).astype(np.float32)
    first = round(20 * shift_s)
    with WaveformSetWriter(path, card={"name": "shared"}) as writer:
        for event in range(6):
            writer.add_event([trace_row(event, station) for station in range(2)], event_waveforms(event, 2))
        for event, start in ((6, 0), (7, first)):
            time = f"2020-01-20T00:00:{start / 20:06.3f}Z"
            rows = [trace_row(event, station, trace_start_time=time) for station in range(2)]
            writer.add_event(rows, long[:, :, start : start + 200])
    return WaveformSet(path)


@pytest.mark.parametrize(("shift_s", "told"), [(0.5, True), (6.0, False)])
def test_one_recording_under_two_ids(shift_s: float, told: bool, tmp_path: Path) -> None:
    found = told_twice(EventFacts.of(_write_shared(tmp_path / "set", shift_s)))
    assert found.group_of == ({"ev006": "ev006", "ev007": "ev006"} if told else {})


@pytest.mark.parametrize("change", ["scaled", "turned over", "cut", "rounded"])
def test_copies_are_known_by_their_shape(change: str, tmp_path: Path) -> None:
    original = write_set(tmp_path / "original", 6, 2)
    with WaveformSetWriter(tmp_path / "copy", card={"name": "copy"}) as writer:
        for event in (40, 2, 41, 5):
            samples = event_waveforms(event, 2) * {"scaled": 1e6, "turned over": -1.0}.get(change, 1000.0)
            samples = samples[:, :, 3:-5] if change == "cut" else samples
            rows = [trace_row(event, station, source_id=str(event)) for station in range(2)]
            writer.add_event(rows, np.round(samples / 40) * 40 if change == "rounded" else samples)
    copies = set_shapes(original).copies_in(set_shapes(WaveformSet(tmp_path / "copy")))
    assert copies == [("ev002", "2"), ("ev005", "5")]


def test_smooth_or_still_recordings_have_no_shape() -> None:
    assert shape_of(np.zeros(300)) is None and shape_of(np.ones(10)) is None
    assert shape_of(np.sin(np.linspace(0, 6, 300))) is None
    assert shape_of(np.sin(np.linspace(0, 60, 300)) * np.hanning(300)) is not None


def test_a_combined_set_tells_events_that_lie_in_both(tmp_path: Path, caplog, monkeypatch) -> None:
    monkeypatch.setattr(logging.getLogger("seisvision"), "propagate", True)
    for name, shift in (("one", 0), ("two", 4)):
        with WaveformSetWriter(tmp_path / name, card={"name": name}) as writer:
            for event in range(shift, shift + 8):
                rows = [trace_row(event, station, source_id=f"{name}-{event}") for station in range(2)]
                writer.add_event(rows, event_waveforms(event, 2))
    sets = [{"path": str(tmp_path / name)} for name in ("one", "two")]
    source = CombinedSource(sets, sampling_rate_hz=20.0, before_s=1.0, length_s=4.0, jitter_s=0.1)
    with caplog.at_level(logging.WARNING, "seisvision"):
        combined = WaveformSet(source.prepare(tmp_path))
    assert "4 events have several ids (one:one-4 and two:two-4" in caplog.text
    split = make_split(combined.event_table(), told=told_twice(EventFacts.of(combined)), seed=1)
    part_of = {name: part for part, ids in split.parts.items() for name in ids}
    assert all(part_of[f"one:one-{event}"] == part_of[f"two:two-{event}"] for event in range(4, 8))
