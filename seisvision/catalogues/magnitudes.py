"""b-values of the law of Gutenberg and Richter, of magnitudes that are rounded to steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

STEPS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
FINEST = 0.001
FEWEST = 2


@dataclass(frozen=True)
class BValue:
    """A b-value with its standard error (Shi and Bolt 1982) and interval.

    Attributes:
        b: decades of number a unit of magnitude.
        error: standard error.
        low95, high95: exact for magnitudes that are exponential: twice their sum over the mean is chi-squared.
        n: magnitudes it rests on.
    """

    b: float
    error: float
    low95: float
    high95: float
    n: int


def magnitude_step(magnitude: np.ndarray) -> float:
    """Step to which magnitudes (N,) are rounded: the coarsest that 99 % of them are multiples of, 0.001 at least."""
    for step in STEPS:
        off = np.abs(magnitude / step - np.round(magnitude / step)) * step
        if len(magnitude) and (off < 1e-4).mean() > 0.99:
            return step
    return FINEST


def b_value(magnitude: np.ndarray, completeness: float, step: float) -> BValue:
    """b-value of the magnitudes (N,) from ``completeness`` on, by maximum likelihood.

    For steps of any width it is that of Tinti and Mulargia (1987, BSSA 77, 2125): ln(1 + step/(mean - completeness))
    over step ln 10, which Aki's (1965) with Utsu's half step only approaches. NaN for fewer than two magnitudes, or
    where all are equal.
    """
    chosen = magnitude[magnitude >= completeness - step / 2 + 1e-9]
    excess = float(chosen.mean() - completeness) if len(chosen) >= FEWEST else 0.0
    if not excess > 1e-9:
        return BValue(np.nan, np.nan, np.nan, np.nan, len(chosen))
    b = float(np.log1p(step / excess) / (step * np.log(10)))
    n = len(chosen)
    error = float(np.log(10) * b**2 * np.sqrt(((chosen - chosen.mean()) ** 2).sum() / (n * (n - 1))))
    low, high = stats.chi2.ppf([0.025, 0.975], 2 * n) / (2 * n)
    return BValue(b, error, float(b * low), float(b * high), n)
