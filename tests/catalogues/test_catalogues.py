"""Catalogues: what cannot be used has a reason, what is missing is not quiet, and order does not matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seisvision.catalogues.audit import audit_catalogue, card
from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.gaps import Gaps
from seisvision.catalogues.reading import read_catalogue
from seisvision.catalogues.times import date_text, day_of, span_of
from seisvision.errors import ConfigurationError, DataError

HEAD = "id,time,latitude,longitude,depth,mag,type\n"


def made(time_days: np.ndarray, magnitude: np.ndarray | None = None, **changes: object) -> EventCatalogue:
    n = len(time_days)
    zeros = np.zeros(n)
    columns = {
        "latitude_deg": zeros, "longitude_deg": zeros, "depth_km": zeros + 5, "begin_day": 0.0, "end_day": 1e5,
        "event_id": np.array([f"e{i}" for i in range(n)]),
    }  # fmt: skip
    given = zeros + 2 if magnitude is None else magnitude
    return EventCatalogue(np.asarray(time_days, float), magnitude=given, **(columns | changes))  # type: ignore[arg-type]


def test_rows_are_refused_with_reasons_and_sorted(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text(
        HEAD
        + "b,2020-01-02T00:00:00Z,10,20,5,3.0,earthquake\na,2020-01-01T12:00:00Z,10,20,5,2.0,earthquake\n"
        + "c,2020-01-03T00:00:00Z,10,20,5,,earthquake\nd,2020-01-03T00:00:00Z,,,5,1.0,earthquake\n"
        + "e,2020-01-02T00:00:00Z,10,20,5,3.0,earthquake\nf,2020-01-04T00:00:00Z,1,2,5,3.0,quarry blast\n"
        + "g,2020-01-04T00:00:00Z,91,2,5,3.0,earthquake\n"
    )
    found = read_catalogue(str(file), types=["earthquake"])
    assert found.event_id.tolist() == ["a", "b"]
    assert {one.event_id: one.cause for one in found.refused} == {
        "c": "no_magnitude", "d": "no_place", "e": "duplicate", "f": "other_type", "g": "bad_value",
    }  # fmt: skip
    assert (date_text(found.begin_day), date_text(found.end_day)) == ("2020-01-01", "2020-01-03")
    assert any("several" not in note for note in found.notes) or found.notes == ()


def test_types_that_are_not_there_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text(HEAD + "a,2020-01-01T12:00:00Z,10,20,5,2.0,ice quake\n")
    with pytest.raises(DataError, match=r"earthquake.*ice quake"):
        read_catalogue(str(file), types=["earthquake"])


def test_quakeml_reads_as_the_table_does(tmp_path: Path) -> None:
    from obspy import UTCDateTime
    from obspy.core.event import Catalog, Event, Magnitude, Origin

    event = Event(
        origins=[Origin(time=UTCDateTime(2020, 1, 1, 12), latitude=10, longitude=20, depth=5000)],
        magnitudes=[Magnitude(mag=2.5)],
    )
    Catalog([event]).write(str(tmp_path / "c.xml"), "QUAKEML")
    found = read_catalogue(str(tmp_path / "c.xml"))
    assert found.time_days.tolist() == [day_of("2020-01-01T12:00:00Z")]
    assert (found.magnitude[0], found.depth_km[0]) == (2.5, 5.0)


def test_gaps_join_and_leave_the_rest() -> None:
    gaps = Gaps([(10, 20), (15, 25), (40, 50)])
    assert gaps.spans == ((10, 25), (40, 50))
    assert gaps.observed(0, 45) == [(0, 10), (25, 40)]
    assert gaps.observed_days(0, 45) == 25
    assert gaps.contains(np.array([9.9, 10, 24.9, 25])).tolist() == [False, True, True, False]
    assert Gaps.parse(["1992"]).texts() == ["1992-01-01/1993-01-01"]


def test_spans_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="ends before it begins"):
        span_of("2014-01-01/2009-01-01", "--fit")
    with pytest.raises(ConfigurationError, match="--gap=x is no span"):
        Gaps.parse(["x"])


def test_events_in_a_declared_gap_contradict_it() -> None:
    with pytest.raises(DataError, match=r"1 events.*declared gaps"):
        made(np.array([5.0, 15.0]), gaps=Gaps([(10, 20)]))


def test_a_fingerprint_follows_what_is_learnt_from() -> None:
    one = made(np.array([5.0, 15.0]))
    assert one.fingerprint() == made(np.array([5.0, 15.0])).fingerprint()
    others = [
        made(np.array([5.0, 15.0]), np.array([2.0, 2.1])),
        made(np.array([5.0, 15.0]), gaps=Gaps([(6, 7)])),
        made(np.array([5.0, 15.0]), end_day=2e5),
    ]
    assert len({one.fingerprint(), *(other.fingerprint() for other in others)}) == 4


def test_an_undeclared_gap_is_a_finding_and_a_declared_one_is_not() -> None:
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0, 4000, 4000))
    times = times[(times < 1000) | (times > 1400)]
    codes = {one.code: one for one in audit_catalogue(made(times, end_day=4000.0))}
    assert codes["silence"].severity == "fatal"
    assert codes["silence"].count == 1
    declared = audit_catalogue(made(times, end_day=4000.0, gaps=Gaps([(1000, 1400)])))
    assert "silence" not in {one.code for one in declared}


def test_findings_name_repeats_blasts_and_midnights() -> None:
    rng = np.random.default_rng(1)
    days = np.arange(2000) + rng.uniform(9, 17, 2000) / 24
    times = np.sort(np.concatenate([days, days[:5] + 1 / 86400, np.arange(20.0) + 3]))
    codes = {one.code: one.count for one in audit_catalogue(made(times, rng.exponential(0.4, len(times)) + 1))}
    assert codes["repeated"] == 5
    assert codes["midnight"] == 20
    assert codes["work_hours"] >= 2000
    quiet = made(np.sort(rng.uniform(0, 2000, 2000)), rng.exponential(0.4, 2000) + 1, end_day=2000.0)
    assert {"repeated", "work_hours", "midnight", "silence"}.isdisjoint(one.code for one in audit_catalogue(quiet))


def test_the_card_holds_gaps_and_what_was_refused() -> None:
    content = card(made(np.linspace(0, 99, 100), gaps=Gaps([(200, 300)]), end_day=400.0))
    assert content["observed_days"] == 300
    assert content["gaps"] == ["1970-07-20/1970-10-28"]
