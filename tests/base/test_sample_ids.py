"""Ids of samples say themselves what a sample is, and refuse what does not fit."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest

from seisvision.base.sample_ids import SampleIds
from seisvision.base.units import EVENT, TRACE, UNITS, Unit, all_id_columns, register, unit_named, unit_of_columns
from seisvision.errors import ConfigurationError, DataError

TRACES = SampleIds("trace", ["4", "0", "2"], ["b", "a", "a"])
METADATA = pd.DataFrame({"source_id": ["a", "x", "a", "y", "b"], "station_code": list("ABCDE")})


def test_they_are_kept_as_they_came_and_cannot_change() -> None:
    ids, events = ["4", "0"], np.array(["b", "a"])
    made = SampleIds("trace", ids, events)  # type: ignore[arg-type]
    ids[0] = events[0] = "9"
    assert made.ids == ("4", "0") and made.source_ids == ("b", "a") and len(made) == 2
    assert made == SampleIds("trace", [4, 0], ("b", "a")) and hash(made)  # type: ignore[list-item]
    assert made != SampleIds("trace", ["0", "4"], ["a", "b"])
    with pytest.raises(FrozenInstanceError):
        made.unit = "event"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("unit", "ids", "events", "told"),
    [
        ("trace", ["1", "2"], ["a"], "2 sample ids and 1 event ids"),
        ("trace", ["1", "2", "1"], ["a", "a", "a"], "'1' is listed 2 times"),
        ("event", ["0", "1"], ["0", "2"], "'1' is an event, but its event is said to be '2'"),
    ],
)
def test_what_does_not_belong_together_is_refused(unit: str, ids: list[str], events: list[str], told: str) -> None:
    with pytest.raises(DataError, match=told):
        SampleIds(unit, ids, events)


def test_an_unknown_unit_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigurationError, match=r"unit='traces' is not known.*'trace'"):
        SampleIds("traces", [], [])


def test_only_ids_that_number_rows_have_rows() -> None:
    assert TRACES.rows.tolist() == [4, 0, 2]
    # One trace an event, and events called 0, 1, 2: they are events all the same.
    with pytest.raises(DataError, match="events are not rows of the metadata table, so '0' numbers none"):
        _ = SampleIds.of_events(["0", "1", "2"]).rows
    with pytest.raises(DataError, match=r"'A.B' is no trace"):
        _ = SampleIds("trace", ["1", "A.B"], ["e", "e"]).rows


def test_the_table_holds_their_rows_in_their_order_and_is_that_of_their_set() -> None:
    assert TRACES.table(METADATA)["station_code"].tolist() == ["E", "A", "C"]
    with pytest.raises(DataError, match="Row 4 is not in the metadata table, which holds 3"):
        TRACES.table(METADATA[:3])
    with pytest.raises(DataError, match="Row 0 of the metadata table is of event 'z', not of 'a'"):
        TRACES.table(METADATA.assign(source_id=["z", "x", "a", "y", "b"]))


def test_some_of_them_in_any_order() -> None:
    assert TRACES.select(["2", "4"]) == SampleIds("trace", ["2", "4"], ["a", "b"])
    assert TRACES.take([1]) == SampleIds("trace", ["0"], ["a"]) and TRACES.n_events == 2
    assert TRACES.places(["2", "4"]).tolist() == [2, 0]
    with pytest.raises(DataError, match=r"1 of 2 samples were not predicted, the first is '7'\. Predict it"):
        TRACES.places(["2", "7"], "were not predicted", "Predict it.")


def test_one_after_the_other() -> None:
    both = SampleIds.concatenate([TRACES, SampleIds("trace", ["9"], ["c"])])
    assert both.ids == ("4", "0", "2", "9") and both.source_ids == ("b", "a", "a", "c")
    with pytest.raises(DataError, match="'4' is listed 2 times"):
        SampleIds.concatenate([TRACES, TRACES])
    with pytest.raises(DataError, match="Ids of traces and events cannot be put together"):
        SampleIds.concatenate([TRACES, SampleIds.of_events(["c"])])
    with pytest.raises(DataError, match="Ids of nothing"):
        SampleIds.concatenate([])


def test_the_table_of_units_tells_every_unit_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    known = dict(UNITS)
    assert unit_named("event") is EVENT and unit_named("trace") is TRACE
    assert unit_of_columns(["source_id", "kind_target"]) is EVENT and unit_of_columns(["kind_target"]) is None
    assert unit_of_columns(["source_id", "trace_id", "station_code"]) is TRACE
    for unit in (
        Unit("trace", "paths", "paths", "path_id"),
        Unit("path", "paths", "paths", "trace_id"),
        Unit("path", "paths", "paths", "path_id", row_columns=("station_code",)),
    ):
        with pytest.raises(ConfigurationError, match=unit.name):
            register(unit)
    # A kind of experiment that was imported before may have units of its own.
    assert all_id_columns()[:2] == ("source_id", "trace_id")
    assert known == UNITS and list(UNITS)[:2] == ["event", "trace"]
