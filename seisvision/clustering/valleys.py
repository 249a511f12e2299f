"""How many groups does a cloud of points fall into, each parted from the others by a valley of its density?

Many small k-means cells are merged until every pair of what is left is parted by a valley: between the two there are
fewer points than in the middle of either. Events that took no part in finding the cells are counted in three windows of
equal width on the discriminant line of a pair, and two binomial tests ask whether the window between them is emptier
than *both* others. Under any density without a valley on that line at least one of the two is no emptier, so the larger
p-value holds whatever the shape (an intersection-union test): a long, flat, skewed or heavy-tailed cloud is one group.

Merging by unimodality follows Hennig (2010, Adv. Data Anal. Classif. 4, 3-34); the test on held-out points is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom
from sklearn.cluster import KMeans

from seisvision.clustering.kmeans import squared_distances
from seisvision.seeding import numpy_stream, stream_seed

N_CELLS = 16
POINTS_OF_CELL = 25
"""Points of a cell on average, at least, where there are many cells."""
FEW_CELLS = 8
POINTS_OF_FEW = 10
"""So many cells may be made from as few points each: without them ten samples a group could never be seen."""
N_FOLDS = 5
WINDOW = 0.3
"""Width of the counting windows, as a share of the way between the two middles."""
LEVEL = 0.01
HINT = 0.2
"""Larger p-values are not told apart."""
SHRINKAGE = 0.1
"""Of the pooled covariance towards a multiple of the identity."""
PLACES = np.linspace(0.3, 0.7, 17)
"""Where the valley may lie on the way between the middles."""
CONNECTED = 0.8
"""Where neighbouring cells of two groups have this share of the lower density between them, the groups are one."""


@dataclass(frozen=True)
class Groups:
    """Groups that valleys part.

    Args:
        labels: int (N,), 0 to the number of groups - 1.
        p_value: of the weakest valley between two of them; where there is one group, of the last merger.
        centres: float (M, F) of the cells that were merged.
        group_of_cell: int (M,).
    """

    labels: np.ndarray
    p_value: float
    centres: np.ndarray
    group_of_cell: np.ndarray

    @property
    def n(self) -> int:
        """How many groups there are."""
        return int(self.labels.max()) + 1

    def assign(self, points: np.ndarray) -> np.ndarray:
        """Groups (N,) of other points (N, F): that of the nearest cell."""
        return self.group_of_cell[squared_distances(points, self.centres).argmin(axis=1)]


@dataclass(frozen=True)
class _Fold:
    """Points (n, F) of every cell: of the other folds, which made the cells, and of this one."""

    points: list[np.ndarray]
    held_out: list[np.ndarray]


def most_groups(n_points: int, n_cells: int = N_CELLS) -> int:
    """How many cells, and so groups, ``n_points`` can be cut into; at most ``n_cells``."""
    return max(1, min(n_cells, max(n_points // POINTS_OF_CELL, min(FEW_CELLS, n_points // POINTS_OF_FEW))))


def find_groups(points: np.ndarray, seed: int, *, n_cells: int = N_CELLS, level: float = LEVEL) -> Groups:
    """Merge k-means cells until valleys part all that is left.

    Args:
        points: float (N, F); few dimensions, such as leading principal components.
        seed: of k-means and folds.
        n_cells: cells to start with; fewer where points are few, see :func:`most_groups`.
        level: a valley must be at least this significant.
    """
    n_cells = most_groups(len(points), n_cells)
    folds, cells = _make_folds(points, n_cells, seed)
    n_cells = int(cells.max()) + 1
    bridges = _bridges(points, cells, folds)
    merged: list[tuple[int, ...]] = [(number,) for number in range(n_cells)]
    known: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    p_value, distance = 1.0, _between(points, cells, n_cells)
    while len(merged) > 1:
        pairs = [(a, b) for i, a in enumerate(merged) for b in merged[i + 1 :]]
        # Few points in the windows say little: where there is no hint of a valley, the nearest are merged first.
        for a, b in sorted(pairs, key=lambda pair: distance[np.ix_(*pair)].min()):
            if (a, b) not in known:
                known[a, b] = _p_value(folds, a, b, bridges)
            if known[a, b] >= HINT:
                break
        else:
            # Every pair has a hint of a valley: the least certain one is tested first.
            a, b = max(pairs, key=lambda pair: known[pair])
        p_value = known[a, b]
        if p_value < level:
            break
        merged = [group for group in merged if group not in (a, b)] + [tuple(sorted(a + b))]
    group_of_cell = np.empty(n_cells, int)
    for number, group in enumerate(sorted(merged)):
        group_of_cell[list(group)] = number
    centres = np.stack([points[cells == number].mean(axis=0) for number in range(n_cells)])
    return Groups(group_of_cell[cells], p_value, centres, group_of_cell)


def _make_folds(points: np.ndarray, n_cells: int, seed: int) -> tuple[list[_Fold], np.ndarray]:
    """Folds, and the cells (N,) of all points: up to ``n_cells``, as many as there are different points."""
    state = stream_seed(seed, "cells") % 2**32
    whole = KMeans(n_cells, n_init=10, max_iter=100, random_state=state).fit(points)
    used, cells = np.unique(whole.labels_, return_inverse=True)
    n_cells = len(used)
    number = numpy_stream(seed, "valley folds").permutation(len(points)) % N_FOLDS
    folds = []
    for fold in range(N_FOLDS):
        inside = number != fold
        # Started from the cells of all points, so that a cell has the same number in every fold.
        found = KMeans(n_cells, init=whole.cluster_centers_[used], n_init=1, max_iter=50).fit(points[inside])
        new = found.predict(points[~inside])
        folds.append(
            _Fold(
                [points[inside][found.labels_ == cell] for cell in range(n_cells)],
                [points[~inside][new == cell] for cell in range(n_cells)],
            )
        )
    return folds, cells


def _p_value(folds: list[_Fold], a: tuple[int, ...], b: tuple[int, ...], bridges: np.ndarray) -> float:
    """Of no valley between two groups of cells; 1 where neighbouring cells bridge it."""
    # One line between two large groups may miss where they touch; of two single cells it is the bridge itself.
    local = bridges[:, list(a)][:, :, list(b)].sum(axis=(1, 2)) if len(a) + len(b) > 2 else np.zeros(3)
    if local[1] > CONNECTED * min(local[0], local[2]) and local[1] > 0:
        return 1.0
    left, middle, right = np.sum([_counts(fold, a, b) for fold in folds], axis=0)
    return float(max(binom.cdf(middle, middle + side, 0.5) if middle + side else 1.0 for side in (left, right)))


def _counts(fold: _Fold, a: tuple[int, ...], b: tuple[int, ...]) -> np.ndarray:
    """Held-out points of two groups near the middle of the first, in the valley, and near the middle of the second."""
    first, second = (np.concatenate([fold.points[cell] for cell in cells]) for cells in (a, b))
    if min(len(first), len(second)) < 2:
        return np.zeros(3)
    line = _discriminant(first, second)
    along = [first @ line, second @ line]
    start, end = np.median(along[0]), np.median(along[1])
    if end <= start:
        return np.zeros(3)
    known = np.sort((np.concatenate(along) - start) / (end - start))
    counts = np.searchsorted(known, PLACES + WINDOW / 2) - np.searchsorted(known, PLACES - WINDOW / 2)
    # Found with the points that made the cells, counted with those that did not: nothing is tested where it was sought.
    valley = PLACES[counts == counts.min()].mean()
    new = (np.concatenate([fold.held_out[cell] for cell in a + b]) @ line - start) / (end - start)
    return (np.abs(new[:, None] - np.array([0.0, valley, 1.0])) < WINDOW / 2).sum(axis=0).astype(float)


def _discriminant(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Direction (F,) that parts two sets of points best (Fisher 1936), with shrinkage."""
    inner = np.concatenate([first - first.mean(axis=0), second - second.mean(axis=0)])
    scatter = inner.T @ inner / len(inner)
    scatter += (SHRINKAGE * np.trace(scatter) / len(scatter) + 1e-12) * np.eye(len(scatter))
    return np.linalg.solve(scatter, second.mean(axis=0) - first.mean(axis=0))


def _between(points: np.ndarray, cells: np.ndarray, n_cells: int) -> np.ndarray:
    """Squared distances (n_cells, n_cells) of the middles of the cells."""
    centres = np.stack([points[cells == number].mean(axis=0) for number in range(n_cells)])
    return squared_distances(centres, centres)


def _bridges(points: np.ndarray, cells: np.ndarray, folds: list[_Fold]) -> np.ndarray:
    """Counts (3, n_cells, n_cells) of neighbouring cells: near the middles and between them; 0 elsewhere.

    Cells are neighbours where some point has them as its nearest two (Martinetz and Schulten 1994).
    """
    n_cells = int(cells.max()) + 1
    found = np.zeros((3, n_cells, n_cells))
    centres = np.stack([points[cells == number].mean(axis=0) for number in range(n_cells)])
    if n_cells < 2:
        return found
    nearest = np.sort(np.argsort(squared_distances(points, centres), axis=1)[:, :2], axis=1)
    for one, other in np.unique(nearest, axis=0):
        counts = np.sum([_counts(fold, (int(one),), (int(other),)) for fold in folds], axis=0)
        found[:, one, other] = counts
        found[:, other, one] = counts[::-1]
    return found
