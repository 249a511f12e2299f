"""Do the same clusters come out again? Agreement between resamples and between independently seeded runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from seisvision.seeding import DEFAULT_SEED, numpy_stream, stream_seed

N_PAIRS = 10


@dataclass(frozen=True)
class StabilityCurve:
    """Agreement by number of clusters, all in adjusted Rand indices."""

    ks: list[int]
    ari: np.ndarray
    """Mean over pairs of resamples."""
    expected: np.ndarray
    """The same of points of one Gaussian cloud of the same covariance."""

    @property
    def corrected(self) -> np.ndarray:
        """How far the agreement is from what a cloud without clusters reaches (0) to perfect (1)."""
        return (self.ari - self.expected) / np.maximum(1 - self.expected, 1e-6)


def bootstrap_stability(
    points: np.ndarray, ks: Sequence[int], seed: int = DEFAULT_SEED, n_pairs: int = N_PAIRS
) -> StabilityCurve:
    """Cluster pairs of bootstrap resamples, let both assign all points, and compare (Ben-Hur et al. 2002).

    A long cloud is cut in two at the same place each time, so stability alone proves nothing: it is shown beside that
    of a Gaussian cloud with the same covariance (von Luxburg 2010, Found. Trends Mach. Learn. 2, 235-274).

    Args:
        points: float (N, F).
        ks: numbers of clusters, at least 2.
        seed: of resamples, cloud and k-means.
        n_pairs: pairs of resamples.
    """
    rng = numpy_stream(seed, "stability")
    cloud = rng.multivariate_normal(points.mean(axis=0), np.atleast_2d(np.cov(points.T)), len(points))
    found, expected = (
        np.array([_pair_agreement(some, ks, seed, pair) for pair in range(n_pairs)]).mean(axis=0)
        for some in (points, cloud)
    )
    return StabilityCurve(list(ks), found, expected)


def _pair_agreement(points: np.ndarray, ks: Sequence[int], seed: int, pair: int) -> list[float]:
    rng = numpy_stream(seed, "stability pair", pair)
    resamples = [rng.integers(0, len(points), len(points)) for _ in range(2)]
    agreement = []
    for k in ks:
        labels = [
            KMeans(k, n_init=2, max_iter=100, random_state=stream_seed(seed, "stability", pair, number) % 2**32)
            .fit(points[chosen])
            .predict(points)
            for number, chosen in enumerate(resamples)
        ]
        agreement.append(adjusted_rand_score(*labels))
    return agreement


def mean_agreement(labellings: Sequence[np.ndarray]) -> float:
    """Mean adjusted Rand index of all pairs of labellings (N,) of the same samples; NaN for fewer than two."""
    pairs = list(combinations(labellings, 2))
    return float(np.mean([adjusted_rand_score(*pair) for pair in pairs])) if pairs else float("nan")
