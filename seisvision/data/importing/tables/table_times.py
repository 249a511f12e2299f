"""Times in the rows of a table, in one column or in several."""

from __future__ import annotations

import re

from seisvision.data.importing.tables.columns import Column, Meaning
from seisvision.data.importing.tables.leap_seconds import without_leap_seconds
from seisvision.data.importing.tables.text_tables import NO_VALUE, NUMBER, TextTable
from seisvision.data.importing.tables.times import ZONES_H, AmbiguousTimeError, day_comes_first, format_ns, time_ns

ZONES = {"": 0.0, "utc": 0.0, "jst": 9.0}
DATE_PARTS = ("year", "month", "day")
CLOCK_PARTS = ("hour", "minute", "hour_minute", "second")
FRACTIONS = {"millisecond": 3, "microsecond": 6}
"""Column of a part of a second to its digits."""
CLOCK = re.compile(r"\d{1,2}:\d{1,2}(:\d{1,2}([.,]\d*)?)?\s*([AaPp][Mm])?\D*")
WHOLE_SECOND = re.compile(r"(.*\d:\d{1,2}:\d{1,2})(\D*|[+-][\d:]+)")
ZONED = re.compile(r".*\d\s*([A-Za-z]+|[+-]\d{2}:?(\d{2})?)")
"""A time of day that names a zone."""
DIGITS = re.compile(r"(\d{5,6})([.,]\d*)?")
"""HHMMSS, of which tables of numbers drop the first zero."""
TIME_MEANINGS = (
    Meaning(
        "source_origin_time",
        ("sourceorigintime", "origintime", "time", "datetime", "sourcetime", "eventtime", "evtime", "otime", "ot",
         "dt", "eventdatetime", "origindatetime", "origin", "eventorigintime", "utctime", "utcdatetime", "timeutc",
         "dateandtime", "sourceorigin", "origintimeutc", "zeit", "uhrzeit", "herdzeit", "heure", "hora"),
        weak=("timestamp", "epoch", "totimestamp", "t", "utc"),
        units=ZONES, near=("time", "datetime", "origintime"),
        unless=("date", "year"),
    ),
    Meaning("date", ("date", "origindate", "eventdate", "ymd", "yyyymmdd", "yyymmdd", "dateutc",
                     "datum", "fecha"), units=ZONES),
    Meaning("time_of_day", ("timeofday", "hms", "hhmmss", "hhmmssss", "clock", "origintimeofday"), units=ZONES),
    Meaning("year", ("year", "yr", "yyyy", "originyear")),
    Meaning("month", ("month", "mon", "mth", "originmonth"), weak=("mo", "mm")),
    Meaning("day", ("day", "dy", "dom", "originday"), weak=("dd", "d")),
    Meaning("yearday", ("yearday", "julday", "julianday", "doy", "jday", "dayofyear")),
    Meaning("hour", ("hour", "hr", "hh", "originhour"), weak=("h",)),
    Meaning("minute", ("minute", "min", "mi", "mn", "originminute")),
    Meaning("hour_minute", ("hhmm", "hrmn", "hrmin", "hourmin", "hourminute")),
    Meaning("second", ("second", "sec", "seconds", "ss", "originsecond"), weak=("s",)),
    Meaning("millisecond", ("millisecond", "milliseconds", "millis", "msec", "millisec")),
    Meaning("microsecond", ("microsecond", "microseconds", "micros", "usec", "microsec")),
    Meaning("timezone", ("timezone", "tz", "tzname", "timezonename", "utcoffset")),
)  # fmt: skip


def without_parts(columns: dict[str, Column]) -> dict[str, Column]:
    """Leave out the parts of a time that do not make one: a column ``min`` alone is no minute."""
    parts = {"time_of_day", *DATE_PARTS, "yearday", *CLOCK_PARTS}
    if not columns.keys() & {"source_origin_time", "date", "year"}:
        columns = {key: column for key, column in columns.items() if key not in (*FRACTIONS, "timezone")}
    dated = "date" in columns or {"year", "month", "day"} <= columns.keys() or {"year", "yearday"} <= columns.keys()
    if not dated:
        return {key: column for key, column in columns.items() if key not in parts}
    if "source_origin_time" in columns or "time_of_day" in columns:
        return {key: column for key, column in columns.items() if key not in CLOCK_PARTS}
    return columns


class RowTimes:
    """Reads the origin times of a table.

    Args:
        table: the table.
        columns: its columns by meaning, of ``TIME_MEANINGS``.
    """

    def __init__(self, table: TextTable, columns: dict[str, Column]) -> None:
        self.columns = columns
        texts = [self._written(row) for row in table.rows]
        self.day_first = day_comes_first(texts)
        self.notes: list[str] = []
        self.counts_leap_seconds = _is_true_epoch(table, columns)
        if self.counts_leap_seconds:
            self.notes.append(f"{self.name} counts leap seconds, as AQMS keeps times, and is brought to UTC")
        if self.day_first is not None and any(re.match(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{4}", text) for text in texts):
            order = "day first" if self.day_first else "month first"
            self.notes.append(f"dates like 05/03/2020 are read {order}, as days above 12 show")

    @property
    def name(self) -> str:
        """Columns that hold the time, for messages."""
        keys = ("date", *DATE_PARTS, "yearday", "source_origin_time", "time_of_day", *CLOCK_PARTS)
        return " and ".join(self.columns[key].name for key in keys if key in self.columns)

    def meaning(self, key: str) -> str:
        """What a column was taken for."""
        parts = ("date", "time_of_day", *DATE_PARTS, "yearday", *CLOCK_PARTS)
        return f"source_origin_time: {key.replace('_', ' ')}" if key in parts else key

    def text(self, row: list[str]) -> str:
        """Origin time of a row as it stands in a set; empty where the row has none.

        Raises:
            ValueError: it cannot be read, or in two ways.
        """
        written = self._written(row)
        return "" if written.lower() in NO_VALUE else format_ns(self._ns(written))

    def ns(self, row: list[str]) -> int:
        """Origin time of a row in nanoseconds since 1970.

        Raises:
            ValueError: as for ``text``, or there is none.
        """
        return self._ns(self._written(row))

    def cause(self, error: ValueError) -> str:
        """One word for why a time could not be read."""
        return "ambiguous_time" if isinstance(error, AmbiguousTimeError) else "bad_time"

    def _ns(self, written: str) -> int:
        keys = ("source_origin_time", "time_of_day", "date")
        units = [self.columns[key].unit for key in keys if key in self.columns]
        zone_h = next((ZONES[unit] for unit in units if unit), 0.0)
        found = time_ns(written, day_first=self.day_first, zone_h=zone_h)
        return without_leap_seconds(found) if self.counts_leap_seconds else found

    def _written(self, row: list[str]) -> str:
        """Date, time, fraction of the second and zone of a row as one text."""
        written = self._date_and_clock(row)
        for key, n_digits in FRACTIONS.items():
            part = _whole(self._cell(row, key))
            if part.strip("0"):
                whole = WHOLE_SECOND.fullmatch(re.sub(r"[.,]0*(?=\D*$)", "", written))
                written = f"{whole[1]}.{part.zfill(n_digits)}{whole[2]}" if whole else f"{written} and {part} {key}s"
        zone = self._cell(row, "timezone")
        is_utc = not zone.strip("+-0:.") or ZONES_H.get(zone.lower()) == 0
        return written if is_utc or ":" not in written or ZONED.fullmatch(written) else f"{written} {zone}"

    def _date_and_clock(self, row: list[str]) -> str:
        time = self._cell(row, "source_origin_time") or self._cell(row, "time_of_day") or self._clock(row)
        date = self._cell(row, "date") or self._date(row)
        digits = DIGITS.fullmatch(time)
        if not date or not time or not (digits or CLOCK.fullmatch(time)):
            return time or date
        if digits is not None:
            whole = digits[1].zfill(6)
            time = f"{whole[:2]}:{whole[2:4]}:{whole[4:]}{digits[2] or ''}"
        # Spreadsheets write the date of a column of days with midnight behind it.
        return f"{re.sub(r'[T ]00:00(:00(.0*)?)?$', '', date)} {time}"

    def _date(self, row: list[str]) -> str:
        year, month, day, yearday = (_whole(self._cell(row, key)) for key in (*DATE_PARTS, "yearday"))
        if yearday and year:
            return f"{year}-{yearday.zfill(3)}"
        return f"{year}-{month.zfill(2)}-{day.zfill(2)}" if year or month or day else ""

    def _clock(self, row: list[str]) -> str:
        hour, minute, both, second = (self._cell(row, key) for key in CLOCK_PARTS)
        if both and not minute:
            both = _whole(both).zfill(4)
            hour, minute = both[:-2], both[-2:]
        # What has seconds but no minute is no time of day, and the date alone is refused.
        if not (hour and minute):
            return ""
        whole, mark, fraction = second.partition(".")
        return ":".join(part.zfill(2) for part in (_whole(hour), _whole(minute), whole or "0")) + mark + fraction

    def _cell(self, row: list[str], key: str) -> str:
        column = self.columns.get(key)
        text = "" if column is None else row[column.index].strip()
        return "" if text.lower() in NO_VALUE else text


def _is_true_epoch(table: TextTable, columns: dict[str, Column]) -> bool:
    """Whether times are those of a query of AQMS: seconds that count leap seconds, as numbers or made into text."""
    column = columns.get("source_origin_time")
    if column is None:
        return False
    names = {re.sub(r"[^a-z0-9]", "", name.lower()) for name in table.columns}
    own = re.sub(r"[^a-z0-9]", "", column.name.lower())
    if not (names & {"evid", "orid"} and names & {"orid", "arid", "prefor", "datetime1", "totimestamp"}):
        return False
    numbers = all(NUMBER.fullmatch(text.strip()) for text in table.column(column.index) if text)
    return own == "totimestamp" or (own == "datetime" and numbers)


def _whole(text: str) -> str:
    """A number without the fraction of zeros that tables of numbers give it."""
    return re.sub(r"\.0*$", "", text)
