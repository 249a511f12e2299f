"""Windows that lie elsewhere in every epoch, cut from a longer reading."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from seisvision import keys
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.serving.epoch_sampler import DrawnStations, Numbered
from seisvision.data.serving.memory import SamplesInMemory
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

    def __getitems__(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Return several samples, read at once where that is possible."""
        n = len(self.samples)
        asked = list(numbers) if isinstance(self._wide, DrawnStations) else [number % n for number in numbers]
        read_many = getattr(self._wide, "__getitems__", None)
        read = read_many(asked) if read_many else [self._wide[number] for number in asked]
        return [self._cut(sample, *divmod(number, n)) for sample, number in zip(read, numbers, strict=True)]

    def _cut(self, sample: dict[str, Any], epoch: int, place: int) -> dict[str, Any]:
        length, available = self.samples.n_samples, sample[keys.WAVEFORM].shape[-1]
        stream = numpy_stream(self.samples.seed, f"window of epoch {epoch}", zlib.crc32(self._names[place].encode()))
        return cropped(sample, int(stream.integers(available - length, endpoint=True)), length)


def cropped(sample: dict[str, Any], first: int, length: int) -> dict[str, Any]:
    """Return a sample that begins at sample number ``first`` of another and has ``length`` samples.

    Onsets, arrivals and starts count from there. Components of which nothing but zeros is left are masked.
    """
    wide = sample[keys.WAVEFORM]
    waveform = wide[..., first : first + length]
    later_s = first / sample[keys.SAMPLING_RATE_HZ]
    lost = (wide != 0).any(-1) & ~(waveform != 0).any(-1)
    mask = sample[keys.COMPONENT_MASK] & ~lost
    more = keys.MORE_ARRIVALS_S
    return sample | {
        **({more: sample[more] - later_s} if more in sample else {}),
        keys.WAVEFORM: waveform,
        keys.COMPONENT_MASK: mask,
        keys.STATION_MASK: mask.any(dim=1),
        keys.ONSET_S: sample[keys.ONSET_S] - later_s,
        keys.ARRIVALS_S: sample[keys.ARRIVALS_S] - later_s,
        keys.START_S: sample[keys.START_S] + later_s,
    }
