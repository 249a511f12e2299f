"""Runs of several processes, and sweeps, on a disk that is full: it is said once, and nothing more is begun on it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from fake_launcher import FakeLauncher, sweep

from seisvision.errors import NO_ROOM, DiskFullError, SeisvisionError
from seisvision.runs import guard, launch, training, work
from seisvision.runs.folder import RunFolder
from seisvision.runs.sweeps.local import LocalLauncher

FULL = os.strerror(errno.ENOSPC)


def no_room(*given: Any) -> None:
    raise OSError(errno.ENOSPC, FULL)


def test_a_worker_that_finds_no_room_for_its_word_tells_so_by_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path)
    for where, name in ((guard, "leave_in_time"), (work, "set_up_logging"), (work, "stop_on_signals")):
        monkeypatch.setattr(where, name, lambda: None)
    monkeypatch.setattr(training, "train_and_evaluate", no_room)
    monkeypatch.setattr(RunFolder, "tell_error", no_room)
    assert work._be_worker(folder) == NO_ROOM
    error = launch._explain(folder, {1: NO_ROOM}, 2)
    assert isinstance(error, DiskFullError) and FULL in str(error) and str(folder.path) in str(error)


def test_a_sweep_in_this_process_ends_at_a_full_disk(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun: list[RunFolder] = []

    def work_on(folder: RunFolder) -> None:
        begun.append(folder)
        raise DiskFullError(f"{folder.path} cannot be written: {FULL}")

    monkeypatch.setattr(work, "work_on", work_on)
    with pytest.raises(DiskFullError, match=FULL):
        sweep(data_dir, tmp_path, LocalLauncher(), "seed=1,2")
    assert len(begun) == 1 and "Error" not in caplog.text, "it is told where the command ends"


def test_a_sweep_in_other_processes_ends_at_a_full_disk(data_dir: Path, tmp_path: Path) -> None:
    def fail(number: int, config: dict[str, Any]) -> None:
        raise ValueError(f"x cannot be written: {FULL}")

    launcher, again = FakeLauncher(fail), FakeLauncher()
    with pytest.raises(SeisvisionError, match=FULL):
        sweep(data_dir, tmp_path, launcher, "seed=1,2")
    assert len(launcher.done) == 1
    _, is_done = sweep(data_dir, tmp_path, again, "seed=1,2")
    assert is_done and len(again.done) == 2
