"""Which events are weighed as sources of which targets.

All pairs are N² / 2, and nearly all of them are so far apart that each counts for nothing while their sum does not. A
weighted sample keeps every pair that counts, and of the others some, with the weight of those left out: its sums have
the right mean, and what is fitted to it is an excellent begin for steps over all pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seisvision.forecasting.etas.data import EtasData
from seisvision.forecasting.etas.parameters import EtasParameters
from seisvision.forecasting.etas.terms import source_terms
from seisvision.seeding import DEFAULT_SEED, numpy_stream

AT_ONCE = 65_536
"""Pairs handled together: their temporaries stay in the cache."""
COUNTS = 1 / 300
"""Of the rate at a target, what a pair must contribute to be kept for sure."""


@dataclass(frozen=True)
class Block:
    """Pairs of consecutive targets.

    Attributes:
        first, last: range of the targets, by their place in ``EtasData.target``.
        row: place of each pair's target in that range, (L,); None where pairs are a table (rows, L).
        source: numbers of the sources: (L,), or a slice for all rows.
        days: time from source to target; (L,) or (rows, L).
        squared_km2: of their distance.
        weight: of each pair, 0 where the source is no earlier than the target.
    """

    first: int
    last: int
    row: Tensor | None
    source: Tensor | slice
    days: Tensor
    squared_km2: Tensor
    weight: Tensor


class AllPairs:
    """Every earlier event is a source; blocks are made as they are needed."""

    def __init__(self, data: EtasData) -> None:
        self._time, self._x, self._y, _ = data.tensors()
        self._target = torch.from_numpy(data.target)
        # Events of the same instant are no sources of each other.
        self._n_before = np.searchsorted(data.time_days, data.time_days[data.target])

    def __len__(self) -> int:
        """Return the number of pairs."""
        return int(self._n_before.sum())

    def __iter__(self) -> Iterator[Block]:
        """Give the blocks in the order of time."""
        first = 0
        while first < len(self._n_before):
            rows = max(1, AT_ONCE // max(int(self._n_before[first]), 1))
            last = min(first + rows, len(self._n_before))
            yield self._block(first, last)
            first = last

    def _block(self, first: int, last: int) -> Block:
        rows, sources = self._target[first:last], slice(0, int(self._n_before[last - 1]))
        days = self._time[rows, None] - self._time[sources]
        earlier = days > 0
        squared = (self._x[rows, None] - self._x[sources]) ** 2 + (self._y[rows, None] - self._y[sources]) ** 2
        # What is no pair gets a harmless distance in time, so that no power of a negative number is taken.
        return Block(first, last, None, sources, torch.where(earlier, days, 1.0), squared, earlier.double())


class SampledPairs:
    """A weighted sample of pairs, chosen by what they contribute under rough parameters, and kept in memory.

    Args:
        data: events.
        rough: parameters under which pairs are weighed; any reasonable ones do.
        density: (M,) of the background at the targets, a km².
        seed: of the sample.
    """

    def __init__(self, data: EtasData, rough: EtasParameters, density: np.ndarray, seed: int = DEFAULT_SEED) -> None:
        terms = source_terms(data, rough)
        floor = torch.from_numpy(rough.background_per_day * density)
        draws = numpy_stream(seed, "etas pairs")
        target, source, columns = [], [], []
        for block in AllPairs(data):
            rates = terms.rates(block.source, block.days, block.squared_km2) * block.weight
            total = floor[block.first : block.last] + rates.sum(dim=1)
            chance = (rates / (COUNTS * total[:, None])).clamp(max=1.0)
            row, column = torch.nonzero(torch.from_numpy(draws.random(chance.shape)) < chance, as_tuple=True)
            target.append(row + block.first)
            source.append(column)
            columns.append([one[row, column] for one in (block.days, block.squared_km2, 1 / chance)])
        self._target, self._source = torch.cat(target), torch.cat(source)
        self._days, self._squared, self._weight = (torch.cat([one[i] for one in columns]) for i in range(3))
        # Blocks end where a target ends.
        self._end_of = np.searchsorted(self._target.numpy(), np.arange(len(data.target)), side="right")

    def __len__(self) -> int:
        """Return the number of pairs kept."""
        return len(self._target)

    def __iter__(self) -> Iterator[Block]:
        """Give the blocks in the order of time."""
        first, low = 0, 0
        while first < len(self._end_of):
            last = max(first + 1, int(np.searchsorted(self._end_of, low + AT_ONCE, side="right")))
            high = int(self._end_of[last - 1])
            part = slice(low, high)
            yield Block(
                first, last, self._target[part] - first, self._source[part], self._days[part], self._squared[part],
                self._weight[part],
            )  # fmt: skip
            first, low = last, high
