"""Recordings from files: miniSEED through pymseed (many times faster), ASDF through h5py, all else through obspy."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.formats.asdf import asdf_traces, is_asdf
from seisvision.data.importing.formats.miniseed import check_whole, is_mseed
from seisvision.data.importing.formats.sac import check_sac
from seisvision.data.importing.formats.segy import segy_as_sac, segy_codes
from seisvision.data.importing.rejections import Refusal
from seisvision.errors import DataError

Reader = Callable[[Path, tuple[int, int] | None, bool], list["Segment"]]
NS = 1_000_000_000
EARLIEST_NS, LATEST_NS = -2_208_988_800 * NS, 7_258_118_400 * NS
"""1900 and 2200: whatever lies outside is a damaged header, and may not fit into 64 bits."""
MAX_RATE_HZ = 1e6
MAX_DRIFT = 0.01
"""Part by which the clock of a recorder may run fast or slow and still be believed."""


@dataclass(frozen=True)
class Segment:
    """An unbroken piece of one recording.

    Args:
        samples: (T,) as stored in the file; empty where only headers were read.
        n_samples: length in the file, also where only headers were read.
        sac: the SAC header, or what SEG-Y says in its words; {} for other formats.
    """

    network: str
    station: str
    location: str
    channel: str
    start_ns: int
    rate_hz: float
    n_samples: int
    samples: np.ndarray
    sac: dict[str, Any]

    @property
    def trace_id(self) -> str:
        """NET.STA.LOC.CHA."""
        return f"{self.network}.{self.station}.{self.location}.{self.channel}"

    @property
    def end_ns(self) -> int:
        """Time of the sample after the last one."""
        return self.start_ns + round(self.n_samples / self.rate_hz * NS)


def list_files(patterns: Iterable[str]) -> list[tuple[Path, str]]:
    """Files behind folders (searched through), file names and glob patterns, each with its name below the pattern.

    Raises:
        DataError: a pattern matches nothing.
    """
    found: dict[Path, str] = {}
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            matches, base = [item for item in path.rglob("*") if item.is_file()], path
        elif path.is_file():
            matches, base = [path], path.parent
        else:
            base = _fixed_part(path)
            matches = [item for item in base.glob(str(path.relative_to(base))) if item.is_file()]
        visible = [item for item in matches if not item.name.startswith(".")]
        if not visible:
            raise DataError(
                f"no waveform file matches '{pattern}'; give a folder, a file or a pattern such as 'x/*.mseed'"
            )
        found |= {item: str(item.relative_to(base)) for item in visible}
    return sorted(found.items())


def _fixed_part(pattern: Path) -> Path:
    """Longest leading folder of a glob pattern that holds no wildcard."""
    parts = list(pattern.parts)
    fixed = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts) - 1)
    return Path(*parts[:fixed]) if fixed else Path()


def read_segments(path: Path, span_ns: tuple[int, int] | None = None, headers_only: bool = False) -> list[Segment]:
    """Read one file, cut to the samples in ``span_ns`` (start, end) where that is given.

    Raises:
        Refusal: the file cannot be read or holds no recording.
    """
    try:
        segments = _reader(path)(path, span_ns, headers_only)
    except Refusal:
        raise
    except Exception as error:  # any format, any damage: the file is quarantined with what the reader said
        message = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Refusal("read", "unreadable", f"cannot be read: {message}".replace(str(path), path.name)) from error
    if not segments and span_ns is None:
        raise Refusal("read", "empty_file", "holds no recording")
    for segment in segments:
        _check_header(segment)
    if span_ns is None or headers_only:
        return segments
    return [piece for segment in segments if (piece := _cut(segment, *span_ns)).n_samples]


def _check_header(segment: Segment) -> None:
    if not 0 < segment.rate_hz <= MAX_RATE_HZ:
        reason = f"the header of {segment.trace_id} says a sampling rate of {segment.rate_hz:g} Hz"
        raise Refusal("read", "damaged_header", reason, segment.rate_hz)
    if not EARLIEST_NS <= segment.start_ns <= segment.end_ns <= LATEST_NS:
        raise Refusal(
            "read", "damaged_header", f"the header of {segment.trace_id} says a time before 1900 or after 2200"
        )


def _reader(path: Path) -> Reader:
    if is_mseed(path):
        check_whole(path)
        return _read_mseed if importlib.util.find_spec("pymseed") else _read_obspy
    check_sac(path)
    return _read_asdf if is_asdf(path) else _read_obspy


def _cut(segment: Segment, start_ns: int, end_ns: int) -> Segment:
    step_ns = NS / segment.rate_hz
    first = max(0, int(np.ceil((start_ns - segment.start_ns) / step_ns)))
    last = min(segment.n_samples, int(np.floor((end_ns - segment.start_ns) / step_ns)) + 1)
    samples = segment.samples[first : max(first, last)]
    start = segment.start_ns + round(first * step_ns)
    header = (segment.network, segment.station, segment.location, segment.channel)
    return Segment(*header, start, segment.rate_hz, len(samples), samples, segment.sac)


def _read_mseed(path: Path, span_ns: tuple[int, int] | None, headers_only: bool) -> list[Segment]:
    import pymseed

    span = [None, None] if span_ns is None else [pymseed.nstime2timestr(time) for time in span_ns]
    segments: list[Segment] = []
    with pymseed.MS3TraceList.from_file(
        str(path), unpack_data=not headers_only, starttime=span[0], endtime=span[1]
    ) as traces:
        for trace in traces:
            codes = pymseed.sourceid2nslc(trace.sourceid)
            for piece in trace:
                if piece.samprate <= 0 or piece.sampletype == "t":
                    # Log text: kept as a recording without samples, so that it is listed and not lost.
                    segments.append(Segment(*codes, piece.starttime, 1.0, 0, np.empty(0), {}))
                    continue
                samples = np.empty(0) if headers_only else np.array(piece.np_datasamples)
                segments.append(Segment(*codes, piece.starttime, _true_rate(piece), piece.samplecnt, samples, {}))
    return segments


def _true_rate(piece: Any) -> float:
    """Rate between the times of the first and the last record, where the one told ends more than a sample beside."""
    told_hz = float(piece.samprate)
    length_s = (piece.endtime - piece.starttime) / NS
    late = length_s * told_hz - (piece.samplecnt - 1)
    if abs(late) <= 1 or length_s <= 0 or abs(late) > MAX_DRIFT * piece.samplecnt:
        return told_hz
    return float((piece.samplecnt - 1) / length_s)


def _read_obspy(path: Path, span_ns: tuple[int, int] | None, headers_only: bool) -> list[Segment]:
    import obspy

    span = {}
    if span_ns is not None:
        span = {key: obspy.UTCDateTime(ns=ns) for key, ns in zip(("starttime", "endtime"), span_ns, strict=True)}
    with warnings.catch_warnings(), _without_pickle():
        warnings.simplefilter("ignore")  # obspy warns of header oddities that do not matter here
        stream = obspy.read(str(path), headonly=headers_only, unpack_trace_headers=True, **span)
    segments = []
    for trace in stream:
        stats = trace.stats
        codes = (stats.network, stats.station, stats.location, stats.channel)
        if stats.sampling_rate == 0:
            # Log text, as in _read_mseed.
            segments.append(Segment(*codes, stats.starttime.ns, 1.0, 0, np.empty(0), {}))
            continue
        samples = np.empty(0) if headers_only else np.ma.filled(trace.data, np.nan)
        sac = dict(stats.get("sac", {}))
        if stats.get("_format") == "SEGY":
            header = stats.segy.trace_header
            codes, sac = segy_codes(header), segy_as_sac(header)
        segments.append(Segment(*codes, stats.starttime.ns, stats.sampling_rate, stats.npts, samples, sac))
    return segments


@contextmanager
def _without_pickle() -> Iterator[None]:
    """Take pickled streams off the formats of obspy: it would load them to see what they are, and so run their code."""
    from obspy.core.util.base import ENTRY_POINTS

    formats = ENTRY_POINTS["waveform"]
    pickled = formats.pop("PICKLE", None)
    try:
        yield
    finally:
        if pickled is not None:
            formats["PICKLE"] = pickled


def _read_asdf(path: Path, span_ns: tuple[int, int] | None, headers_only: bool) -> list[Segment]:
    return [
        Segment(*codes, start_ns, rate_hz, length, samples, {})
        for codes, start_ns, rate_hz, length, samples in asdf_traces(path, headers_only, span_ns)
    ]
