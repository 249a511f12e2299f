"""Picks come into the set at the sample where they were made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import obspy
import pytest
from obspy.core.event import Arrival, Catalog, Event, Origin, Pick, WaveformStreamID
from recorded_trees import BEFORE_S, origin, write_table, write_tree

from seisvision.cli import main
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import build_recipe
from seisvision.data.sets.waveform_set import WaveformSet
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


def test_the_phase_of_an_arrival_names_its_pick(tmp_path: Path, tree: Path) -> None:
    """Many catalogues leave the phase to the arrivals of the origin."""
    event_id = event_ids(tree)[0]
    stream_id = WaveformStreamID(network_code="XX", station_code="AAA")
    picks = [Pick(time=origin(0) + seconds, waveform_id=stream_id) for seconds in (5.0, 8.0, 6.0)]
    arrivals = [
        Arrival(pick_id=pick.resource_id, phase=phase) for pick, phase in zip(picks, ("Pn", "Sg", "Pg"), strict=True)
    ]
    place = Origin(time=origin(0), latitude=46.0, longitude=-122.0, depth=5000.0, arrivals=arrivals)
    Catalog([Event(resource_id=f"quakeml:test/{event_id}", picks=picks, origins=[place])]).write(
        str(tmp_path / "picks.xml"), format="QUAKEML"
    )
    waveform_set = imported(tmp_path, tree, str(tmp_path / "picks.xml"))
    assert pick_times(waveform_set) == {(event_id, "AAA"): pytest.approx(5.0, abs=0.001)}
    assert pick_times(waveform_set, "trace_s_arrival_sample") == {(event_id, "AAA"): pytest.approx(8.0, abs=0.001)}


def test_a_table_is_told_by_its_ending(tmp_path: Path, tree: Path) -> None:
    rows = [{"event_id": event_ids(tree)[1], "station": "BBB", "phase": "P", "time": str(origin(1) + 6.5)}]
    waveform_set = imported(tmp_path, tree, str(write_table(tmp_path / "picks.csv", rows)))
    assert pick_times(waveform_set) == {(event_ids(tree)[1], "BBB"): pytest.approx(6.5, abs=0.001)}


def test_no_picks_no_columns(tmp_path: Path, tree: Path) -> None:
    out = tmp_path / "plain"
    given = ["--waveforms", str(tree / "waveforms"), "--events", str(tree / "events.csv"), "--out", str(out)]
    assert main(["data", "import", *given]) == 0
    assert not [column for column in WaveformSet(out).metadata if "arrival" in column]


def test_what_is_no_catalogue_is_named(tmp_path: Path, tree: Path) -> None:
    (tmp_path / "picks.xml").write_text("<nothing/>")
    with pytest.raises(DataError, match=r"picks\.xml is no catalogue"):
        imported(tmp_path, tree, str(tmp_path / "picks.xml"))
    with pytest.raises(DataError, match="not found"):
        imported(tmp_path, tree, str(tmp_path / "none.csv"))
