"""What all rows share: the device, the waveform set, and experiments composed as a user composes them."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from pytorch_lightning.callbacks import Checkpoint
from torch.utils.data import DataLoader

from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.serving.epoch_sampler import EpochSampler
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.configuration import to_plain
from seisvision.records.folder import RunFolder
from seisvision.runs.speed import compiled
from seisvision.runs.trainers import build_trainer

ROOT = Path(__file__).resolve().parents[2]


class Setting:
    """Device, folder and sizes.

    Args:
        scratch: folder of what is made.
        is_dry: on the processor, in the smallest sizes.
    """

    def __init__(self, scratch: Path, is_dry: bool) -> None:
        self.scratch, self.is_dry = scratch, is_dry
        self.device = torch.device("cpu") if is_dry or not torch.cuda.is_available() else torch.device("cuda", 0)
        self.n_events = 20 if is_dry else 885
        self.accelerator = "cpu" if self.device.type == "cpu" else "gpu"
        self.network = "test_resnet" if is_dry else "resnet18"
        """What timm calls it."""

    def overrides(self, *more: str) -> list[str]:
        """Words of ``train.py`` for the default experiment of this benchmark."""
        small = ["dataset.source.length_s=600", "dataset.source.n_stations=[4,6]"] if self.is_dry else []
        small += [f"model.name={self.network}"] if self.is_dry else []
        return [
            f"dataset.source.n_events={self.n_events}", f"system.data_dir={self.scratch / 'data'}",
            f"system.runs_dir={self.scratch / 'runs'}", f"trainer.accelerator={self.accelerator}", "logger=csv",
            "split=paper", "split.test_fraction=0", "split.val_fraction=0.1", *small, *more,
        ]  # fmt: skip

    def compose(self, *more: str) -> Settings:
        """A configuration as ``train.py`` would read it."""
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return Settings.of(to_plain(compose("train", overrides=self.overrides(*more))))

    def build(self, *more: str) -> tuple[Settings, Any, EventDataModule]:
        """Configuration, task and data."""
        settings = self.compose(*more)
        view = build_view(settings.view)
        data = build_data(settings, view)
        torch.manual_seed(0)
        return settings, build_task(settings, view), data

    def compiling(self) -> torch.compiler.set_stance:
        """What torch makes of what is to be compiled: nothing in a dry run, which would spend minutes on it."""
        return torch.compiler.set_stance("force_eager" if self.is_dry else "default")

    def wait(self) -> None:
        """Until the device has done all that it was asked."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def forget(self) -> None:
        """Give the memory of a row back."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def fit(
        self, settings: Settings, task: Any, loader: Any, *callbacks: Any, ckpt: Path | None = None, **changed: Any
    ) -> pl.Trainer:
        """Train as ``train.py`` does, without validation and files of checkpoints."""
        folder = RunFolder(self.scratch / "fits" / str(len(list((self.scratch / "fits").glob("*")))))
        folder.path.mkdir(parents=True)
        trainer = build_trainer(settings.trainer, settings.system, folder, [], [NoFiles(), *callbacks])
        task.fused = settings.system.fused_optimizer
        with compiled(task, settings.system.compile):
            trainer.fit(task, train_dataloaders=loader(trainer) if callable(loader) else loader, ckpt_path=ckpt)
        return trainer


class NoFiles(Checkpoint):
    """Where Lightning finds no callback of this kind, it writes checkpoints of its own."""


class OverAgain(EpochSampler):
    """An epoch in which every sample comes several times, so that it lasts.

    Args:
        n_samples: number of samples.
        n_times: how often each comes.
    """

    def __init__(self, n_samples: int, n_times: int) -> None:
        super().__init__(n_samples * n_times, shuffle=True)
        self._n_samples = n_samples

    def order(self) -> np.ndarray:
        """Numbers of the epoch."""
        return super().order() % self._n_samples


def long_loader(data: EventDataModule, trainer: pl.Trainer, n_batches: int) -> DataLoader:
    """The training loader of ``data`` as a trainer gets it, but for so many whole batches."""
    data.trainer = trainer
    loader = data.loader("train", shuffle=True)
    n_times = -(-n_batches * data.batch_size // len(loader.dataset))  # type: ignore[arg-type]
    return DataLoader(
        loader.dataset,
        batch_size=data.batch_size,
        sampler=OverAgain(len(loader.dataset), n_times),  # type: ignore[arg-type]
        drop_last=True,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        persistent_workers=loader.persistent_workers,
        multiprocessing_context=loader.multiprocessing_context,
    )
