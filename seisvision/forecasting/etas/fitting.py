"""ETAS fitted to a catalogue by maximum likelihood.

The search goes over a weighted sample of pairs (L-BFGS), and steps of Newton over all pairs end it: the result is
the maximum of the exact likelihood at a fraction of its cost: some 60 passes over the sample, of about 30 pairs an
event, and 2 to 4 over all N² / 2.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from seisvision.errors import DataError
from seisvision.forecasting.etas.background import Background, EvenBackground, SmoothedBackground
from seisvision.forecasting.etas.data import EtasData
from seisvision.forecasting.etas.likelihood import log_likelihood, target_rates
from seisvision.forecasting.etas.pairs import AllPairs, Block, SampledPairs
from seisvision.forecasting.etas.parameters import BOUNDS, NAMES, START, EtasParameters, from_search
from seisvision.seeding import DEFAULT_SEED

EXACT_UP_TO = 4_000_000
"""Pairs that are all kept rather than sampled."""
NEWTON_STEPS = 4
DONE = 0.05
"""Newton's decrement: the likelihood lies within half its square of the maximum, and no parameter is off by more than
that part of its standard error."""
SEARCH = {"ftol": 1e-7, "gtol": 0.1, "maxiter": 200}
SLOPE_STEP = 1e-3
LEAST_CURVATURE = 1e-4
"""Of the likelihood along a direction; what curves less is not told by the catalogue."""
BACKGROUND_ROUNDS = 4
SETTLED = 0.02
"""Change of the background rate between rounds that ends them."""


@dataclass(frozen=True)
class EtasFit:
    """A fitted model.

    Attributes:
        parameters: at the maximum.
        covariance: (8, 8) in the terms of the search, from the curvature there.
        background: where events come by themselves.
        log_likelihood: of times and places of the M targets.
        decrement: Newton's, over all pairs: how far the maximum may be, in standard errors.
        at_bound: names of parameters that ended at a bound of the search; their errors mean nothing.
        n_targets, n_sources, n_pairs: what it rests on.
        seconds: that it took.
    """

    parameters: EtasParameters
    covariance: np.ndarray
    background: Background
    log_likelihood: float
    decrement: float
    at_bound: tuple[str, ...]
    n_targets: int
    n_sources: int
    n_pairs: int
    seconds: float

    def errors(self) -> np.ndarray:
        """Standard errors (8,) in the terms of the search (of logarithms, but of alpha, gamma and p)."""
        return np.sqrt(np.diag(self.covariance))

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Interval of a parameter: symmetric in the terms of the search, hence never beyond what is possible."""
        at = NAMES.index(name)
        reach = stats.norm.ppf(0.5 + level / 2) * self.errors()[at]
        middle = self.parameters.to_vector()[at]
        return from_search(name, middle - reach), from_search(name, middle + reach)


def fit_etas(
    data: EtasData,
    background: str = "smoothed",
    neighbours: int = 5,
    start: EtasParameters | None = None,
    seed: int = DEFAULT_SEED,
) -> EtasFit:
    """Fit the eight parameters, and where the background is smoothed that too.

    Args:
        data: targets and sources.
        background: ``even``, or ``smoothed`` from the targets by the chance of each that it came by itself (Zhuang,
            Ogata and Vere-Jones 2002, doi:10.1198/016214502760046925), each seen by the others only.
        neighbours: of the smoothing.
        start: where the search begins.
        seed: of the sample of pairs.

    Raises:
        DataError: the likelihood cannot be computed, or its maximum cannot be found.
    """
    begun = time.perf_counter()
    x, y = data.x_km[data.target], data.y_km[data.target]
    chosen: Background = EvenBackground(data.region)
    density = chosen.density(x, y)
    if background == "smoothed":
        smooth = SmoothedBackground(data.region, x, y, neighbours=neighbours)
        chosen, density = smooth, smooth.density_at_own()
    rough = start or _start(data)
    pairs: Iterable[Block] = _kept(AllPairs(data), data, rough, density, seed)
    vector, curvature = rough.to_vector(), None
    for _ in range(BACKGROUND_ROUNDS if background == "smoothed" else 1):
        before = vector
        vector = _search(vector, data, density, pairs)
        if background == "smoothed":
            parameters = _parameters(vector, data)
            by_itself = parameters.background_per_day * density
            chance = by_itself / (by_itself + target_rates(data, parameters, pairs))
            smooth = SmoothedBackground(data.region, x, y, chance, neighbours)
            chosen, density = smooth, smooth.density_at_own()
            if abs(vector[0] - before[0]) < SETTLED:
                break
    vector = _search(vector, data, density, pairs)
    curvature = _curvature(vector, data, density, pairs)
    vector, value, decrement = _newton(vector, curvature, data, density)
    bounds = np.array(BOUNDS)
    at_bound = (vector < bounds[:, 0] + 1e-3) | (vector > bounds[:, 1] - 1e-3)
    return EtasFit(
        _parameters(vector, data), np.linalg.inv(curvature), chosen, value, decrement,
        tuple(name for name, is_at in zip(NAMES, at_bound, strict=True) if is_at), len(data.target),
        len(data.time_days), len(AllPairs(data)), time.perf_counter() - begun,
    )  # fmt: skip


def _start(data: EtasData) -> EtasParameters:
    half = 0.5 * len(data.target) / data.observed_days
    return EtasParameters(half, *START[1:], data.reference_magnitude, data.b, data.largest_magnitude)


def _parameters(vector: np.ndarray, data: EtasData) -> EtasParameters:
    return EtasParameters.from_vector(vector, data.reference_magnitude, data.b, data.largest_magnitude)


def _kept(
    every: AllPairs, data: EtasData, rough: EtasParameters, density: np.ndarray, seed: int
) -> AllPairs | SampledPairs:
    if len(every) <= EXACT_UP_TO:
        return every
    # Rough parameters choose a sample; what is found on a small one chooses a better one.
    return SampledPairs(data, rough, density, seed)


def _search(vector: np.ndarray, data: EtasData, density: np.ndarray, pairs: Iterable[Block]) -> np.ndarray:
    """Maximum over the pairs given, from ``vector`` on."""

    def cost(at: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = log_likelihood(at, data, density, pairs)
        return -value, -slope

    found = optimize.minimize(
        cost, vector, jac=True, method="L-BFGS-B", bounds=BOUNDS, options={"ftol": 1e-9, "gtol": 0.05, "maxiter": 300}
    )
    if not np.isfinite(found.fun):
        raise DataError(
            f"ETAS has no likelihood at {_parameters(found.x, data)}; look for events of one time and place"
        )
    return np.asarray(found.x)


def _curvature(vector: np.ndarray, data: EtasData, density: np.ndarray, pairs: Iterable[Block]) -> np.ndarray:
    """Negative second derivatives (8, 8), by central differences of the gradient, made positive definite."""
    rows = []
    for at in range(len(NAMES)):
        step = np.zeros(len(NAMES))
        step[at] = SLOPE_STEP
        ahead, behind = (log_likelihood(vector + way * step, data, density, pairs)[1] for way in (1, -1))
        rows.append(-(ahead - behind) / (2 * SLOPE_STEP))
    table = np.array(rows)
    values, directions = np.linalg.eigh((table + table.T) / 2)
    return np.asarray((directions * np.maximum(values, LEAST_CURVATURE)) @ directions.T)


def _newton(
    vector: np.ndarray, curvature: np.ndarray, data: EtasData, density: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """Steps over all pairs with the curvature of the sample, until they are a twentieth of a standard error."""
    every, bounds = AllPairs(data), np.array(BOUNDS)
    best = None
    for _ in range(NEWTON_STEPS):
        value, slope = log_likelihood(vector, data, density, every)
        # At a bound the likelihood may still rise beyond it.
        free = ~(((vector <= bounds[:, 0] + 1e-6) & (slope < 0)) | ((vector >= bounds[:, 1] - 1e-6) & (slope > 0)))
        step = np.zeros(len(vector))
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)], slope[free])
        decrement = math.sqrt(max(float(slope @ step), 0.0))
        if best is None or value >= best[1]:
            best = vector, value, decrement
        else:
            # It went too far: half the way back.
            vector = (vector + best[0]) / 2
            continue
        if decrement < DONE:
            break
        vector = np.clip(vector + step, bounds[:, 0], bounds[:, 1])
    assert best is not None
    return best
