"""Columns that samples have wherever coordinates are known, and whether a set can have one, told without a table."""

from __future__ import annotations

from collections.abc import Iterable

from seisvision.data.splitting.words import of_events
from seisvision.errors import DataError, did_you_mean

AZIMUTH_COLUMNS = ("path_azimuth_deg", "path_back_azimuth_deg")
PATH_COLUMNS = ("path_ep_distance_km", *AZIMUTH_COLUMNS)
WHOLE = "trace_name"
"""Every whole table has it; a set that is yet to be made tells the columns of its events alone."""
OF_TRACES = ("trace_", "station_", "path_")


def check_target(setting: str, target: str, columns: Iterable[str]) -> None:
    """Refuse to learn a column that no set with these columns has.

    Args:
        setting: that names it, for the message.
        target: the column.
        columns: of the table of the set, or those of its events.

    Raises:
        DataError: says which columns there are.
    """
    columns = list(dict.fromkeys([*columns, *PATH_COLUMNS]))
    may_be_of_traces = target.startswith(OF_TRACES) and WHOLE not in columns
    if target in (*columns, *of_events(columns)) or may_be_of_traces:
        return
    raise DataError(f"{setting}={target}: the set has no such column. {did_you_mean(target, columns)}")
