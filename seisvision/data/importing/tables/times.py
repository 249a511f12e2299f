"""Times of catalogues and recordings, as text and as nanoseconds since 1970."""

from __future__ import annotations

from typing import Any

import pandas as pd

FIRST_YEAR, LAST_YEAR = 1900, 2200


def format_time(value: Any) -> str:
    """Time as ISO 8601 with microseconds and Z."""
    time = pd.Timestamp(value)
    time = time.tz_localize("UTC") if time.tzinfo is None else time.tz_convert("UTC")
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def time_ns(iso: str) -> int:
    """Nanoseconds since 1970 of a time written by :func:`format_time`.

    Raises:
        ValueError: it is no time of the years 1900 to 2200.
    """
    time = pd.Timestamp(iso)
    if not FIRST_YEAR <= time.year < LAST_YEAR:
        raise ValueError(f"{iso} is no time of the years {FIRST_YEAR} to {LAST_YEAR}")
    return int(time.as_unit("ns").value)


def format_ns(ns: int) -> str:
    """Nanoseconds since 1970 as ISO 8601 with microseconds and Z, rounded."""
    return format_time(pd.Timestamp(round(ns, -3), tz="UTC"))
