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
from seisvision.base.devices import moved, sent
from seisvision.base.sample_ids import SampleIds
from seisvision.base.units import all_id_columns
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.serving.collate import PADDING, SCALARS, collate_events

log = logging.getLogger(__name__)

READ_AT_ONCE = 64
DEVICE_SHARE = 0.25
"""Samples live on an accelerator where they take no more of the memory that is free there."""
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
        """float32 (all stations of all samples and one of zeros, C, T)."""
        self._rest: dict[str, Any] = {}
        self._device = torch.device("cpu")

    @property
    def n_samples(self) -> int:
        """T: samples of each waveform."""
        return self.samples.n_samples

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
        """Return the batch of some samples, as :func:`collate_events` makes it, where the samples live."""
        if self._waveform is None:
            self._waveform = self._load()
        # Stations differ in number, and are padded to the largest event of the batch.
        first = self._first[np.asarray(numbers)]
        n_stations = self._first[np.asarray(numbers) + 1] - first
        place = np.arange(n_stations.max())
        stations = np.where(place < n_stations[:, None], first[:, None] + place, len(self._waveform) - 1)
        indices = sent(torch.from_numpy(np.concatenate([np.asarray(numbers), stations.ravel()])), self._device)
        rows, stations_at = indices.split([len(numbers), stations.size])
        rest = self._rest
        # Not rest[key][rows], which takes four times as long.
        batch = {
            key: rest[key].index_select(0, rows)[:, : len(place)]
            for key in (*_STATION_KEYS, keys.MORE_ARRIVALS_S)
            if key in rest
        }
        batch |= {key: rest[key].index_select(0, rows) for key in SCALARS if key in rest}
        batch |= {key: [rest[key][number] for number in numbers] for key in all_id_columns() if key in rest}
        return batch | {
            keys.WAVEFORM: self._waveform.index_select(0, stations_at).unflatten(0, stations.shape),
            keys.SAMPLING_RATE_HZ: rest[keys.SAMPLING_RATE_HZ],
            keys.TARGETS: {column: values.index_select(0, rows) for column, values in rest[keys.TARGETS].items()},
        }

    def live_on(self, device: torch.device) -> bool:
        """Move to ``device`` if it is a GPU with room, where batches are made from then on.

        Returns:
            Whether the samples live on a GPU now.
        """
        if device.type == "cuda" and device != self._device:
            if self._waveform is None:
                self._waveform = self._load()
            free, _ = torch.cuda.mem_get_info(device)
            if self._waveform.nbytes <= DEVICE_SHARE * free:
                self._waveform, self._rest, self._device = self._waveform.to(device), moved(self._rest, device), device
        return self._device.type == "cuda"

    def _load(self) -> torch.Tensor:
        """Read all samples; waveforms float32 (all stations of all samples and one of zeros, C, T)."""
        started = monotonic()
        shape = (int(self._first[-1]) + 1, len(self.samples.components), self.samples.n_samples)
        waveform = torch.empty(shape, dtype=torch.float32)
        waveform[-1] = PADDING[keys.WAVEFORM]
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
        counts: whether each of them counts, under ``keys.COUNTS``; ``None``: nobody asks.
    """

    def __init__(self, kept: SamplesInMemory, numbers: Sequence[int], counts: Sequence[bool] | None = None) -> None:
        self._kept, self._numbers, self._counts = kept, list(numbers), None if counts is None else list(counts)

    def counted(self, counts: Sequence[bool]) -> KeptSamples:
        """Return the same samples, each of which says whether it counts."""
        return KeptSamples(self._kept, self._numbers, counts)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._numbers)

    def __getitem__(self, place: Any) -> Any:
        """Return the sample at a place, or those of a slice."""
        if isinstance(place, slice):
            return KeptSamples(self._kept, self._numbers[place], None if self._counts is None else self._counts[place])
        sample = self._kept[self._numbers[place]]
        return sample if self._counts is None else sample | {keys.COUNTS: torch.tensor(self._counts[place])}

    def joined(self) -> dict[str, Any]:
        """Return their batch."""
        batch = self._kept.joined(self._numbers)
        return batch if self._counts is None else batch | {keys.COUNTS: torch.tensor(self._counts)}


def _fetch(samples: EventSamples | TraceSamples, numbers: Sequence[int]) -> list[dict[str, Any]]:
    if isinstance(samples, TraceSamples):
        return samples.__getitems__(numbers)
    return [samples[number] for number in numbers]
