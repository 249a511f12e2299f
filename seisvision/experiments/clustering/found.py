"""What is judged of a clustering: features of all samples, and the classes that are known of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.data.samples.traces import sample_targets
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError
from seisvision.experiments.waveforms.asking import ask, from_all_processes, ids_in_data_order
from seisvision.experiments.waveforms.settings import Settings, class_map
from seisvision.tasks.deep_cluster import DeepClusterTask

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Extracted:
    """Features of N samples, in the order of the loader."""

    ids: SampleIds
    """Which N samples these are."""
    features: np.ndarray
    """float32 (N, F)."""


@dataclass(frozen=True)
class KnownClasses:
    """What a column of the set says of N samples, for judging clusters only."""

    names: list[str]
    numbers: np.ndarray
    """Class number (N,), -1 where there is none."""


def extract(trainer: pl.Trainer, task: DeepClusterTask, loader: DataLoader) -> Extracted:
    """Features of all samples of a loader, in the order of its data set.

    Where several processes work together each computes its share, and all return the whole.
    """
    batches = ask(trainer, task, loader)
    if keys.COUNTS in batches[0]:
        batches = from_all_processes(batches)
    ids, rows = ids_in_data_order(task.view.unit, batches, loader)
    return Extracted(ids, torch.cat([batch["features"] for batch in batches]).numpy()[rows])


def known_classes(config: Settings, waveform_set: WaveformSet, found: Extracted) -> dict[str, KnownClasses]:
    """Classes of the samples by column of ``dataset.labels``; columns that the set lacks are left out."""
    known = {}
    for column, classes in config.dataset.labels.items():
        targets = {column: class_map(config, column)}
        if not targets[column]:
            continue
        try:
            numbers = sample_targets(waveform_set, found.ids, targets)[column]
        except DataError as error:
            log.info("clusters are not compared with %s: %s", column, error)
            continue
        if (numbers >= 0).any():
            known[column] = KnownClasses([str(name) for name in classes], numbers)
    return known
