"""Several processes that work as one: which of them this is, and what part of a batch it has."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from seisvision.errors import ConfigurationError


@dataclass(frozen=True)
class Share:
    """What part of a global batch a process has: rows ``rank``, ``rank`` + R, ...; the first row if there is none.

    Args:
        rank: number of the process.
        n_ranks: number of processes R.
        n_samples: samples of the global batch.
        n_stations: stations S to which one process would pad the global batch.
        counts: whether the samples that this process has count.
    """

    rank: int = 0
    n_ranks: int = 1
    n_samples: int = 0
    n_stations: int = 0
    counts: bool = True

    def of(self, values: torch.Tensor, dim: int = 0) -> torch.Tensor:
        """Return the rows along ``dim`` of values of the global batch that belong to this process."""
        if self.n_ranks == 1:
            return values
        rows = torch.arange(self.rank if self.counts else 0, self.n_samples, self.n_ranks, device=values.device)
        return values.index_select(dim, rows if self.counts else rows[:1])


def local_batch_size(batch_size: int, n_ranks: int) -> int:
    """Samples that each of the processes gets of a full global batch.

    Raises:
        ConfigurationError: the batch cannot be dealt evenly.
    """
    if batch_size % n_ranks:
        below, above = batch_size // n_ranks * n_ranks, -(-batch_size // n_ranks) * n_ranks
        choices = " or ".join(str(size) for size in (below, above) if size)
        raise ConfigurationError(
            f"trainer.batch_size={batch_size} is the batch of all processes together and must be a multiple of their "
            f"number, {n_ranks}. Give {choices}, or another number of devices."
        )
    return batch_size // n_ranks


def rank_and_size() -> tuple[int, int]:
    """Number of this process and of all processes."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def wait_for_all() -> None:
    """Return when all processes have come here."""
    if rank_and_size()[1] > 1:
        torch.distributed.all_reduce(torch.zeros(1))
