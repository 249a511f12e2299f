"""What the house costs an epoch of a network on a catalogue, against a bare PyTorch loop over the same tensors.

    python benchmarks/forecast_epoch.py [--experiment forecast_conv_lstm] [--epochs 5] [--threads 2]

The catalogue is a synthetic one of nothing but ETAS. The house cuts maps from the history of each window as it goes,
logs, and writes both checkpoints; the bare loop has maps, rates and counts of all windows as tensors. Both take turns
in one process; told is the median of the ratios of neighbours, and their quartiles, of the wall clock and of the
processors.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from measuring import tell_machine
from torch import nn
from waveforms import MOST_OF_EPOCH, ROOT, Spent, TakeTurns, now, since, told

from seisvision.experiments.forecasting.experiment import ForecastExperiment
from seisvision.records.configuration import to_plain
from seisvision.records.folder import RunFolder
from seisvision.runs.callbacks import KeepCheckpoints
from seisvision.runs.terminal import quiet_libraries
from seisvision.runs.trainers import build_trainer


class BareForecast:
    """The training that a user would write by hand.

    Args:
        task: a task of its own, whose loss is taken.
        batch: all windows as one batch.
        batch_size: windows of a batch.
        clip: largest norm of the gradient.
    """

    def __init__(self, task: Any, batch: dict[str, torch.Tensor], batch_size: int, clip: float) -> None:
        self.task, self.batch, self.batch_size, self.clip = task, batch, batch_size, clip
        self.optimizer = torch.optim.AdamW(task.parameters(), lr=1e-4)

    def epoch(self) -> Spent:
        """What one epoch takes."""
        self.task.train()
        started = now()
        for rows in torch.randperm(len(next(iter(self.batch.values())))).split(self.batch_size):
            part = {key: value[rows] for key, value in self.batch.items()}
            self.optimizer.zero_grad()
            loss = self.task._unweighted(part, self.task(part), part["event_counts"]).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(self.task.parameters(), self.clip)
            self.optimizer.step()
        return since(started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="forecast_conv_lstm")
    parser.add_argument("--epochs", type=int, default=5, help="turns of each, after one that does not count")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--set", nargs="*", default=[], help="further words of train.py")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tell_machine()
    quiet_libraries()
    words = [
        f"experiment={arguments.experiment}", "logger=csv",
        f"trainer.max_epochs={arguments.epochs + 1}", "trainer.accelerator=cpu", "system.progress=lines",
        f"system.data_dir={arguments.data_dir}", f"system.num_threads={arguments.threads}",
        *arguments.set,
    ]  # fmt: skip
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = to_plain(compose("train", words))
    with tempfile.TemporaryDirectory() as scratch:
        folder = RunFolder(Path(scratch))
        folder.best_checkpoint.parent.mkdir()
        experiment = ForecastExperiment(config, folder)
        experiment.load()
        task, alone = experiment.build(), ForecastExperiment.build(experiment)
        settings = experiment.settings
        parts = list(experiment.data.loader("train"))
        batch = {key: torch.cat([part[key] for part in parts]) for key in parts[0] if torch.is_tensor(parts[0][key])}
        bare = BareForecast(alone, batch, settings.trainer.batch_size, settings.trainer.gradient_clip_val or 1e9)
        turns = TakeTurns(bare)  # type: ignore[arg-type]
        keeper = KeepCheckpoints(folder.best_checkpoint, folder.last_checkpoint, "min", None)
        trainer = build_trainer(settings.trainer, settings.system, folder, [], [turns, keeper])
        trainer.fit(task, train_dataloaders=experiment.batches(0).train_dataloader())
        windows = len(next(iter(batch.values())))
    print(f"{arguments.experiment}, {windows} windows, {arguments.threads} threads")
    for clock, one in told(turns.pairs[1:]).items():
        print(
            f"  epoch {clock:10s} house {one['house_s']:.3f} s, bare {one['bare_s']:.3f} s, ratio {one['ratio']:.3f} "
            f"(quartiles {one['quartiles'][0]:.3f} to {one['quartiles'][1]:.3f}; aim: at most {MOST_OF_EPOCH})"
        )


if __name__ == "__main__":
    main()
