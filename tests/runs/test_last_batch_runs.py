"""Runs whose training events are one more than their batches hold, with pictures that shrink to one pixel."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from tiny_runs import tiny_config

from seisvision.errors import ConfigurationError
from seisvision.records.folder import read_json
from seisvision.runs.ensure import ensure_run

# 31 events of which 17 are trained on, 29 where all are clustered.
ONE_LEFT = ["dataset.source.n_events=31", "trainer.batch_size=8", "trainer.max_epochs=1"]
RUNS: dict[str, list[str]] = {
    "classes": ONE_LEFT,
    "magnitudes": [*ONE_LEFT, "task=magnitude", "trainer.batch_size=15"],
    "two processes' worth of steps": [*ONE_LEFT, "trainer.accumulate_grad_batches=2"],
    "all as they are": [*ONE_LEFT, "trainer.overfit_batches=1.0"],
    "AlexNet": [*ONE_LEFT, "model=alexnet_bn", "view.height=63", "view.width=63"],
    "clusters": [
        *["task=cluster", "task.k=3", "task.pca_dim=6", "task.n_init=2", "task.min_cluster_size=2"],
        *["dataset.source.n_events=29", "trainer.batch_size=7", "trainer.max_epochs=1"],
    ],
}


@pytest.mark.parametrize("overrides", RUNS.values(), ids=RUNS)
def test_a_last_batch_of_one_trains(overrides: list[str], data_dir: Path, tmp_path: Path) -> None:
    config = tiny_config(data_dir, tmp_path, *overrides)
    folder = ensure_run(config, [])
    samples = read_json(folder.metrics_file)["data"]["samples"]["train"]
    assert samples % config["trainer"]["batch_size"] == 1, "or nothing is tested"
    losses = [
        float(line.split(",")[-1]) for line in folder.history_file.read_text().splitlines() if "train/loss," in line
    ]
    assert losses and all(math.isfinite(loss) for loss in losses)


@pytest.mark.parametrize("task", ["source_type", "magnitude"])
def test_batches_of_one_are_refused_where_nothing_could_be_learnt(task: str, data_dir: Path, tmp_path: Path) -> None:
    config = tiny_config(data_dir, tmp_path, f"task={task}", "trainer.batch_size=1")
    with pytest.raises(ConfigurationError, match=r"trainer\.batch_size=1.*batch norm 'network\..*2 or more"):
        ensure_run(config, [])


def test_batches_of_one_train_where_batch_norm_sees_several_values(data_dir: Path, tmp_path: Path) -> None:
    overrides = ["trainer.batch_size=1", "view.height=64", "view.width=64", "trainer.max_epochs=1"]
    assert ensure_run(tiny_config(data_dir, tmp_path, *overrides), []).is_finished()


def test_a_training_part_of_one_event_is_refused(data_dir: Path, tmp_path: Path) -> None:
    overrides = ["task=magnitude", "split.by=event", "split.test_fraction=0.25", "split.val_fraction=0.6"]
    overrides += ["split.stratify=false", "dataset.source.n_events=4"]
    config = tiny_config(data_dir, tmp_path, *overrides)
    with pytest.raises(ConfigurationError, match=r"the training part holds 1 event.*more data or another split"):
        ensure_run(config, [])
