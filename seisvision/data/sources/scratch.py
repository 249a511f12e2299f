"""Copies of waveform sets on a disk of the node, for clusters whose shared disk is slow."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path

from seisvision.data.sets.set_files import find_chunks, set_fingerprint
from seisvision.data.sets.stored.hashes import FILE_NAME as HASHES
from seisvision.data.sets.stored.hashes import content_hashes, remember
from seisvision.data.sets.stored.placing import COPY, whole_set
from seisvision.data.sets.table_cache import FILE_NAME as TABLE_COPY
from seisvision.errors import DataError
from seisvision.files import clear_lock, locked

log = logging.getLogger(__name__)

BLOCK_BYTES = 16 * 1024 * 1024
SMALL_FILES = ("card.json", "chunks", "rejected.csv", TABLE_COPY, HASHES)
SPARE_BYTES = 100 * 1024 * 1024
"""Left free on the disk of the node."""


def stage_to_scratch(set_path: str | Path, scratch_dir: str | Path) -> Path:
    """Copy a set to a disk of this node, once, and return the folder of the copy.

    Processes that ask at once on one node get one copy: the first makes it, the others wait. The copy is named by the
    fingerprint of the set, so an edited set gets a new one; it appears by renaming when all files are there and read
    back as they were. A copy whose files have other sizes than those of the set is made again.

    Args:
        set_path: folder of the set.
        scratch_dir: folder on the disk of the node; made if it is not there.

    Raises:
        DataError: the set is missing or damaged, the disk is too small, or what was written reads differently.
    """
    source = Path(set_path).absolute()
    files = _files(source)
    target = Path(scratch_dir).expanduser().absolute() / f"{source.name}-{set_fingerprint(source)}"
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = target.with_name(f".{target.name}.lock")
    if _is_whole(target, files):
        clear_lock(lock)
        return target
    with locked(lock):
        # Another process may have made it while this one waited.
        if not _is_whole(target, files):
            _copy(source, files, target)
    return target


def _files(source: Path) -> list[Path]:
    pairs = [path for chunk in find_chunks(source) for path in (chunk.metadata_path, chunk.waveforms_path)]
    return pairs + [source / name for name in SMALL_FILES if (source / name).is_file()]


def _is_whole(target: Path, files: list[Path]) -> bool:
    copies = [(file, target / file.name) for file in files if file.name not in (TABLE_COPY, HASHES)]
    return all(copy.is_file() and copy.stat().st_size == file.stat().st_size for file, copy in copies)


def _copy(source: Path, files: list[Path], target: Path) -> None:
    needed, free = sum(file.stat().st_size for file in files), shutil.disk_usage(target.parent).free
    if needed + SPARE_BYTES > free:
        raise DataError(
            f"{source} needs {needed / 1e9:.1f} GB, but {target.parent} has {free / 1e9:.1f} GB left; remove copies "
            "there, or read the set where it is (system.scratch=null)"
        )
    log.info("Copying %s (%.1f GB) to %s, once", source, needed / 1e9, target)
    try:
        with whole_set(target, overwrite=True) as partial:
            for file in files:
                _copy_file(file, partial / file.name)
            # They were read back and found equal, so nobody has to read them again.
            remember(partial, content_hashes([file for file in files if file.name not in SMALL_FILES]))
            (partial / COPY).write_text(json.dumps({"copy_of": str(source)}) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{source} cannot be copied to {target.parent}: {error}; check the disk") from error


def _copy_file(source: Path, target: Path) -> None:
    """Copy with times, which the copy of the table is keyed by, and read back what was written."""
    wanted = hashlib.blake2b()
    with source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(BLOCK_BYTES):
            wanted.update(block)
            writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())
    shutil.copystat(source, target)
    with target.open("rb") as file:
        if hashlib.file_digest(file, "blake2b").digest() != wanted.digest():
            raise DataError(f"{target} reads differently from {source}; the disk of this node is not sound")
