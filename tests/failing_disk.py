"""A disk that is full from a chosen step on: every write, rename and synchronisation that Python does is a step.

Steps are counted below one folder. What is written there fails as the system lets it fail: a file that was opened is
there, empty, and the error names no file. HDF5 writes through :mod:`seisvision.data.stored.patient_file`, so its writes
are steps as well; ``tests/full_disk.py`` fills real disks.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seisvision.data.stored import placing


class FailingDisk:
    """Counts steps below ``folder`` while it is installed; those after ``room`` fail.

    Args:
        folder: the disk.
        room: steps that succeed.
        number: what the system says then.
    """

    def __init__(self, folder: Path, room: float = float("inf"), number: int = errno.ENOSPC) -> None:
        self.folder = folder
        self.room = room
        self.number = number
        self.steps = 0
        self.n_failed = 0
        self._open, self._pwrite, self._fsync = io.open, os.pwrite, os.fsync

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Put the disk in place of the real one."""
        patch.setattr(io, "open", self._opened)
        patch.setattr(builtins, "open", self._opened)
        patch.setattr(os, "pwrite", self._pwritten)
        patch.setattr(os, "fsync", self._synced)
        for module, name in ((os, "replace"), (os, "rename"), (os, "mkdir"), (placing, "_renameat2")):
            patch.setattr(module, name, self._failing(getattr(module, name)))

    def _step(self, place: object) -> bool:
        """Count a step; whether it fails."""
        path = Path(os.fsdecode(place) if isinstance(place, str | bytes) else str(place)).absolute()
        if not path.is_relative_to(self.folder):
            return False
        self.steps += 1
        self.n_failed += self.steps > self.room
        return self.steps > self.room

    def _error(self) -> OSError:
        return OSError(self.number, os.strerror(self.number))

    def _opened(self, file: Any, mode: str = "r", *more: Any, **named: Any) -> Any:
        opened = self._open(file, mode, *more, **named)
        if not isinstance(file, int) and set(mode) & set("wax+") and self._step(file):
            opened.close()
            raise self._error()
        return opened

    def _pwritten(self, handle: int, data: Any, offset: int) -> int:
        # What overwrites what is there takes no room.
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if offset + len(data) > os.fstat(handle).st_size and self._step(path):
            raise self._error()
        return self._pwrite(handle, data, offset)

    def _synced(self, handle: int) -> None:
        if self._step(Path(f"/proc/self/fd/{handle}").readlink()):
            raise self._error()
        self._fsync(handle)

    def _failing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(first: Any, *more: Any, **named: Any) -> Any:
            if self._step(first):
                raise OSError(self.number, os.strerror(self.number), str(first))
            return function(first, *more, **named)

        return called
