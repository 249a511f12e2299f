"""What part of a batch each of several processes has."""

from __future__ import annotations

from dataclasses import dataclass

import torch


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
        rows = torch.arange(self.rank if self.counts else 0, self.n_samples, self.n_ranks)
        return values.index_select(dim, rows if self.counts else rows[:1])
