"""Picks come into the set at the sample where they were made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import obspy
import pytest
from obspy.core.event import Catalog, Event, Origin, Pick, WaveformStreamID
from recorded_trees import BEFORE_S, origin, write_table, write_tree

from seisvision.cli import main
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.picks import read_picks
from seisvision.data.importing.recipe import build_recipe
from seisvision.data.waveform_set import WaveformSet
from seisvision.errors import DataError

RATE_HZ = 20.0


def imported(tmp_path: Path, tree: Path, picks: Any, **source: Any) -> WaveformSet:
    given = {"name": "x", "waveforms": str(tree / "waveforms"), "events": str(tree / "events.csv"), "picks": picks}
    settings = {
        "name": "x",
        "sources": [given | source],
        "processing": {"components": "Z", "rate_hz": RATE_HZ},
        "window": {"reference": "origin", "before_s": 10, "length_s": 60, "jitter_s": 5},
    }
    run_import(build_recipe(settings), tmp_path / "set")
    return WaveformSet(tmp_path / "set")


def pick_times(waveform_set: WaveformSet, column: str = "trace_p_arrival_sample") -> dict[tuple[str, str], float]:
    """Event and station to the time of the pick after the origin."""
    table = waveform_set.metadata
    starts = [obspy.UTCDateTime(time) for time in table["trace_start_time"]]
    return {
        (row["source_id"], row["station_code"]): start - origin(int(row["source_id"][-1])) + row[column] / RATE_HZ
        for start, row in zip(starts, table.to_dict("records"), strict=True)
        if np.isfinite(row[column])
    }


@pytest.fixture()
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "tree")


def event_ids(tree: Path) -> list[str]:
    return [line.partition(",")[0] for line in (tree / "events.csv").read_text().splitlines()[1:]]


def test_table_of_picks(tmp_path: Path, tree: Path) -> None:
    first, second = event_ids(tree)[:2]
    rows = [
        {"event_id": first, "network": "XX", "station": "AAA", "phase": "Pg", "time": str(origin(0) + 5.25)},
        {"event_id": first, "network": "XX", "station": "AAA", "phase": "Sg", "time": str(origin(0) + 9.0)},
        {"event_id": first, "network": "YY", "station": "BBB", "phase": "P", "time": str(origin(0) + 7.0)},
        {"event_id": second, "network": "", "station": "BBB", "phase": "P", "time": str(origin(1) + 6.5)},
        {"event_id": second, "network": "XX", "station": "CCC", "phase": "P", "time": str(origin(1) + 900)},
        {"event_id": second, "network": "XX", "station": "CCC", "phase": "S", "time": "-1"},
    ]
    picks = write_table(tmp_path / "picks.csv", rows)
    waveform_set = imported(tmp_path, tree, str(picks))
    found = pick_times(waveform_set)
    # Another network's pick, one outside the window and one that was not made give nothing.
    assert found.keys() == {(first, "AAA"), (second, "BBB")}
    assert found[first, "AAA"] == pytest.approx(5.25, abs=0.001) and found[second, "BBB"] == pytest.approx(
        6.5, abs=0.001
    )
    later = pick_times(waveform_set, "trace_s_arrival_sample")
    assert later == {(first, "AAA"): pytest.approx(9.0, abs=0.001)}


def test_one_file_an_event_as_quakemigrate_writes_them(tmp_path: Path, tree: Path) -> None:
    first = event_ids(tree)[0]
    rows = [
        {
            "Station": "AAA",
            "Phase": "P",
            "ModelledTime": str(origin(0) + 5),
            "PickTime": str(origin(0) + 5.1),
            "PickError": "0.1",
        },
        {"Station": "AAA", "Phase": "S", "ModelledTime": str(origin(0) + 9), "PickTime": "-1", "PickError": "-1"},
        {"Station": "BBB", "Phase": "P", "ModelledTime": str(origin(0) + 6), "PickTime": "-1", "PickError": "-1"},
    ]
    (tmp_path / "picks").mkdir()
    write_table(tmp_path / "picks" / f"{first}_picks.csv", rows)
    waveform_set = imported(tmp_path, tree, str(tmp_path / "picks" / "*_picks.csv"))
    assert pick_times(waveform_set) == {(first, "AAA"): pytest.approx(5.1, abs=0.001)}
    assert pick_times(waveform_set, "trace_s_arrival_sample") == {}


def test_picks_of_the_catalogue(tmp_path: Path, tree: Path) -> None:
    catalogue = Catalog()
    for number, event_id in enumerate(event_ids(tree)):
        stream_id = WaveformStreamID(network_code="XX", station_code="BBB", channel_code="HHZ")
        pick = Pick(time=origin(number) + 6.0 + number, waveform_id=stream_id, phase_hint="P")
        made = Event(resource_id=f"quakeml:test/{event_id}", picks=[pick])
        made.origins = [Origin(time=origin(number), latitude=46.0, longitude=-122.0, depth=5000.0)]
        catalogue.append(made)
    catalogue.write(str(tmp_path / "events.xml"), format="QUAKEML")
    waveform_set = imported(tmp_path, tree, "events", events=str(tmp_path / "events.xml"))
    found = pick_times(waveform_set)
    assert found == {
        (event_id, "BBB"): pytest.approx(6.0 + number, abs=0.001) for number, event_id in enumerate(event_ids(tree))
    }
    assert BEFORE_S > 10  # the windows lie inside the recordings


def test_no_picks_no_columns(tmp_path: Path, tree: Path) -> None:
    out = tmp_path / "plain"
    given = ["--waveforms", str(tree / "waveforms"), "--events", str(tree / "events.csv"), "--out", str(out)]
    assert main(["data", "import", *given]) == 0
    assert not [column for column in WaveformSet(out).metadata if "arrival" in column]


def test_bad_picks_are_named(tmp_path: Path, tree: Path) -> None:
    with pytest.raises(DataError, match="no file of picks matches"):
        imported(tmp_path, tree, str(tmp_path / "none*.csv"))
    bad = write_table(tmp_path / "picks.csv", [{"station": "AAA", "phase": "P", "time": "noon"}])
    with pytest.raises(DataError, match="'noon' of station 'AAA'"):
        imported(tmp_path, tree, str(bad))
    lacking = write_table(tmp_path / "picks.csv", [{"station": "AAA", "phase": "P"}])
    with pytest.raises(DataError, match="no column 'time'"):
        imported(tmp_path, tree, str(lacking))


def test_picks_of_bardarbunga(shared_data: Path) -> None:
    pattern = str(shared_data / "bardarbunga" / "waveforms" / "*_picks.csv")
    picks = read_picks((pattern,), "")
    assert len(picks) == 18
    times = [ns for stations in picks.values() for phases in stations.values() for ns in phases.values()]
    assert len(times) > 200 and min(times) > 1.4e18, "-1 is no time"
