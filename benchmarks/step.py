"""What a step costs beside a network that costs next to nothing: Lightning, measures, history, against a bare loop.

    python benchmarks/step.py [--events 240] [--epochs 12] [--batch 8] [--threads 1] [--json]

Both take the same waveforms from memory, augment and draw them, give them to one layer, and do loss, backward, clipping
and a step of the same optimiser and schedule. The house does so in Lightning, with running measures, progress,
checkpoints and history; the bare loop is what a user would write by hand. They take turns, a step each, in one process,
so that other work on the machine slows both. Told are milliseconds a step of both and of their difference, medians over
all steps with the quarters between which half of them lie, and, by itself, what the end of an epoch takes, where both
checkpoints are written.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from measuring import machine, spread, told
from torch import nn

from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.models.backbone import Backbone
from seisvision.records.configuration import ALLOWED_TARGETS_VARIABLE, to_plain
from seisvision.records.folder import RunFolder
from seisvision.runs.callbacks import KeepCheckpoints, ReportProgress
from seisvision.runs.terminal import quiet_libraries
from seisvision.runs.trainers import build_trainer

ROOT = Path(__file__).resolve().parents[1]
AIM_MS = 1.0
"""Milliseconds a step that the house may add."""


class OneLayer(Backbone):
    """One convolution over pictures (B, P, H, W), whose means are the features (B, 4)."""

    num_features = 4

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.maps = nn.Conv2d(in_channels, self.num_features, 5, stride=4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, 4)."""
        return self.maps(image).mean((-2, -1))


class BareLoop:
    """Steps as a user would write them, over the batches that the house trains on."""

    def __init__(self, task: Any, data: Any, clip: float) -> None:
        self.task, self.data, self.clip = task, data, clip
        # Of the optimiser of the other: the kinds and settings are the same.
        self.optimizer = task._make_optimizer(task.parameters())
        self.scheduler = task._make_scheduler(self.optimizer, total_steps=10**6)
        (self.output,) = task.outputs
        task.train()
        self._batches: Iterator[dict[str, Any]] = iter(())

    def step(self, epoch: int, index: int) -> None:
        """Fetch a batch, and learn from it."""
        if index == 0:
            self._batches = iter(self.data.train_dataloader())
        task, output = self.task, self.output
        batch = task.augment(next(self._batches), epoch, index, None)
        self.optimizer.zero_grad()
        loss = output.loss(task(batch)[output.name], output.truth(batch))
        loss.backward()
        nn.utils.clip_grad_norm_(task.parameters(), self.clip)
        self.optimizer.step()
        self.scheduler.step()


class TakeTurns(pl.Callback):
    """Does a step of the bare loop before each of the house, and remembers what both take.

    The house is timed from the end of a bare step to where its next one begins, so that all that it does between two
    batches is in it, but for the ends of epochs, which are told by themselves.
    """

    def __init__(self, bare: BareLoop) -> None:
        self.bare = bare
        self.bare_s, self.house_s, self.end_s = list[float](), list[float](), list[float]()
        self._resumed: float | None = None
        self._ended: float | None = None

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, index: int) -> None:
        """The step before is over; a bare one, then the one of the house begins."""
        now = time.process_time()
        if self._resumed is not None:
            self.house_s.append(now - self._resumed)
        elif self._ended is not None:
            self.end_s.append(now - self._ended)
        self.bare.step(trainer.current_epoch, index)
        self._resumed = time.process_time()
        if not trainer.is_last_batch:
            # The last step of an epoch has no next one before which to stop the clock.
            self.bare_s.append(self._resumed - now)

    def on_train_batch_end(self, trainer: pl.Trainer, *unused: Any) -> None:
        """After the last batch of an epoch the checkpoints begin."""
        if trainer.is_last_batch:
            self._resumed, self._ended = None, time.process_time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=240, help="events of the synthetic set; it is made if needed")
    parser.add_argument("--epochs", type=int, default=12, help="epochs, after one that does not count")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--set", nargs="*", default=[], help="further words of train.py")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    quiet_libraries()
    with tempfile.TemporaryDirectory() as scratch, patch.dict(os.environ, {ALLOWED_TARGETS_VARIABLE: "step."}):
        result = measure(arguments, Path(scratch))
    if arguments.json:
        print(json.dumps(result))
        return
    print(told(result["machine"]))
    print(f"one layer, {len(result['bare_ms'])} steps; milliseconds of the processor, median (half of all lie between)")
    print(f"  bare loop    {quarters(result['bare_ms'])} a step")
    print(f"  house        {quarters(result['house_ms'])} a step")
    print(f"  difference   {quarters(result['difference_ms'])} a step, aim at most {AIM_MS:g}")
    print(f"  end of an epoch with both checkpoints  {spread(result['end_ms'], digits=1)}")


def quarters(values: Sequence[float]) -> str:
    """Median, and the quarters beside it."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def measure(arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Milliseconds a step of each turn."""
    settings = Settings.of(configuration(arguments))
    view = build_view(settings.view)
    data, others = build_data(settings, view), build_data(settings, view)
    bare = BareLoop(build_task(settings, view), others, float(settings.trainer.gradient_clip_val or 1e9))
    folder = RunFolder(scratch)
    folder.best_checkpoint.parent.mkdir()
    turns = TakeTurns(bare)
    keeper = KeepCheckpoints(folder.best_checkpoint, folder.last_checkpoint, "min", None)
    trainer = build_trainer(settings.trainer, settings.system, folder, [], [turns, keeper, ReportProgress(False)])
    trainer.fit(build_task(settings, view), train_dataloaders=data.train_dataloader())
    # What is made once is made in the first epoch.
    first = len(data.train_dataloader()) - 1
    house, bare_ms = ([1e3 * one for one in some[first:]] for some in (turns.house_s, turns.bare_s))
    return {
        "machine": machine(),
        "bare_ms": bare_ms,
        "house_ms": house,
        "difference_ms": [one - other for one, other in zip(house, bare_ms, strict=True)],
        "end_ms": [1e3 * one for one in turns.end_s],
    }


def configuration(arguments: argparse.Namespace) -> dict[str, Any]:
    """Small pictures of quiet events."""
    overrides = [
        "~model", "+model._target_=step.OneLayer", f"dataset.source.n_events={arguments.events}",
        "dataset.source.n_stations=[4,6]", "dataset.source.noise_db=-30", "dataset.source.length_s=1200",
        "dataset.source.offset_range_deg=[2,20]", "view.height=32", "view.width=32", "split=paper",
        "split.test_fraction=0", "split.val_fraction=0.1", "trainer.accelerator=cpu",
        f"trainer.max_epochs={arguments.epochs + 1}", f"trainer.batch_size={arguments.batch}",
        "system.num_workers=0", f"system.data_dir={arguments.data_dir}", "logger=csv", *arguments.set,
    ]  # fmt: skip
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return to_plain(compose("train", overrides=overrides))


if __name__ == "__main__":
    main()
