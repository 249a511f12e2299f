"""Codes and places of the stations behind the traces of a gather, from a CSV table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.text_tables import existing, number, read_csv
from seisvision.errors import DataError, did_you_mean

Codes = tuple[str, str, str, str]
CODES = ("network", "station", "location", "channel")
PLACES = {"latitude_deg": ("stla", 90.0), "longitude_deg": ("stlo", 360.0), "elevation_m": ("stel", 12_000.0)}
"""Column to the word of SAC headers for it, and the largest value."""
MOST_TRACES = 1_000_000


@dataclass(frozen=True)
class TraceTable:
    """Trace number to codes, and to a place in the words of SAC headers ({} where the table has none)."""

    path: str
    rows: dict[int, tuple[Codes, dict[str, Any]]]

    def find(self, trace: int) -> tuple[Codes, dict[str, Any]]:
        """Codes and place of a trace.

        Raises:
            Refusal: the table has no row for it.
        """
        if trace not in self.rows:
            raise Refusal("read", "not_in_table", f"trace {trace} has no row in {self.path}", trace)
        return self.rows[trace]


@lru_cache(maxsize=8)
def read_trace_table(path: str) -> TraceTable:
    """Read a table with the columns trace, network, station, location, channel, and latitude_deg, longitude_deg,
    elevation_m where the traces do not give places.

    ``trace`` is a number or a range such as 1-24; in the codes of a range ``{trace}`` stands for the number, and
    ``{trace:03d}`` for it with zeros in front.

    Raises:
        DataError: a column, a code or a number is missing or wrong, or two rows name one trace.
    """
    table = read_csv(existing(path, "traces"))
    for column in ("trace", "station", "channel"):
        if column not in table:
            raise DataError(f"{path} has no column '{column}'. {did_you_mean(column, list(table))}")
    rows: dict[int, tuple[Codes, dict[str, Any]]] = {}
    for row in table.to_dict("records"):
        for trace in _range(str(row["trace"]), path):
            if trace in rows:
                raise DataError(f"{path} has two rows for trace {trace}; each trace is one channel of one station")
            rows[trace] = (_codes(row, trace, path), _place(row, path))
    return TraceTable(path, rows)


def _range(text: str, path: str) -> range:
    first, _, last = text.partition("-")
    last = last or first
    if not (first.strip().isdecimal() and last.strip().isdecimal() and 0 <= int(last) - int(first) < MOST_TRACES):
        raise DataError(f"trace '{text}' in {path} must be a number such as 7, or a range such as 1-24")
    return range(int(first), int(last) + 1)


def _codes(row: dict[str, str], trace: int, path: str) -> Codes:
    try:
        network, station, location, channel = (row.get(name, "").strip().format(trace=trace) for name in CODES)
    except (ValueError, LookupError, AttributeError) as error:
        raise DataError(f"a code of trace {trace} in {path} is no text with {{trace}} in it: {error}") from error
    if not station or not channel:
        raise DataError(f"trace {trace} in {path} needs a station and a channel code")
    return network, station, location, channel


def _place(row: dict[str, str], path: str) -> dict[str, Any]:
    place = {}
    for column, (word, limit) in PLACES.items():
        value = number(row.get(column, ""), f"{column} of trace {row['trace']} in {path}")
        if abs(value) > limit:
            raise DataError(f"{column} of trace {row['trace']} in {path} is {value:g}; it must lie within ±{limit:g}")
        place[word] = value
    return {word: value for word, value in place.items() if np.isfinite(value)}
