"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Lend a name to write under; what was written there becomes ``path`` when the block ends well.

    No reader ever sees half of it, and where the block fails, what ``path`` held before stays. The name has the suffix
    of ``path`` and is unique, also among the threads, processes and machines that share the folder.

    Raises:
        OSError: the disk is full or cannot be written to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial-{uuid.uuid4().hex[:12]}{path.suffix}")
    try:
        yield partial
        put_in_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all.

    Raises:
        OSError: the disk is full or cannot be written to.
    """
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def put_in_place(partial: Path, path: Path) -> None:
    """Rename a file once it is on the disk, so that not even a loss of power leaves half of it under ``path``."""
    _sync(partial)
    partial.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
