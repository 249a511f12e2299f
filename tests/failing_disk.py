"""A disk that is full from a chosen step on: every write, rename and synchronisation that Python does is a step.

Steps are counted below one folder. What is written there fails as the system lets it fail: a file that was opened is
there, empty, and the error names no file. HDF5 writes through :mod:`seisvision.data.sets.stored.patient_file`, so its
writes are steps as well; ``tests/full_disk.py`` fills real disks.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from seisvision import leftovers
from seisvision.data.sets.stored import placing

FULL = (errno.ENOSPC, errno.EDQUOT)


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


@contextlib.contextmanager
def errors_told() -> Iterator[list[str]]:
    """Errors that commands tell people in this block."""
    told: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("seisvision")
    log.addHandler(handler)
    try:
        yield told
    finally:
        log.removeHandler(handler)


def meet_every_step(
    top: Path,
    prepare: Callable[[Path], object],
    do: Callable[[Path], int],
    differences: Callable[[Path, Path], list[str]],
    most_tries: int,
    numbers: Sequence[int] = FULL,
) -> None:
    """Let a disk be full, or fail, from every step of a command on, and compare what comes of it once it is mended.

    Args:
        top: where all folders are made.
        prepare: makes the folder of a command and what it needs.
        do: the command, given that folder; returns its exit code.
        differences: what sets two such folders apart.
        most_tries: of the steps so many are tried, the first and the last among them.
        numbers: what the system says, in turn.
    """
    whole = top / "whole"
    prepare(whole)
    disk = FailingDisk(whole)
    with pytest.MonkeyPatch.context() as patch:
        disk.install(patch)
        assert do(whole) == 0
    assert disk.steps > 3
    tried = sorted({round(i * (disk.steps - 1) / (most_tries - 1)) for i in range(most_tries)})
    for turn, room in enumerate(tried):
        folder, number = top / f"full-{room}", numbers[turn % len(numbers)]
        prepare(folder)
        leftovers._cleared.clear()
        with pytest.MonkeyPatch.context() as patch, errors_told() as errors:
            full = FailingDisk(folder, room, number)
            full.install(patch)
            code = do(folder)
        assert full.n_failed
        # What could not be written may only save time; a disk that is read-only from the beginning is a wrong setting.
        told = code in ((1, 2) if number == errno.EROFS else (1,)) and len(errors) == 1
        assert code == 0 or told, (room, code, errors)
        if code:
            assert errors[0].startswith("Error: ") and os.strerror(number) in errors[0], (room, errors)
            assert str(folder) in errors[0] and "fault of seisvision" not in errors[0], (room, errors)
        assert not list(folder.rglob(".*.partial-*")), room
        with errors_told() as errors:
            again = do(folder)
        assert again == 0 or "exists already" in errors[-1], (room, errors)
        assert differences(folder, whole) == [], room
        shutil.rmtree(folder)
