"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from seisvision.errors import ConfigurationError, DiskFullError, SeisvisionError
from seisvision.leftovers import clear_files, hidden_name

log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No space left, over quota, beyond the largest size of a file."""
BROKEN = (errno.EIO, errno.EROFS, errno.ESTALE, errno.ENXIO, errno.ENODEV, errno.ENOTCONN, errno.EUCLEAN)
"""What a disk, or the way to one, says that fails; a disk that failed is made read-only by the system."""
LONGEST_NAME = 120
"""Characters of a name from data; file systems allow 255, and suffixes and temporary names add to it."""


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Lend a name to write under; what was written there becomes ``path`` when the block ends well.

    No reader ever sees half of it, and where the block fails, what ``path`` held before stays. The name has the suffix
    of ``path`` and is unique, also among the threads, processes and machines that share the folder; what dead processes
    left there is removed.

    Raises:
        OSError: the disk is full or cannot be written to; it names ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_files(path.parent)
    partial = path.with_name(hidden_name(path.stem, suffix=path.suffix))
    try:
        yield partial
        put_in_place(partial, path)
    except OSError as error:
        if error.errno in FULL or str(error.filename) in ("None", str(partial)):
            # Of a write the system does not tell the file, of a rename the hidden one.
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold a lock among the processes of this machine, which the system frees even when its holder is killed.

    The file goes with the lock; one that was left by a killed process serves the next.

    Raises:
        BlockingIOError: another process holds it, and ``wait`` is false.
    """
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        while True:
            handle = held.enter_context(path.open("a"))
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who held it meanwhile may have taken the file away, and a third may hold another of that name.
            if _is_at(handle.fileno(), path):
                break
            held.pop_all().close()
        # Reading processes must not hold the lock when this process is killed and they are still ending.
        os.register_at_fork(after_in_child=handle.close)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def clear_lock(path: Path) -> None:
    """Remove the file of a lock that a killed process left; that of one that is held stays."""
    if path.exists():
        with contextlib.suppress(OSError), locked(path, wait=False):
            pass


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def safe_name(text: str) -> str:
    """A name from data as one that files can have in every folder; different names stay different.

    Letters, digits and ``_.-~`` stay as they are, a leading dot does not; of long names the end becomes a hash.
    """
    quoted = quote(text, safe="", errors="surrogatepass")
    quoted = quoted.replace(".", "%2E", 1) if quoted.startswith(".") else quoted
    if len(quoted) <= LONGEST_NAME:
        return quoted
    return f"{quoted[: LONGEST_NAME - 17]}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def write_text(path: str | Path, text: str | Iterable[str]) -> None:
    """Write a text as UTF-8, whole or not at all.

    Args:
        path: of the file.
        text: in one, or in pieces that are never in memory together.

    Raises:
        OSError: the disk is full or cannot be written to.
    """
    with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.writelines([text] if isinstance(text, str) else text)


NESTED = frozenset((dict, list))
MOST_LEVELS = 100
"""Of JSON: what is nested deeper is damage, or meant to end a program that follows it."""


def parse_json(text: str | bytes) -> Any:
    """Read JSON that is nested as people and programs nest it.

    Raises:
        ValueError: it is no JSON, no text, or nested more than :data:`MOST_LEVELS` deep.
    """
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError(f"it is nested more than {MOST_LEVELS} levels deep") from None
    level = [content] if type(content) in NESTED else []
    for _ in range(MOST_LEVELS):
        if not level:
            return content
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) in NESTED
        ]
    raise ValueError(f"it is nested more than {MOST_LEVELS} levels deep")


def put_in_place(partial: Path, path: Path) -> None:
    """Rename a file once it is on the disk, so that not even a loss of power leaves half of it under ``path``."""
    sync(partial)
    partial.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Bring a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_in_place(path: Path, text: str, n_bytes: int) -> None:
    """Write a text of up to ``n_bytes`` over a file that holds as many, which takes no space on the disk.

    The text is filled up with blanks; it is one write, so that a reader sees the old or the new text.
    """
    content = text.encode().ljust(max(n_bytes, path.stat().st_size))
    handle = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(handle, content, 0)
    finally:
        os.close(handle)


def full_disk(error: BaseException, path: str | Path | None = None) -> str | None:
    """Say which disk is full and what to do, where that is what an error comes from; else None.

    Libraries wrap what the system says: the causes of an error and its text are looked at as well.

    Args:
        error: any error.
        path: what was being written; by default what the error tells.
    """
    told, found = _told_by_system(error, FULL)
    if told is None:
        return None
    named = path or found
    where = "A disk that is written to is full" if named is None else f"{named} cannot be written"
    return f"{where}: {os.strerror(told)}{_left(named)}. {_REMEDY[told]}"


def disk_fault(error: BaseException, path: str | Path | None = None) -> str | None:
    """As :func:`full_disk`, and also of disks that fail or have become read-only.

    Args:
        error: any error.
        path: what was being written, where the error does not tell: what fails may be what was being read.
    """
    full = full_disk(error, path)
    told, found = (None, None) if full is not None else _told_by_system(error, BROKEN)
    if told is None:
        return full
    named = found or path
    where = "A disk cannot be read or written" if named is None else f"{named} cannot be read or written"
    return f"{where}: {os.strerror(told)}. {_BROKEN_REMEDY}"


def _told_by_system(error: BaseException, numbers: Sequence[int]) -> tuple[int | None, str | None]:
    """Which of some errors of the system an error comes from, and the file that it names."""
    seen: BaseException | None = error
    while seen is not None:
        number = seen.errno if isinstance(seen, OSError) else _of_database(seen)
        told = next((one for one in numbers if one == number or os.strerror(one) in str(seen)), None)
        if told is not None:
            named = getattr(seen, "filename", None)
            return told, None if named is None else os.fsdecode(named) if isinstance(named, bytes) else str(named)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return None, None


def _of_database(error: BaseException) -> int | None:
    """What SQLite, which has words of its own, was told by the system."""
    name = str(getattr(error, "sqlite_errorname", ""))
    return errno.ENOSPC if name == "SQLITE_FULL" else errno.EIO if name.startswith("SQLITE_IOERR") else None


_REMEDY = {
    errno.ENOSPC: "Make room on that disk, or name a folder on another; then repeat the command. What was there "
    "is whole.",
    errno.EDQUOT: "Remove files of yours there, ask for a larger quota, or name a folder on another disk; then repeat "
    "the command. What was there is whole.",
    errno.EFBIG: "That disk, or 'ulimit -f', takes no larger file; write smaller ones (--events-per-chunk) or name a "
    "folder on another disk. What was there is whole.",
}
_BROKEN_REMEDY = (
    "The disk, or the connection to it, fails, or it has become read-only. See the log of the system (dmesg), or name "
    "a folder on another disk; then repeat the command."
)


def _left(path: str | Path | None) -> str:
    """How much room there is; nothing where that is not known."""
    there = None if path is None else Path(path).absolute()
    while there is not None and not there.is_dir() and there != there.parent:
        there = there.parent
    with contextlib.suppress(OSError):
        return "" if there is None else f" ({shutil.disk_usage(there).free / 1e6:.1f} MB left)"
    return ""


@contextlib.contextmanager
def told_when_full(path: str | Path) -> Iterator[None]:
    """Turn the many errors of a full or failing disk into one that names ``path``; others pass.

    Raises:
        DiskFullError: the disk is full, or fails.
    """
    try:
        yield
    except DiskFullError:
        raise
    except Exception as error:
        # What is told of a disk that fails, such as that of the recordings, is not turned into another.
        message = (full_disk if isinstance(error, SeisvisionError) else disk_fault)(error, path)
        if message is None:
            raise
        raise DiskFullError(message) from error


def check_writable(folder: str | Path, setting: str) -> None:
    """Refuse a folder in which nothing can be written, before any work is done for it; nothing is left there.

    A folder that is not there yet is judged by the one in which it would be made. Written is what is tried: rights say
    little on read-only mounts, and to a superuser.

    Args:
        folder: where results will go.
        setting: option or key that names it, such as ``--out`` or ``system.runs_dir``.

    Raises:
        ConfigurationError: names the folder, the reason and the setting.
        DiskFullError: not even an empty file has room there.
    """
    path = Path(folder).expanduser().absolute()
    there = path
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        full = full_disk(error, path)
        if full is not None:
            raise DiskFullError(f"{setting}={folder}: {full}") from error
        within = "" if there == path else f", because {there} cannot"
        raise ConfigurationError(
            f"{setting}={folder} cannot be written to{within} ({error.strerror or error}). Give a folder in which you "
            "may write."
        ) from error


def check_writable_file(path: str | Path, setting: str) -> None:
    """Refuse the name of a file that could not be written, as :func:`check_writable` does a folder's."""
    if Path(path).is_dir():
        raise ConfigurationError(f"{setting}={path} is a folder. Give the name of a file.")
    try:
        check_writable(Path(path).expanduser().absolute().parent, setting)
    except ConfigurationError as error:
        raise ConfigurationError(f"{setting}={path} cannot be written: {error}") from error


def keep_if_possible(write: Callable[[Path], object], path: Path) -> None:
    """Write a file that only saves time later; where it cannot be written, say so and go on without it."""
    try:
        write(path)
    except OSError as error:
        log.warning("%s cannot be kept (%s); it is computed anew next time", path, error.strerror or error)
