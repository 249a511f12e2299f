"""Indices of how compact and how far apart clusters are.

They judge clusters in the space they are given. In the features of a network that was trained with K pseudo-labels they
favour that K whatever the data, noise included; see :mod:`seisvision.clustering.choose` for what to do about it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from seisvision.seeding import DEFAULT_SEED, stream_seed

MOST_POINTS = 2000
"""The silhouette compares all pairs of points; more points are sampled."""


@dataclass(frozen=True)
class Indices:
    """Indices of one clustering; NaN where there are fewer than two clusters, or none with two points."""

    silhouette: float
    """Rousseeuw (1987): -1 to 1, large is good."""
    calinski_harabasz: float
    """Calinski and Harabasz (1974): large is good."""
    davies_bouldin: float
    """Davies and Bouldin (1979): small is good."""

    def to_dict(self) -> dict[str, float]:
        """Values by name."""
        return asdict(self)


def cluster_indices(points: np.ndarray, labels: np.ndarray, seed: int = DEFAULT_SEED) -> Indices:
    """Indices of clusters.

    Args:
        points: float (N, F).
        labels: int (N,).
        seed: of the sample on which the silhouette of many points is computed.
    """
    n_clusters = len(np.unique(labels))
    if not 2 <= n_clusters < len(labels):
        return Indices(np.nan, np.nan, np.nan)
    size = MOST_POINTS if len(labels) > MOST_POINTS else None
    state = stream_seed(seed, "silhouette sample") % 2**32
    return Indices(
        float(silhouette_score(points, labels, sample_size=size, random_state=state)),
        float(calinski_harabasz_score(points, labels)),
        float(davies_bouldin_score(points, labels)),
    )
