"""What the house costs a small network of waveforms, against a bare PyTorch loop over the same tensors.

    python benchmarks/waveforms.py [--events 250] [--epochs 7] [--threads 2] [--model convnetquake] [--json]

An epoch: the house serves waveforms kept in memory, gives them to view and network, computes loss and running measures,
clips gradients and steps optimiser and schedule, writes its history and both checkpoints. The bare loop has the view's
pictures and the targets as two tensors, and does forward, loss, backward, clipping and step with the same optimiser in
batches of the same size, in an order drawn every epoch. Inference: predictions of all samples, decoded and with
their ids, against the network and its head alone. Both take turns in one process, so that a busy machine slows both;
what is told is the median of the ratios of neighbours, and their quartiles, of the wall clock and of the time of the
processors, which is the more steady one on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import measuring
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from torch import nn

from seisvision import keys
from seisvision.experiments.supervised.prediction import predict
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.configuration import to_plain
from seisvision.records.folder import RunFolder
from seisvision.runs.callbacks import KeepCheckpoints
from seisvision.runs.terminal import quiet_libraries
from seisvision.runs.trainers import build_predictor, build_trainer

ROOT = Path(__file__).resolve().parents[1]
MOST_OF_EPOCH, LEAST_OF_SPEED = 1.05, 0.95
"""What is asked: an epoch of at most so many times the bare one, inference at least so fast."""


Spent = tuple[float, float]
"""Seconds of the wall clock and of the processors."""


def now() -> Spent:
    return time.perf_counter(), time.process_time()


def since(start: Spent) -> Spent:
    wall, processors = now()
    return wall - start[0], processors - start[1]


class BareLoop:
    """The training and inference that a user would write by hand, over pictures that lie in memory.

    Args:
        task: a task of its own, freshly initialised.
        pictures: (N, P, T), with the ``target`` (N,) of its first output.
        batch_size: samples of a batch.
        clip: largest norm of the gradient.
    """

    def __init__(self, task: Any, pictures: torch.Tensor, target: torch.Tensor, batch_size: int, clip: float) -> None:
        self.model, self.output = task.model, task.outputs[0]
        self.optimizer = torch.optim.AdamW(task.parameters(), lr=1e-4)
        self.pictures, self.target, self.batch_size, self.clip = pictures, target, batch_size, clip

    def epoch(self) -> Spent:
        """What one epoch takes."""
        self.model.train()
        started = now()
        for rows in torch.randperm(len(self.pictures)).split(self.batch_size):
            self.optimizer.zero_grad()
            loss = self.output.loss(self.output(self.model(self.pictures[rows])), self.target[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
            self.optimizer.step()
        return since(started)

    @torch.inference_mode()
    def inference(self) -> Spent:
        """What network and head alone take over all pictures."""
        self.model.eval()
        started = now()
        for image in self.pictures.split(self.batch_size):
            self.output(self.model(image))
        return since(started)


class TakeTurns(pl.Callback):
    """Does an epoch of the bare loop before each of the house, and remembers what both take."""

    def __init__(self, bare: BareLoop) -> None:
        self.bare, self.pairs = bare, list[tuple[Spent, Spent]]()
        self._bare: Spent | None = None
        self._left = now()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The bare epoch, then the one of the house begins."""
        self._close()
        self._bare = self.bare.epoch()
        self._left = now()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The last epoch of the house is over."""
        self._close()

    def _close(self) -> None:
        if self._bare is not None:
            self.pairs.append((since(self._left), self._bare))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=250, help="events of the synthetic set; it is made if needed")
    parser.add_argument("--epochs", type=int, default=7, help="turns of each, after one that does not count")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128, help="windows of a batch, as many as in the paper")
    parser.add_argument("--model", default="convnetquake")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--set", nargs="*", default=[], help="further words of train.py")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    quiet_libraries()
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(arguments, Path(scratch))
    if arguments.json:
        print(json.dumps(result))
        return
    print(measuring.told(result["machine"]))
    print(f"{arguments.model}, {result['windows']} windows of 3 x 1001, {arguments.threads} threads")
    for name, asked in (("epoch", f"at most {MOST_OF_EPOCH}"), ("inference", f"at most {1 / LEAST_OF_SPEED:.3f}")):
        for clock, one in result[name].items():
            print(
                f"  {name:9s} {clock:10s} house {one['house_s']:.3f} s, bare {one['bare_s']:.3f} s, ratio "
                f"{one['ratio']:.3f} (quartiles {one['quartiles'][0]:.3f} to {one['quartiles'][1]:.3f}; aim: {asked})"
            )


def measure(arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Seconds and ratios of epochs and of inference."""
    config = configuration(arguments)
    settings = Settings.of(config)
    view = build_view(settings.view)
    data = build_data(settings, view)
    batches = list(data.loader("train"))
    pictures = torch.cat([view(batch) for batch in batches])
    target = torch.cat([batch[keys.TARGETS]["path_ep_distance_km"] for batch in batches])
    size, clip = settings.trainer.batch_size, settings.trainer.gradient_clip_val
    task = build_task(settings, view)
    bare = BareLoop(build_task(settings, view), pictures, target, size, clip)
    for output in (*task.outputs, bare.output):
        output.fit_statistics(target)
    folder = RunFolder(scratch)
    folder.best_checkpoint.parent.mkdir()
    turns = TakeTurns(bare)
    keeper = KeepCheckpoints(folder.best_checkpoint, folder.last_checkpoint, "min", None)
    trainer = build_trainer(settings.trainer, settings.system, folder, [], [turns, keeper])
    trainer.fit(task, train_dataloaders=data.train_dataloader())
    predictor = build_predictor(settings.trainer, settings.system, "cpu")
    inference = []
    for _ in range(arguments.epochs + 1):
        alone = bare.inference()
        started = now()
        predict(predictor, task, data.loader("train"))
        inference.append((since(started), alone))
    return {
        "machine": measuring.machine(),
        "windows": len(pictures),
        "threads": torch.get_num_threads(),
        "epoch": told(turns.pairs[1:]),
        "inference": told(inference[1:]),
    }


def configuration(arguments: argparse.Namespace) -> dict[str, Any]:
    """Single traces of local earthquakes, 1001 samples each, as many as there are."""
    overrides = [
        f"model={arguments.model}",
        "view=waveform",
        "view.n_samples=1001",
        "task=offset",
        "augment=none",
        "dataset=synthetic_local",
        f"dataset.source.n_events={arguments.events}",
        "dataset.traces.window.length_s=20.02",
        "split=paper",
        "split.test_fraction=0",
        "split.val_fraction=0.1",
        "trainer.accelerator=cpu",
        f"trainer.max_epochs={arguments.epochs + 1}",
        f"trainer.batch_size={arguments.batch}",
        f"system.data_dir={arguments.data_dir}",
        f"system.num_threads={arguments.threads}",
        "logger=csv",
        *arguments.set,
    ]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return to_plain(compose("train", overrides=overrides))


def told(pairs: list[tuple[Spent, Spent]]) -> dict[str, Any]:
    """Medians of the seconds of house and bare loop, and of their ratio, on both clocks."""
    clocks = {}
    for number, name in enumerate(("wall", "processors")):
        house, bare = ([one[number] for one in side] for side in zip(*pairs, strict=True))
        ratios = [one / other for one, other in zip(house, bare, strict=True)]
        first, middle, third = statistics.quantiles(ratios, n=4)
        clocks[name] = {
            "house_s": statistics.median(house),
            "bare_s": statistics.median(bare),
            "ratio": middle,
            "quartiles": [first, third],
        }
    return clocks


if __name__ == "__main__":
    main()
