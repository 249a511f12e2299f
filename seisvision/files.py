"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from seisvision import leftovers
from seisvision.errors import ConfigurationError

log = logging.getLogger(__name__)

LONGEST_NAME = 120
"""Characters of a name from data; file systems allow 255, and suffixes and temporary names add to it."""


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Lend a name to write under; what was written there becomes ``path`` when the block ends well.

    No reader ever sees half of it, and where the block fails, what ``path`` held before stays. The name has the suffix
    of ``path`` and is unique, also among the threads, processes and machines that share the folder. What killed
    processes left in the folder goes when this one first writes there.

    Raises:
        OSError: the disk is full or cannot be written to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    leftovers.clear_once(path.parent)
    partial = path.with_name(f".{path.stem}.partial-{leftovers.owner_tag()}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield partial
        put_in_place(partial, path)
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


def check_writable(folder: str | Path, setting: str) -> None:
    """Refuse a folder in which nothing can be written, before any work is done for it; nothing is left there.

    A folder that is not there yet is judged by the one in which it would be made. Written is what is tried: rights say
    little on read-only mounts, and to a superuser.

    Args:
        folder: where results will go.
        setting: option or key that names it, such as ``--out`` or ``system.runs_dir``.

    Raises:
        ConfigurationError: names the folder, the reason and the setting.
    """
    path = Path(folder).expanduser().absolute()
    there = path
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
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
