"""ASDF archives, read with h5py alone.

Format: Krischer et al. (2016), An Adaptable Seismic Data Format, doi:10.1093/gji/ggw319: waveforms of each station as
HDF5 datasets with start time and rate as attributes, beside its StationXML; QuakeML of all events in one dataset.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from seisvision.data.importing.formats.reading import Request
from seisvision.data.importing.formats.segment import MAX_RATE_HZ, Segment, flawed
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.times import NS
from seisvision.data.sets.stored.own_items import check_length, own_item
from seisvision.errors import DataError

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
Codes = tuple[str, str, str, str]
SUFFIXES = (".h5", ".hdf5", ".asdf")
STATION_XML = "StationXML"
MAX_TEXT_BYTES = 1 << 28


def is_asdf(path: Path) -> bool:
    """Whether the file is HDF5 and says that it holds ASDF."""
    with path.open("rb") as file:
        if file.read(8) != HDF5_SIGNATURE:
            return False
    try:
        with h5py.File(path, "r") as archive:
            return _text(archive.attrs.get("file_format", "")) == "ASDF"
    except OSError:
        return False


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def read_asdf(request: Request) -> list[Segment]:
    """Read every trace; those that cannot be used bear their reason.

    Raises:
        OSError: the file is damaged.
    """
    segments = []
    with h5py.File(request.path, "r") as archive:
        for group, lost in _stations(archive):
            if lost is not None:
                request.losses.append(lost)
                continue
            for name in group:
                if name == STATION_XML:
                    continue
                codes = _codes(name)
                try:
                    segment = _segment(group, name, codes, request)
                except Refusal as refusal:
                    segment = flawed(codes, refusal.cause, str(refusal))
                except (OSError, KeyError, ValueError, TypeError, OverflowError) as error:
                    segment = flawed(codes, "unreadable", f"{name} cannot be read: {error}")
                if segment is not None:
                    segments.append(segment)
    return segments


def _stations(archive: h5py.File) -> Iterator[tuple[Any, Refusal | None]]:
    """Groups of the stations, or why one cannot be used: it lies in another file, or leads nowhere."""
    if archive.get("Waveforms", getlink=True) is None:
        return
    waveforms = own_item(archive, "Waveforms")
    for name in waveforms if isinstance(waveforms, h5py.Group) else ():
        try:
            station = own_item(waveforms, name)
            if not isinstance(station, h5py.Group):
                raise ValueError("it is no group of recordings")
        except (KeyError, ValueError, RuntimeError, OSError) as error:
            yield None, Refusal("read", "unreadable", f"station {name} cannot be read: {error}")
        else:
            yield station, None


def _codes(name: str) -> Codes:
    """Network, station, location and channel from a name like NET.STA.LOC.CHA__START__END__TAG."""
    codes = name.partition("__")[0].split(".")
    return (codes[0], codes[1], codes[2], codes[3]) if len(codes) == 4 else ("", name, "", "")


def _segment(group: h5py.Group, name: str, codes: Codes, request: Request) -> Segment | None:
    """Read one trace; None where it lies outside the time span that is asked for."""
    if not codes[3]:
        raise Refusal("read", "blank_code", f"the name {name} is not like NET.STA.LOC.CHA__START__END__TAG")
    dataset = own_item(group, name)
    missing = [key for key in ("starttime", "sampling_rate") if key not in dataset.attrs]
    if missing or not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1:
        what = f"no attribute {missing[0]}" if missing else "no series of samples"
        raise Refusal("read", "damaged_header", f"{name} has {what}")
    start_ns, rate_hz = int(dataset.attrs["starttime"]), float(dataset.attrs["sampling_rate"])
    if not 0 < rate_hz <= MAX_RATE_HZ:
        raise Refusal("read", "damaged_header", f"{name} says a sampling rate of {rate_hz:g} Hz")
    end_ns = start_ns + round(len(dataset) / rate_hz * NS)
    if request.span_ns is not None and (end_ns < request.span_ns[0] or start_ns > request.span_ns[1]):
        return None
    check_length(len(dataset))
    samples = np.empty(0) if request.headers_only else dataset[()]
    return Segment(*codes, start_ns, rate_hz, len(dataset), samples)


def _bytes(group: h5py.Group, name: str) -> bytes:
    """Content of a dataset of bytes.

    Raises:
        DataError: it lies in another file, is not whole, or is no such dataset.
    """
    try:
        item = own_item(group, name)
        if not isinstance(item, h5py.Dataset) or (item.size or 0) * item.dtype.itemsize > MAX_TEXT_BYTES:
            raise ValueError(f"it is no text of up to {MAX_TEXT_BYTES >> 20} MiB")
        return np.asarray(item[()]).tobytes()
    except (KeyError, ValueError, RuntimeError, OSError, TypeError) as error:
        raise DataError(f"{name} of {group.file.filename} cannot be read: {error}") from error


@contextmanager
def _opened(path: Path, what: str) -> Iterator[h5py.File]:
    if not is_asdf(path):
        raise DataError(f"{path} is no ASDF archive, so it gives no {what}; name QuakeML, StationXML or CSV instead")
    with h5py.File(path, "r") as archive:
        yield archive


def asdf_quakeml(path: Path) -> io.BytesIO:
    """Return the QuakeML of an archive.

    Raises:
        DataError: the file is no ASDF archive, or holds no events.
    """
    with _opened(path, "events") as archive:
        content = _bytes(archive, "QuakeML") if archive.get("QuakeML", getlink=True) is not None else b""
    if not content.strip(b"\x00 \n"):
        raise DataError(f"{path} holds no QuakeML; name the catalogue of its events")
    return io.BytesIO(content)


def asdf_inventory(path: Path) -> Any:
    """Return the stations of an archive as one obspy inventory.

    Raises:
        DataError: the file is no ASDF archive, or holds no StationXML.
    """
    import obspy

    with _opened(path, "stations") as archive:
        texts = []
        for station, lost in _stations(archive):
            if lost is not None:
                raise DataError(f"{path}: {lost}")
            if station.get(STATION_XML, getlink=True) is not None:
                texts.append(_bytes(station, STATION_XML))
    if not texts:
        raise DataError(f"{path} holds no StationXML; name a file of its stations")
    inventory = obspy.read_inventory(io.BytesIO(texts[0]))
    for text in texts[1:]:
        inventory += obspy.read_inventory(io.BytesIO(text))
    return inventory
