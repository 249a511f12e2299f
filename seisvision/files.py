"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import logging
import os
import re
import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from seisvision.errors import ConfigurationError

log = logging.getLogger(__name__)


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
    who = f"{_machine()}-{os.getpid()}"
    partial = path.with_name(f".{path.stem}.partial-{who}-{uuid.uuid4().hex[:12]}{path.suffix}")
    try:
        yield partial
        put_in_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def remove_abandoned(folder: str | Path, stem: str | None = None) -> None:
    """Take away what processes of this machine that were killed have half-written below a folder.

    What others still write stays: those of other machines too, of which nothing is known.

    Args:
        folder: all of it; where a stem is given, only what lies in it directly.
        stem: name of a file without its ending.
    """
    top = Path(folder)
    found = top.rglob(".*.partial-*") if stem is None else top.glob(f".{glob.escape(stem)}.partial-*")
    for path in list(found):
        match = re.search(rf"\.partial-{_machine()}-(\d+)-", path.name)
        if match is not None and not _is_alive(int(match[1])):
            path.unlink(missing_ok=True)


@functools.cache
def _machine() -> str:
    """Eight digits for all processes among which a number means one: of a machine since its start, or a container."""
    about = [socket.gethostname()]
    with contextlib.suppress(OSError):
        about.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        about.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("\0".join(about).encode()).hexdigest()[:8]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


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
