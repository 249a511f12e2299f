"""Compressed files and archives of files, unpacked to a temporary folder as far as that is safe."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from seisvision.data.importing.rejections import Refusal
from seisvision.errors import DiskFullError
from seisvision.files import full_disk
from seisvision.leftovers import temporary_folder, unusable_temporary

MAX_BYTES = 1 << 30
"""A file that unpacks to more is left: a few kilobytes can grow to fill a disk."""
SMALL_BYTES, MOST_TIMES = 1 << 26, 100
"""So is what grows to more than this, and to more than so many times its size, which no recording does."""
MAX_MEMBERS = 10_000
MAX_DEPTH = 3
"""A .tar.gz is two, an archive in it three."""
HEAD_BYTES, BLOCK_BYTES = 512, 1 << 20
OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""First bytes of a file to what opens it."""
SUFFIXES = (".gz", ".bz2", ".xz", ".zip", ".tar", ".tgz")


def is_packed(head: bytes) -> bool:
    """Whether a file that begins so is compressed, or a zip or tar archive."""
    return head.startswith((*OPENERS, b"PK\x03\x04")) or head[257:262] == b"ustar"


@contextmanager
def unpacked(path: Path) -> Iterator[list[tuple[Path, str]]]:
    """Unpack to temporary files, each with its name in the archive; those of archives in the archive, too.

    Raises:
        Refusal: it is damaged or locked, or unpacks to too much.
        DiskFullError: there is no room for what is in it.
        ConfigurationError: there is no folder for temporary files.
    """
    with _told_of_room(path), temporary_folder() as folder:
        try:
            yield list(_members(path, folder, MAX_DEPTH, largest(path)))
        except OSError as error:
            if full_disk(error) is not None:
                raise
            if Path(str(error.filename)).is_relative_to(folder):
                # Temporary files are no part of what is given: nothing may be refused for them.
                raise unusable_temporary(error) from error
            raise _not_unpacked(error) from error
        except (EOFError, ValueError, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise _not_unpacked(error) from error


def _not_unpacked(error: Exception) -> Refusal:
    return Refusal("read", "unreadable", f"cannot be unpacked: {error}; unpack it by hand, and name the files in it")


@contextmanager
def _told_of_room(path: Path) -> Iterator[None]:
    """A disk that is too small for a file says nothing of the file, which must not be refused for it."""
    try:
        yield
    except OSError as error:
        if full_disk(error) is None:
            raise
        raise DiskFullError(
            f"{path} cannot be unpacked in {tempfile.gettempdir()}: {error.strerror}. Make room there, or set TMPDIR "
            "to a folder on another disk; then repeat the command."
        ) from error


def largest(path: Path) -> int:
    """How many bytes a file may unpack to."""
    return min(MAX_BYTES, max(SMALL_BYTES, MOST_TIMES * path.stat().st_size))


def _members(path: Path, folder: Path, depth: int, limit: int) -> Iterator[tuple[Path, str]]:
    if depth == 0:
        raise ValueError("archives within archives within archives")
    for number, (name, source) in enumerate(_streams(path)):
        if number == MAX_MEMBERS:
            raise ValueError(f"more than {MAX_MEMBERS} files")
        # Never under the name of the archive, which may climb out of the folder.
        target = folder / f"{depth}-{number}"
        left = max(0, limit - sum(item.stat().st_size for item in folder.iterdir()))
        _copy(source, target, left, limit)
        with target.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if is_packed(head):
            inner = folder / f"{depth}-{number}.files"
            inner.mkdir()
            yield from _members(target, inner, depth - 1, max(0, left - target.stat().st_size))
        elif head:
            yield target, name


def _streams(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of every file; an empty name for what is compressed alone."""
    with path.open("rb") as file:
        head = file.read(6)
    opener = next((opener for magic, opener in OPENERS.items() if head.startswith(magic)), None)
    if opener is not None:
        with opener(path) as stream:
            yield "", stream
    elif head.startswith(b"PK"):
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if not member.is_dir() and is_wanted(member.filename):
                    try:
                        with archive.open(member) as stream:
                            yield member.filename, stream
                    except (RuntimeError, NotImplementedError) as error:  # a password, or a method zipfile lacks
                        raise ValueError(str(error)) from error
    else:
        with tarfile.open(path, "r:") as archive:
            for item in archive:
                content: Any = archive.extractfile(item) if item.isfile() and is_wanted(item.name) else None
                if content is not None:
                    yield item.name, content


def is_wanted(name: str) -> bool:
    """Whether a name is not hidden, nor in a hidden folder, nor what desktops leave behind."""
    parts = name.replace("\\", "/").split("/")
    unwanted = {"__macosx", "thumbs.db", "desktop.ini"}
    return not any((part.startswith(".") and part not in (".", "..")) or part.lower() in unwanted for part in parts)


def _copy(source: IO[bytes], target: Path, left: int, limit: int) -> None:
    with target.open("wb") as file:
        while block := source.read(min(BLOCK_BYTES, left + 1)):
            left -= len(block)
            if left < 0:
                raise ValueError(f"it grows beyond {limit >> 20} MiB")
            file.write(block)
