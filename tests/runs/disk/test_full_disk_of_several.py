"""Runs of several processes, and sweeps, on a disk that is full: it is said once, and nothing more is begun on it."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_launcher import FakeLauncher, sweep
from tiny_runs import ROOT

sys.path.insert(0, str(ROOT / "tests"))

from failing_disk import errors_told

from seisvision.cli import main
from seisvision.errors import NO_ROOM, DiskFullError, SeisvisionError
from seisvision.records.folder import RunFolder
from seisvision.runs import guard, launch, training, work
from seisvision.sweeps.local import LocalLauncher

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


def test_a_study_that_finds_no_room_is_told_as_a_full_disk(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    optuna = pytest.importorskip("optuna", reason="searches are an extra")

    def ask(study: object, space: object) -> None:
        with contextlib.closing(sqlite3.connect(":memory:")) as small:
            small.execute("PRAGMA max_page_count = 1")
            small.execute("CREATE TABLE trials (number INTEGER)")

    asked = ["optimizer.lr=tag(log,interval(1e-4,1e-2))", "sweep.n_trials=2"]
    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "ask", ask)
        with pytest.raises(DiskFullError, match=rf"study\.db cannot be written: {FULL}"):
            sweep(data_dir, tmp_path, FakeLauncher(), *asked, preset="optuna")
    _, is_done = sweep(data_dir, tmp_path, FakeLauncher(), *asked, preset="optuna")
    assert is_done


def test_a_sweep_in_other_processes_ends_at_a_full_disk(data_dir: Path, tmp_path: Path) -> None:
    def fail(number: int, config: dict[str, Any]) -> None:
        raise ValueError(f"x cannot be written: {FULL}")

    launcher, again = FakeLauncher(fail), FakeLauncher()
    with pytest.raises(SeisvisionError, match=FULL):
        sweep(data_dir, tmp_path, launcher, "seed=1,2")
    assert len(launcher.done) == 1
    _, is_done = sweep(data_dir, tmp_path, again, "seed=1,2")
    assert is_done and len(again.done) == 2


def test_what_stopped_the_atlas_is_told_and_not_that_its_report_finds_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: Any, **named: Any) -> None:
        raise DiskFullError(f"a run cannot be written: {FULL}")

    monkeypatch.setattr("seisvision.atlas.stages.run_stages", stop)
    monkeypatch.setattr("seisvision.atlas.report.write_report", no_room)
    with errors_told() as told:
        assert main(["atlas", "--conf", str(ROOT / "conf"), f"system.runs_dir={tmp_path}"]) == 1
    assert told == [f"Error: a run cannot be written: {FULL}"]
