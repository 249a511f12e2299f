"""A binary copy of a large metadata table beside the set, which is mapped into memory and not read.

The copy is a hidden file, made when a set of many rows is opened for the first time and its folder can be written. It
is keyed by the sizes and times of the files it stands for, and replaced as soon as one of them differs or it is found
damaged; who has mapped a replaced copy goes on with that. Tables are kept as CSV because that is the
format of the sets; nothing depends on the copy.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from seisvision.data.sets.stored.columns import Column, Texts
from seisvision.mapped_arrays import open_mapped, read_about, write_mapped

log = logging.getLogger(__name__)

FILE_NAME = ".table-cache.bin"
FORMER_NAME = ".table-cache.npz"
MIN_ROWS = 50_000
"""Smaller tables are read as fast as they are found."""
VERSION = 4


def files_key(paths: Sequence[Path], *more: object) -> str:
    """Text that changes when one of the files does."""
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return json.dumps([VERSION, pd.__version__, states, *more], default=str)


def load_table(folder: Path, key: str) -> tuple[dict[str, Column], dict[str, np.ndarray]] | None:
    """Return the columns and the further arrays stored under ``key``, mapped, or None where there is no such copy."""
    path = folder / FILE_NAME
    try:
        about = read_about(path)
        if about["key"] != key:
            return None
        stored = open_mapped(path)
        columns = {
            str(name): _column(stored, number, str(dtype), mixed is True)
            for number, (name, dtype, mixed) in enumerate(about["columns"])
        }
        return columns, {str(name): stored[f"extra_{name}"] for name in about["extra"]}
    except FileNotFoundError:
        return None
    except (OSError, LookupError, ValueError, TypeError) as error:
        log.info("The copy of a table %s cannot be used and is made anew: %s", path, error)
        return None


def _column(stored: Mapping[str, np.ndarray], number: int, dtype: str, mixed: bool) -> Column:
    texts = None
    if f"ends_{number}" in stored:
        texts = Texts(stored[f"texts_{number}"], stored[f"ends_{number}"])
    return Column(dtype, stored[f"values_{number}"], texts, mixed)


def store_table(folder: Path, key: str, columns: Mapping[str, Column], extra: Mapping[str, np.ndarray]) -> bool:
    """Write the copy, if the folder can be written; tells whether it is there."""
    if not os.access(folder, os.W_OK):
        return False
    arrays: dict[str, np.ndarray] = {f"extra_{name}": values for name, values in extra.items()}
    for number, column in enumerate(columns.values()):
        arrays[f"values_{number}"] = column.values
        if column.texts is not None:
            arrays[f"texts_{number}"], arrays[f"ends_{number}"] = column.texts.content, column.texts.ends
    named = [(name, column.dtype, column.mixed) for name, column in columns.items()]
    try:
        write_mapped(folder / FILE_NAME, {"key": key, "columns": named, "extra": list(extra)}, arrays)
    except OSError as error:
        # A full or foreign disk: the set opens without the copy, only later.
        log.debug("The table copy was not written: %s", error)
        return False
    with contextlib.suppress(OSError):
        (folder / FORMER_NAME).unlink(missing_ok=True)
    return True
