"""The order in which samples are served, and how a batch is dealt to several processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import BatchSampler, Dataset
from torch.utils.data.distributed import DistributedSampler

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.base.share import local_batch_size
from seisvision.data.samples.events import EventSamples
from seisvision.data.serving.collate import PADDING
from seisvision.data.serving.memory import KeptSamples, SamplesInMemory
from seisvision.errors import ConfigurationError
from seisvision.seeding import DEFAULT_SEED, numpy_stream


class EpochSampler(DistributedSampler):
    """Order of samples that follows from seed and epoch alone, dealt to the ranks of a distributed job like cards.

    With R ranks, rank r serves samples r, r + R, r + 2 R, ... of the order, so that its batches of ``batch_size`` / R
    samples are its shares of the global batches that one process would serve. Each sample counts once. Ranks wait for
    each other, so all have equally many batches: a rank that gets nothing of the last global batch serves one sample
    that does not count, numbered -1 - i instead of i.
    It is a ``DistributedSampler`` so that Lightning leaves it in place.

    Args:
        n_total: number of samples N.
        shuffle: draw a new order every epoch.
        seed: base seed.
        rank: number of this process.
        n_ranks: number of processes R.
        batch_size: samples of a global batch, a multiple of R; default one for each rank.
        joins: the last global batch joins the one before it where it would be a single sample, see
            :class:`TrainingBatches`.
        tells_epoch: number sample i of epoch e as i + N e, which :class:`DrawnStations` understands. Reading processes
            live as long as the training and learn of the epoch in no other way.

    Raises:
        ConfigurationError: ``rank`` does not lie in 0 to R - 1, or R does not divide ``batch_size``.
    """

    def __init__(
        self,
        n_total: int,
        *,
        shuffle: bool,
        seed: int = DEFAULT_SEED,
        rank: int = 0,
        n_ranks: int = 1,
        batch_size: int | None = None,
        joins: bool = False,
        tells_epoch: bool = False,
    ) -> None:
        if not 0 <= rank < n_ranks:
            raise ConfigurationError(f"rank={rank} must lie in 0 to n_ranks - 1 = {n_ranks - 1}")
        super().__init__(range(n_total), num_replicas=n_ranks, rank=rank, shuffle=shuffle, seed=seed)  # type: ignore[arg-type]
        self.n_total, self.tells_epoch = n_total, tells_epoch
        self.batch_size = n_ranks if batch_size is None else batch_size
        local_batch_size(self.batch_size, n_ranks)
        whole = -(-n_total // self.batch_size)
        self.n_batches = count_batches(n_total, self.batch_size) if joins else whole
        self.is_joined = self.n_batches < whole

    def __iter__(self) -> Iterator[int]:
        """Yield the sample numbers of this rank in the epoch chosen by ``set_epoch``."""
        order = self.order() + (self.n_total * self.epoch if self.tells_epoch else 0)
        mine = order[self.rank :: self.num_replicas].tolist()
        return iter(mine + [-1 - int(order[-1])] * (len(self) - len(mine)))

    def order(self) -> np.ndarray:
        """Return the sample numbers (N,) of the epoch for all ranks together."""
        if not self.shuffle:
            return np.arange(self.n_total)
        return numpy_stream(self.seed, "shuffle", self.epoch).permutation(self.n_total)

    def __len__(self) -> int:
        """Return how many samples this rank serves, with the one that does not count."""
        at_least = (self.n_batches - 1) * (self.batch_size // self.num_replicas) + 1
        return max(len(range(self.rank, self.n_total, self.num_replicas)), at_least)


def count_batches(n_total: int, batch_size: int) -> int:
    """Global batches of an epoch of training, in which none but the only one is a single sample.

    Where batches of one are asked for, all are.
    """
    whole, rest = divmod(n_total, batch_size)
    return whole + (rest > 1 or (rest == 1 and whole == 0))


class TrainingBatches(BatchSampler):
    """Batches of a rank's samples, in order; a last global batch of one sample joins the one before it.

    Batch norm has no statistics of one picture whose maps have shrunk to a pixel, and poor ones of any one picture.
    So the last batch is longer by one, on whichever rank has the sample, and each sample is still seen once.

    Args:
        sampler: gives the samples of the rank, and says how many batches they make.
    """

    sampler: EpochSampler

    def __init__(self, sampler: EpochSampler) -> None:
        super().__init__(sampler, local_batch_size(sampler.batch_size, sampler.num_replicas), drop_last=False)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the sample numbers of one batch after the other."""
        numbers = list(self.sampler)
        starts = [number * self.batch_size for number in range(len(self))]
        for start, end in zip(starts, [*starts[1:], len(numbers)], strict=True):
            yield numbers[start:end]

    def __len__(self) -> int:
        """Return the number of batches, the same on every rank."""
        return self.sampler.n_batches


class Numbered(Dataset):
    """Samples that are asked for by numbers which say more than which sample it is.

    Args:
        samples: what is asked for.
    """

    def __init__(self, samples: Any) -> None:
        self.samples = samples

    @property
    def ids(self) -> SampleIds:
        """Ids of all samples, in order."""
        return self.samples.ids

    def __len__(self) -> int:
        """Return the number of samples N."""
        return len(self.samples)


class DealtSamples(Numbered):
    """Samples that say under ``keys.COUNTS`` whether they count; number -1 - i is sample i, not counted.

    Args:
        samples: what is dealt.
    """

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return one sample."""
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> Sequence[dict[str, Any]]:
        """Return several samples, read at once where that is possible."""
        wanted = [max(number, -1 - number) for number in numbers]
        read_many = getattr(self.samples, "__getitems__", None)
        samples = read_many(wanted) if read_many else [self.samples[number] for number in wanted]
        counts = [number >= 0 for number in numbers]
        if isinstance(samples, KeptSamples):
            return samples.counted(counts)
        return [
            {**sample, keys.COUNTS: torch.tensor(is_counted)}
            for sample, is_counted in zip(samples, counts, strict=True)
        ]


class DrawnStations(Numbered):
    """Events whose stations are drawn anew in every epoch; number i + N e is sample i in epoch e.

    Args:
        samples: the events.
        in_memory: read all stations of all events once, and keep them.
    """

    def __init__(self, samples: EventSamples, in_memory: bool = False) -> None:
        super().__init__(samples)
        self._whole = SamplesInMemory(samples.with_all_stations()) if in_memory else None

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return one sample as its epoch shows it."""
        epoch, event = divmod(number, len(self.samples))
        kept = self.samples.choose(event, epoch)
        if self._whole is None:
            return self.samples.read(event, kept)
        places = torch.from_numpy(kept - self.samples.index.traces(event).start)
        sample = self._whole[event]
        return sample | {key: sample[key][places] for key in PADDING if key in sample}
