"""Double difference: events moved against each other until differential times fit.

Waldhauser and Ellsworth (2000, doi:10.1785/0120000006): differences of residuals of two events at one station depend
on their places against each other, for what the model does not know of the path is the same for both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from seisvision.cataloguing.network import Arrivals
from seisvision.seeding import numpy_stream

CT, CC = 0, 1
SIGMA_S = (0.1, 0.01)
"""Of a differential time from picks, and from correlation at a correlation of one."""
CUT = 6.0
"""Residuals beyond so many of their median absolute deviation have no say (biweight of hypoDD)."""
DAMPING = 1e-3
HELD = 1e3
"""Weight of the condition that a cluster stays where it is on average."""
LONGEST_KM = 2.0


@dataclass(frozen=True)
class Links:
    """N differential times.

    Args:
        first, second: (N,) numbers of events.
        station: (N,).
        phase: (N,).
        kind: (N,) ``CT`` from picks or ``CC`` from correlation.
        difference_s: (N,) travel time of the first less that of the second, with the origin times of the start.
        weight: (N,) 0 to 1, such as the squared correlation.
    """

    first: np.ndarray
    second: np.ndarray
    station: np.ndarray
    phase: np.ndarray
    kind: np.ndarray
    difference_s: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Relocated:
    """What M events were moved by.

    Attributes:
        shift: (M, 4) km north, east, down and s later; NaN for events without enough links.
        error: (M, 4) standard deviations from a bootstrap, what the noise of the times leaves; NaN where there are
            none. What the model does not know of the paths comes on top.
        cluster: (M,) number of the cluster, -1 for none.
        n_links: (M,) that had a say.
        rms_s: before and after, of the links.
    """

    shift: np.ndarray
    error: np.ndarray
    cluster: np.ndarray
    n_links: np.ndarray
    rms_s: tuple[float, float]


def clusters(links: Links, n_events: int, fewest: int) -> np.ndarray:
    """Numbers (M,) of events that hang together by pairs with at least ``fewest`` links; -1 for single ones."""
    pair = links.first.astype(np.int64) * n_events + links.second
    names, counts = np.unique(pair, return_counts=True)
    firm = counts >= fewest
    matrix = csr_matrix(
        (np.ones(firm.sum()), (names[firm] // n_events, names[firm] % n_events)), shape=(n_events, n_events)
    )
    _, label = connected_components(matrix, directed=False)
    sizes = np.bincount(label, minlength=n_events)
    renamed = {number: rank for rank, number in enumerate(np.flatnonzero(sizes > 1).tolist())}
    return np.array([renamed.get(number, -1) for number in label.tolist()])


def double_difference(
    links: Links,
    predict: Callable[[np.ndarray], Arrivals],
    n_events: int,
    fewest: int = 8,
    iterations: int = 8,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> Relocated:
    """Move events.

    Args:
        links: of their pairs.
        predict: arrivals at all stations of the events moved by (M, 3) km north, east and down.
        n_events: M.
        fewest: links of a pair that ties two events together.
        iterations: of least squares with new weights and predictions.
        n_bootstrap: draws for the errors. Errors of the times belong to events, not to pairs, which share them: the
            residual of each event at each station is estimated from all of its pairs, drawn anew for all, and carried
            through the last step.
        seed: of the draws.
    """
    cluster = clusters(links, n_events, fewest)
    together = (cluster[links.first] >= 0) & (cluster[links.first] == cluster[links.second])
    links = Links(*(value[together] for value in vars(links).values()))
    shift = np.zeros((n_events, 4))
    nothing = np.full((n_events, 4), np.nan)
    if not len(links):
        return Relocated(nothing, nothing, cluster, np.zeros(n_events, int), (np.nan, np.nan))
    base = links.weight / np.array(SIGMA_S)[links.kind] ** 2
    weight = base.copy()
    first_rms = float("nan")
    hold = _held(cluster, n_events)
    for number in range(iterations):
        matrix, residual = _system(links, predict(shift[:, :3]), shift, n_events)
        if number == 0:
            first_rms = _rms(residual, base)
        weight = base * _biweight(residual, links.kind)
        step = _solve(matrix, weight, residual, hold).reshape(n_events, 4)
        size = np.linalg.norm(step[:, :3], axis=1, keepdims=True)
        shift += step * np.minimum(1.0, LONGEST_KM / np.maximum(size, 1e-9))
    matrix, residual = _system(links, predict(shift[:, :3]), shift, n_events)
    n_links = np.bincount(np.concatenate([links.first, links.second])[np.tile(weight > 0, 2)], minlength=n_events)
    error = _bootstrap(links, matrix, weight, residual, hold, n_events, n_bootstrap, seed)
    lost = (cluster < 0) | (n_links == 0)
    shift[lost], error[lost] = np.nan, np.nan
    return Relocated(shift, error, cluster, n_links, (first_rms, _rms(residual, weight)))


def _rms(residual: np.ndarray, weight: np.ndarray) -> float:
    return float(np.sqrt((weight * residual**2).sum() / max(float(weight.sum()), 1e-300)))


def _system(links: Links, there: Arrivals, shift: np.ndarray, n_events: int) -> tuple[csr_matrix, np.ndarray]:
    """Rows by unknowns (north, east, down, time of each event), and residuals (N,)."""
    n = len(links)
    at = (links.station, links.phase)
    predicted = there.travel_s[(links.first, *at)] - there.travel_s[(links.second, *at)]
    # An origin that is later leaves less travel time.
    observed = links.difference_s - shift[links.first, 3] + shift[links.second, 3]
    rows = np.repeat(np.arange(n), 4)
    parts = []
    for event, sign in ((links.first, 1.0), (links.second, -1.0)):
        slope = np.concatenate([there.slowness[(event, *at)], np.ones((n, 1))], 1) * sign
        columns = (event[:, None] * 4 + np.arange(4)).ravel()
        parts.append(csr_matrix((slope.ravel(), (rows, columns)), shape=(n, 4 * n_events)))
    return parts[0] + parts[1], observed - predicted


def _held(cluster: np.ndarray, n_events: int) -> csr_matrix:
    """Rows that keep the mean of each cluster."""
    rows, columns, values = [], [], []
    for number in range(int(cluster.max()) + 1):
        members = np.flatnonzero(cluster == number)
        for unknown in range(4):
            rows += [4 * number + unknown] * len(members)
            columns += (members * 4 + unknown).tolist()
            values += [1 / len(members)] * len(members)
    return csr_matrix((values, (rows, columns)), shape=(4 * (int(cluster.max()) + 1), 4 * n_events))


def _normal(matrix: csr_matrix, weight: np.ndarray, hold: csr_matrix) -> object:
    square = (matrix.T @ diags(weight) @ matrix).tocsc()
    scale = float(square.diagonal().mean())
    ridge = diags(np.full(square.shape[0], DAMPING * scale * 1e-3 + 1e-12))
    return splu((square + HELD * scale * (hold.T @ hold) + ridge).tocsc())


def _solve(matrix: csr_matrix, weight: np.ndarray, residual: np.ndarray, hold: csr_matrix) -> np.ndarray:
    return np.asarray(_normal(matrix, weight, hold).solve(matrix.T @ (weight * residual)))  # type: ignore[attr-defined]


def _biweight(residual: np.ndarray, kind: np.ndarray) -> np.ndarray:
    weight = np.ones(len(residual))
    for one in (CT, CC):
        own = kind == one
        if own.any():
            spread = max(float(np.median(np.abs(residual[own]))), SIGMA_S[one] / 10)
            ratio = residual[own] / (CUT * spread)
            weight[own] = np.where(np.abs(ratio) < 1, (1 - ratio**2) ** 2, 0.0)
    return weight


def _bootstrap(
    links: Links,
    matrix: csr_matrix,
    weight: np.ndarray,
    residual: np.ndarray,
    hold: csr_matrix,
    n_events: int,
    n_draws: int,
    seed: int,
) -> np.ndarray:
    """Standard deviations (M, 4)."""
    used = weight > 0
    n_places = (int(links.station.max()) + 1) * 2
    own, place = _event_residuals(links, weight, residual, n_events, n_places)
    free = max(1, len(np.unique(place[np.concatenate([used, used])])) - 4 * n_events)
    inflate = np.sqrt(max(1.0, len(np.unique(place)) / free))
    rng = numpy_stream(seed, "double difference")
    solver = _normal(matrix, weight, hold)
    draws = np.empty((n_draws, n_events, 4))
    by_kind = [np.unique(place[np.tile(links.kind == kind, 2)]) for kind in (CT, CC)]
    for number in range(n_draws):
        total = np.zeros(len(residual))
        for kind, places in zip((CT, CC), by_kind, strict=True):
            if not len(places):
                continue
            drawn = np.zeros(own[kind].shape)
            values = own[kind][places]
            drawn[places] = inflate * rng.choice(values - values.mean(), len(places))
            n = len(links)
            both = drawn[place[:n]] - drawn[place[n:]]
            total = np.where(links.kind == kind, both, total)
        draws[number] = solver.solve(matrix.T @ (weight * total)).reshape(n_events, 4)  # type: ignore[attr-defined]
    return np.asarray(draws.std(0))


def _event_residuals(
    links: Links, weight: np.ndarray, residual: np.ndarray, n_events: int, n_places: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Of each kind the residual of every event at every station and phase, and the numbers (2 N,) of these places.

    A pair's residual is the difference of two; their means over pairs tell each, up to what all have in common.
    """
    spot = links.station * 2 + links.phase
    place = np.concatenate([links.first * n_places + spot, links.second * n_places + spot])
    found = []
    for kind in (CT, CC):
        part = np.where(links.kind == kind, np.sqrt(weight), 0.0)
        both = np.concatenate([part * residual, -part * residual])
        size = n_events * n_places
        total = np.bincount(place, both, size)
        count = np.bincount(place, np.tile(part, 2), size)
        n_pairs = np.bincount(place, np.tile(part > 0, 2), size)
        mean = np.where(count > 0, total / np.maximum(count, 1e-300), 0.0)
        # The mean over k partners holds one k-th of the spread of theirs.
        found.append(mean / np.sqrt(1 + 1 / np.maximum(n_pairs, 1)))
    return found, place
