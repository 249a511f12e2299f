"""Archives of arrays (``.npz``) read back: none is larger than its file or holds anything but plain values.

The header of an array states its shape, and numpy sets aside what it states before it reads a value: a file of some
bytes may ask for terabytes. Arrays of objects are pickles, which run what they hold.
"""

from __future__ import annotations

import contextlib
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from seisvision.plain_files import LARGEST_BYTES, check_file

SMALL_BYTES = 64 * 2**20
MOST_PACKED = 100
"""How many times its packed size an array above :data:`SMALL_BYTES` may have: numbers never reach it."""
DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError, SyntaxError,
    tokenize.TokenError, MemoryError, OverflowError, TypeError, RecursionError,
)  # fmt: skip
"""What numpy and zipfile raise on damaged files, beside ``ValueError``."""


class StoredArrays:
    """The arrays of an open archive, read one by one.

    Args:
        archive: what numpy opened.
        path: of its file, for messages.
    """

    def __init__(self, archive: Any, path: Path) -> None:
        self._archive, self._path = archive, path
        self.files: list[str] = archive.files

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def __getitem__(self, name: str) -> np.ndarray:
        """Return one array.

        Raises:
            KeyError: there is no such array.
            ValueError: it is damaged.
        """
        if name not in self.files:
            raise KeyError(f"{self._path.name} holds no array '{name}'")
        with _as_value_errors():
            return self._archive[name]


@contextlib.contextmanager
def open_arrays(path: str | Path) -> Iterator[StoredArrays]:
    """Open an archive of arrays for a ``with`` block.

    Raises:
        OSError: it is not there or cannot be read.
        ValueError: it is no archive of arrays, an array is not as large as its header says, or holds objects.
    """
    path = Path(path)
    with _as_value_errors():
        with zipfile.ZipFile(path) as packed:
            for entry in packed.infolist():
                _check(packed, entry)
        archive = np.load(path, allow_pickle=False)
    with archive:
        yield StoredArrays(archive, path)


def read_arrays(path: Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an archive that are named, or all.

    Raises:
        OSError, ValueError, KeyError: as :func:`open_arrays` says, or it lacks one that is named.
    """
    check_file(Path(path), LARGEST_BYTES)
    with open_arrays(path) as stored:
        return {name: stored[name] for name in (stored.files if names is None else names)}


def _check(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    if entry.file_size > max(SMALL_BYTES, MOST_PACKED * entry.compress_size):
        raise ValueError(f"{entry.filename} unpacks to {entry.file_size:,} bytes, {entry.compress_size:,} packed")
    with packed.open(entry) as file:
        shape, dtype = _header(file)
        header_bytes = file.tell()
    if dtype.hasobject:
        raise ValueError(f"{entry.filename} holds objects and not plain values")
    stated = math.prod(shape) * dtype.itemsize
    if stated != entry.file_size - header_bytes or any(n < 0 for n in shape):
        raise ValueError(
            f"{entry.filename} states a shape of {shape}, {stated:,} bytes, but {entry.file_size - header_bytes:,} "
            "are there"
        )


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array is of version {version} of numpy's format, which is not written here")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


@contextlib.contextmanager
def _as_value_errors() -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        raise ValueError(str(error) or type(error).__name__) from error
