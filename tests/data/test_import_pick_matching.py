"""Each pick is the P or S of a row or a line with a reason, and the counts agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import obspy
import pandas as pd
import pytest
from obspy.core.event import Arrival, Catalog, CreationInfo, Event, Origin, Pick, QuantityError, WaveformStreamID
from recorded_trees import origin, recipe, trace, write_events, write_stations, write_table, write_tree

from seisvision.data.importing.importer import ImportReport, run_import
from seisvision.data.importing.shards import import_shard, merge_shards
from seisvision.data.importing.summary import summary
from seisvision.data.sets.set_files import read_card
from seisvision.data.sets.waveform_set import WaveformSet

RATE_HZ = 50.0
BEFORE_S = 40.0


@pytest.fixture()
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "tree")


def imported(tmp_path: Path, tree: Path, picks: Any, **source: Any) -> tuple[pd.DataFrame, pd.DataFrame, ImportReport]:
    """Table, rejected picks and report of whole records; ``picks`` are rows of a table or a path."""
    path = picks if isinstance(picks, str) else str(write_table(tmp_path / "picks.csv", picks))
    report = run_import(recipe(tree, {"picks": path} | source), tmp_path / "set", overwrite=True)
    listed = pd.read_csv(tmp_path / "set" / "rejected.csv", keep_default_na=False)
    listed = listed[listed["stage"] == "pick"]
    assert report.n_picks.total() == report.n_picks_used.total() + len(listed)
    table = WaveformSet(tmp_path / "set").metadata
    arrivals = table.filter(regex="_arrival_sample$")
    assert report.n_picks_used.total() == arrivals.notna().to_numpy().sum()
    return table, listed, report


def pick(station: str, phase: str, after_s: float, event: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"ev{event}",
        "station": station,
        "phase": phase,
        "time": str(origin(event) + after_s),
        "evaluation_mode": "",
        "evaluation_status": "",
        "author": "",
        "probability": "",
    } | more


def after_origin(table: pd.DataFrame, phase: str = "p", event: int = 0) -> dict[str, float]:
    rows = table[(table.source_id == f"ev{event}") & table[f"trace_{phase}_arrival_sample"].notna()]
    return {
        row["station_code"]: row[f"trace_{phase}_arrival_sample"] / RATE_HZ - BEFORE_S
        for row in rows.to_dict("records")
    }


def test_the_most_trusted_pick_counts_then_the_earliest(tmp_path: Path, tree: Path) -> None:
    rows = [
        pick("AAA", "P", 4.0, evaluation_mode="automatic"),
        pick("AAA", "P", 5.0, evaluation_mode="manual"),
        pick("BBB", "P", 3.0, evaluation_mode="manual", evaluation_status="rejected"),
        pick("BBB", "Pg", 6.5),
        pick("BBB", "Pn", 6.0),
        pick("CCC", "P", 7.0, evaluation_mode="automatic", evaluation_status="confirmed"),
        pick("CCC", "P", 6.0, evaluation_status="preliminary"),
    ]
    table, listed, _ = imported(tmp_path, tree, rows)
    assert after_origin(table) == {"AAA": 5.0, "BBB": 6.0, "CCC": 7.0}
    first = table[table.source_id == "ev0"]
    assert first.trace_p_status.fillna("").tolist() == ["manual", "", "automatic confirmed"]
    assert first.trace_p_phase.tolist() == ["P", "Pn", "P"]
    assert sorted(listed.cause) == ["other_pick"] * 3 + ["rejected_pick"]
    np.testing.assert_allclose(first.trace_onset_s, [45.0, 46.0, 47.0], atol=1e-6)


def test_of_several_pickers_the_one_that_is_most_sure(tmp_path: Path, tree: Path) -> None:
    rows = [
        pick("AAA", "P", 3.0, author="one", probability=0.4),
        pick("AAA", "P", 5.0, author="two", probability=0.9),
        pick("AAA", "P", 6.0, author="two", probability=0.8),
        pick("BBB", "P", 6.0, author="first named"),
        pick("BBB", "P", 5.0, author="second"),
        pick("CCC", "P", 7.0, author="one", probability=0.2),
    ]
    table, listed, _ = imported(tmp_path, tree, rows, min_pick_probability=0.3)
    assert after_origin(table) == {"AAA": 5.0, "BBB": 6.0}
    first = table[table.source_id == "ev0"].set_index("station_code")
    assert first.trace_p_author["AAA"] == "two" and first.trace_p_probability["AAA"] == 0.9
    assert sorted(listed.cause) == ["improbable", "other_pick", "other_pick", "other_pick"]


def test_whatever_is_not_used_has_its_reason(tmp_path: Path, tree: Path) -> None:
    rows = [
        pick("AAA", "P", 5.0),
        pick("AAA", "pP", 9.0),
        pick("BBB", "S", 6.0),
        pick("BBB", "P", 6.0),
        pick("CCC", "P", -20.0),
        pick("CCC", "S", 7200.0),
        pick("AAB", "P", 5.0),
        pick("", "P", 5.0),
        pick("AAA", "S", 8.0, time="soon"),
        pick("AAA", "P", 5.0, event_id="ev9"),
        pick("AAA", "P", 5.0, event_id="-1"),
    ]
    table, listed, report = imported(tmp_path, tree, rows)
    assert after_origin(table) == {"AAA": 5.0} and after_origin(table, "s") == {}
    expected = [
        "before_origin", "no_recording", "no_time", "not_associated", "not_recorded", "other_phase", "s_before_p",
        "s_before_p", "unknown_event", "unknown_station",
    ]  # fmt: skip
    assert sorted(listed.cause) == expected
    assert listed.set_index("cause").reason["no_recording"].endswith("Did you mean 'AAA'?")
    assert "picks: 11 read, 1 used, 10 listed in rejected.csv" in summary(report)


def test_network_and_location_are_respected_and_spelling_is_not(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "waveforms").mkdir(parents=True)
    recorded = [trace(0, "AAA", network="XX", location="00"), trace(0, "AAA", network="YY"), trace(0, "BBB")]
    obspy.Stream(recorded).write(str(tree / "waveforms" / "ev0.mseed"), format="MSEED")
    write_events(tree / "events.csv", ["ev0"])
    write_stations(tree / "stations.csv", ["AAA", "BBB"], network="")
    names = [" xx.aaa.00.hhz ", "YY.AAA", "bbb", "AAA", "XX.AAA.10.HHZ", "ZZ.BBB"]
    table, listed, _ = imported(tmp_path, tree, [pick(name, "P", 5.0 + i) for i, name in enumerate(names)])
    found = dict(zip(table.station_network_code + table.station_code, table.trace_p_arrival_sample, strict=True))
    assert {key: value / RATE_HZ - BEFORE_S for key, value in found.items()} == {"XXAAA": 5, "YYAAA": 6, "XXBBB": 7}
    assert listed.cause.tolist() == ["two_networks", "other_location", "other_network"]


def test_picks_of_refused_recordings_and_events_are_listed(tmp_path: Path, tree: Path) -> None:
    for file in ("ev1.mseed", "ev2.mseed"):
        (tree / "waveforms" / file).unlink()
    dead = trace(1, "AAA")
    dead.data[:] = 7
    obspy.Stream([dead]).write(str(tree / "waveforms" / "ev1.mseed"), format="MSEED")
    flat = [trace(0, "AAA"), trace(0, "BBB")]
    flat[1].data[:] = 7
    obspy.Stream(flat).write(str(tree / "waveforms" / "ev0.mseed"), format="MSEED")
    rows = [pick("AAA", "P", 5), pick("BBB", "P", 6), pick("AAA", "P", 5, event=1), pick("AAA", "P", 5, event=2)]
    _, listed, _ = imported(tmp_path, tree, rows)
    causes = dict(zip(listed.trace_id + listed.event_id, listed.cause, strict=True))
    assert causes == {
        ".BBB..ev0": "recording_refused",
        ".AAA..ev1": "recording_refused",
        ".AAA..ev2": "event_without_recording",
    }


def test_tables_without_events_go_by_time(tmp_path: Path, tree: Path) -> None:
    rows = [
        {"station_id": f"XX.{station}..HH", "phase_time": str(origin(event) + after_s), "phase_type": phase}
        for event, station, after_s, phase in (
            (0, "AAA", 5, "P"), (0, "AAA", 9, "S"), (0, "AAA", -5, "S"), (1, "BBB", 6, "P"), (1, "BBB", 30, "P"),
            (1, "BBB", 1800, "P"),
        )
    ]  # fmt: skip
    table, listed, _ = imported(tmp_path, tree, rows)
    assert after_origin(table) == {"AAA": 5.0} and after_origin(table, "s") == {"AAA": 9.0}
    assert after_origin(table, event=1) == {"BBB": 6.0}
    assert sorted(listed.cause) == ["no_event_in_time", "no_event_in_time", "other_pick"]
    # Whatever of a file can be read counts.
    with (tree / "waveforms" / "ev1.mseed").open("ab") as file:
        file.write(b"no record" * 20)
    table, _, _ = imported(tmp_path, tree, rows, events="files")
    assert after_origin(table, event=1) == {"BBB": 6.0}


def test_files_of_events_that_are_not_there_are_told(tmp_path: Path, tree: Path) -> None:
    for event, name in enumerate(("ev0", "ev1", "ev7")):
        rows = [{"Station": "AAA", "Phase": "P", "PickTime": str(origin(event) + 5)}]
        write_table(tmp_path / f"{name}.picks", rows)
    (tmp_path / "ev1.picks").write_text("Station,Phase\nAAA,P\n")
    table, listed, _ = imported(tmp_path, tree, str(tmp_path / "{event_id}.picks"))
    assert after_origin(table) == {"AAA": 5.0}
    assert listed[["event_id", "cause"]].to_numpy().tolist() == [["ev7", "unknown_event"]]
    everything = pd.read_csv(tmp_path / "set" / "rejected.csv", keep_default_na=False)
    assert "no column 'pick_time'" in everything.set_index("cause").reason["no_picks"]


def catalogue(tmp_path: Path, event_id: str, picks: list[Pick], weights: list[float | None], late_s: float = 0) -> str:
    arrivals = [
        Arrival(pick_id=item.resource_id, phase=item.phase_hint or "P", time_weight=weight)
        for item, weight in zip(picks, weights, strict=True)
    ]
    place = Origin(time=origin(0) + late_s, latitude=46.0, longitude=-122.0, depth=5e3, arrivals=arrivals)
    event = Event(resource_id=f"smi:local/{event_id}", picks=picks, origins=[place])
    Catalog([event]).write(str(tmp_path / "picks.xml"), format="QUAKEML")
    return str(tmp_path / "picks.xml")


def quakeml_pick(station: str, after_s: float, phase: str | None = "P", **more: Any) -> Pick:
    stream_id = WaveformStreamID("XX", station, None, "HHZ")
    return Pick(time=origin(0) + after_s, waveform_id=stream_id, phase_hint=phase, **more)


def test_picks_of_quakeml_keep_author_uncertainty_and_use(tmp_path: Path, tree: Path) -> None:
    about = CreationInfo(author="anna", agency_id="UW")
    picks = [
        quakeml_pick("AAA", 4.0),
        quakeml_pick("AAA", 5.0, creation_info=about, time_errors=QuantityError(uncertainty=0.05)),
        quakeml_pick("BBB", 6.0, None),
        quakeml_pick("CCC", 7.0, evaluation_mode="automatic"),
    ]
    table, listed, _ = imported(tmp_path, tree, catalogue(tmp_path, "ev0", picks, [0.0, 1.0, None, 0.0]))
    assert after_origin(table) == {"AAA": 5.0, "BBB": 6.0, "CCC": 7.0}
    assert table.trace_p_author[0] == "anna" and table.trace_p_uncertainty_s[0] == 0.05
    assert listed.cause.tolist() == ["other_pick"]


def test_catalogues_of_other_ids_go_by_origin_time(tmp_path: Path, tree: Path) -> None:
    table, _, _ = imported(tmp_path, tree, catalogue(tmp_path, "x1", [quakeml_pick("AAA", 5.0)], [1.0], late_s=0.4))
    assert after_origin(table) == {"AAA": 5.0}
    _, listed, _ = imported(tmp_path, tree, catalogue(tmp_path, "ev0", [quakeml_pick("AAA", 5.0)], [1.0], late_s=24))
    assert listed.cause.tolist() == ["other_origin"] and "24 s after" in listed.reason.iloc[0]


def test_a_rejected_origin_before_the_one_that_stands_counts_for_nothing(tmp_path: Path, tree: Path) -> None:
    path = catalogue(tmp_path, "ev0", [quakeml_pick("AAA", 4.0, "P"), quakeml_pick("AAA", 5.0, "P")], [0.0, 1.0])
    (event,) = obspy.read_events(path)
    wrong = Origin(time=origin(0) - 30, latitude=40.0, longitude=-122.0, evaluation_status="rejected")
    wrong.arrivals = [Arrival(pick_id=event.picks[0].resource_id, phase="P", time_weight=1.0)]
    event.origins.insert(0, wrong)
    Catalog([event]).write(path, format="QUAKEML")
    table, listed, _ = imported(tmp_path, tree, path)
    assert after_origin(table) == {"AAA": 5.0} and listed.cause.tolist() == ["other_pick"]


@pytest.mark.parametrize("form", ["NORDIC", "HYPODDPHA"])
def test_catalogues_in_other_forms(tmp_path: Path, tree: Path, form: str) -> None:
    if form == "NORDIC":
        given = quakeml_pick("AAA", 5.0, onset="impulsive", evaluation_mode="manual")
        event = Event(picks=[given], origins=[Origin(time=origin(0), latitude=46.0, longitude=-122.0, depth=5e3)])
        event.write(str(tmp_path / "picks.out"), format="NORDIC")
    else:
        line = "# 2020 1 1 0 0 0.10 46.0 -122.0 5.0 1.5 0.0 0.0 0.0 77\nAAA 4.900 1.000 P\n"
        (tmp_path / "picks.pha").write_text(line)
    (path,) = tmp_path.glob("picks.*")
    table, _, _ = imported(tmp_path, tree, str(path))
    assert after_origin(table) == {"AAA": pytest.approx(5.0, abs=0.02)}


def test_named_times_of_sac_headers(tmp_path: Path) -> None:
    (tmp_path / "waveforms").mkdir()
    for channel in ("HHZ", "HHN"):
        made = trace(0, "AAA", channel)
        made.stats.sac = {
            "b": 2.0, "o": 42.0, "kevnm": "x", "evla": 46.0, "evlo": -122.0, "a": 47.0, "ka": "IPU0", "t0": 50.0,
            "kt0": "S", "t1": 49.0, "t2": 48.0, "kt2": "S_iasp91",
        }  # fmt: skip
        made.write(str(tmp_path / "waveforms" / f"x.{channel}.sac"), format="SAC")
    write_stations(tmp_path / "stations.csv", ["AAA"])
    headers = {"events": "sac", "association": {"by": "sac"}}
    table, listed, _ = imported(tmp_path, tmp_path, "sac", **headers)
    arrivals = table[["trace_p_arrival_sample", "trace_s_arrival_sample"]].to_numpy() / RATE_HZ - BEFORE_S
    np.testing.assert_allclose(arrivals, [[5.0, 8.0]], atol=0.02)
    assert listed.cause.tolist() == ["other_phase"]


def test_shards_and_workers_count_alike(tmp_path: Path, tree: Path) -> None:
    rows = [pick("AAA", "P", 5, event=event) for event in (0, 1, 2, 9)] + [pick("AAA", "sP", 5, event=2)]
    path = str(write_table(tmp_path / "picks.csv", rows))
    plan = recipe(tree, {"picks": path})
    whole = run_import(plan, tmp_path / "whole", workers=2).counts()
    for index in (1, 2):
        import_shard(plan, tmp_path / "parts", index, 2)
    merged = read_card(merge_shards(tmp_path / "parts.shards"))["import"]["counts"]
    assert (whole["picks_read"], whole["picks_used"]) == (5, 3)
    assert {key: merged[key] for key in ("picks_read", "picks_used", "rejected")} == {
        key: whole[key] for key in ("picks_read", "picks_used", "rejected")
    }
