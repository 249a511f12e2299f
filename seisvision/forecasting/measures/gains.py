"""How much more likely a forecast makes what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from seisvision.errors import DataError
from seisvision.evaluation.intervals import Measure
from seisvision.forecasting.measures.blocks import Blocks

POWER = 0.8
LEVEL = 0.95


def check_rates(rates: np.ndarray, counts: np.ndarray, name: str = "rates") -> None:
    """Refuse forecasts that cannot be judged.

    Raises:
        DataError: shapes differ, or a rate is not finite or not above 0 (what is called impossible and happens costs
            everything, so nothing may be called impossible).
    """
    if rates.shape != counts.shape:
        raise DataError(f"{name} have shape {rates.shape}, but {counts.shape} windows and cells were counted")
    wrong = ~(np.isfinite(rates) & (rates > 0))
    if wrong.any():
        raise DataError(
            f"{wrong.sum()} of {wrong.size} {name} are not above 0 and finite (the first is {rates[wrong][0]:g}); give "
            "every cell a floor"
        )


def log_likelihoods(rates: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Logarithm of the chance of the counts of each window (W,), Poisson and independent between cells."""
    check_rates(rates, counts)
    # Most cells are empty; only the others need logarithms.
    window, cell = np.nonzero(counts)
    n = counts[window, cell]
    own = n * np.log(rates[window, cell]) - special.gammaln(n + 1)
    return np.asarray(np.bincount(window, weights=own, minlength=len(counts)) - rates.sum(axis=1))


@dataclass(frozen=True)
class Gain:
    """Information gain per event over another forecast, in nats.

    Attributes:
        measure: with its interval.
        least_seen: smallest gain that this test would have found significant in 80 % of repeats; NaN with too few
            blocks.
    """

    measure: Measure
    least_seen: float


def information_gain(rates: np.ndarray, other: np.ndarray, counts: np.ndarray, blocks: Blocks) -> Gain:
    """Gain of ``rates`` over ``other``, both (W, C), per event that happened.

    Raises:
        DataError: rates that cannot be judged.
    """
    difference = log_likelihoods(rates, counts) - log_likelihoods(other, counts)
    events = counts.sum(axis=1).astype(float)
    reach = stats.norm.ppf(0.5 + LEVEL / 2) + stats.norm.ppf(POWER)
    return Gain(blocks.ratio(difference, events, LEVEL), float(reach * blocks.spread(difference, events)))
