"""k-means that gives the same clusters for the same seed, never an empty one, and numbers them by size."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.errors import ConfigurationError, DataError, did_you_mean

MAX_ITERATIONS = 300
FAISS_ITERATIONS = 50
MAX_REPAIRS = 10
ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Clustering:
    """N points in up to K clusters; cluster 0 is the largest."""

    labels: np.ndarray
    """int64 (N,): number of the cluster whose centre is nearest."""
    centres: np.ndarray
    """float64 (K, P)."""
    loss: float
    """Mean squared distance of the points from their centres: the first equation of DeepCluster."""

    @property
    def sizes(self) -> np.ndarray:
        """Number of points (K,) of every cluster."""
        return np.bincount(self.labels, minlength=len(self.centres))

    def distances(self, points: np.ndarray) -> np.ndarray:
        """Distances (N, K) of points (N, P) from all centres."""
        return np.sqrt(squared_distances(points, self.centres))


def kmeans(
    points: np.ndarray,
    k: int,
    *,
    seed: int,
    n_init: int = 10,
    backend: str = "sklearn",
    min_cluster_size: int = 1,
) -> Clustering:
    """Cluster points (N, P) into ``k`` groups; the best of ``n_init`` starts.

    Clusters with fewer than ``min_cluster_size`` points are dissolved: their points are set aside as outliers, the
    others are clustered anew, and in the end every point goes to its nearest centre. Empty clusters are filled by the
    libraries. Where all that does not help (fewer than ``k`` different points), the smallest clusters are given to
    the nearest others, and fewer than ``k`` are returned.

    Args:
        points: one row a sample.
        k: number of clusters, at least 1 and at most N.
        seed: of the starts; equal seeds and points give equal clusters.
        n_init: starts.
        backend: ``sklearn``, or ``faiss`` for many points (``pip install 'seisvision[clusters]'``).
        min_cluster_size: fewest points of a cluster.

    Raises:
        ConfigurationError: a setting is not allowed, or faiss is not installed.
        DataError: there are fewer points than clusters.
    """
    if backend not in BACKENDS:
        raise ConfigurationError(f"backend='{backend}' is unknown. {did_you_mean(backend, list(BACKENDS))}")
    if k < 1 or n_init < 1 or min_cluster_size < 1:
        raise ConfigurationError(f"k={k}, n_init={n_init} and min_cluster_size={min_cluster_size} must be 1 or more")
    points = np.ascontiguousarray(points, dtype=float)
    if len(points) < k * min_cluster_size:
        raise DataError(
            f"{len(points)} samples cannot form k={k} clusters of at least {min_cluster_size}; give fewer clusters, a "
            "smaller min_cluster_size or more samples"
        )
    kept = np.arange(len(points))
    for _ in range(MAX_REPAIRS):
        centres = BACKENDS[backend](points[kept], k, seed % 2**31, n_init)
        labels = _nearest(points[kept], centres)
        is_small = np.bincount(labels, minlength=k) < min_cluster_size
        inside = kept[~is_small[labels]]
        # Nothing is small any more, everything is, or what is left cannot be k large clusters.
        if len(inside) in (len(kept), 0) or len(inside) < k * min_cluster_size:
            break
        kept = inside
    return _by_size(points, _dissolve(points, centres, min_cluster_size))


def require_samples(n_samples: int, name: str, k: int, min_cluster_size: int) -> None:
    """Refuse before any work what :func:`kmeans` would refuse.

    Raises:
        DataError: there are too few samples for the clusters that ``task.<name>`` asks for.
    """
    if n_samples < k * min_cluster_size:
        raise DataError(
            f"{n_samples} samples cannot form the clusters of task.{name}={k} with at least "
            f"task.min_cluster_size={min_cluster_size} samples each. Lower task.{name} or task.min_cluster_size, or "
            f"take at least {k * min_cluster_size} samples."
        )


def assign(points: np.ndarray, centres: np.ndarray) -> Clustering:
    """Put points (N, P) into the clusters of given centres (K, P), which keep their numbers."""
    squared = squared_distances(points, centres)
    labels = squared.argmin(1)
    return Clustering(labels, np.asarray(centres, float), float(squared.min(1).mean()))


def squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared distances (N, K) of points (N, P) from centres (K, P), without cancellation."""
    found = np.empty((len(points), len(centres)))
    for first in range(0, len(points), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        for number, centre in enumerate(centres):
            found[rows, number] = np.square(points[rows] - centre).sum(1)
    return found


def agreement(labels: np.ndarray, others: np.ndarray) -> float:
    """Normalised mutual information of two clusterings (N,) of the same samples, in [0, 1]."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(labels, others))


def _sklearn(points: np.ndarray, k: int, seed: int, n_init: int) -> np.ndarray:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # One thread: sums of several threads come in any order, and rounding would decide about border cases.
    with threadpool_limits(1), warnings.catch_warnings():
        # Fewer different points than clusters: repaired, and reported by the number of clusters.
        warnings.filterwarnings("ignore", message="Number of distinct clusters")
        fitted: Any = KMeans(k, n_init=n_init, max_iter=MAX_ITERATIONS, random_state=seed).fit(points)
    return fitted.cluster_centers_


def _faiss(points: np.ndarray, k: int, seed: int, n_init: int) -> np.ndarray:
    try:
        import faiss
    except ImportError as error:
        raise ConfigurationError(
            "backend='faiss' needs faiss: pip install 'seisvision[clusters]', or choose task.backend=sklearn"
        ) from error
    # Faiss would cluster a random part of the points only; all of them are to count.
    engine = faiss.Kmeans(
        points.shape[1],
        k,
        niter=FAISS_ITERATIONS,
        nredo=n_init,
        seed=seed,
        min_points_per_centroid=1,
        max_points_per_centroid=len(points),
    )
    engine.train(points.astype(np.float32))
    return np.asarray(engine.centroids, float)


BACKENDS: dict[str, Callable[[np.ndarray, int, int, int], np.ndarray]] = {"sklearn": _sklearn, "faiss": _faiss}
"""Functions from points (N, P), k, seed and starts to centres (K, P)."""


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return squared_distances(points, centres).argmin(1)


def _dissolve(points: np.ndarray, centres: np.ndarray, min_cluster_size: int) -> np.ndarray:
    """Leave out the smallest centre until every cluster is large enough; its points go to the nearest others."""
    while True:
        sizes = np.bincount(_nearest(points, centres), minlength=len(centres))
        if sizes.min() >= min_cluster_size or len(centres) == 1:
            return centres
        centres = np.delete(centres, sizes.argmin(), axis=0)


def _by_size(points: np.ndarray, centres: np.ndarray) -> Clustering:
    """Number the clusters by size, largest first; equal sizes by their first point."""
    labels = _nearest(points, centres)
    first = [int(np.flatnonzero(labels == number)[0]) for number in range(len(centres))]
    sizes = np.bincount(labels, minlength=len(centres))
    order = sorted(range(len(centres)), key=lambda number: (-sizes[number], first[number]))
    return assign(points, centres[order])
