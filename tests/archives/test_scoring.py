"""``seisvision score``: pairs one to one, what is missing and what is false, and with what certainty."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from seisvision import cli
from seisvision.archives.scoring import score_picks
from seisvision.data.importing.tables.pick import Pick
from seisvision.data.importing.tables.times import NS, format_ns, time_ns
from seisvision.errors import DataError

BEGIN_NS = time_ns("2020-03-01T00:00:00Z")


def pick(at_s: float, phase: str = "P", station: str = "AAA", **more: object) -> Pick:
    return Pick(station, phase, BEGIN_NS + round(at_s * NS), **{"network": "XX", **more})  # type: ignore[arg-type]


def test_pairs_are_one_to_one_and_the_closest_first() -> None:
    reference = [pick(10.0), pick(10.3), pick(50.0), pick(90.0, "S")]
    judged = [pick(10.25), pick(10.31), pick(50.15), pick(70.0), pick(90.05, "S"), pick(90.2, "S")]
    score = score_picks(judged, reference)
    one = score.phases["P"]
    assert (one.n, one.n_reference) == (3, 3)
    # 10.25 and 10.31 are one pick said twice; the first of them stays.
    assert score.duplicates == (1, 0)
    assert {at: measure.value for at, measure in one.recall.items()} == pytest.approx(
        {0.1: 1 / 3, 0.2: 2 / 3, 0.5: 2 / 3}
    )
    assert {at: measure.value for at, measure in one.precision.items()} == pytest.approx(
        {0.1: 1 / 3, 0.2: 2 / 3, 0.5: 2 / 3}
    )
    assert one.f1[0.2].value == pytest.approx(4 / 6)
    assert one.residual["mean"].value == pytest.approx((-0.05 + 0.15) / 2)
    assert score.phases["S"].precision[0.5].value == 0.5


def test_stations_and_networks_must_be_the_same() -> None:
    score = score_picks([pick(10.0), pick(10.0, station="BBB")], [pick(10.0), pick(20.0, station="CCC")])
    assert score.phases["P"].recall[0.1].value == 0.5
    assert score.elsewhere == 1
    with pytest.raises(DataError, match=r"share no station: XX\.AAA and YY\.AAA"):
        score_picks([pick(10.0)], [pick(10.0, network="YY")])
    assert score_picks([pick(10.0)], [pick(10.0, network="")]).phases["P"].recall[0.1].value == 1


def test_a_phase_picked_as_the_other_is_told() -> None:
    score = score_picks([pick(10.02, "S"), pick(30.0)], [pick(10.0), pick(30.0), pick(50.0, "Sg")])
    assert score.phases["P"].other_phase == 1
    assert score.phases["S"].other_phase == 0


def test_picks_far_from_all_of_the_reference_are_not_judged_where_that_is_asked() -> None:
    judged, reference = [pick(10.0), pick(500.0)], [pick(10.0)]
    assert score_picks(judged, reference).phases["P"].precision[0.1].value == 0.5
    near = score_picks(judged, reference, within_s=30)
    assert (near.phases["P"].precision[0.1].value, near.elsewhere) == (1.0, 1)


def test_intervals_are_drawn_over_events_which_are_found_or_not_as_a_whole() -> None:
    """Ten stations agree within an event, so that ten events say as much as ten picks would."""
    rng = np.random.default_rng(0)
    reference, judged = [], []
    for event in range(20):
        is_found = rng.random() < 0.5
        for number in range(10):
            one = pick(100.0 * event + number, station=f"S{number}", event_id=str(event))
            reference.append(one)
            judged += [pick(100.0 * event + number + 0.01, station=f"S{number}")] if is_found else []
    score = score_picks(judged, reference)
    assert score.groups == ("events", 20)
    recall = score.phases["P"].recall[0.1]
    assert recall.high - recall.low > 0.3
    f1 = score.phases["P"].f1[0.1]
    assert f1.low < f1.value < f1.high
    alone = score_picks(judged, [pick((one.time_ns - BEGIN_NS) / NS, station=one.station) for one in reference])
    assert alone.groups[0] == "hours"


def test_tables_of_other_programs_and_quakeml_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times = [format_ns(BEGIN_NS + round(at * NS)) for at in (10.0, 20.0, 30.0)]
    ours = tmp_path / "ours.csv"
    head = (
        "network,station,location,channels,phase,time,probability,amplitude,amplitude_unit,window_residual_s,windows\n"
    )
    ours.write_text(head + "".join(f"XX,AAA,,HHZ,P,{time},0.9,1,counts,,2\n" for time in times))
    phasenet = tmp_path / "phasenet.csv"
    phasenet.write_text(
        "station_id,phase_time,phase_type,phase_score\n" + "".join(f"XX.AAA..HH,{time},P,0.5\n" for time in times[:2])
    )
    out = tmp_path / "score.json"
    assert cli.main(["score", str(ours), "--against", str(phasenet), "--json", str(out), "--stations"]) == 0
    said = capsys.readouterr().out
    assert "100.0 %" in said
    assert "XX.AAA" in said
    stored = json.loads(out.read_text())
    assert cli.main(["score", str(ours), "--against", str(phasenet), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == stored
    assert stored["phases"]["P"]["recall"]["0.1"]["value"] == 1
    assert stored["phases"]["P"]["precision"]["0.1"]["value"] == pytest.approx(2 / 3)
    import obspy
    from obspy.core.event import Catalog, Event, WaveformStreamID
    from obspy.core.event import Pick as Read

    read = [
        Read(
            time=obspy.UTCDateTime(time),
            phase_hint="P",
            waveform_id=WaveformStreamID(network_code="XX", station_code="AAA"),
        )
        for time in times
    ]
    Catalog([Event(picks=read)]).write(str(tmp_path / "events.xml"), format="QUAKEML")
    assert cli.main(["score", str(ours), "--against", str(tmp_path / "events.xml"), "--json", str(out)]) == 0
    assert json.loads(out.read_text())["phases"]["P"]["f1"]["0.1"]["value"] == 1


def test_nothing_to_compare_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("network,station,phase,time\n")
    other = tmp_path / "other.csv"
    other.write_text(f"network,station,phase,time\nXX,AAA,P,{format_ns(BEGIN_NS)}\n")
    assert cli.main(["score", str(empty), "--against", str(other)]) == 1
    assert "the table that is judged holds no picks" in caplog.text
    assert cli.main(["score", str(other), "--against", str(other), "--tolerance", "-1"]) == 2
