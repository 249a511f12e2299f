"""Intervals of quantiles without any assumption about their distribution."""

from __future__ import annotations

import math

import numpy as np
from scipy import special


def quantile_interval(values: np.ndarray, share: float, level: float = 0.95) -> tuple[float, float]:
    """Two of the sorted values between which the quantile lies (Conover 1999, Practical Nonparametric Statistics, 3.2).

    Args:
        values: (N,) independent values.
        share: of the quantile, such as 0.9.
        level: least probability of holding it.

    Returns:
        The two ends; NaN where the values are too few, such as 35 for the 90th percentile.
    """
    n, tail = len(values), (1 - level) / 2
    # Probability (N + 1,) of at most k values below the quantile.
    at_most = special.bdtr(np.arange(n + 1.0), n, share)
    first, last = int(np.searchsorted(at_most, tail, "right")), int(np.searchsorted(at_most, 1 - tail))
    # The interval would have to reach beyond the smallest or largest value, of which nothing is known.
    if not 1 <= first <= last < n:
        return math.nan, math.nan
    ordered = np.sort(values)
    return float(ordered[first - 1]), float(ordered[last])
