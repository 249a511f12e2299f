"""A binary copy of a large metadata table beside the set, so that a million rows open in seconds.

The copy is a hidden NumPy file, made when a set of many rows is opened for the first time and its folder can be
written. It is keyed by the sizes and times of the files it stands for, and left alone or replaced as soon as one of
them differs. Tables are kept as CSV because that is the format of the sets; nothing depends on the copy.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision.files import parse_json, whole_file
from seisvision.stored_arrays import read_arrays

log = logging.getLogger(__name__)

FILE_NAME = ".table-cache.npz"
MIN_ROWS = 50_000
"""Smaller tables are read as fast as they are found."""
VERSION = 3


def files_key(paths: Sequence[Path], *more: object) -> str:
    """Text that changes when one of the files does."""
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return json.dumps([VERSION, pd.__version__, states, *more], default=str)


def load_table(folder: Path, key: str) -> tuple[pd.DataFrame, dict[str, np.ndarray]] | None:
    """Return the table and the further arrays stored under ``key``, or None where there is no such copy."""
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    try:
        about = parse_json(str(read_arrays(path, ["about"])["about"]))
        if about["key"] != key:
            return None
        stored = read_arrays(path)
        columns = {name: _column(stored, i, dtype) for i, (name, dtype) in enumerate(about["columns"])}
        return pd.DataFrame(columns, copy=False), {name: stored[f"extra_{name}"] for name in about["extra"]}
    except (OSError, LookupError, ValueError, TypeError) as error:
        log.debug("The table copy %s cannot be used: %s", path, error)
        return None


def _column(stored: Any, number: int, dtype: str) -> Any:
    if f"values_{number}" in stored:
        return stored[f"values_{number}"]
    texts = bytes(stored[f"texts_{number}"]).decode().split("\n")
    values = np.array([*texts, np.nan], dtype=object)[stored[f"codes_{number}"]]
    return pd.Series(values, dtype=dtype, copy=False)


def store_table(folder: Path, key: str, table: pd.DataFrame, extra: dict[str, np.ndarray]) -> bool:
    """Write the copy, if the table is large, holds plain columns only and the folder can be written."""
    if len(table) < MIN_ROWS or not os.access(folder, os.W_OK):
        return False
    arrays: dict[str, np.ndarray] = {f"extra_{name}": values for name, values in extra.items()}
    columns = []
    for number, name in enumerate(table):
        packed = _packed(table[name], number)
        if packed is None:
            log.debug("Column %s holds mixed values, so the table is not copied", name)
            return False
        arrays |= packed
        columns.append((str(name), str(table[name].dtype)))
    arrays["about"] = np.array(json.dumps({"key": key, "columns": columns, "extra": list(extra)}))
    try:
        with whole_file(folder / FILE_NAME) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        # A full or foreign disk: the set opens without the copy, only later.
        log.debug("The table copy was not written: %s", error)
        return False
    return True


def _packed(column: pd.Series, number: int) -> dict[str, np.ndarray] | None:
    """Arrays that stand for a column: numbers as they are, texts as codes and one long text."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":
        return {f"values_{number}": column.to_numpy()}
    if pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
        return None
    codes, texts = pd.factorize(column)
    joined = "\n".join(texts)
    if joined.count("\n") != max(len(texts) - 1, 0):
        return None
    return {
        f"codes_{number}": codes.astype(np.int32),
        f"texts_{number}": np.frombuffer(joined.encode(), dtype=np.uint8),
    }
