"""Means over an epoch that are logged once: Lightning's own take a millisecond a batch."""

from __future__ import annotations

from collections.abc import Mapping

import pytorch_lightning as pl
import torch


class EpochMeans:
    """Sums of values over the samples of a part, such as ``train``, kept where they were computed."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, torch.Tensor | float]] = {}
        self._n_samples: dict[str, int] = {}

    def add(self, part: str, values: Mapping[str, torch.Tensor], n_samples: int) -> None:
        """Add means () over a batch of so many samples, of all processes together."""
        sums = self._sums.setdefault(part, {})
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + value.detach() * n_samples
        self._n_samples[part] = self._n_samples.get(part, 0) + n_samples

    def log(self, task: pl.LightningModule, part: str) -> None:
        """Log the mean of each value since the last time as ``<part>/<name>``, over all processes.

        In a training in the hook after the last batch: what happens at the end of the epoch asks for it.
        """
        n_samples = self._n_samples.pop(part)
        for name, summed in self._sums.pop(part).items():
            task.log(f"{part}/{name}", summed / n_samples, batch_size=1, sync_dist=True, on_step=False, on_epoch=True)
