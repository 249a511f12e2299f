"""Which samples runs were evaluated on: an interval shrinks with other samples, not with the same ones again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from pathlib import Path

import numpy as np

from seisvision.errors import SeisvisionError
from seisvision.records.prediction_table import read_sample_ids
from seisvision.reports.comparing.collect import ComparedRun

Ids = int
"""A set of samples, each of which is a bit."""
_NUMBERS: dict[str, int] = {}
"""The bit of every sample that was met."""


@dataclass(frozen=True)
class Evaluated:
    """The samples of one part of several runs.

    Args:
        ids: one set a run; None where all runs have the same samples, or where that cannot be told.
    """

    ids: list[Ids] | None = None

    def of(self, rows: Sequence[int], counts: Sequence[int]) -> tuple[float, int]:
        """How many sets of other samples some of the runs have, and how many samples these hold together.

        Sets that overlap count as the size of their union in units of their mean size: K for disjoint folds, 1 for
        equal sets.

        Args:
            rows: positions of M of the runs.
            counts: M numbers of samples behind a measure, which may be fewer than the set holds.
        """
        if self.ids is None:
            return 1.0, max(counts)
        n_of: dict[Ids, int] = {}
        for row, n in zip(rows, counts, strict=True):
            n_of[self.ids[row]] = max(n, n_of.get(self.ids[row], 0))
        n_listed = sum(map(int.bit_count, n_of))
        union = reduce(or_, n_of).bit_count()
        if not n_listed:
            return 1.0, max(counts)
        return union * len(n_of) / n_listed, round(sum(n_of.values()) * union / n_listed)


def evaluated_samples(runs: Sequence[ComparedRun], part: str) -> Evaluated:
    """The samples of a part of several runs, read from their predictions where their splits differ.

    Folds and splits whose predictions cannot be read count as the same samples: the interval is then too wide, never
    too narrow.
    """
    measured = [run for run in runs if run.metrics.get(part)]
    if len({(run.fingerprint, run.split_hash) for run in measured}) < 2:
        return Evaluated()
    found: list[Ids] = []
    for run in runs:
        path = run.folder.predictions(part)
        try:
            found.append(_ids(path, path.stat().st_mtime_ns) if run.metrics.get(part) else 0)
        except (OSError, ValueError, SeisvisionError):
            return Evaluated()
    return Evaluated(found)


@lru_cache(maxsize=10_000)
def _ids(path: Path, modified_ns: int) -> Ids:
    """Ids of a file as it was at that time, so that a page written again and again reads them once."""
    numbers = np.array(
        [_NUMBERS.setdefault(sample_id, len(_NUMBERS)) for sample_id in read_sample_ids(path)], dtype=int
    )
    bits = np.zeros(numbers.max(initial=-1) + 1, dtype=bool)
    bits[numbers] = True
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")
