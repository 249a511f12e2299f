"""Days since 1970-01-01 UTC as float64: exact to a microsecond for a century to come."""

from __future__ import annotations

from seisvision.data.importing.tables.times import format_ns, time_ns
from seisvision.errors import ConfigurationError

NS_PER_DAY = 86_400_000_000_000


def day_of(text: str, setting: str = "time") -> float:
    """Day of a date or time such as ``2009-01-01`` or ``2009-01-01T12:00:00Z``.

    Raises:
        ConfigurationError: it is neither; names the setting.
    """
    try:
        return time_ns(text, whole_day=True) / NS_PER_DAY
    except ValueError as error:
        raise ConfigurationError(f"{setting}={text} {error}; give a date such as 2009-01-01") from error


def date_text(day: float) -> str:
    """The time of a day as text, to the second, or the date alone at midnight."""
    text = format_ns(round(day * 86400) * 1_000_000_000)
    return text[:10] if text[11:19] == "00:00:00" else text[:19]


def span_of(text: str, setting: str) -> tuple[float, float]:
    """First day and end of ``2009-01-01/2014-01-01``, or of a year ``1992``.

    Raises:
        ConfigurationError: it is neither, or ends before it begins; names the setting.
    """
    if len(text) == 4 and text.isdigit():
        return day_of(f"{text}-01-01", setting), day_of(f"{int(text) + 1:04d}-01-01", setting)
    begin, slash, end = text.partition("/")
    if not slash:
        raise ConfigurationError(f"{setting}={text} is no span; give 2009-01-01/2014-01-01, or a year such as 1992")
    span = day_of(begin, setting), day_of(end, setting)
    if not span[0] < span[1]:
        raise ConfigurationError(f"{setting}={text} ends before it begins; give the earlier day first")
    return span
