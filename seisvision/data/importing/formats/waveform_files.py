"""Recordings from files: each format through the reader that knows it best, whatever obspy knows beyond through it."""

from __future__ import annotations

import glob
import importlib.util
import io
import mmap
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.formats.asdf import is_asdf, read_asdf
from seisvision.data.importing.formats.endings import check_ending
from seisvision.data.importing.formats.miniseed import is_mseed, mark_blank_networks, mended, read_mseed
from seisvision.data.importing.formats.packed import HEAD_BYTES, is_packed, unpacked
from seisvision.data.importing.formats.reading import PICKLED, Reading, Request
from seisvision.data.importing.formats.sac import check_sac, known_sac
from seisvision.data.importing.formats.segment import Segment, checked, cut
from seisvision.data.importing.formats.segy import find_segy, read_segy
from seisvision.data.importing.rejections import Refusal
from seisvision.errors import SeisvisionError

__all__ = ["Reading", "Segment", "read_segments"]

Reader = Callable[[Request], list[Segment]]


def read_segments(
    path: Path,
    span_ns: tuple[int, int] | None = None,
    headers_only: bool = False,
    reading: Reading | None = None,
    losses: list[Refusal] | None = None,
) -> list[Segment]:
    """Read one file, cut to the samples in ``span_ns`` (start, end) where that is given.

    Args:
        reading: how the files of the source are to be understood.
        losses: what of the file cannot be read is added here; without it, that refuses the whole file.

    Returns:
        Every piece of every recording; those that cannot be used bear their reason in ``flaw``.

    Raises:
        Refusal: the file cannot be read or holds no recording.
        DataError: a table that goes with the files cannot be read.
    """
    request = Request(path, span_ns, headers_only, reading or Reading())
    try:
        segments = _read(request)
    except (Refusal, SeisvisionError):
        raise
    except Exception as error:  # any format, any damage: the file is quarantined with what the reader said
        message = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Refusal("read", "unreadable", f"cannot be read: {message}".replace(str(path), path.name)) from error
    if losses is not None:
        losses += request.losses
    elif request.losses:
        raise request.losses[0]
    if not segments and span_ns is None:
        raise Refusal("read", "empty_file", "holds no recording")
    segments = [checked(segment) for segment in segments]
    if span_ns is None or headers_only:
        return segments
    pieces = [segment if segment.flaw else cut(segment, *span_ns) for segment in segments]
    return [piece for piece in pieces if piece.flaw or piece.n_samples]


def _read(request: Request) -> list[Segment]:
    with request.path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise Refusal("read", "empty_file", "is empty")
    if is_packed(head):
        return _read_packed(request)
    return _reader(request.path, request.reading.format)(request)


def _reader(path: Path, format_name: str | None = None) -> Reader:
    """What reads the file: by its format where the user names it, else by its first bytes."""
    if format_name == "MSEED" or (format_name is None and is_mseed(path)):
        return read_mseed if importlib.util.find_spec("pymseed") else _read_mended
    if format_name == "ASDF" or (format_name is None and is_asdf(path)):
        return read_asdf
    if format_name in (None, "SAC"):
        check_sac(path)
    return _read_segy if format_name in ("SEGY", "SU") or (format_name is None and _is_segy(path)) else _read_obspy


def _read_packed(request: Request) -> list[Segment]:
    """Read every file in the archive; those that cannot be read are told among the losses."""
    segments: list[Segment] = []
    with unpacked(request.path) as members:
        for path, name in members:
            losses: list[Refusal] = []
            try:
                segments += read_segments(path, request.span_ns, request.headers_only, request.reading, losses)
            except Refusal as refusal:
                losses.append(refusal)
            for loss in losses:
                reason = f"{name} in it: {loss}" if name else str(loss).replace(path.name, request.path.name)
                request.losses.append(Refusal(loss.stage, loss.cause, reason, loss.value))
    if not segments and request.losses:
        raise request.losses.pop(0)
    return segments


def _read_mended(request: Request) -> list[Segment]:
    return mark_blank_networks(_read_stream(mended(request), request, "MSEED"))


def _read_obspy(request: Request) -> list[Segment]:
    """A pattern is escaped, because obspy takes brackets in a file name for one."""
    if zipfile.is_zipfile(request.path):
        # Obspy would unpack it, however much that is.
        raise Refusal("read", "unreadable", "holds a zip archive behind something else; unpack it by hand")
    return _read_stream(glob.escape(str(request.path)), request, request.reading.format)


def _read_stream(file: str | io.BytesIO, request: Request, format_name: str | None) -> list[Segment]:
    import obspy

    span = {}
    if request.span_ns is not None:
        span = {
            key: obspy.UTCDateTime(ns=ns) for key, ns in zip(("starttime", "endtime"), request.span_ns, strict=True)
        }
    with warnings.catch_warnings(), _without_pickle():
        warnings.simplefilter("ignore")  # obspy warns of header oddities that do not matter here
        stream = obspy.read(file, format=format_name, headonly=request.headers_only, **span)
    formats = {str(trace.stats.get("_format")) for trace in stream}
    if formats & {"SEGY", "SU"}:
        return _read_segy(request, stream[0].stats._format)
    if request.span_ns is None and not request.headers_only:
        request.losses += check_ending(request.path, formats, sum(trace.stats.npts for trace in stream))
    return [_from_trace(trace, request.headers_only) for trace in stream]


def _from_trace(trace: Any, headers_only: bool) -> Segment:
    stats = trace.stats
    codes = (stats.network, stats.station, stats.location, stats.channel)
    if stats.sampling_rate == 0:
        # Log text, as in read_mseed.
        return Segment(*codes, stats.starttime.ns, 1.0, 0, np.empty(0))
    samples = np.empty(0) if headers_only else np.ma.filled(trace.data, np.nan)
    sac = known_sac(stats.get("sac", {}))
    return Segment(*codes, stats.starttime.ns, stats.sampling_rate, stats.npts, samples, sac)


@contextmanager
def _without_pickle() -> Iterator[None]:
    """Take pickled streams off the formats of obspy: it would load them to see what they are, and so run their code."""
    from obspy.core.util.base import ENTRY_POINTS

    formats = ENTRY_POINTS["waveform"]
    pickled = formats.pop(PICKLED, None)
    try:
        yield
    finally:
        if pickled is not None:
            formats[PICKLED] = pickled


def _is_segy(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return find_segy(content, None) is not None


def _read_segy(request: Request, format_name: str | None = None) -> list[Segment]:
    format_name = format_name or request.reading.format
    with request.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        layout = find_segy(content, format_name)
        if layout is None:
            raise Refusal(
                "read", "unreadable", f"is no {format_name} file: neither byte order makes sense of its header"
            )
        return read_segy(content, layout, request)
