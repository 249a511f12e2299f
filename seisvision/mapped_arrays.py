"""Arrays in one file that are mapped into memory: processes share its pages, and only what is looked at is read.

Eight letters, the length of a text, the text (JSON: what the file is about; name, type, shape, place and checksum of
each array), then the arrays. An archive of numpy keeps no array where it can be mapped with its numbers in place.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from seisvision.files import parse_json, whole_file
from seisvision.plain_files import LARGEST_BYTES, check_file

MAGIC = b"SVARRAY1"
ALIGNED_BYTES = 64
LARGEST_HEADER_BYTES = 10_000_000
BLOCK_BYTES = 1 << 22
KINDS = "fiub"


def write_mapped(path: Path, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays of numbers and what they are about, whole or not at all; who has an earlier file open keeps it.

    Raises:
        OSError: the disk is full or cannot be written to.
    """
    places: list[list[Any]] = []
    end = 0
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, array in whole.items():
        end += -end % ALIGNED_BYTES
        places.append([name, array.dtype.str, array.shape, end, zlib.crc32(array.data)])
        end += array.nbytes
    header = json.dumps({"about": about, "arrays": places, "bytes": end}).encode()
    start = _first_byte(len(MAGIC) + 8 + len(header))
    with whole_file(path) as partial, partial.open("wb") as file:
        file.write(MAGIC + len(header).to_bytes(8, "little") + header)
        for (*_, offset, _checksum), array in zip(places, whole.values(), strict=True):
            file.seek(start + offset)
            file.write(array.data)
        file.truncate(start + end)


def read_about(path: Path) -> dict[str, Any]:
    """What a file of arrays is about, without the arrays.

    Raises:
        OSError: it is not there or cannot be read.
        ValueError: it is no such file.
    """
    check_file(path, LARGEST_BYTES)
    with path.open("rb") as file:
        return dict(_header(file)["about"])


def open_mapped(path: Path) -> dict[str, np.ndarray]:
    """Map the arrays of a file, once what was written is found to be there; they cannot be changed.

    Raises:
        OSError: it is not there or cannot be read.
        ValueError: it is no such file, cut short or damaged.
    """
    check_file(path, LARGEST_BYTES)
    with path.open("rb") as file:
        header = _header(file)
        start, n_bytes = _first_byte(file.tell()), int(header["bytes"])
        if file.seek(0, 2) != start + n_bytes:
            raise ValueError(f"{path} has {file.tell():,} bytes, where {start + n_bytes:,} were written")
        mapped = np.memmap(file, dtype=np.uint8, mode="r")
        arrays = {}
        for name, dtype, shape, offset, checksum in header["arrays"]:
            kind = np.dtype(str(dtype))
            size = math.prod(shape) * kind.itemsize
            if kind.kind not in KINDS or min(shape, default=0) < 0 or not 0 <= offset <= n_bytes - size:
                raise ValueError(f"{path}: array '{name}' cannot lie where it is said to")
            if _checksum(file, start + offset, size) != checksum:
                raise ValueError(f"{path}: array '{name}' is not as it was written")
            part = np.asarray(mapped[start + offset : start + offset + size])
            arrays[str(name)] = part.view(kind).reshape(shape)
    return arrays


def _first_byte(header_end: int) -> int:
    return -(-header_end // ALIGNED_BYTES) * ALIGNED_BYTES


def _header(file: BinaryIO) -> dict[str, Any]:
    start = file.read(len(MAGIC) + 8)
    length = int.from_bytes(start[len(MAGIC) :], "little")
    if not start.startswith(MAGIC) or length > LARGEST_HEADER_BYTES:
        raise ValueError(f"{file.name} is no file of mapped arrays")
    try:
        header = parse_json(file.read(length))
        return {"about": dict(header["about"]), "arrays": list(header["arrays"]), "bytes": int(header["bytes"])}
    except (LookupError, TypeError) as error:
        raise ValueError(f"{file.name} has a header of another kind ({error})") from error


def _checksum(file: BinaryIO, start: int, n_bytes: int) -> int:
    """CRC-32 of a stretch of a file; read, not mapped, so that it need not stay in the memory of this process."""
    file.seek(start)
    found = 0
    for first in range(0, n_bytes, BLOCK_BYTES):
        found = zlib.crc32(file.read(min(BLOCK_BYTES, n_bytes - first)), found)
    return found
