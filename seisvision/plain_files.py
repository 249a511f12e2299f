"""Files as they should be: regular ones within their folder, no pipes, devices or links that lead elsewhere.

A folder from a stranger, unpacked from an archive, can hold a link under any name: what is read through it (and shown
in a report that is passed on) or written through it belongs to somebody else. A pipe would be waited for without end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from seisvision.errors import DataError

OF_OTHERS = frozenset({"wandb", "tensorboard", "trackio"})
"""Folders within a run that belong to other programs, whose links and sockets are their business."""
LARGEST_TEXT_BYTES = 1_000_000_000
"""Of a table; that of a million predictions has some 200 MB."""
LARGEST_BYTES = 1 << 50
"""Of what is read piece by piece: any file."""
LARGEST_JSON_BYTES = 50_000_000
"""Of JSON, which needs up to fifty times as much memory once it is read."""


class NoPlainFileError(DataError, OSError):
    """Something under the name of a file that must not be read or written; also an ``OSError``, as for missing ones."""


def check_plain(folder: Path) -> None:
    """Refuse a folder that holds links which lead out of it, pipes, sockets or devices, at any depth.

    Links within the folder may be. The folder itself may be a link: whoever names it means what it leads to.

    Raises:
        NoPlainFileError: names the entry and the reason.
    """
    top = os.path.realpath(folder)
    _check_below(Path(top), top)


def check_plain_name(folder: Path) -> None:
    """Refuse a folder that results would go to and that is a link, or has one that leads out of it.

    Raises:
        NoPlainFileError: names the link.
    """
    if folder.is_symlink():
        _check_link(str(folder), str(folder.parent.resolve()))
    check_plain(folder)


def _check_below(folder: Path, top: str) -> None:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return  # it is not there, or was removed meanwhile
    for entry in entries:
        if entry.is_symlink():
            _check_link(entry.path, top)
        elif entry.is_dir(follow_symlinks=False):
            if entry.name not in OF_OTHERS:
                _check_below(Path(entry.path), top)
        elif not entry.is_file(follow_symlinks=False):
            _refuse_special(entry.path)


def _check_link(path: str, top: str) -> None:
    target = os.path.realpath(path)
    if not Path(target).is_relative_to(top):
        raise NoPlainFileError(
            f"{path} is a link to {target}, outside of {top}, and is neither read nor written through. Put the file "
            "itself there (cp -L), or remove the link."
        )
    # What links lead to is no link, unless they lead back to themselves.
    if Path(target).is_symlink():
        raise NoPlainFileError(f"{path} is a link that leads in circles. Remove it.")
    _refuse_special(target)


def _refuse_special(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return  # a link to nothing, or removed meanwhile
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode) and not stat.S_ISLNK(mode):
        raise NoPlainFileError(f"{path} is no file but a pipe, a socket or a device. Remove it.")


def check_file(path: Path, most_bytes: int = LARGEST_TEXT_BYTES) -> None:
    """Refuse what is no regular file, or larger than any that is written.

    Raises:
        NoPlainFileError: names the file and the reason.
        FileNotFoundError: there is nothing.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise NoPlainFileError(f"{path} is no file. Remove what lies there.")
    if status.st_size > most_bytes:
        raise NoPlainFileError(f"{path} has {status.st_size / 1e6:.0f} MB, more than the {most_bytes / 1e6:g} allowed.")


def read_text(path: Path, most_bytes: int = LARGEST_TEXT_BYTES) -> str:
    """Text in UTF-8 of a regular file.

    Raises:
        NoPlainFileError: it is no regular file, or too large.
        OSError: it cannot be read.
        ValueError: it is no UTF-8.
    """
    check_file(path, most_bytes)
    return path.read_text(encoding="utf-8")
