"""A waveform set appears under its name with everything that belongs to it, or not at all.

Everything is written into a hidden folder beside the place of the set, brought to the disk, and put in place by one
rename. Where a set is replaced, both change places in one step; on disks that cannot do that the old one is moved aside
first, and whoever finds the place empty afterwards puts it back (:func:`put_back`).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seisvision.errors import DataError
from seisvision.files import sync
from seisvision.leftovers import PARTIAL, REPLACED, hidden_name, leftovers

log = logging.getLogger(__name__)

EMPTY = "empty.json"
"""In place of the set, in a shard whose events were all refused."""
COPY = ".copy.json"
"""Says, in a copy on the disk of a node, of what it is one; the set itself may be of another program."""
_FILES = re.compile(
    r"metadata\w*\.csv|waveforms\w*\.hdf5|card\.json|chunks|rejected\.csv|empty\.json|\.copy\.json"
    r"|\.content-hashes\.json|\.table-cache\.(bin|npz)|\..+\.partial-[0-9a-f-]+(\.\w+)?"
)
_AUDIT = re.compile(r"audit\.(json|html)|\..+\.partial-[0-9a-f-]+(\.\w+)?")
"""What 'seisvision data audit' writes into the folder ``audit`` of a set."""
SHOWN = 5
_AT_FDCWD = -100
_NO_REPLACE, _EXCHANGE = 1, 2
"""Flags of Linux' renameat2(2)."""
_CANNOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


@contextlib.contextmanager
def whole_set(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Lend a hidden folder; what was written there becomes the set ``path`` when the block ends well.

    What dead processes left beside ``path`` is cleared first. Where the block fails, what ``path`` held before stays.

    Args:
        path: folder of the set.
        overwrite: replace what is there, if it is a set made by this program, see :func:`check_replaceable`.

    Raises:
        DataError: ``path`` is there and not to be replaced, or another process made it meanwhile.
        OSError: the disk is full or cannot be written to.
    """
    path = Path(path)
    check_place(path, overwrite)
    partial = path.with_name(hidden_name(path.name))
    partial.mkdir(parents=True)
    try:
        yield partial
        for item in (*partial.iterdir(), partial):
            sync(item)
        _put_in_place(partial, path, overwrite)
    finally:
        # The old set, where there was one, has come here by the exchange.
        shutil.rmtree(partial, ignore_errors=True)


def check_place(path: Path, overwrite: bool) -> None:
    """Clear what dead processes left at the place of a set, and refuse a place that is taken.

    Raises:
        DataError: ``path`` is there and not to be replaced.
    """
    if path.name in ("", ".."):
        raise DataError(f"{path} names no new folder; give the set a name of its own, such as {path / 'my_set'}")
    put_back(path)
    for left in leftovers(path.parent, PARTIAL):
        if left.is_dir() and not left.is_symlink() and not foreign_entries(left):
            shutil.rmtree(left, ignore_errors=True)
    if os.path.lexists(path):
        if not overwrite:
            raise DataError(f"{path} exists already; choose another folder or add --overwrite")
        check_replaceable(path)


def check_replaceable(path: Path) -> None:
    """Refuse to replace anything but a waveform set that this program made, with nothing else in its folder.

    Raises:
        DataError: says why ``path`` is not replaced, and what to do.
    """
    other = "choose another folder"
    if path.is_symlink():
        raise DataError(f"{path} is a link and is not replaced; name the folder that it leads to, or {other}")
    if not path.is_dir():
        raise DataError(f"{path} is not a folder and is not overwritten; {other}")
    if os.path.ismount(path):
        raise DataError(f"{path} is where a disk is mounted and is not replaced; {other}")
    with contextlib.suppress(FileNotFoundError):
        if Path.cwd().is_relative_to(path.resolve()):
            raise DataError(f"{path} holds the working folder and is not replaced; leave it first, or {other}")
    if not _is_own(path):
        raise DataError(
            f"{path} is not a waveform set that this program made (no card.json of its kind) and is not overwritten; "
            f"{other}, or remove it yourself"
        )
    foreign = foreign_entries(path)
    if foreign:
        more = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
        raise DataError(
            f"{path} is not overwritten, for it also holds what no set does: {', '.join(foreign[:SHOWN])}{more}; "
            f"move that away, or {other}"
        )


def foreign_entries(folder: Path) -> list[str]:
    """Names of what lies in the folder of a set and is nothing that this program writes there."""
    foreign = []
    for item in sorted(folder.iterdir()):
        if item.name == "audit" and item.is_dir() and not item.is_symlink():
            foreign += [f"audit/{inner.name}" for inner in item.iterdir() if not _is_file(inner, _AUDIT)]
        elif not _is_file(item, _FILES):
            foreign.append(item.name)
    return foreign


def _is_file(path: Path, names: re.Pattern[str]) -> bool:
    return names.fullmatch(path.name) is not None and (path.is_symlink() or path.is_file())


def _is_own(folder: Path) -> bool:
    """Whether the card in ``folder``, or what stands for it in an empty shard or a copy, is one of this program."""
    for name in ("card.json", EMPTY, COPY):
        content: Any = None
        with contextlib.suppress(OSError, ValueError):
            content = json.loads((folder / name).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            continue
        counts = content.get("counts")
        if (name == EMPTY and "shard" in content) or (name == COPY and "copy_of" in content):
            return True
        if isinstance(counts, dict) and {"n_events", "n_traces"} <= set(counts) and "component_order" in content:
            return True
    return False


def put_back(path: Path) -> bool:
    """Put a set back that was moved aside by a process which died before its successor was in place.

    Where ``path`` is there, what dead processes moved aside was replaced, and is removed.

    Returns:
        Whether a set was put back.
    """
    for aside in leftovers(path.parent, REPLACED, path.name):
        if not os.path.lexists(path):
            with contextlib.suppress(OSError):
                _rename(aside, path, _NO_REPLACE)
                log.warning("%s was put back: the command that was to replace it did not come to its end", path)
                return True
        elif not foreign_entries(aside):
            shutil.rmtree(aside, ignore_errors=True)
    return False


def _put_in_place(partial: Path, path: Path, overwrite: bool) -> None:
    if not os.path.lexists(path):
        try:
            _rename(partial, path, _NO_REPLACE)
        except FileExistsError as error:
            raise DataError(f"{path} was made by another process meanwhile, and stays as that made it") from error
    elif not overwrite:
        raise DataError(f"{path} was made by another process meanwhile, and stays as that made it")
    else:
        check_replaceable(path)
        _replace(partial, path)
    sync(path.parent)


def _replace(partial: Path, path: Path) -> None:
    """Let two folders change places; where the disk cannot do that in one step, in two that can be undone."""
    try:
        _renameat2(partial, path, _EXCHANGE)
        return
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    aside = path.with_name(hidden_name(path.name, REPLACED))
    path.rename(aside)
    try:
        partial.rename(path)
    except BaseException:
        aside.rename(path)
        raise
    sync(path.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _rename(source: Path, target: Path, flags: int) -> None:
    try:
        _renameat2(source, target, flags)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        source.rename(target)


def _renameat2(source: Path, target: Path, flags: int) -> None:
    """Linux' renameat2(2).

    Raises:
        OSError: as the call says; ENOSYS where there is none.
    """
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(target))
    if function(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), ctypes.c_uint(flags)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))
