"""The order in which samples are served."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data.distributed import DistributedSampler

from seisvision.errors import ConfigurationError
from seisvision.seeding import DEFAULT_SEED, numpy_stream


class EpochSampler(DistributedSampler):
    """Order of samples that follows from seed and epoch alone, shared out to the ranks of a distributed job.

    Shuffled (training), all ranks get equally many, since ranks wait for each other: the first few samples of the
    epoch come twice if need be. In order (val, test), no sample comes twice and ranks may differ by one.
    It is a ``DistributedSampler`` so that Lightning leaves it in place.

    Args:
        n_total: number of samples N.
        shuffle: draw a new order every epoch.
        seed: base seed.
        rank: number of this process.
        n_ranks: number of processes.

    Raises:
        ConfigurationError: ``rank`` does not lie in 0 to ``n_ranks`` - 1.
    """

    def __init__(
        self, n_total: int, *, shuffle: bool, seed: int = DEFAULT_SEED, rank: int = 0, n_ranks: int = 1
    ) -> None:
        if not 0 <= rank < n_ranks:
            raise ConfigurationError(f"rank={rank} must lie in 0 to n_ranks - 1 = {n_ranks - 1}")
        super().__init__(range(n_total), num_replicas=n_ranks, rank=rank, shuffle=shuffle, seed=seed)  # type: ignore[arg-type]
        self.n_total = n_total

    def __iter__(self) -> Iterator[int]:
        """Yield the sample numbers of this rank in the epoch chosen by ``set_epoch``."""
        order = self.order()
        if self.shuffle:
            order = np.resize(order, len(self) * self.num_replicas)
        return iter(order[self.rank :: self.num_replicas].tolist())

    def order(self) -> np.ndarray:
        """Return the sample numbers (N,) of the epoch for all ranks together."""
        if not self.shuffle:
            return np.arange(self.n_total)
        return numpy_stream(self.seed, "shuffle", self.epoch).permutation(self.n_total)

    def __len__(self) -> int:
        """Return how many samples this rank gets."""
        if self.shuffle:
            return -(-self.n_total // self.num_replicas)
        return len(range(self.rank, self.n_total, self.num_replicas))
