"""Whether text files end where they should: readers take half a number for a number, and half a trace for none.

Formats: GSE2.0 (GSETT-3 documentation, 1995): each trace from WID2 to CHK2; TSPAIR and SLIST (EarthScope time series
service): each trace has its number of samples in a line of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from seisvision.data.importing.rejections import Refusal

COUNTED = ("TSPAIR", "SLIST")
COUNT = re.compile(rb"^TIMESERIES [^,\n]*, *(\d+) +samples", re.MULTILINE)
NEXT_TRACE = b"WID2"


def check_ending(path: Path, formats: Iterable[str], n_samples: int) -> list[Refusal]:
    """Return what a file lacks at its end, as far as it says what it should hold.

    Args:
        path: the file.
        formats: names of the formats of its traces, as ObsPy gives them.
        n_samples: of all its traces, as read.
    """
    known = set(formats)
    if known & set(COUNTED):
        return _counted(path.read_bytes(), n_samples)
    return _gse2(path.read_bytes()) if "GSE2" in known else []


def _counted(content: bytes, n_samples: int) -> list[Refusal]:
    n_told = sum(int(count) for count in COUNT.findall(content))
    if n_told != n_samples:
        reason = f"holds {n_samples} samples where its headers tell {n_told}; it may end within a trace"
        return [Refusal("read", "truncated", reason, n_samples)]
    if content[-1:] not in (b"\n", b"\r"):
        reason = "ends within a line, so its last sample may lack digits"
        return [Refusal("read", "truncated", reason, len(content))]
    return []


def _gse2(content: bytes) -> list[Refusal]:
    """What follows the checksum of the last trace must not begin another one."""
    rest = content[content.rfind(b"\nCHK2") + 1 :]
    rest = rest[rest.find(b"\n") + 1 :].strip() if b"\n" in rest else b""
    if rest.startswith(NEXT_TRACE) or (rest and NEXT_TRACE.startswith(rest)):
        reason = f"{len(rest)} bytes at the end are no whole trace; the traces before are used"
        return [Refusal("read", "truncated", reason, len(rest))]
    return []
