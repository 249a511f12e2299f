"""Samples of sound miniSEED records, through the reader of the format's own library."""

from __future__ import annotations

import mmap
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.formats.reading import Request
from seisvision.data.importing.formats.segment import Codes, Segment
from seisvision.data.importing.tables.times import NS

BLOCK_BYTES = 1 << 16
"""By which the reader lets samples grow. Its own 1 MB for every channel comes from the system anew for each file, and
takes longer than unpacking the samples."""
MAX_DRIFT = 0.01
"""Part by which the clock of a recorder may run fast or slow and still be believed."""


def segments_of(source: bytes | mmap.mmap | Path, request: Request) -> list[Segment]:
    """Pieces of all records of a file or of what was read of one, cut to the time that is asked for."""
    import pymseed

    pymseed.set_prealloc_block_size(BLOCK_BYTES)
    headers_only = request.headers_only
    span: list[Any] = [None, None]
    if request.span_ns is not None:
        span = [pymseed.nstime2timestr(time) for time in request.span_ns]
    segments: list[Segment] = []
    opener: Any = pymseed.MS3TraceList.from_file if isinstance(source, Path) else pymseed.MS3TraceList.from_buffer
    with opener(source, unpack_data=not headers_only, starttime=span[0], endtime=span[1]) as traces:
        for trace in traces:
            codes = _codes_of(trace.sourceid)
            for piece in trace:
                # Asked once each: every question goes through several layers of the reader.
                told_hz, n_samples, start_ns = float(piece.samprate), int(piece.samplecnt), int(piece.starttime)
                if told_hz <= 0 or n_samples == 0 or piece.sampletype == "t":
                    # Log text: kept as a recording without samples, so that it is listed and not lost.
                    segments.append(Segment(*codes, start_ns, 1.0, 0, np.empty(0)))
                    continue
                samples = np.empty(0) if headers_only else np.array(piece.datasamples)
                rate_hz = _true_rate(told_hz, n_samples, (piece.endtime - start_ns) / NS)
                segments.append(Segment(*codes, start_ns, rate_hz, n_samples, samples))
    return segments


@lru_cache(maxsize=4096)
def _codes_of(source_id: str) -> Codes:
    import pymseed

    network, station, location, channel = pymseed.sourceid2nslc(source_id)
    # Blanks of a channel code come as empty parts, joined by underscores.
    return network, station, location, channel.strip("_")


def _true_rate(told_hz: float, n_samples: int, length_s: float) -> float:
    """Rate between the times of the first and the last record, where the one told ends more than a sample beside."""
    late = length_s * told_hz - (n_samples - 1)
    if abs(late) <= 1 or length_s <= 0 or abs(late) > MAX_DRIFT * n_samples:
        return told_hz
    return float((n_samples - 1) / length_s)
