"""Spans of time that are picked, where not all of an archive is: around times of a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seisvision.archives.losses import joined
from seisvision.data.importing.tables.text_tables import read_csv
from seisvision.data.importing.tables.times import DAY_S, NS, time_ns
from seisvision.errors import DataError

TIME_COLUMNS = ("time", "source_origin_time", "origin_time", "event_time", "start_time", "pick_time", "datetime")


@dataclass(frozen=True)
class Around:
    """Spans (start_ns, end_ns) that do not overlap, in order."""

    spans_ns: tuple[tuple[int, int], ...]

    def touches_day(self, day: int) -> bool:
        """Whether any of it lies on a day."""
        begin_ns, end_ns = day * DAY_S * NS, (day + 1) * DAY_S * NS
        return any(begin < end_ns and end > begin_ns for begin, end in self.spans_ns)

    def samples(self, day_start_ns: int, rate_hz: float, first: int, length: int) -> np.ndarray:
        """bool (length,): which samples from ``first``, counted from the start of a day, lie within."""
        wanted = np.zeros(length, dtype=bool)
        for begin_ns, end_ns in self.spans_ns:
            begin, end = (round((time - day_start_ns) * rate_hz / NS) - first for time in (begin_ns, end_ns))
            wanted[max(0, begin) : max(0, end)] = True
        return wanted


def read_around(path: Path, before_s: float, after_s: float) -> Around:
    """Spans around the times of a table, such as origin times of a catalogue.

    Raises:
        DataError: there is no column of times, or a time cannot be read.
    """
    table = read_csv(path)
    column = next((name for name in TIME_COLUMNS if name in table), None)
    if column is None:
        raise DataError(f"{path} has no column of times; name one 'time' (or {', '.join(TIME_COLUMNS[1:])})")
    spans = []
    for number, text in enumerate(table[column], start=2):
        try:
            moment = time_ns(str(text))
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}") from error
        spans.append((moment - round(before_s * NS), moment + round(after_s * NS)))
    if not spans:
        raise DataError(f"{path} holds no times, so nothing would be picked; leave --around out to pick everything")
    return Around(tuple(joined(spans)))
