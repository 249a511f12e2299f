"""Times of catalogues and recordings, as text and as nanoseconds since 1970.

A time is read where it can be read in one way only; every other is refused with what to write instead.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

FIRST_YEAR, LAST_YEAR = 1900, 2200
NS = 1_000_000_000
DAY_S = 86400
LIKE = "write it like 2014-08-24T00:01:08.920Z"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ZONES_H = {"": 0, "z": 0, "utc": 0, "gmt": 0, "ut": 0, "jst": 9, "kst": 9}
"""Hours ahead of UTC of zones whose names mean one thing."""

_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d*))?)?\s*(?P<half>[AaPp][Mm])?"
)
_ZONE = r"\s*(?P<zone>[A-Za-z]{0,5}|[+-]\d{2}(?::?\d{2})?)"
_AFTER_DATE = rf"(?:[T\s,:]\s*{_CLOCK}{_ZONE})?"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        # 2020-03-04T05:06:07.8Z, 2020/03/04 05:06:07, 2020.03.04 05:06
        rf"(?P<year>\d{{4}})(?P<mark>[-/.])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}}){_AFTER_DATE}",
        # 20200304T050607.8, 20200304050607, 202003040506
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:[T_\s]?(?P<hour>\d{2}):?(?P<minute>\d{2})"
        rf"(?::?(?P<second>\d{{2}})(?:[.,](?P<fraction>\d*))?)?{_ZONE})?",
        # 2020-064T05:06:07, 2020,064,05:06:07, 2020064T050607
        rf"(?P<year>\d{{4}})[-,./ ](?P<yearday>\d{{3}}){_AFTER_DATE}",
        r"(?P<year>\d{4})(?P<yearday>\d{3})(?:T?(?P<hour>\d{2})(?P<minute>\d{2})"
        rf"(?P<second>\d{{2}})(?:[.,](?P<fraction>\d*))?{_ZONE})?",
        # 04-Mar-2020 05:06:07, Wed, 4 March 2020 05:06:07 GMT
        rf"(?:[A-Za-z]{{3,9}},?\s+)?(?P<day>\d{{1,2}})[-\s/.](?P<name>[A-Za-z]{{3,9}})\.?[-\s/,]\s*(?P<year>\d{{4}}){_AFTER_DATE}",
        # Mar 4 2020 05:06:07, March 4, 2020 05:06:07, 2020-Mar-04 05:06:07
        rf"(?:[A-Za-z]{{3,9}},?\s+)?(?P<name>[A-Za-z]{{3,9}})\.?\s+(?P<day>\d{{1,2}}),?\s+(?P<year>\d{{4}}){_AFTER_DATE}",
        rf"(?P<year>\d{{4}})[-\s/](?P<name>[A-Za-z]{{3,9}})[-\s/](?P<day>\d{{1,2}}){_AFTER_DATE}",
    )
)
_TWO_WAYS = re.compile(
    rf"(?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<second_number>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}){_AFTER_DATE}"
)
"""05/03/2020: the fifth of March or the third of May."""
_SHORT_YEAR = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{2}(\D.*)?")
_CLOCK_ONLY = re.compile(_CLOCK + _ZONE)
_EPOCHS = {9: 1, 10: 1, 12: 1000, 13: 1000, 15: 1_000_000, 16: 1_000_000, 18: NS, 19: NS}
"""Digits of a time since 1970 to its ticks in a second: 1973 to 2286."""
_DATES = (7, 8, 12, 13, 14)
"""Digits of YYYYDDD, YYYYMMDD, YYYYMMDDHHMM, YYYYDDDHHMMSS and YYYYMMDDHHMMSS."""


class AmbiguousTimeError(ValueError):
    """A time that can be read in two ways."""


def format_ns(ns: int) -> str:
    """Nanoseconds since 1970 as ISO 8601 with microseconds and Z, rounded."""
    time = datetime(1970, 1, 1) + timedelta(microseconds=round(ns, -3) // 1000)
    return f"{time.isoformat(timespec='microseconds')}Z"


def time_ns(text: str, *, day_first: bool | None = None, zone_h: float = 0.0, whole_day: bool = False) -> int:
    """Nanoseconds since 1970 of a time that a person, a table or :func:`format_ns` wrote.

    Seconds of 60 (a leap second, or a rounding) and 24:00 are the start of what follows.

    Args:
        text: date and time of day; the zone is UTC where none is named.
        day_first: how 05/03/2020 is read; None refuses it where it could be either.
        zone_h: hours by which the clock is ahead of UTC where the text names no zone.
        whole_day: whether a date without a time of day is its first moment.

    Raises:
        AmbiguousTimeError: the date can be read in two ways.
        ValueError: it is no time of the years 1900 to 2200.
    """
    plain = text.strip()
    since = _since_1970(plain)
    if since is not None:
        return since
    parts = _parts(plain, day_first)
    if parts.get("hour") is None and not whole_day:
        raise ValueError(f"'{text}' has no time of day; {LIKE}")
    day = _day(text, parts)
    if not FIRST_YEAR <= day.year < LAST_YEAR:
        raise ValueError(f"'{text}' is no time of the years {FIRST_YEAR} to {LAST_YEAR}")
    zone = (parts.get("zone") or "").lower()
    ahead_s = round(zone_h * 3600) if not zone and parts.get("hour") is not None else _zone_s(text, zone)
    seconds = (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY_S + _second_of_day(text, parts) - ahead_s
    return seconds * NS + int((parts.get("fraction") or "0")[:9].ljust(9, "0"))


def _since_1970(text: str) -> int | None:
    """Of seconds, milli-, micro- or nanoseconds, told apart by their digits; None for what begins with a year.

    As milliseconds 12 or 13 digits that begin with a year would be of 1976, or of 2030 to 2039.
    """
    whole, _, fraction = text.partition(".")
    if not whole.isdecimal() or (fraction and not fraction.isdecimal()):
        return None
    if len(whole) in _DATES and FIRST_YEAR <= int(whole[:4]) < LAST_YEAR:
        return None
    ticks = _EPOCHS.get(len(whole))
    if ticks is not None:
        tick_ns = NS // ticks
        return int(whole) * tick_ns + int(fraction[:9].ljust(9, "0")) * tick_ns // NS
    if len(whole) in _DATES:
        return None
    raise ValueError(f"'{text}' could be a day number of a spreadsheet or a decimal year; {LIKE}")


def _parts(text: str, day_first: bool | None) -> dict[str, Any]:
    for pattern in _PATTERNS:
        match = pattern.fullmatch(text)
        if match is not None:
            return match.groupdict()
    match = _TWO_WAYS.fullmatch(text)
    if match is not None:
        parts = match.groupdict()
        first, second = int(parts["first"]), int(parts["second_number"])
        if day_first is None and first != second and max(first, second) <= 12:
            raise AmbiguousTimeError(f"'{text}' can be read day first or month first; {LIKE}")
        first_is_day = first > 12 if day_first is None or max(first, second) > 12 else day_first
        day, month = (first, second) if first_is_day else (second, first)
        return parts | {"day": day, "month": month}
    if _SHORT_YEAR.fullmatch(text):
        raise AmbiguousTimeError(f"'{text}' has a year of two digits; {LIKE}")
    if _CLOCK_ONLY.fullmatch(text):
        raise ValueError(f"'{text}' has no date; {LIKE}")
    raise ValueError(f"'{text}' is no time; {LIKE}")


def _day(text: str, parts: dict[str, Any]) -> date:
    year = int(parts["year"])
    try:
        if parts.get("yearday"):
            day = date.fromordinal(date(year, 1, 1).toordinal() + int(parts["yearday"]) - 1)
            if day.year != year:
                raise ValueError("the year is shorter")
            return day
        return date(year, _month(parts), int(parts["day"]))
    except ValueError as error:
        raise ValueError(f"'{text}' names a day that there is not ({error}); {LIKE}") from error


def _month(parts: dict[str, Any]) -> int:
    name = parts.get("name")
    if not name:
        return int(parts["month"])
    short = name[:3].lower()
    if short not in MONTHS:
        raise ValueError(f"'{name}' is no English name of a month")
    return MONTHS.index(short) + 1


def _second_of_day(text: str, parts: dict[str, Any]) -> int:
    hour, minute, second = (int(parts.get(key) or 0) for key in ("hour", "minute", "second"))
    half = (parts.get("half") or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(f"'{text}' has an hour that goes with neither am nor pm; {LIKE}")
        hour = hour % 12 + (12 if half == "pm" else 0)
    midnight = hour == 24 and minute == second == 0
    if minute > 59 or second > 60 or (hour > 23 and not midnight):
        raise ValueError(f"'{text}' names a time of day that there is not; {LIKE}")
    return hour * 3600 + minute * 60 + second


def _zone_s(text: str, zone: str) -> int:
    if zone in ZONES_H:
        return ZONES_H[zone] * 3600
    digits = zone[1:].replace(":", "")
    if not digits.isdecimal() or int(digits[:2]) > 14 or int(digits[2:] or 0) > 59:
        raise ValueError(f"'{text}' names the zone '{zone}', which is not known; write Z, or an offset such as +09:00")
    ahead_s = int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60
    return ahead_s if zone[0] == "+" else -ahead_s


def day_comes_first(texts: list[str]) -> bool | None:
    """How a table writes dates like 05/03/2020, told by those of its days that are no months.

    None where no day above the twelfth tells, or where some stand first and some second.
    """
    pairs = [
        (int(match["first"]), int(match["second_number"]))
        for text in texts
        if (match := _TWO_WAYS.fullmatch(text.strip())) is not None
    ]
    first, second = any(a > 12 for a, _ in pairs), any(b > 12 for _, b in pairs)
    return None if first == second else first
