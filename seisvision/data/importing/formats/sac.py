"""What SAC headers say, looked at before obspy reads them: it computes distances, and takes 1970 for an unknown time.

Format: SAC users manual, chapter "SAC data file format": 70 floats, 40 integers, 24 words of 8 characters.
"""

from __future__ import annotations

import calendar
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.data.importing.rejections import Refusal

HEADER_BYTES = 632
VERSION_AT, VERSIONS = 304, (6, 7)
UNDEFINED = -12345
"""What SAC writes for a word that has no value."""
PLACES_AT = {"STLA": 124, "STLO": 128, "EVLA": 140, "EVLO": 144}
CODES_AT = {"KSTNM": 440, "KHOLE": 464, "KCMPNM": 600, "KNETWK": 608}
BEGIN_AT, TIME_AT, TYPE_AT, EVEN_AT = 20, 280, 340, 420
TIME_LIMITS = {"NZHOUR": 23, "NZMIN": 59, "NZSEC": 60, "NZMSEC": 999}
LIMIT_DEG = 360.0
OTHER_TYPES = {2: "a spectrum (real and imaginary part)", 3: "a spectrum (amplitude and phase)", 51: "a 3-D grid (XYZ)"}
"""Values of IFTYPE other than time series; 4, general x over y, is even where LEVEN says so."""
TOO_LARGE = 1e20


def check_sac(path: Path) -> None:
    """Leave files that are no SAC alone.

    Raises:
        Refusal: a latitude or longitude is no angle, a code no text, the file is no even time series, or its start is
            not known.
    """
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    order = byte_order(head)
    if order is None:
        return
    for name, at in PLACES_AT.items():
        value = struct.unpack_from(f"{order}f", head, at)[0]
        if value != UNDEFINED and not abs(value) <= LIMIT_DEG:
            raise Refusal("read", "damaged_header", f"the SAC header says {name}={value:g}", value)
    for name, at in CODES_AT.items():
        code = head[at : at + 8].partition(b"\x00")[0]
        if not all(32 <= byte < 127 for byte in code):
            raise Refusal("read", "damaged_header", f"{name} of the SAC header, {ascii(code)[2:-1]}, is no plain text")
    _check_type(*struct.unpack_from(f"{order}i", head, TYPE_AT), *struct.unpack_from(f"{order}i", head, EVEN_AT))
    _check_time(struct.unpack_from(f"{order}6i", head, TIME_AT), struct.unpack_from(f"{order}f", head, BEGIN_AT)[0])


def byte_order(head: bytes) -> str | None:
    """``<`` or ``>``; None for what is no SAC header."""
    if len(head) < HEADER_BYTES:
        return None
    return next((order for order in "<>" if struct.unpack_from(f"{order}i", head, VERSION_AT)[0] in VERSIONS), None)


def _check_type(kind: int, even: int) -> None:
    if kind in OTHER_TYPES:
        raise Refusal("read", "no_time_series", f"holds {OTHER_TYPES[kind]}, no time series (IFTYPE={kind})", kind)
    if even == 0:
        raise Refusal("read", "no_time_series", "is sampled unevenly (LEVEN=false), so it has no sampling rate")


def _check_time(time: tuple[int, ...], begin_s: float) -> None:
    """The start is the reference time NZYEAR to NZMSEC, and B seconds."""
    year, day, *rest = time
    if UNDEFINED in time or begin_s == UNDEFINED:
        missing = "B" if UNDEFINED not in time else "NZYEAR to NZMSEC"
        raise Refusal("read", "no_start_time", f"the SAC header lacks {missing}, so the start is not known")
    if 0 <= year < 100:
        reason = f"NZYEAR={year} of the SAC header may be {1900 + year} or {2000 + year}; write all four digits"
        raise Refusal("read", "no_start_time", reason, year)
    if not 1 <= day <= 365 + calendar.isleap(year):
        raise Refusal("read", "damaged_header", f"NZJDAY={day} of the SAC header is no day of {year}", day)
    for (name, limit), value in zip(TIME_LIMITS.items(), rest, strict=True):
        if not 0 <= value <= limit:
            raise Refusal(
                "read", "damaged_header", f"the SAC header says {name}={value}; 0 to {limit} is a time", value
            )


def known_sac(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that say something.

    -12345 is SAC for "not known"; values that are not finite or beyond 1e20 are damage.
    """
    return {key: value for key, value in header.items() if not _is_unknown(value)}


def _is_unknown(value: Any) -> bool:
    if isinstance(value, str | bytes):
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
        return text.strip(" \x00").startswith(str(UNDEFINED))
    try:
        return float(value) == UNDEFINED or not abs(float(value)) < TOO_LARGE
    except (TypeError, ValueError):
        return False
