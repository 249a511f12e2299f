"""What runs that are done at the same time have of one machine: GPUs, which are made believe, and processors."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from tiny_runs import plain_config

from seisvision.records.folder import RunFolder
from seisvision.records.settings import SystemSettings
from seisvision.runs.ranks import THREADS_VARIABLE, Place
from seisvision.runs.trainers import set_threads
from seisvision.runs.work import free_memory
from seisvision.sweeps.local import ParallelLauncher

UNSAID = SystemSettings(Path("data"))


class FakeProcess:
    """A worker that has ended when it is looked at for the first time, or for the fourth where its seed is 1."""

    variables: ClassVar[list[dict[str, str]]] = []
    """Of all that were started."""

    def __init__(self, words: list[str], env: dict[str, str], **settings: Any) -> None:
        self.variables.append(env)
        self.looks = 4 if RunFolder(Path(words[-1])).config()["seed"] == 1 else 1
        self.returncode = 0

    def poll(self) -> int | None:
        self.looks -= 1
        return None if self.looks > 0 else 0


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs, of twelve processors nine for this process."""
    monkeypatch.setattr(subprocess, "Popen", FakeProcess)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(9)))
    for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", THREADS_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def variables(tmp_path: Path, n_jobs: int, *overrides: str, n_runs: int = 3) -> list[dict[str, str]]:
    """What runs of these settings, of seed 1, 2 and so on, were started with."""
    FakeProcess.variables = []
    folders = [RunFolder(tmp_path / f"{seed:010d}") for seed in range(1, n_runs + 1)]
    for seed, folder in enumerate(folders, start=1):
        folder.prepare(plain_config([*overrides, f"seed={seed}"]), [])
    assert len(list(ParallelLauncher(n_jobs).run(folders))) == n_runs
    return FakeProcess.variables


def gpus(*args: Any, **kwargs: Any) -> list[str | None]:
    return [one.get("CUDA_VISIBLE_DEVICES") for one in variables(*args, **kwargs)]


def test_a_run_has_a_gpu_of_its_own_and_the_next_takes_the_one_that_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first run goes on while the second and the third have one GPU after the other.
    assert gpus(tmp_path, 2) == ["0", "1", "1"]
    assert gpus(tmp_path, 2, "trainer.accelerator=gpu") == ["0", "1", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-1f2e,-1,3")
    assert gpus(tmp_path, 2) == ["5", "GPU-1f2e", "GPU-1f2e"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert gpus(tmp_path, 2, "trainer=ddp", "trainer.devices=2") == ["0,1", "2,3", "2,3"]


def test_more_runs_than_gpus_share_them_which_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="seisvision"):
        assert gpus(tmp_path, 5, n_runs=5) == ["0", "1", "0", "1", "0"]
    assert sum("fewer GPUs (2)" in message for message in caplog.messages) == 1


@pytest.mark.parametrize("devices", ["trainer.accelerator=cpu", "trainer.devices=auto", "trainer.devices=[1]"])
def test_runs_that_need_none_or_say_which_are_left_alone(
    devices: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gpus(tmp_path, 2, devices) == [None, None, None]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    assert gpus(tmp_path, 2, devices) == ["1,0"] * 3


def test_processors_are_shared_by_runs_and_by_the_processes_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    for started in variables(tmp_path, 2):
        assert started["OMP_NUM_THREADS"] == "4"
        with monkeypatch.context() as patched:
            patched.setenv("OMP_NUM_THREADS", "4")
            patched.setenv(THREADS_VARIABLE, started[THREADS_VARIABLE])
            # One process takes the variable as it is; two share what it says.
            set_threads(UNSAID, Place())
            set_threads(UNSAID, Place(1, 2, 1, 2, "seisvision"))
    assert asked == [2, 2, 2]
    set_threads(UNSAID, Place(1, 2, 1, 2, "seisvision"))
    set_threads(SystemSettings(Path("data"), num_threads=3), Place(1, 2, 1, 2, "seisvision"))
    assert asked[3:] == [4, 3]


def test_what_the_user_says_of_threads_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setattr(torch, "set_num_threads", lambda n_threads: pytest.fail(f"{n_threads} threads"))
    for started in variables(tmp_path, 2):
        assert started["OMP_NUM_THREADS"] == "7" and THREADS_VARIABLE not in started
    set_threads(UNSAID, Place(1, 2, 1, 2, "seisvision"))


def test_memory_of_gpus_is_given_back_after_the_objects_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: done.append("objects"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("cache"))
    free_memory()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    free_memory()
    assert done == ["objects", "objects", "cache"]
