"""Windows in batches, to one process or to several."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from seisvision.base.share import local_batch_size
from seisvision.data.serving.epoch_sampler import DealtSamples, EpochSampler, TrainingBatches
from seisvision.forecasting.samples.samples import Samples
from seisvision.processes import end_with_parent
from seisvision.seeding import stream_seed


class ForecastBatches(pl.LightningDataModule):
    """Batches of the parts of a forecast; the order of training follows from seed and epoch.

    Args:
        samples: by part.
        batch_size: of all processes together.
        seed: base seed.
        num_workers: reading processes; 0 reads in this one.
    """

    def __init__(self, samples: Mapping[str, Samples], batch_size: int, seed: int, num_workers: int = 0) -> None:
        super().__init__()
        self.samples, self.batch_size, self.seed, self.num_workers = samples, batch_size, seed, num_workers
        self.first_epoch = 0

    def loader(self, part: str, shuffle: bool = False, whole: bool = False) -> DataLoader:
        """Loader of a part for this process.

        Args:
            part: its name.
            shuffle: draw a new order every epoch.
            whole: all samples to this process, whatever others there are.
        """
        samples = self.samples[part]
        drawn = shuffle and not getattr(self.trainer, "overfit_batches", 0)
        rank, n_ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer and not whole else (0, 1)
        sampler = EpochSampler(
            len(samples), shuffle=drawn, seed=self.seed, joins=shuffle, rank=rank, n_ranks=n_ranks,
            batch_size=self.batch_size,
        )  # fmt: skip
        batches: dict[str, Any] = {"batch_size": local_batch_size(self.batch_size, n_ranks), "sampler": sampler}
        if sampler.is_joined:
            batches = {"batch_sampler": TrainingBatches(sampler)}
        return DataLoader(
            DealtSamples(samples) if n_ranks > 1 else samples,
            **batches,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            multiprocessing_context="fork" if self.num_workers > 0 and sys.platform == "linux" else None,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=functools.partial(end_with_parent, os.getpid()),
            # A generator of its own: iterating must not advance torch's global random state.
            generator=torch.Generator().manual_seed(stream_seed(self.seed, "loader")),
        )

    def train_dataloader(self) -> DataLoader:
        """The shuffled loader of the training part."""
        loader = self.loader("train", shuffle=True)
        loader.batch_sampler.sampler.set_epoch(self.first_epoch)  # type: ignore[union-attr]
        return loader

    def val_dataloader(self) -> DataLoader:
        """The loader of the validation part."""
        return self.loader("val")
