"""One file of picks for several sources, and picks that their picker does not want used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from obspy.core.event import Arrival, Catalog, Event, Origin, Pick, WaveformStreamID
from recorded_trees import origin, write_events, write_table, write_tree

from seisvision.data.importing.importer import ImportReport, run_import
from seisvision.data.importing.recipe import build_recipe
from seisvision.data.importing.tables.phases import phase_weight
from seisvision.data.sets.waveform_set import WaveformSet


def source(tree: Path, name: str, events: list[str], picks: str, **more: Any) -> dict[str, Any]:
    """A source of some of the events of a tree, which share folders but no catalogue."""
    catalogue = write_events(tree / f"{name}.csv", events)
    # The origin times of a catalogue are those of its rows.
    table = pd.read_csv(catalogue)
    table["time"] = [str(origin(int(event.removeprefix("ev")))) for event in events]
    table.to_csv(catalogue, index=False)
    waveforms = [str(tree / "waveforms" / f"{event}.mseed") for event in events if event != "ev7"]
    return {
        "name": name, "waveforms": waveforms, "events": str(catalogue), "stations": str(tree / "stations.csv"),
        "picks": picks,
    } | more  # fmt: skip


def imported(sources: list[dict[str, Any]], out: Path) -> tuple[pd.DataFrame, pd.DataFrame, ImportReport]:
    """Table, rejected picks and report."""
    report = run_import(build_recipe({"name": "two", "sources": sources}), out)
    listed = pd.read_csv(out / "rejected.csv", keep_default_na=False)
    listed = listed[listed["stage"] == "pick"]
    assert report.n_picks.total() == report.n_picks_used.total() + len(listed)
    return WaveformSet(out).metadata, listed, report


def pick(event: int, station: str = "AAA", phase: str = "P", after_s: float = 5.0, **more: Any) -> dict[str, Any]:
    when = str(origin(event) + after_s)
    return {"event_id": f"ev{event}", "station": station, "phase": phase, "time": when} | more


@pytest.fixture()
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "tree")


def test_picks_of_another_sources_events_are_no_unknown_ones(tmp_path: Path, tree: Path) -> None:
    rows = [pick(0), pick(1), pick(2), pick(2, "BBB"), pick(9), pick(7)]
    picks = str(write_table(tmp_path / "picks.csv", rows))
    sources = [source(tree, "one", ["ev0", "ev1"], picks), source(tree, "two", ["ev2", "ev7"], picks)]
    table, listed, _ = imported(sources, tmp_path / "set")
    assert table["trace_p_arrival_sample"].notna().sum() == 4
    told = listed[["source", "event_id", "cause"]].to_numpy().tolist()
    assert told == [["one", "ev9", "unknown_event"], ["two", "ev7", "event_without_recording"]]


def test_picks_by_time_in_the_recordings_of_another_source_are_not_told(tmp_path: Path, tree: Path) -> None:
    rows = [{key: value for key, value in pick(event).items() if key != "event_id"} for event in (0, 2)]
    rows.append(rows[0] | {"time": str(origin(2) + 5000)})
    picks = str(write_table(tmp_path / "picks.csv", rows))
    sources = [source(tree, "one", ["ev0", "ev1"], picks), source(tree, "two", ["ev2"], picks)]
    table, listed, _ = imported(sources, tmp_path / "set")
    assert table["trace_p_arrival_sample"].notna().sum() == 2
    assert listed["cause"].tolist() == ["no_event_in_time"]


def test_one_file_an_event_is_told_where_no_source_knows_the_event(tmp_path: Path, tree: Path) -> None:
    for event in (0, 2, 9):
        write_table(tmp_path / f"ev{event}.picks", [{"Station": "AAA", "Phase": "P", "PickTime": str(origin(event))}])
    picks = str(tmp_path / "{event_id}.picks")
    sources = [source(tree, "one", ["ev0", "ev1"], picks), source(tree, "two", ["ev2"], picks)]
    _, listed, _ = imported(sources, tmp_path / "set")
    assert listed[["event_id", "cause"]].to_numpy().tolist() == [["ev9", "unknown_event"]]


def test_picks_of_weight_4_are_left_out_with_a_reason(tmp_path: Path, tree: Path) -> None:
    rows = [
        pick(0, "AAA", "IPU4", 3.0), pick(0, "AAA", "EP 1", 5.0), pick(0, "BBB", "IPD0", 6.0),
        pick(1, "AAA", "ES 4", 9.0),
    ]  # fmt: skip
    picks = str(write_table(tmp_path / "picks.csv", rows))
    table, listed, _ = imported([source(tree, "one", ["ev0", "ev1"], picks)], tmp_path / "set")
    assert listed[["event_id", "cause"]].to_numpy().tolist() == [["ev0", "unused_pick"], ["ev1", "unused_pick"]]
    assert all("weight 4" in reason for reason in listed["reason"])
    first = table[table.source_id == "ev0"].set_index("station_code")["trace_p_arrival_sample"]
    np.testing.assert_allclose(first[["AAA", "BBB"]].diff().iloc[1], 50.0)
    assert table["trace_s_arrival_sample"].isna().all()


@pytest.mark.parametrize(("weights", "n_used"), [(("0", "4"), 1), (("4", ""), 1), (("0.5", "4"), 2), (("1", "0"), 2)])
def test_a_column_of_weights_counts_where_it_is_one_of_hypo71(
    tmp_path: Path, tree: Path, weights: tuple[str, str], n_used: int
) -> None:
    rows = [pick(event, weight=weight) for event, weight in enumerate(weights)]
    picks = str(write_table(tmp_path / "picks.csv", rows))
    table, listed, _ = imported([source(tree, "one", ["ev0", "ev1"], picks)], tmp_path / "set")
    assert table["trace_p_arrival_sample"].notna().sum() == n_used
    assert listed["cause"].tolist() == ["unused_pick"] * (2 - n_used)


def test_weights_of_nordic_files_count(tmp_path: Path, tree: Path) -> None:
    names = [Pick(time=origin(0) + 5 + i, phase_hint="P", waveform_id=WaveformStreamID("XX", code, None, "HHZ"))
             for i, code in enumerate(("AAA", "BBB"))]  # fmt: skip
    place = Origin(time=origin(0), latitude=46.0, longitude=-122.0, depth=5e3)
    place.arrivals = [Arrival(pick_id=one.resource_id, phase="P") for one in names]
    names[0].extra = {
        "nordic_pick_weight": {"value": 4, "namespace": "https://seis.geus.net/software/seisan/node239.html"}
    }
    path = tmp_path / "picks.out"
    Catalog([Event(picks=names, origins=[place])]).write(str(path), format="NORDIC")
    table, listed, _ = imported([source(tree, "one", ["ev0", "ev1"], str(path))], tmp_path / "set")
    assert table[table.trace_p_arrival_sample.notna()]["station_code"].tolist() == ["BBB"]
    assert listed["cause"].tolist() == ["unused_pick"]


def test_weights_are_read_behind_the_name_of_a_phase() -> None:
    assert [phase_weight(name) for name in ("IPU0", "EP 4", "eSn", "P", "pP", "S4")] == [0, 4, None, None, None, 4]
