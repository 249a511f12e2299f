"""Serves the parts of a split as batches, to one process or to many."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from seisvision.data.epoch_sampler import EpochSampler
from seisvision.data.event_index import build_event_index
from seisvision.data.samples import ClassMap, EventSamples, collate_events, reference_s, target_arrays
from seisvision.data.split import Split
from seisvision.data.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.keys import SPLITS
from seisvision.seeding import DEFAULT_SEED, stream_seed

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exclusion:
    """An event that no part serves, the part it would be in ("" for none) and the reason."""

    source_id: str
    part: str
    reason: str


class EventDataModule(pl.LightningDataModule):
    """Batches of events for training, validation and test.

    Args:
        waveform_set: the set, or its folder.
        split: event split of that set.
        samples: keywords of :class:`EventSamples` (``window``, ``components``, ``targets``, ...) for all parts.
        samples_by_part: keywords that differ in a part, such as ``{"train": {"window": ...}}`` with jitter.
        class_names: class target to the names of its class numbers; default the values themselves.
        batch_size: events per batch and process.
        num_workers: reading processes; 0 reads in this one.
        min_stations: events with fewer traces are excluded.
        seed: base seed of shuffling, and of the samples unless these say otherwise.
        drop_last: leave out the last, smaller training batch.
        refit: train on train and val together; then there is no val.
        worker_start: ``"fork"``, ``"spawn"`` or ``"forkserver"``; default fork on Linux, else the system's own.

    Attributes:
        parts: part name to :class:`EventSamples`; a part the split does not have is missing.
        excluded: events left out, each with its reason.
        class_names: class target to the names of class numbers 0 to K - 1.
        counts: part to class target to class name to number of events.

    Raises:
        DataError: the split belongs to another set, or nothing is left of a part.
        ConfigurationError: a split of traces, or settings not allowed.
    """

    def __init__(
        self,
        waveform_set: WaveformSet | str | Path,
        split: Split,
        *,
        samples: Mapping[str, Any],
        samples_by_part: Mapping[str, Mapping[str, Any]] | None = None,
        class_names: Mapping[str, Sequence[str]] | None = None,
        batch_size: int = 32,
        num_workers: int = 0,
        min_stations: int = 1,
        seed: int = DEFAULT_SEED,
        drop_last: bool = False,
        refit: bool = False,
        worker_start: str | None = None,
    ) -> None:
        super().__init__()
        self.waveform_set = waveform_set if isinstance(waveform_set, WaveformSet) else WaveformSet(waveform_set)
        self.split = split
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.min_stations = min_stations
        self.seed = seed
        self.drop_last = drop_last
        self.refit = refit
        self.first_epoch = 0
        """Epoch with which the training starts; more than 0 where it is resumed."""
        self.worker_start = worker_start or ("fork" if sys.platform == "linux" else None)
        self._arguments: dict[str, dict[str, Any]] = {part: {"seed": seed, **samples} for part in SPLITS}
        self._check_settings(samples_by_part or {})
        for part, changes in (samples_by_part or {}).items():
            self._arguments[part].update(changes)
        self.excluded: list[Exclusion] = []
        self.parts = {part: self._make_samples(part, ids) for part, ids in self._ids_by_part().items()}
        self._report_excluded()
        self.class_names = {
            column: _class_names(column, class_map, (class_names or {}).get(column))
            for column, class_map in (self._arguments["train"].get("targets") or {}).items()
            if class_map is not None
        }
        self.counts = {part: self._count_classes(events) for part, events in self.parts.items()}

    def _check_settings(self, samples_by_part: Mapping[str, Any]) -> None:
        if self.split.unit != "event":
            raise ConfigurationError(
                f"EventDataModule needs a split of events, not of {self.split.unit}s; draw another"
            )
        if self.batch_size < 1 or self.num_workers < 0:
            raise ConfigurationError(
                f"batch_size={self.batch_size} must be at least 1 and num_workers={self.num_workers} at least 0"
            )
        for part in samples_by_part:
            if part not in SPLITS:
                raise ConfigurationError(f"samples_by_part names '{part}'. {did_you_mean(part, list(SPLITS))}")

    def _ids_by_part(self) -> dict[str, list[str]]:
        """Return the ids of every part after refit; ids of the set that are in no part are excluded."""
        ids = {part: list(self.split.parts.get(part, ())) for part in SPLITS}
        listed = {source_id for members in ids.values() for source_id in members}
        unlisted = [source_id for source_id in self.waveform_set.source_ids if source_id not in listed]
        reasons = unusable_events(self.waveform_set, unlisted, self._arguments["train"], self.min_stations)
        for source_id in unlisted:
            self.excluded.append(Exclusion(source_id, "", reasons.get(source_id, "in no part of the split")))
        if self.refit:
            ids["train"] += ids.pop("val")
        return {part: members for part, members in ids.items() if members}

    def _make_samples(self, part: str, ids: list[str]) -> EventSamples:
        reasons = unusable_events(self.waveform_set, ids, self._arguments[part], self.min_stations)
        self.excluded += [Exclusion(source_id, part, reason) for source_id, reason in reasons.items()]
        kept = [source_id for source_id in ids if source_id not in reasons]
        if not kept:
            raise DataError(
                f"no event is left in part '{part}' of {self.waveform_set.path}: {_summary(list(reasons.values()))}; "
                "check the class map, min_stations and the window"
            )
        return EventSamples(self.waveform_set, kept, **self._arguments[part])

    def _report_excluded(self) -> None:
        if self.excluded:
            summary = _summary([exclusion.reason for exclusion in self.excluded])
            logger.warning("%d events of %s are left out: %s", len(self.excluded), self.waveform_set.path, summary)

    def _count_classes(self, events: EventSamples) -> dict[str, dict[str, int]]:
        return {
            column: {name: int((events.targets[column] == number).sum()) for number, name in enumerate(names)}
            for column, names in self.class_names.items()
        }

    def loader(self, part: str, *, shuffle: bool = False) -> DataLoader:
        """Return a loader of one part for this process; unshuffled, all ranks together serve each event once.

        Raises:
            ConfigurationError: the split has no such part.
        """
        if part not in self.parts:
            raise ConfigurationError(f"there is no part '{part}' to serve. {did_you_mean(part, list(self.parts))}")
        events = self.parts[part]
        rank, n_ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return DataLoader(
            events,
            batch_size=self.batch_size,
            sampler=EpochSampler(len(events), shuffle=shuffle, seed=self.seed, rank=rank, n_ranks=n_ranks),
            num_workers=self.num_workers,
            collate_fn=collate_events,
            drop_last=shuffle and self.drop_last and len(events) >= self.batch_size * n_ranks,
            persistent_workers=self.num_workers > 0,
            multiprocessing_context=self.worker_start if self.num_workers > 0 else None,
            pin_memory=torch.cuda.is_available(),
            # A generator of its own: iterating must not advance torch's global random state.
            generator=torch.Generator().manual_seed(stream_seed(self.seed, "loader")),
        )

    def train_dataloader(self) -> DataLoader:
        """Return the shuffled loader of the training part."""
        loader = self.loader("train", shuffle=True)
        # Reading processes draw their first batches at once, before Lightning tells the sampler its epoch.
        loader.sampler.set_epoch(self.first_epoch)  # type: ignore[attr-defined]
        return loader

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """Return the loader of the val part, none after refit."""
        return self.loader("val") if "val" in self.parts else []

    def test_dataloader(self) -> DataLoader | list[DataLoader]:
        """Return the loader of the test part."""
        return self.loader("test") if "test" in self.parts else []


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


def unusable_events(
    waveform_set: WaveformSet, ids: Sequence[str], samples: Mapping[str, Any], min_stations: int
) -> dict[str, str]:
    """Return the events that cannot be served, each with the first reason found.

    Args:
        waveform_set: the set.
        ids: events to judge.
        samples: keywords of :class:`EventSamples`, of which ``window`` and ``targets`` count.
        min_stations: fewest traces.
    """
    index = build_event_index(waveform_set, ids)
    targets = samples.get("targets") or {}
    values = target_arrays(waveform_set, ids, targets)
    labelled = [array >= 0 if array.dtype == np.int64 else np.isfinite(array) for array in values.values()]
    unlabelled = ~np.any(labelled, axis=0) if labelled else np.zeros(len(ids), dtype=bool)
    few = np.diff(index.first) < min_stations
    unknown = np.isnan(reference_s(index, samples["window"]))
    raw = waveform_set.event_table()
    reasons: dict[str, str] = {}
    for i in np.flatnonzero(unlabelled | few | unknown).tolist():
        if few[i]:
            reason = f"fewer than {min_stations} stations"
        elif unknown[i]:
            reason = f"no {samples['window'].reference} time"
        else:
            reason = "no label: " + ", ".join(f"{column}={raw.at[ids[i], column]}" for column in targets)
        reasons[ids[i]] = reason
    return reasons


def _summary(reasons: Sequence[str]) -> str:
    return "; ".join(f"{n} x {reason}" for reason, n in Counter(reasons).most_common(5))
