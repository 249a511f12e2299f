"""Samples read once and kept, for sets that fit into memory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.base.units import all_id_columns
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.serving.collate import PADDING, SCALARS, collate_events

log = logging.getLogger(__name__)

READ_AT_ONCE = 64
_STATION_KEYS = tuple(key for key in PADDING if key != keys.WAVEFORM)


class SamplesInMemory(Dataset):
    """The same samples, read in the order of the file at first use and kept as stacked tensors.

    Args:
        samples: what to keep.
    """

    def __init__(self, samples: EventSamples | TraceSamples) -> None:
        self.samples = samples
        self._rows = [samples.rows(number) for number in range(len(samples))]
        self._first = np.concatenate([[0], np.cumsum([len(rows) for rows in self._rows], dtype=int)])
        self._waveform: torch.Tensor | None = None
        self._rest: dict[str, Any] = {}

    @property
    def ids(self) -> SampleIds:
        """Ids of all samples, in order."""
        return self.samples.ids

    def __len__(self) -> int:
        """Return the number of samples N."""
        return len(self._rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return sample ``number``; its tensors are views of what is kept, so change none in place."""
        if self._waveform is None:
            self._waveform = self._load()
        first, last = int(self._first[number]), int(self._first[number + 1])
        rest = self._rest
        sample = {key: rest[key][number, : last - first] for key in _STATION_KEYS if key in rest}
        if keys.MORE_ARRIVALS_S in rest:
            sample[keys.MORE_ARRIVALS_S] = rest[keys.MORE_ARRIVALS_S][number, : last - first]
        sample |= {key: rest[key][number] for key in (*SCALARS, *all_id_columns()) if key in rest}
        targets = {column: values[number] for column, values in rest[keys.TARGETS].items()}
        return sample | {
            keys.WAVEFORM: self._waveform[first:last],
            keys.SAMPLING_RATE_HZ: rest[keys.SAMPLING_RATE_HZ],
            keys.TARGETS: targets,
        }

    def __getitems__(self, numbers: Sequence[int]) -> KeptSamples:
        """Return several samples, which become a batch without being taken apart first."""
        return KeptSamples(self, numbers)

    def joined(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Return the batch of some samples, as :func:`collate_events` makes it."""
        if len(self._first) - 1 != self._first[-1]:
            # Stations differ in number, and are padded to the largest event of the batch.
            return collate_events([self[number] for number in numbers])
        if self._waveform is None:
            self._waveform = self._load()
        rest, rows = self._rest, torch.as_tensor(numbers)
        # Not rest[key][rows], which takes four times as long.
        batch = {
            key: rest[key].index_select(0, rows)
            for key in (*_STATION_KEYS, *SCALARS, keys.MORE_ARRIVALS_S)
            if key in rest
        }
        batch |= {key: [rest[key][number] for number in numbers] for key in all_id_columns() if key in rest}
        return batch | {
            keys.WAVEFORM: self._waveform.index_select(0, rows)[:, None],
            keys.SAMPLING_RATE_HZ: rest[keys.SAMPLING_RATE_HZ],
            keys.TARGETS: {column: values.index_select(0, rows) for column, values in rest[keys.TARGETS].items()},
        }

    def _load(self) -> torch.Tensor:
        """Read all samples; waveforms float32 (all stations of all samples, C, T)."""
        started = monotonic()
        shape = (int(self._first[-1]), len(self.samples.components), self.samples.n_samples)
        waveform = torch.empty(shape, dtype=torch.float32)
        order = np.argsort([rows.max() for rows in self._rows], kind="stable")
        rest: dict[int, dict[str, Any]] = {}
        for first in range(0, len(order), READ_AT_ONCE):
            numbers = order[first : first + READ_AT_ONCE].tolist()
            for number, sample in zip(numbers, _fetch(self.samples, numbers), strict=True):
                waveform[self._first[number] : self._first[number + 1]] = sample.pop(keys.WAVEFORM)
                rest[number] = sample
        self._rest = collate_events([rest[number] for number in range(len(self))])
        log.info(
            "%d samples (%.0f MB) read into memory in %.1f s",
            len(self),
            waveform.nbytes / 1e6,
            monotonic() - started,
        )
        return waveform


class KeptSamples(Sequence):
    """Some samples of those in memory: one by one where they are asked for, or :meth:`joined` into a batch at once.

    Args:
        kept: the samples in memory.
        numbers: which of them.
    """

    def __init__(self, kept: SamplesInMemory, numbers: Sequence[int]) -> None:
        self._kept, self._numbers = kept, list(numbers)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._numbers)

    def __getitem__(self, place: Any) -> Any:
        """Return the sample at a place, or those of a slice."""
        if isinstance(place, slice):
            return KeptSamples(self._kept, self._numbers[place])
        return self._kept[self._numbers[place]]

    def joined(self) -> dict[str, Any]:
        """Return their batch."""
        return self._kept.joined(self._numbers)


def _fetch(samples: EventSamples | TraceSamples, numbers: Sequence[int]) -> list[dict[str, Any]]:
    if isinstance(samples, TraceSamples):
        return samples.__getitems__(numbers)
    return [samples[number] for number in numbers]
