"""Checksums of the samples of every trace, kept in the waveform file itself and compared on request.

The dataset ``checksums/crc32`` holds one number a trace, in the order of the datasets ``data/bucket0``,
``bucket1``, ... and of their rows: the CRC-32 of its samples as stored (float32, padding included), which changes with
any single bit. Other programs that read the format pass over it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from seisvision.data.sets.stored.own_items import own_item

PLACE = "checksums/crc32"
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError)
"""What HDF5 raises where a file is damaged."""


def trace_checksums(block: np.ndarray) -> list[int]:
    """CRC-32 of each trace of a block (S, C, T)."""
    return [zlib.crc32(np.ascontiguousarray(samples).data) for samples in block]


def write_checksums(file: h5py.File, checksums: list[int]) -> None:
    """Keep the checksums of all traces of a waveform file that is being written."""
    file.create_dataset(PLACE, data=np.array(checksums, dtype=np.uint32))


def changed_traces(path: Path) -> Iterator[tuple[str, int]]:
    """Compare the samples in a waveform file with their checksums; nothing where it has none.

    Yields:
        Dataset and row of every trace that is not as it was written, or cannot be read.

    Raises:
        OSError, RuntimeError, ValueError, KeyError, TypeError: so much is damaged that traces cannot be told apart.
    """
    with h5py.File(path, "r") as file:
        if PLACE not in file:
            return
        kept = own_item(file, PLACE)[()].tolist()
        n_before = 0
        held = own_item(file, "data")
        for number in range(len(held)):
            dataset = own_item(held, f"bucket{number}")
            if not dataset.shape:
                raise ValueError(f"bucket{number} is a single value or nothing, no samples")
            wanted = kept[n_before : n_before + dataset.shape[0]]
            n_before += dataset.shape[0]
            yield from ((f"bucket{number}", row) for row in _changed_rows(dataset, wanted))
        if n_before != len(kept):
            raise ValueError(f"{len(kept)} checksums for {n_before} traces")


def _changed_rows(dataset: h5py.Dataset, wanted: list[int]) -> Iterator[int]:
    try:
        found: list[int | None] = list(trace_checksums(dataset[()]))
    except UNREADABLE:
        found = [_checksum_of(dataset, row) for row in range(dataset.shape[0])]
    yield from (row for row, (one, other) in enumerate(zip(found, wanted, strict=True)) if one != other)


def _checksum_of(dataset: h5py.Dataset, row: int) -> int | None:
    """None where the row cannot be read: a block of compressed samples is lost as a whole."""
    try:
        return trace_checksums(dataset[row : row + 1])[0]
    except UNREADABLE:
        return None
