"""Fixtures of the tests of run folders that were changed."""

from __future__ import annotations

import contextlib
import copy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_runs import small_config

from seisvision.experiments.supervised import experiment as supervised
from seisvision.experiments.waveforms import experiment as waveforms
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.folder import RunFolder
from seisvision.runs.callbacks import ReportProgress
from seisvision.runs.ensure import ensure_run, identify

BUILT: dict[str, object] = {}


@contextlib.contextmanager
def quick_runs() -> Iterator[None]:
    """Networks of the tests may be named; figures and the reading of one and the same set take most of a small run."""

    def build_once(config: Settings, view: object) -> object:
        key = repr([config.dataset, config.split, config.task])
        if key not in BUILT:
            BUILT[key] = build_data(config, view)
        return BUILT[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_ones_own.")
        patched.setattr(supervised, "write_report", lambda *_: None)
        patched.setattr(waveforms, "build_data", build_once)
        yield


@pytest.fixture(autouse=True)
def quickly() -> Iterator[None]:
    """For these tests only: the same process runs others afterwards."""
    with quick_runs():
        yield


@pytest.fixture(scope="session")
def small(data_dir: Path) -> Callable[[Path], dict[str, Any]]:
    """Settings of the small run in a folder of runs, composed once."""
    with quick_runs():
        composed = small_config(data_dir, Path("nowhere"))

    def of(runs_dir: Path) -> dict[str, Any]:
        config = copy.deepcopy(composed)
        config["system"]["runs_dir"] = str(runs_dir)
        return config

    return of


@pytest.fixture(scope="session")
def finished(small: Callable, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run."""
    with quick_runs():
        return ensure_run(small(tmp_path_factory.mktemp("finished")), ["seed=3407"])


@pytest.fixture(scope="session")
def interrupted(small: Callable, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same run, interrupted when the second of three epochs was stored."""
    config = small(tmp_path_factory.mktemp("interrupted"))

    def stop(self: ReportProgress, trainer: object, *_: object) -> None:
        if trainer.current_epoch == 2:
            raise KeyboardInterrupt

    with quick_runs(), pytest.MonkeyPatch.context() as patched:
        patched.setattr(ReportProgress, "on_train_epoch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            ensure_run(config, ["seed=3407"])
    return identify(config)


@pytest.fixture()
def copy_of(tmp_path: Path) -> Callable[[RunFolder], RunFolder]:
    """Makes a copy of a run in a folder of runs of its own, where the same command finds it."""

    def copied(run: RunFolder) -> RunFolder:
        path = tmp_path / "default" / run.run_id
        shutil.copytree(run.path, path)
        return RunFolder(path)

    return copied
