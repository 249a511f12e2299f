"""What ``split.by`` may be, told without a table: cheap to import, and asked before a set is made or read."""

from __future__ import annotations

from collections.abc import Iterable

from seisvision.errors import DataError, did_you_mean

WITHOUT_COLUMN = ("event", "time", "station", "trace")
"""Words that name no column; any other is one."""
PLACE = "source_cell"
PLACES = ("source_latitude_deg", "source_longitude_deg")
"""From which cells are made where a set names none."""
BY_EVENT = " To split by event, which needs no column, set split.by=event."


def no_column(name: str, columns: Iterable[object], hint: str = "") -> DataError:
    """The error that says that a set lacks a column."""
    return DataError(f"the set has no column '{name}'. {did_you_mean(name, [str(column) for column in columns])}{hint}")


def of_events(columns: Iterable[str]) -> list[str]:
    """Columns of traces that a table of events has as well, with the one that it adds."""
    return [name for name in columns if name.startswith("source_") or name == "split"] + ["n_traces"]


def check_by(by: str, columns: Iterable[str]) -> None:
    """Refuse a column by which no set with these columns of events can be split.

    Raises:
        DataError: says which columns there are.
    """
    columns = list(columns)
    if by in WITHOUT_COLUMN or by in columns or (by == PLACE and set(PLACES) <= set(columns)):
        return
    raise no_column(by, columns, BY_EVENT)
