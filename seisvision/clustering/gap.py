"""The gap statistic: how much tighter k-means clusters are than those of points without clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

from seisvision.seeding import DEFAULT_SEED, numpy_stream, stream_seed

N_REFERENCES = 10


@dataclass(frozen=True)
class GapCurve:
    """The gap by number of clusters (Tibshirani, Walther and Hastie 2001, J. R. Stat. Soc. B 63, 411-423)."""

    ks: list[int]
    gap: np.ndarray
    """Expected minus found logarithm of the summed squared distances from the centres."""
    error: np.ndarray
    """Standard error of the expected value, with that of simulation (their s_k)."""

    @property
    def best(self) -> int:
        """The smallest K whose gap is within one standard error of the next; 1 means no clusters."""
        for number in range(len(self.ks) - 1):
            if self.gap[number] >= self.gap[number + 1] - self.error[number + 1]:
                return self.ks[number]
        return self.ks[-1]


def gap_statistic(
    points: np.ndarray, ks: Sequence[int], seed: int = DEFAULT_SEED, n_references: int = N_REFERENCES
) -> GapCurve:
    """Gap of k-means clusters against points drawn evenly from the box along the principal axes.

    Args:
        points: float (N, F).
        ks: numbers of clusters, rising; begin with 1 if "no clusters" shall be an answer.
        seed: of references and k-means.
        n_references: reference sets.
    """
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    along = centred @ axes.T
    found = _log_scatter(along, ks, seed)
    rng = numpy_stream(seed, "gap references")
    references = np.array(
        [
            _log_scatter(rng.uniform(along.min(axis=0), along.max(axis=0), along.shape), ks, seed)
            for _ in range(n_references)
        ]
    )
    # The expected value is itself a mean of few references.
    error = references.std(axis=0) * np.sqrt(1 + 1 / n_references)
    return GapCurve(list(ks), references.mean(axis=0) - found, error)


def _log_scatter(points: np.ndarray, ks: Sequence[int], seed: int) -> np.ndarray:
    state = stream_seed(seed, "gap") % 2**32
    losses = [KMeans(k, n_init=1 if k == 1 else 2, max_iter=100, random_state=state).fit(points).inertia_ for k in ks]
    return np.log(np.maximum(losses, np.finfo(float).tiny))
