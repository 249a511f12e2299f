"""Devices, threads and spread weights of runs of several processes; a machine with GPUs is made believe."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CUDAAccelerator
from test_workers import SMALL, assert_same
from tiny_runs import ROOT, plain_config, tiny_config
from two_ranks import two_ranks

from seisvision.errors import ConfigurationError
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.folder import FINISHED, INTERRUPTED, read_json
from seisvision.records.settings import SystemSettings, TrainerSettings
from seisvision.runs import launch, trainers
from seisvision.runs.ensure import ensure_run, identify
from seisvision.runs.launch import n_processes
from seisvision.runs.ranks import Place
from seisvision.runs.trainers import build_predictor

SYSTEM = {"data_dir": "data", "num_threads": None}


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of four GPUs, as far as choosing among them goes."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)


def predictor(config: dict, accelerator: str, *devices: object, place: Place | None = None) -> pl.Trainer:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(trainers, "current_place", lambda: place or Place())
        return build_predictor(TrainerSettings.of(config["trainer"]), SystemSettings.of(SYSTEM), accelerator, *devices)


def test_a_predictor_says_nothing_of_devices_and_tips(capfd: pytest.CaptureFixture[str]) -> None:
    """Importing Lightning after messages were set up, as evaluate.py does, brings its own level back."""
    shouting = logging.getLogger("pytorch_lightning")
    shouting.setLevel(logging.INFO)
    handler = logging.StreamHandler()
    shouting.addHandler(handler)
    try:
        predictor(plain_config([]), "cpu")
    finally:
        shouting.removeHandler(handler)
    assert capfd.readouterr() == ("", "")


def test_each_process_predicts_on_the_device_it_has_trained_on(four_gpus: None) -> None:
    config, second = plain_config([]), Place(1, 2, 1, 2, "torchrun")
    on_processor = predictor(config, "cpu", place=second)
    assert type(on_processor.accelerator).__name__ == "CPUAccelerator"
    assert on_processor.strategy.root_device == torch.device("cpu")
    for accelerator in ("auto", "gpu"):
        trainer = predictor(config, accelerator, [1, 2], place=second)
        assert isinstance(trainer.accelerator, CUDAAccelerator)
        assert trainer.strategy.root_device == torch.device("cuda", 2)
    # On its own: the GPU that was named for the training; evaluate.py, which names none, takes the first.
    assert predictor(config, "auto", [3]).strategy.root_device == torch.device("cuda", 3)
    assert predictor(config, "auto", 1).strategy.root_device == torch.device("cuda", 0)
    assert predictor(config, "gpu").strategy.root_device == torch.device("cuda", 0)


def test_weights_spread_over_processes_are_clipped_stored_resumed_and_predict(data_dir: Path, tmp_path: Path) -> None:
    # The largest gradients are clipped hard, so that clipping by the norm of one process would show.
    words = [*SMALL, "trainer.gradient_clip_val=0.05"]
    one = ensure_run(tiny_config(data_dir, tmp_path / "one", *words), [])
    config = tiny_config(data_dir, tmp_path / "two", *words, "trainer=fsdp", "trainer.accelerator=auto")
    two = identify(config)
    two.prepare(config, [])
    program = str(ROOT / "tests" / "runs" / "sharded_on_processors.py")
    stopped, _ = two_ranks([sys.executable, program, str(two.path)], tmp_path, STOP_AFTER_EPOCH="1")
    assert stopped.returncode and two.status()["state"] == INTERRUPTED, stopped.stdout
    done, _ = two_ranks([sys.executable, program, str(two.path)], tmp_path)
    assert done.returncode == 0 and "resume   after epoch 1" in done.stdout, done.stdout
    assert two.status()["state"] == FINISHED and two.run_id == one.run_id
    assert_same(one, two)
    momenta = [load_checkpoint(run.last_checkpoint)["optimizer_states"][0]["state"] for run in (one, two)]
    for number, state in momenta[0].items():
        expected, found = state["momentum_buffer"], momenta[1][number]["momentum_buffer"]
        assert torch.linalg.vector_norm(found - expected) < 0.05 * torch.linalg.vector_norm(expected), number
    assert (
        read_json(two.metrics_file)["training"]["parameters"] == read_json(one.metrics_file)["training"]["parameters"]
    )
    assert len(pd.read_csv(two.predictions_file)) == len(pd.read_csv(one.predictions_file))


def test_weights_that_clusters_need_whole_are_not_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_n_gpus", lambda: 2)
    config = plain_config(["task=cluster", "trainer=fsdp", "trainer.devices=2"])
    with pytest.raises(ConfigurationError, match="trainer=ddp"):
        n_processes(config)
