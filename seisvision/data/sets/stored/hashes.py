"""Hashes of the files of a set, computed once and remembered, so that a set is known by what it holds.

The sha256 of a large file is remembered with its size and times (of the content and of the inode) in a hidden file of
its folder, or, where that cannot be written, in the user's cache. As long as size and times are those remembered, the
file is not read again. Setting the time of a file back after an edit does not help: the time of the inode tells. A
copy without times is read once and found equal.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py

from seisvision.errors import DataError
from seisvision.files import parse_json, write_text
from seisvision.plain_files import LARGEST_JSON_BYTES, read_text

log = logging.getLogger(__name__)

FILE_NAME = ".content-hashes.json"
MIN_BYTES = 32_000_000
"""Smaller sets are read as fast as they are found."""
LONG_BYTES = 2_000_000_000
"""From here on it is said that files are read."""
CLOCK_TICK_NS = 50_000_000
"""A file younger than that may change again without a new time."""
_in_memory: dict[Path, dict[str, Any]] = {}


def content_hashes(paths: Sequence[Path], *, own: bool = False) -> dict[str, str]:
    """Return the sha256 of files of one folder by name; what was looked at before is not read again.

    Args:
        paths: the files, at least one.
        own: they were written just now by this program, so that no HDF5 file among them keeps samples elsewhere.

    Raises:
        DataError: an HDF5 file keeps its samples in other files, whose changes nobody would notice.
    """
    folder = paths[0].absolute().parent
    known = _recall(folder)
    unseen = [path for path in paths if known.get(path.name, {}).get("state") != _state(path)]
    n_bytes = sum(path.stat().st_size for path in unseen)
    if n_bytes > LONG_BYTES and not own:
        log.info("Reading %.1f GB of %s, once, to know it by its content", n_bytes / 1e9, folder)
    for path in unseen:
        if path.suffix == ".hdf5" and not own:
            _refuse_elsewhere(path)
        known[path.name] = _looked_at(path)
    if n_bytes > MIN_BYTES:
        _store(folder, known)
    return {path.name: str(known[path.name]["sha256"]) for path in paths}


def remember(folder: Path, hashes: Mapping[str, str]) -> None:
    """Note the hashes of files in ``folder`` that are known because the files are copies or links."""
    folder = folder.absolute()
    entries = {name: {"state": _state(folder / name), "sha256": value} for name, value in hashes.items()}
    if sum((folder / name).stat().st_size for name in hashes) > MIN_BYTES:
        _store(folder, _recall(folder) | entries)


def first_seen(folder: Path, fingerprint: str, hashes: Mapping[str, str]) -> dict[str, str]:
    """Return the hashes that a set with this fingerprint had when it was looked at for the first time.

    Earlier versions wrote cards that do not tell the content of the waveforms.
    """
    folder = folder.absolute()
    known = _recall(folder)
    first = known.get("first_seen")
    if isinstance(first, dict) and first.get("fingerprint") == fingerprint and set(hashes) <= set(first["sha256"]):
        return dict(first["sha256"])
    _store(folder, known | {"first_seen": {"fingerprint": fingerprint, "sha256": dict(hashes)}})
    return dict(hashes)


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _looked_at(path: Path) -> dict[str, Any]:
    before = _state(path)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    now_ns = time.time_ns()
    settled = before == _state(path) and min(abs(now_ns - then_ns) for then_ns in before[1:]) > CLOCK_TICK_NS
    return {"state": before if settled else None, "sha256": found}


def _refuse_elsewhere(path: Path) -> None:
    """Refuse links to other files and datasets that are stored in or assembled from them."""

    def is_external(name: bytes) -> bytes | None:
        return name if file.id.links.get_info(name).type == h5py.h5l.TYPE_EXTERNAL else None

    def is_kept_elsewhere(name: bytes) -> bytes | None:
        item = h5py.h5o.open(file.id, name)
        if not isinstance(item, h5py.h5d.DatasetID):
            return None
        made = item.get_create_plist()
        parts = made.get_virtual_count() if made.get_layout() == h5py.h5d.VIRTUAL else 0
        others = any(made.get_virtual_filename(i) != "." for i in range(parts))
        return name if made.get_external_count() or others else None

    try:
        with h5py.File(path, "r") as file:
            name = file.id.links.visit(is_external) or h5py.h5o.visit(file.id, is_kept_elsewhere)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be read, perhaps it is truncated ({error})") from error
    if name:
        raise DataError(
            f"{path} keeps '{name.decode()}' in another file, so that a change of it would go unnoticed; "
            "copy the samples into one file, for example with h5repack or h5py"
        )


def _places(folder: Path) -> list[Path]:
    """Where hashes of a folder are kept, the preferred place first."""
    home = Path(os.environ.get("HOME") or tempfile.gettempdir())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return [folder / FILE_NAME, cache / "seisvision" / "content" / f"{name}.json"]


def _recall(folder: Path) -> dict[str, Any]:
    """What is remembered of a folder; of two memories of one file that which fits the file."""
    known: dict[str, Any] = dict(_in_memory.get(folder, {}))
    for path in _places(folder):
        # Damaged or not there: then the files are looked at again.
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            for name, item in parse_json(read_text(path, LARGEST_JSON_BYTES)).items():
                if name not in known or known[name].get("state") != _state(folder / name):
                    known[name] = dict(item)
    return known


def _store(folder: Path, known: dict[str, Any]) -> None:
    for path in _places(folder):
        try:
            write_text(path, json.dumps(known, indent=1, sort_keys=True) + "\n")
            return
        except OSError as error:
            log.debug("Hashes of %s are not kept in %s: %s", folder, path, error)
    _in_memory[folder] = known
