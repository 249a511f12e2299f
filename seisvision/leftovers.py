"""Hidden names for what is being written, which tell who writes it, so that what a dead process left can be cleared.

A name is ``.NAME.partial-HOST-BOOT-PID-START-RANDOM.SUFFIX``. ``HOST`` stands for the machine and the container on it,
``BOOT`` for its last start, ``PID`` and ``START`` for the process: a number that was given to another process meanwhile
is told by its start.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import logging
import os
import re
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from seisvision.errors import ConfigurationError

log = logging.getLogger(__name__)

PARTIAL, REPLACED = "partial", "replaced"
"""What is being written, and what was moved aside for what is to come."""
OTHERS_DAYS = 7.0
"""What a process on another machine (or an earlier version) left is cleared when it has not changed for so long."""
_TAGGED = re.compile(
    r"\.(?P<name>.+)\.(?P<kind>partial|replaced)"
    r"-(?P<host>[0-9a-f]{8})-(?P<boot>[0-9a-f]{8})-(?P<pid>\d+)-(?P<start>\d+)-[0-9a-f]{8}(\.\w+)?"
)
_EARLIER = re.compile(r"\.(?P<name>.+)\.(?P<kind>partial)-([0-9a-f]{12}(\.\w+)?|\d+)")
"""As earlier versions named files and folders; whose they are cannot be told. Sets that they moved aside stay."""
_TEMPORARY = "seisvision"
_cleared: set[tuple[int, str]] = set()


def hidden_name(name: str, kind: str = PARTIAL, suffix: str = "") -> str:
    """Return a new name for what this process writes under ``name``."""
    own = f"{_host()}-{_boot()}-{os.getpid()}-{_start_of(os.getpid())}"
    return f".{name}.{kind}-{own}-{uuid.uuid4().hex[:8]}{suffix}"


def leftovers(folder: Path, kind: str = PARTIAL, name: str | None = None) -> Iterator[Path]:
    """Files and folders in ``folder`` that were being written, or moved aside, by processes that are no more.

    Args:
        folder: looked through, sub-folders are not.
        kind: :data:`PARTIAL` or :data:`REPLACED`.
        name: only those that were to become this.
    """
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            made = _TAGGED.fullmatch(path.name) or _EARLIER.fullmatch(path.name)
            if made and made["kind"] == kind and name in (None, made["name"]) and _is_left(path, made):
                yield path


def clear_files(folder: Path) -> None:
    """Remove the files that dead processes left half-written in ``folder``; looked for once by each process."""
    key = (os.getpid(), str(folder.absolute()))
    if key in _cleared:
        return
    _cleared.add(key)
    _clear(folder)


def clear_below(folder: Path) -> None:
    """Remove the files that dead processes left half-written in ``folder`` and all folders in it."""
    for there in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        _clear(there)


def _clear(folder: Path) -> None:
    for path in leftovers(folder):
        if path.is_file() and not path.is_symlink():
            with contextlib.suppress(OSError):
                path.unlink()
                log.debug("Removed %s, which a process that is no more had not finished", path)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Lend a folder below ``TMPDIR`` that is removed with all that is in it, at the latest by the next process.

    Raises:
        ConfigurationError: there is no folder for temporary files in which one may write.
        OSError: the disk is full.
    """
    folder = _make_temporary()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_temporary() -> Path:
    try:
        above = Path(tempfile.gettempdir())
        _clear_temporary(above)
        folder = above / hidden_name(_TEMPORARY)
        folder.mkdir(mode=0o700)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise unusable_temporary(error) from error
    return folder


def unusable_temporary(error: OSError) -> ConfigurationError:
    """Error for people, where the folder for temporary files is not there or cannot be written to."""
    where = "" if error.filename is None else f"{error.filename}: "
    return ConfigurationError(
        f"No temporary file can be written: {where}{error.strerror}. Set TMPDIR (now "
        f"'{os.environ.get('TMPDIR', '')}') to a folder in which you may write; then repeat the command."
    )


def _clear_temporary(above: Path) -> None:
    for left in leftovers(above, PARTIAL, _TEMPORARY):
        if left.is_dir() and not left.is_symlink() and left.lstat().st_uid == os.getuid():
            shutil.rmtree(left, ignore_errors=True)


def _is_left(path: Path, made: re.Match[str]) -> bool:
    known = made.groupdict()
    if known.get("host") != _host():
        return time.time() - _last_change(path) > OTHERS_DAYS * 86400
    return known["boot"] != _boot() or not _is_alive(int(known["pid"]), int(known["start"]))


def _last_change(path: Path) -> float:
    """When a file, a folder or a file in it changed last; now, where it goes away meanwhile."""
    try:
        inner = list(path.iterdir()) if path.is_dir() and not path.is_symlink() else []
        return max(item.lstat().st_mtime for item in (path, *inner))
    except OSError:
        return time.time()


def _is_alive(pid: int, start: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # of another user
    return _start_of(pid) in (start, 0)


def _start_of(pid: int) -> int:
    """Start of a process in ticks after that of the machine; -1 for one that only waits to be forgotten, 0 unknown."""
    try:
        # The second field, the name, may hold blanks and brackets.
        fields = (Path("/proc") / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except OSError:
        return 0
    state, *others = fields.split()
    return -1 if state in "ZX" else int(others[18])


@functools.cache
def _host() -> str:
    """This machine, or the container on it: elsewhere the numbers of processes mean others."""
    space = ""
    with contextlib.suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return _short(socket.gethostname() + space)


@functools.cache
def _boot() -> str:
    with contextlib.suppress(OSError):
        return _short(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8"))
    return _short("")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
