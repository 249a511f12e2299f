"""Windows that lie elsewhere in every epoch, cut from a longer reading."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import torch

from seisvision import keys
from seisvision.base.devices import sent
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.serving.epoch_sampler import DrawnStations, Numbered
from seisvision.data.serving.memory import KeptSamples, SamplesInMemory
from seisvision.seeding import numpy_stream


class RedrawnWindows(Numbered):
    """Samples whose window is drawn anew in every epoch; number i + N e is sample i in epoch e.

    The start follows from seed, epoch and the name of the sample, so it is the same in any process, of a run that was
    resumed, and from memory or disk.

    Args:
        samples: the samples with their fixed windows.
        wide: the same, read as far as any epoch may look (:attr:`Window.widest`), from disk or memory; perhaps with
            stations that are drawn anew as well.
    """

    def __init__(
        self,
        samples: EventSamples | TraceSamples,
        wide: EventSamples | TraceSamples | SamplesInMemory | DrawnStations,
    ) -> None:
        super().__init__(samples)
        self._wide = wide
        self._names = samples.source_ids if isinstance(samples, EventSamples) else samples.index.names

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return one sample as its epoch shows it."""
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> Sequence[dict[str, Any]]:
        """Return several samples, read at once where that is possible."""
        n = len(self.samples)
        if isinstance(self._wide, SamplesInMemory):
            firsts = [self._first(*divmod(number, n), self._wide.n_samples) for number in numbers]
            return KeptWindows(self._wide, [number % n for number in numbers], firsts, self.samples.n_samples)
        asked = list(numbers) if isinstance(self._wide, DrawnStations) else [number % n for number in numbers]
        read_many = getattr(self._wide, "__getitems__", None)
        read = read_many(asked) if read_many else [self._wide[number] for number in asked]
        return [self._cut(sample, *divmod(number, n)) for sample, number in zip(read, numbers, strict=True)]

    def _cut(self, sample: dict[str, Any], epoch: int, place: int) -> dict[str, Any]:
        return cropped(sample, self._first(epoch, place, sample[keys.WAVEFORM].shape[-1]), self.samples.n_samples)

    def _first(self, epoch: int, place: int, available: int) -> int:
        """Number of the sample, of those that are available, with which a window begins."""
        stream = numpy_stream(self.samples.seed, f"window of epoch {epoch}", zlib.crc32(self._names[place].encode()))
        return int(stream.integers(available - self.samples.n_samples, endpoint=True))

    def live_on(self, device: torch.device) -> bool:
        """See :meth:`~seisvision.data.serving.memory.SamplesInMemory.live_on`."""
        return isinstance(self._wide, SamplesInMemory) and self._wide.live_on(device)


class KeptWindows(KeptSamples):
    """Windows of samples in memory: one by one where they are asked for, or :meth:`joined` into a batch at once.

    Args:
        kept: what the windows are cut from.
        numbers: which of its samples.
        firsts: number of the sample with which each window begins.
        length: samples of a window.
        counts: see :class:`~seisvision.data.serving.memory.KeptSamples`.
    """

    def __init__(
        self,
        kept: SamplesInMemory,
        numbers: Sequence[int],
        firsts: Sequence[int],
        length: int,
        counts: Sequence[bool] | None = None,
    ) -> None:
        super().__init__(kept, numbers, counts)
        self._firsts, self._length = list(firsts), length

    def counted(self, counts: Sequence[bool]) -> KeptWindows:
        """Return the same windows, each of which says whether it counts."""
        return KeptWindows(self._kept, self._numbers, self._firsts, self._length, counts)

    def __getitem__(self, place: Any) -> Any:
        """Return the window at a place, or those of a slice."""
        if isinstance(place, slice):
            counts = None if self._counts is None else self._counts[place]
            return KeptWindows(self._kept, self._numbers[place], self._firsts[place], self._length, counts)
        return cropped(super().__getitem__(place), self._firsts[place], self._length)

    def joined(self) -> dict[str, Any]:
        """Return their batch, which is cut where the samples live."""
        batch = super().joined()
        wide = batch[keys.WAVEFORM]
        if wide.device.type == "cpu":
            cut = [one[..., first : first + self._length] for one, first in zip(wide, self._firsts, strict=True)]
            waveform = torch.stack(cut)
        else:
            waveform = gathered(wide, sent(torch.tensor(self._firsts), wide.device), self._length)
        # Divided before it travels, as that of a single window is.
        rate_hz = batch[keys.SAMPLING_RATE_HZ]
        later_s = sent(torch.tensor([first / rate_hz for first in self._firsts]), wide.device)
        return batch | moved_on(batch, waveform, later_s)


def gathered(wide: torch.Tensor, first: torch.Tensor, length: int) -> torch.Tensor:
    """Windows (B, S, C, ``length``) of waveforms (B, S, C, T) from samples ``first`` (B,) on, in one kernel."""
    return wide.unfold(-1, length, 1)[torch.arange(len(wide), device=wide.device), :, :, first]


def cropped(sample: dict[str, Any], first: int, length: int) -> dict[str, Any]:
    """Return a sample that begins at sample number ``first`` of another and has ``length`` samples.

    Onsets, arrivals and starts count from there. Components of which nothing but zeros is left are masked.
    """
    later_s = torch.tensor(first / sample[keys.SAMPLING_RATE_HZ])
    return sample | moved_on(sample, sample[keys.WAVEFORM][..., first : first + length], later_s)


def moved_on(wide: dict[str, Any], waveform: torch.Tensor, later_s: torch.Tensor) -> dict[str, Any]:
    """What of a sample, or of a batch of B, becomes other with windows that begin later.

    Args:
        wide: sample or batch.
        waveform: (S, C, T), or (B, S, C, T), what is left.
        later_s: (), or (B,).
    """
    lost = (wide[keys.WAVEFORM] != 0).any(-1) & ~(waveform != 0).any(-1)
    mask = wide[keys.COMPONENT_MASK] & ~lost
    told = [key for key in (keys.ONSET_S, keys.ARRIVALS_S, keys.MORE_ARRIVALS_S, keys.START_S) if key in wide]
    later = {key: later_s.reshape(*later_s.shape, *[1] * (wide[key].ndim - later_s.ndim)) for key in told}
    return {
        **{key: wide[key] + later[key] if key == keys.START_S else wide[key] - later[key] for key in told},
        keys.WAVEFORM: waveform,
        keys.COMPONENT_MASK: mask,
        keys.STATION_MASK: mask.any(-1),
    }
