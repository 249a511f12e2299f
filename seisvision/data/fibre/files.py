"""Files of recordings of a fibre: plain HDF5 and npz, or any format that dascore reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from seisvision.data.fibre.dascore_files import read_by_dascore
from seisvision.data.fibre.record import COORDINATES, Choice, FibreRecord, check_latitudes
from seisvision.data.sets.stored.own_items import NotOwnError, own_item
from seisvision.errors import DataError
from seisvision.stored_arrays import MOST_PACKED, SMALL_BYTES, open_arrays

PLAIN = ("data", "distance_m", "sampling_rate_hz", "start_time")
"""What a plain file holds: samples (C, T), way along the fibre (C,), samples a second, and an ISO time (UTC)."""
OPTIONAL = (*COORDINATES, "unit", "gauge_length_m")


def read_fibre(path: str | Path, choice: Choice | None = None) -> Iterator[FibreRecord]:
    """The recordings of a file or, where dascore reads them, of a folder of files, one after the other.

    Args:
        path: an npz or HDF5 file with `PLAIN` and, if known, `COORDINATES`; or what dascore reads.
        choice: which channels are kept; None: all that have a place. The others of an HDF5 file are not read.

    Raises:
        DataError: the file is of no kind that is read, dascore is needed and not installed, or no channel has a place.
    """
    for record in read_each(path, choice):
        if isinstance(record, DataError):
            raise record
        yield record


def read_each(path: str | Path, choice: Choice | None = None) -> Iterator[FibreRecord | DataError]:
    """As :func:`read_fibre`, but in the place of a recording that is refused its reason comes, and then the others."""
    path, choice = Path(path), choice or Choice()
    try:
        if not path.exists():
            raise DataError(f"there is no {path}.")
        plain = _plain(path, choice)
        if plain is None:
            yield from read_by_dascore(path, choice)
        else:
            yield plain
    except DataError as error:
        yield error


def _plain(path: Path, choice: Choice) -> FibreRecord | None:
    """The recording of a plain file; None where it is something else."""
    try:
        if path.suffix == ".npz":
            with open_arrays(path) as stored:
                return _of(path, {name: stored[name] for name in (*PLAIN, *OPTIONAL) if name in stored}, choice)
        if path.is_file() and h5py.is_hdf5(path):
            with h5py.File(path) as file:
                if all(name in file for name in PLAIN):
                    names = [name for name in (*PLAIN, *OPTIONAL) if name in file]
                    return _of(path, {name: _value(file, name) for name in names}, choice)
    except (OSError, TypeError, ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be read as a recording of a fibre: {error}.") from error
    return None


def _value(file: h5py.File, name: str) -> Any:
    """A dataset that the file itself holds, whole, and that does not unpack to far more than the file is large.

    The samples stay in the file.

    Raises:
        NotOwnError: it is not so.
    """
    if name in ("start_time", "unit"):
        return _own_text(file, name)
    item = own_item(file, name)
    if not isinstance(item, h5py.Dataset):
        raise NotOwnError(f"'{name}' is a group; store its values as a dataset")
    if item.nbytes > max(SMALL_BYTES, MOST_PACKED * item.id.get_storage_size()):
        raise NotOwnError(f"'{name}' of shape {item.shape} would unpack to {item.nbytes} bytes; store it uncompressed")
    return item if name == "data" else item[()]


def _own_text(file: h5py.File, name: str) -> Any:
    """A single text; texts of any length are references into the file, which :func:`own_item` does not let through."""
    item = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    if not isinstance(item, h5py.Dataset) or item.shape != () or h5py.check_string_dtype(item.dtype) is None:
        raise NotOwnError(f"'{name}' is no single text that the file holds")
    return item[()]


def _of(path: Path, values: dict[str, Any], choice: Choice) -> FibreRecord:
    missing = [name for name in PLAIN if name not in values]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}; a plain recording of a fibre holds {', '.join(PLAIN)}.")
    samples, along_m = values["data"], np.asarray(values["distance_m"], float)
    unknown = np.full(along_m.shape, np.nan)
    places = [np.asarray(values.get(name, unknown), float) for name in COORDINATES]
    if samples.ndim != 2 or any(value.shape != samples.shape[:1] for value in (along_m, *places)):
        raise DataError(f"{path}: data {samples.shape} is not (channels, samples) of distances {along_m.shape}.")
    if 0 in samples.shape:
        raise DataError(f"{path}: data of shape {samples.shape} hold no channels or no samples.")
    is_somewhere = np.isfinite(along_m)
    if not is_somewhere.any():
        raise DataError(f"{path}: no value of distance_m is a number.")
    if choice.places is None:
        check_latitudes(places[0], path)
    rate_hz = _number(values, "sampling_rate_hz", path)
    if rate_hz is None or not rate_hz > 0:
        raise DataError(f"{path}: sampling_rate_hz={rate_hz} must be a positive number.")
    start_ns, unit = _ns(_text(values["start_time"]), path), _text(values.get("unit", ""))
    gauge_m = _number(values, "gauge_length_m", path)
    chosen, latitude, longitude = choice.of(along_m, places[0], places[1], path)
    kept = np.asarray(samples[chosen], np.float32)
    record = FibreRecord(
        kept,
        along_m[chosen],
        latitude[chosen],
        longitude[chosen],
        rate_hz,
        start_ns,
        unit,
        gauge_m,
        len(along_m),
        n_nowhere=int((~is_somewhere).sum()),
    )
    return record.heard(path)


def _number(values: dict[str, Any], name: str, path: Path) -> float | None:
    """The one number of a dataset, given once or for each channel; None where there is none or it is not finite.

    Raises:
        DataError: it holds nothing, several numbers, or something else.
    """
    if name not in values:
        return None
    try:
        numbers = np.unique(np.asarray(values[name], float))
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {name} is no number.") from error
    if len(numbers) != 1:
        said = (
            f"holds {len(numbers)} different numbers, {numbers[0]:g} to {numbers[-1]:g}" if len(numbers) else "is empty"
        )
        raise DataError(f"{path}: {name} {said}; give one for the whole recording.")
    return float(numbers[0]) if np.isfinite(numbers[0]) else None


def _text(value: Any) -> str:
    value = value.item() if isinstance(value, np.ndarray) else value
    return value.decode() if isinstance(value, bytes) else str(value)


def _ns(text: str, path: Path) -> int:
    try:
        moment = pd.Timestamp(text)
    except ValueError as error:
        raise DataError(f"{path}: start_time '{text[:40]}' is no time.") from error
    if moment is pd.NaT:
        raise DataError(f"{path}: start_time '{text[:40]}' is no time.")
    return int((moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")).value)
