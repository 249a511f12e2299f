"""Temporary files tell who writes them, so that those of a process that was killed can be told and taken away."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

FORGOTTEN_AFTER_S = 24 * 3600.0
"""What nobody has touched for so long is left over, also where this machine cannot know its writer."""
OWNER = re.compile(r"\.partial-([0-9a-f]{8})-([0-9]+)-")

HALF_A_FILE = re.compile(r"\..*\.partial-([0-9a-f]{8}-[0-9]+-[0-9a-f]{8}|[0-9a-f]{12})(\.|$)", re.DOTALL)
"""Names under which :func:`seisvision.files.whole_file` writes, and those of earlier versions."""


def owner_tag() -> str:
    """Names this process: where its number counts, and its number."""
    return f"{_realm()}-{os.getpid()}"


def is_left_over(path: Path) -> bool:
    """Whether the process that writes under a temporary name has ended.

    A process of another machine or container, or of before a restart, cannot be asked for; there only age tells.
    """
    named = OWNER.search(path.name)
    if named is not None and named[1] == _realm():
        return not _lives(int(named[2]))
    try:
        return time.time() - path.lstat().st_mtime > FORGOTTEN_AFTER_S
    except OSError:
        return False


def clear(paths: Iterable[Path]) -> None:
    """Take away those files and folders of this user that their processes left behind; failing to is no error."""
    for path in paths:
        with contextlib.suppress(OSError):
            if path.lstat().st_uid != os.getuid() or not is_left_over(path):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@functools.cache
def clear_once(folder: Path) -> None:
    """Take halves of files out of a folder, the first time that this process asks; a large one takes long to list."""
    with contextlib.suppress(OSError):
        clear([path for path in folder.iterdir() if HALF_A_FILE.match(path.name)])


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@functools.cache
def _realm() -> str:
    """Eight characters for the realm of process numbers: this machine since it was started, or this container."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:8]
