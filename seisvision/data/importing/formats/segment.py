"""One unbroken piece of a recording, as the readers hand it on, and whether its header can be true."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.times import NS

Codes = tuple[str, str, str, str]
NAMES = ("network", "station", "location", "channel")
EARLIEST_NS, LATEST_NS = -2_208_988_800 * NS, 7_258_118_400 * NS
"""1900 and 2200: whatever lies outside is a damaged header, and may not fit into 64 bits."""
MAX_RATE_HZ = 1e6
NO_LOCATION = "--"
"""How FDSN requests and some writers spell the blank location code."""


@dataclass(frozen=True)
class Segment:
    """An unbroken piece of one recording.

    Args:
        samples: (T,) as stored in the file; empty where only headers were read.
        n_samples: length in the file, also where only headers were read.
        sac: the SAC header, or what SEG-Y says in its words; {} for other formats.
        flaw: why it cannot be used though the rest of its file can; None for sound ones.
    """

    network: str
    station: str
    location: str
    channel: str
    start_ns: int
    rate_hz: float
    n_samples: int
    samples: np.ndarray
    sac: dict[str, Any] = field(default_factory=dict)
    flaw: Refusal | None = None

    @property
    def trace_id(self) -> str:
        """NET.STA.LOC.CHA."""
        return f"{self.network}.{self.station}.{self.location}.{self.channel}"

    @property
    def end_ns(self) -> int:
        """Time of the sample after the last one."""
        return self.start_ns + round(self.n_samples / self.rate_hz * NS)


def flawed(codes: tuple[str, str, str, str], cause: str, reason: str, sac: dict[str, Any] | None = None) -> Segment:
    """Return a recording of which only the codes are known, and why it cannot be used."""
    return Segment(*codes, 0, 1.0, 0, np.empty(0), sac or {}, Refusal("read", cause, reason))


def checked(segment: Segment) -> Segment:
    """Return the segment with its codes stripped of blanks, and marked where its header cannot be true."""
    codes = (segment.network, segment.station, segment.location, segment.channel)
    plain, flaw = _plain_codes(codes)
    flaw = segment.flaw or flaw or _flaw(segment)
    if plain == codes and flaw is segment.flaw:
        return segment
    return replace(segment, network=plain[0], station=plain[1], location=plain[2], channel=plain[3], flaw=flaw)


@lru_cache(maxsize=4096)
def _plain_codes(codes: Codes) -> tuple[Codes, Refusal | None]:
    """Strip codes, which end at a zero byte; what is no text is escaped, as it would not come back from a table."""
    network, station, location, channel = (code.partition("\x00")[0].strip() for code in codes)
    stripped = (network, station, "" if location == NO_LOCATION else location, channel)
    for name, code in zip(NAMES, stripped, strict=True):
        if code and not (code.isascii() and code.isprintable()):
            escaped = [ascii(code)[1:-1] for code in stripped]
            flaw = Refusal("read", "damaged_header", f"the {name} code {code[:40]!a} is no plain text")
            return (escaped[0], escaped[1], escaped[2], escaped[3]), flaw
        if not code and name in ("station", "channel"):
            reason = f"the header gives no {name} code, so it is unknown what was recorded"
            return stripped, Refusal("read", "blank_code", reason)
    return stripped, None


def _flaw(segment: Segment) -> Refusal | None:
    """Return why the numbers of the header cannot be true, or None."""
    if not 0 < segment.rate_hz <= MAX_RATE_HZ:
        reason = f"the header of {segment.trace_id} says a sampling rate of {segment.rate_hz:g} Hz"
        return Refusal("read", "damaged_header", reason, segment.rate_hz)
    if not EARLIEST_NS <= segment.start_ns <= segment.end_ns <= LATEST_NS:
        reason = f"the header of {segment.trace_id} says a time before 1900 or after 2200"
        return Refusal("read", "damaged_header", reason)
    if segment.n_samples == 0:
        return Refusal("read", "no_samples", f"{segment.trace_id} holds no samples, as log messages do")
    return None


def cut(segment: Segment, start_ns: int, end_ns: int) -> Segment:
    """Return the samples between two times, both included."""
    step_ns = NS / segment.rate_hz
    first = max(0, int(np.ceil((start_ns - segment.start_ns) / step_ns)))
    last = min(segment.n_samples, int(np.floor((end_ns - segment.start_ns) / step_ns)) + 1)
    if first == 0 and last == segment.n_samples:
        return segment
    samples = segment.samples[first : max(first, last)]
    start = segment.start_ns + round(first * step_ns)
    return replace(segment, start_ns=start, n_samples=len(samples), samples=samples)
