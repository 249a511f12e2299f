"""A look at SAC headers before obspy reads them: it computes distances, and never ends where a longitude is 1e30.

Format: SAC users manual, chapter "SAC data file format": 70 floats, 40 integers, 24 words of 8 characters.
"""

from __future__ import annotations

import struct
from pathlib import Path

from seisvision.data.importing.rejections import Refusal

VERSION_AT, VERSIONS = 304, (6, 7)
UNDEFINED = -12345.0
PLACES_AT = {"STLA": 124, "STLO": 128, "EVLA": 140, "EVLO": 144}
LIMIT_DEG = 360.0


def check_sac(path: Path) -> None:
    """Leave files that are no SAC alone.

    Raises:
        Refusal: a latitude or longitude is no angle.
    """
    with path.open("rb") as file:
        head = file.read(VERSION_AT + 4)
    if len(head) < VERSION_AT + 4:
        return
    for order in "<>":
        if struct.unpack_from(f"{order}i", head, VERSION_AT)[0] not in VERSIONS:
            continue
        for name, at in PLACES_AT.items():
            value = struct.unpack_from(f"{order}f", head, at)[0]
            if value != UNDEFINED and not abs(value) <= LIMIT_DEG:
                raise Refusal("read", "damaged_header", f"the SAC header says {name}={value:g}", value)
