"""Serves the parts of a split as batches, to one process or to many."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from seisvision.base.sample_ids import row_numbers
from seisvision.base.units import EVENT, unit_named
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.left_out import summary
from seisvision.data.samples.network import StationNetwork
from seisvision.data.samples.noise.choice import find_noise, with_noise
from seisvision.data.samples.still.telling import tell_still
from seisvision.data.samples.targets import ClassMap
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.samples.usability import (
    Selection,
    check_components,
    moving_traces,
    set_ids,
    unusable_samples,
    with_cache,
)
from seisvision.data.serving.cluster_sampler import ClusterSampler
from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.epoch_sampler import (
    DealtSamples,
    DrawnStations,
    EpochSampler,
    Numbered,
    TrainingBatches,
    local_batch_size,
)
from seisvision.data.serving.memory import SamplesInMemory
from seisvision.data.serving.mixed import Beside, MixedSamples, mix
from seisvision.data.serving.redrawn import RedrawnWindows
from seisvision.data.serving.superposed import SuperposedSamples, Superposition
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.split import UNITS, Split
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.keys import SPLITS
from seisvision.processes import end_with_parent
from seisvision.seeding import DEFAULT_SEED, stream_seed

logger = logging.getLogger(__name__)

Served = EventSamples | TraceSamples | SamplesInMemory | Numbered | MixedSamples


@dataclass(frozen=True)
class Exclusion:
    """An event that no part serves, the part it would be in ("" for none) and the reason.

    Where one trace is left out, ``trace_id`` names it (row of the metadata table).
    """

    source_id: str
    part: str
    reason: str
    trace_id: str = ""


class EventDataModule(pl.LightningDataModule):
    """Batches of events, or of single traces, for training, validation and test.

    Args:
        waveform_set: the set, or its folder.
        split: split of the events of that set, or of its traces where ``unit`` is ``"trace"``. Traces follow their
            event in a split of events.
        samples: keywords of :class:`EventSamples` or :class:`TraceSamples` (``window``, ``components``, ...).
        unit: what a sample is, ``"event"`` or ``"trace"``.
        select: event column to the values that are kept, such as ``{"source_type": ["glacial"]}``.
        onset: keywords of :func:`seisvision.data.samples.onsets.detect_onsets`; ``None`` detects none.
        cache_dir: where detected onsets are kept.
        in_memory: read every part once, at its first use, and keep it.
        class_names: class target to the names of its class numbers; default the values themselves.
        batch_size: samples of a batch of all processes together.
        num_workers: reading processes; 0 reads in this one, as do parts that are kept in memory.
        min_stations: events with fewer traces are excluded; not asked where samples are traces.
        seed: base seed of shuffling, and of the samples unless these say otherwise.
        refit: train on train and val together; then there is no val.
        worker_start: ``"fork"``, ``"spawn"`` or ``"forkserver"``; default fork on Linux, else the system's own.
        left_out: events that the split leaves out, and why.
        derived: what the derived columns of the set were made by, for the record.

    Attributes:
        parts: part name to :class:`EventSamples` or :class:`TraceSamples`; a part the split does not have is missing.
        excluded: events and traces left out, each with its reason.
        class_names: class target to the names of class numbers 0 to K - 1.
        counts: part to class target to class name to number of samples.

    Raises:
        DataError: the split is empty or belongs to another set, or nothing is left of a part.
        ConfigurationError: a split of other units, settings not allowed, or a class without training samples.
    """

    def __init__(
        self,
        waveform_set: WaveformSet | str | Path,
        split: Split,
        *,
        samples: Mapping[str, Any],
        unit: str = "event",
        select: Selection | None = None,
        onset: Mapping[str, Any] | None = None,
        cache_dir: str | Path | None = None,
        in_memory: bool = False,
        class_names: Mapping[str, Sequence[str]] | None = None,
        batch_size: int = 32,
        num_workers: int = 0,
        min_stations: int = 1,
        seed: int = DEFAULT_SEED,
        refit: bool = False,
        worker_start: str | None = None,
        left_out: Mapping[str, str] | None = None,
        derived: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.waveform_set = waveform_set if isinstance(waveform_set, WaveformSet) else WaveformSet(waveform_set)
        self.split = split
        self.unit = unit
        self.select = select
        self.in_memory = in_memory
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.min_stations = min_stations
        self.seed = seed
        self.refit = refit
        self.left_out = dict(left_out or {})
        self.derived = dict(derived or {})
        self.beside: dict[str, Beside] = {}
        """Further sets that fill a share of every epoch of training."""
        self.superposition: Superposition | None = None
        """How other windows are laid over those of the training; needs windows that are drawn anew."""
        self.first_epoch = 0
        """Epoch with which the training starts; more than 0 where it is resumed."""
        self.worker_start = worker_start or ("fork" if sys.platform == "linux" else None)
        self.cache_dir = cache_dir
        self._arguments = with_cache({"seed": seed, "onset": onset, **samples}, cache_dir)
        self.network: StationNetwork | None = self._arguments.get("network")
        """The stations from whose middle local coordinates count; None where samples know none."""
        self._check_settings()
        check_components(self.waveform_set, self._arguments.get("components", "Z"))
        self.excluded: list[Exclusion] = []
        self.parts = {part: self._make_samples(part, ids) for part, ids in self._ids_by_part().items()}
        self._report_excluded()
        self._kept: dict[str, SamplesInMemory] = {}
        self._redrawn: dict[str, DrawnStations | RedrawnWindows] = {}
        self.class_names = {
            column: _class_names(column, class_map, (class_names or {}).get(column))
            for column, class_map in (self._arguments.get("targets") or {}).items()
            if class_map is not None
        }
        tell_still(self)
        self.counts = {part: self._count_classes(part) for part in self.parts}
        self._refuse_untrained_classes()

    def _check_settings(self) -> None:
        if self.unit not in UNITS:
            raise ConfigurationError(f"unit='{self.unit}' is not known. {did_you_mean(self.unit, list(UNITS))}")
        if self.unit == "event" and self.split.unit != "event":
            plural = unit_named(self.split.unit).plural
            raise ConfigurationError(f"samples that are events need a split of events, not of {plural}; draw another")
        if not any(self.split.parts.values()):
            raise DataError(f"the split of {self.waveform_set.path} is empty: no {self.split.unit} is in any part")
        if self.batch_size < 1 or self.num_workers < 0:
            raise ConfigurationError(
                f"batch_size={self.batch_size} must be at least 1 and num_workers={self.num_workers} at least 0"
            )

    def _ids_by_part(self) -> dict[str, list[str]]:
        """Return the sample ids of every part after refit; ids of the set that are in no part are excluded."""
        parts = {part: list(self.split.parts.get(part, ())) for part in SPLITS}
        listed = {name for members in parts.values() for name in members}
        everything = set_ids(self.waveform_set, self.split.unit).ids
        parts[""] = [name for name in everything if name not in listed]
        if self.unit != self.split.unit:
            parts = {part: self._traces_of(members) for part, members in parts.items()}
        unlisted = parts.pop("")
        reasons = self._unusable(unlisted)
        events = set_ids(self.waveform_set, self.unit, unlisted).source_ids
        told = {name: self.left_out.get(event) for name, event in zip(unlisted, events, strict=True)}
        self._exclude("", {name: told[name] or reasons.get(name, "in no part of the split") for name in unlisted})
        parts = self._with_noise(parts)
        if self.refit:
            parts["train"] += parts.pop("val")
        return {part: members for part, members in parts.items() if members}

    def _with_noise(self, parts: dict[str, list[str]]) -> dict[str, list[str]]:
        """The parts with the noise windows of their events, where any are asked for."""
        noise = self._arguments.get("noise")
        if noise is None or self.unit != "trace":
            return parts
        events = dict.fromkeys(
            event for members in parts.values() for event in set_ids(self.waveform_set, self.unit, members).source_ids
        )
        found, refused = find_noise(self.waveform_set, list(events), noise, self._unusable)
        for part, members in with_noise(parts, list(refused)).items():
            self._exclude(part, {name: refused[name] for name in members[len(parts[part]) :]})
        return with_noise(parts, found)

    def _traces_of(self, source_ids: Sequence[str]) -> list[str]:
        return [str(row) for source_id in source_ids for row in self.waveform_set.rows(source_id)]

    def _unusable(self, ids: Sequence[str]) -> dict[str, str]:
        return unusable_samples(
            self.waveform_set,
            ids,
            samples=self._arguments,
            unit=self.unit,
            select=self.select,
            min_stations=self.min_stations,
            cache_dir=self.cache_dir,
        )

    def moving_traces(self, ids: Sequence[str]) -> list[np.ndarray]:
        """Tell of each of these samples which of its traces move within the window, bool (S,)."""
        return moving_traces(self.waveform_set, ids, samples=self._arguments, unit=self.unit, cache_dir=self.cache_dir)

    def class_map(self, column: str) -> ClassMap | None:
        """Value of a column, as text, to class number; ``None`` where it holds numbers."""
        return (self._arguments.get("targets") or {})[column]

    def _exclude(self, part: str, reasons: Mapping[str, str]) -> None:
        ids = set_ids(self.waveform_set, self.unit, list(reasons))
        self.excluded += [
            Exclusion(source_id, part, reason, "" if ids.kind is EVENT else name)
            for source_id, (name, reason) in zip(ids.source_ids, reasons.items(), strict=True)
        ]

    def _make_samples(self, part: str, ids: list[str]) -> EventSamples | TraceSamples:
        reasons = self._unusable(ids)
        self._exclude(part, reasons)
        kept = [name for name in ids if name not in reasons]
        if not kept:
            raise DataError(
                f"no {self.unit} is left in part '{part}' of {self.waveform_set.path}: "
                f"{summary(list(reasons.values()), self.unit)}; check these settings, or draw another split"
            )
        return self.samples_of(kept)

    def samples_of(self, ids: Sequence[str]) -> EventSamples | TraceSamples:
        """Return the samples with these ids, in that order and of any part, cut as those of the parts."""
        return self._cut(ids, self._arguments)

    def _cut(self, ids: Sequence[str], arguments: Mapping[str, Any]) -> EventSamples | TraceSamples:
        if self.unit == "event":
            return EventSamples(self.waveform_set, ids, **arguments)
        return TraceSamples(self.waveform_set, ids, **arguments)

    def _report_excluded(self) -> None:
        if self.excluded:
            told = summary([exclusion.reason for exclusion in self.excluded], self.unit)
            what = unit_named(self.unit).plural
            logger.warning("%d %s of %s are left out: %s", len(self.excluded), what, self.waveform_set.path, told)

    def _count_classes(self, part: str) -> dict[str, dict[str, int]]:
        targets = self.parts[part].targets
        return {
            column: {name: int((targets[column] == number).sum()) for number, name in enumerate(names)}
            for column, names in self.class_names.items()
        }

    def _refuse_untrained_classes(self) -> None:
        """Refuse classes that no network could learn; without a training part there is nothing to learn."""
        for column, counts in self.counts.get("train", {}).items():
            empty = [name for name, count in counts.items() if count == 0]
            if empty:
                raise ConfigurationError(
                    f"no training {self.unit} of {self.waveform_set.path} is of class '{empty[0]}' of '{column}' (the "
                    f"training part holds {counts}); leave the class out of dataset.labels.{column}, or draw a "
                    "stratified split"
                )

    def variant(self, parts: Sequence[str], **changes: Any) -> EventSamples | TraceSamples:
        """Return the samples of some parts together, in file order, cut with some other settings.

        Args:
            parts: names of parts.
            **changes: keywords of the samples, such as ``components="ZNE"`` for a baseline.
        """
        ids = {sample_id for part in parts for sample_id in self.parts[part].sample_ids}
        in_order = [name for name in set_ids(self.waveform_set, self.unit).ids if name in ids]
        if self.unit == "trace":
            in_order = sorted(ids, key=lambda name: (row_numbers([name])[0], name))
        return self._cut(in_order, {**self._arguments, **changes})

    def loader(self, part: str, *, shuffle: bool = False, labels: np.ndarray | None = None) -> DataLoader:
        """Return a loader of one part for this process; all ranks together serve each sample once.

        An order that is drawn is one to train in: there a last batch of one sample joins the one before it.

        Args:
            part: name of the part.
            shuffle: draw a new order every epoch, new stations where ``station_choice`` is ``"random"``, and new
                windows where ``window.redrawn``.
            labels: cluster (N,) of every sample; then every cluster comes equally often, in an order drawn every epoch.

        Raises:
            ConfigurationError: the split has no such part, or the batch cannot be dealt evenly.
        """
        if part not in self.parts:
            raise ConfigurationError(f"there is no part '{part}' to serve. {did_you_mean(part, list(self.parts))}")
        # Lightning puts a sampler without shuffling in the place of one with it, but knows nothing of our batches.
        drawn = shuffle and not getattr(self.trainer, "overfit_batches", 0)
        samples = self._served(part, redrawn=drawn or labels is not None)
        redraws = isinstance(samples, DrawnStations | RedrawnWindows)
        num_workers = 0 if self.in_memory else self.num_workers
        rank, n_ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        ranks: dict[str, Any] = {"rank": rank, "n_ranks": n_ranks, "batch_size": self.batch_size}
        ranks["tells_epoch"] = redraws
        sampler = EpochSampler(len(samples), shuffle=drawn, seed=self.seed, joins=shuffle, **ranks)
        if labels is not None:
            sampler = ClusterSampler(labels, seed=self.seed, joins=True, **ranks)
        elif self.beside and part == "train" and drawn:
            samples, sampler = mix(samples, self.beside, self.seed, {**ranks, "tells_epoch": False})
        if self.superposition is not None and part == "train" and drawn:
            samples = SuperposedSamples(samples, self.superposition, self.seed)
        batches: dict[str, Any] = {"batch_size": local_batch_size(self.batch_size, n_ranks), "sampler": sampler}
        if sampler.is_joined:
            batches = {"batch_sampler": TrainingBatches(sampler)}
        # Batches are then made on the GPU: the processor sends it the numbers of the samples and nothing else.
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        is_on_device = isinstance(samples, SamplesInMemory | RedrawnWindows) and samples.live_on(device)
        return DataLoader(
            DealtSamples(samples) if n_ranks > 1 else samples,
            **batches,
            num_workers=num_workers,
            collate_fn=collate_events,
            persistent_workers=num_workers > 0,
            multiprocessing_context=self.worker_start if num_workers > 0 else None,
            worker_init_fn=functools.partial(end_with_parent, os.getpid()),
            pin_memory=torch.cuda.is_available() and not is_on_device,
            # A generator of its own: iterating must not advance torch's global random state.
            generator=torch.Generator().manual_seed(stream_seed(self.seed, "loader")),
        )

    def _served(self, part: str, redrawn: bool) -> Served:
        """The samples of a part as a loader serves them, as the epoch shows them where that is drawn again."""
        samples = self.parts[part]
        draws_stations = isinstance(samples, EventSamples) and samples.draws_stations
        if redrawn and (draws_stations or samples.window.redrawn):
            if part not in self._redrawn:
                self._redrawn[part] = self._redrawing(samples)
            return self._redrawn[part]
        return self._kept.setdefault(part, SamplesInMemory(samples)) if self.in_memory else samples

    def train_samples(self) -> Served:
        """The samples of the training part, as an epoch of training shows them."""
        return self._served("train", redrawn=True)

    def _redrawing(self, samples: EventSamples | TraceSamples) -> DrawnStations | RedrawnWindows:
        wide = samples
        if samples.window.redrawn:
            wide = self._cut(samples.sample_ids, {**self._arguments, "window": samples.window.widest})
        drawn: Served = wide
        if isinstance(wide, EventSamples) and wide.draws_stations:
            drawn = DrawnStations(wide, self.in_memory)
        elif self.in_memory:
            drawn = SamplesInMemory(wide)
        return RedrawnWindows(samples, drawn) if samples.window.redrawn else drawn  # type: ignore[arg-type,return-value]

    def train_dataloader(self) -> DataLoader:
        """Return the shuffled loader of the training part."""
        loader = self.loader("train", shuffle=True)
        # Reading processes draw their first batches at once, before Lightning tells the sampler its epoch.
        loader.batch_sampler.sampler.set_epoch(self.first_epoch)  # type: ignore[union-attr]
        return loader

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """Return the loader of the val part, none after refit."""
        return self.loader("val") if "val" in self.parts else []


def _class_names(column: str, class_map: ClassMap, given: Sequence[str] | None) -> list[str]:
    """Return K names; where none are given the values of each class, joined by "/"."""
    numbers = sorted({int(number) for number in class_map.values()})
    if numbers != list(range(len(numbers))):
        raise ConfigurationError(f"class numbers {numbers} of '{column}' must be 0 to K - 1 without gaps")
    if given is None:
        return ["/".join(str(value) for value, number in class_map.items() if number == k) for k in numbers]
    if len(given) != len(numbers):
        raise ConfigurationError(
            f"'{column}' has {len(numbers)} classes but the names {list(given)}; give one name each"
        )
    return [str(name) for name in given]
