"""Seconds that some data centres count and UTC, as recorders and QuakeML write it, does not."""

from __future__ import annotations

import numpy as np

from seisvision.data.importing.tables.times import NS

DAYS = (
    "1972-07-01", "1973-01-01", "1974-01-01", "1975-01-01", "1976-01-01", "1977-01-01", "1978-01-01", "1979-01-01",
    "1980-01-01", "1981-07-01", "1982-07-01", "1983-07-01", "1985-07-01", "1988-01-01", "1990-01-01", "1991-01-01",
    "1992-07-01", "1993-07-01", "1994-07-01", "1996-01-01", "1997-07-01", "1999-01-01", "2006-01-01", "2009-01-01",
    "2012-07-01", "2015-07-01", "2017-01-01",
)  # fmt: skip
"""Days that a leap second came before (IERS Bulletin C); none since."""
BEFORE_GPS = 9
"""Leap seconds before 1980, when GPS time was UTC."""
_COUNTED_NS = np.array(DAYS, dtype="datetime64[ns]").astype(np.int64) + NS * np.arange(1, len(DAYS) + 1)


def without_leap_seconds(counted_ns: int) -> int:
    """Nanoseconds since 1970 as UTC counts them, of a time that counts leap seconds: 27 s less since 2017.

    The databases of AQMS keep such times, which it calls true epoch.
    """
    return counted_ns - NS * int(np.searchsorted(_COUNTED_NS, counted_ns, side="right"))


def utc_of_gps(gps_ns: int) -> int:
    """Nanoseconds since 1970 as UTC counts them, of a time of GPS: 18 s less since 2017."""
    return without_leap_seconds(gps_ns + BEFORE_GPS * NS)
