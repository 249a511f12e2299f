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

from seisvision.errors import DataError

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
Codes = tuple[str, str, str, str]
SUFFIXES = (".h5", ".hdf5", ".asdf")


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


def asdf_traces(
    path: Path, headers_only: bool, span_ns: tuple[int, int] | None
) -> Iterator[tuple[Codes, int, float, int, np.ndarray]]:
    """Yield (network, station, location, channel), start in ns, rate in Hz, length and samples of every trace.

    Raises:
        OSError: the file is damaged.
    """
    with h5py.File(path, "r") as archive:
        for station in archive.get("Waveforms", {}).values():
            for name, dataset in station.items():
                if "starttime" not in dataset.attrs:
                    continue
                codes = name.partition("__")[0].split(".")
                start_ns, rate_hz = int(dataset.attrs["starttime"]), float(dataset.attrs["sampling_rate"])
                end_ns = start_ns + round(len(dataset) / rate_hz * 1e9)
                if len(codes) != 4 or (span_ns is not None and (end_ns < span_ns[0] or start_ns > span_ns[1])):
                    continue
                samples = np.empty(0) if headers_only else dataset[()]
                yield (codes[0], codes[1], codes[2], codes[3]), start_ns, rate_hz, len(dataset), samples


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
        content = np.asarray(archive["QuakeML"][()]).tobytes() if "QuakeML" in archive else b""
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
        texts = [
            np.asarray(station["StationXML"][()]).tobytes()
            for station in archive.get("Waveforms", {}).values()
            if "StationXML" in station
        ]
    if not texts:
        raise DataError(f"{path} holds no StationXML; name a file of its stations")
    inventory = obspy.read_inventory(io.BytesIO(texts[0]))
    for text in texts[1:]:
        inventory += obspy.read_inventory(io.BytesIO(text))
    return inventory
