"""Arrays of a file ``.npz``, read without unpickling and without believing what the file says of its sizes."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.errors import DataError
from seisvision.plain_files import check_file

MOST_TIMES = 100
"""Arrays unpack to at most that many times the size of their file, where that is more than `ALWAYS_BYTES`."""
ALWAYS_BYTES = 64 << 20
LARGEST_BYTES = 64 << 30


class DamagedArraysError(DataError, ValueError):
    """A file of arrays that is damaged, or asks for more memory than its arrays have values."""


def read_arrays(path: Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """All arrays of a file, or those that are named and there.

    Raises:
        DamagedArraysError: one cannot be read, holds objects, or is not as large as it says.
        OSError: there is no such file.
    """
    check_file(path, LARGEST_BYTES)
    wanted = None if names is None else set(names)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            chosen = {name: entry for name, entry in entries.items() if wanted is None or name in wanted}
            unpacked = sum(entry.file_size for entry in chosen.values())
            if unpacked > max(ALWAYS_BYTES, MOST_TIMES * path.stat().st_size):
                raise ValueError(f"it unpacks to {unpacked / 1e6:.0f} MB, more than {MOST_TIMES} times its size")
            return {name: _read(archive, entry) for name, entry in chosen.items()}
    except OSError:
        raise
    except Exception as error:
        # A damaged file is found by zipfile, a decompressor, the parser of headers or numpy, each in its own way.
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise DamagedArraysError(f"{path} cannot be read: {said}") from error


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """One array, for which no more memory is taken than its entry has bytes."""
    with archive.open(entry) as file:
        shape, dtype = _header(file)
        if dtype.hasobject or dtype.itemsize * math.prod(shape) != entry.file_size - file.tell():
            raise ValueError(f"its '{entry.filename}' is not as large as it says, or holds objects")
    with archive.open(entry) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"version {version} of its arrays is none that is written here")
    shape, _, dtype = read(file)
    if any(size < 0 for size in shape):
        raise ValueError(f"the shape {shape} of an array is impossible")
    return shape, dtype
