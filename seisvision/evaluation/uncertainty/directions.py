"""Intervals about directions: of a mean direction, and of the spread of directions round the circle."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

CHANCE = 0.001
"""Probability with which directions without a mean may be given an interval of it."""


def mean_direction_interval(unit: np.ndarray, group: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Directions across which the mean vector does not deviate more than Student's t allows (Fieller 1954).

    An inverted test, so it holds for wide scatter too. Where the mean vector may as well be zero (Hotelling's test at
    one in a thousand) there is no mean direction and no interval (Fisher 1993, Statistical Analysis of Circular Data,
    section 4.4).

    Args:
        unit: (N, 2) cosine and sine of every angle.
        group: (N,) event number from 0.
        level: confidence level.

    Returns:
        Ends in radians, the lower one first and the estimate between them, so they may lie beyond half a circle; NaN
        where there is none.
    """
    mean, covariance = mean_vector(unit, group)
    n_events = int(group.max()) + 1
    if n_events < 4 or not _has_direction(mean, covariance, n_events):
        return math.nan, math.nan
    quantile = float(special.stdtrit(n_events - 1, 0.5 + level / 2))
    turned = np.array([[0.0, -1.0], [1.0, 0.0]])
    form = turned.T @ (np.outer(mean, mean) - quantile**2 * covariance) @ turned
    # Directions c with c' form c <= 0 pass; they form a double cone where one eigenvalue is positive.
    values, vectors = np.linalg.eigh(form)
    if values[1] <= 0 or values[0] >= 0:
        return math.nan, math.nan
    half = math.atan2(math.sqrt(max(-values[0], 0.0)), math.sqrt(values[1]))
    axis = math.atan2(vectors[1, 0], vectors[0, 0])
    estimate = math.atan2(mean[1], mean[0])
    # An axis points two ways; the mean direction is the one nearer to the estimate.
    middle = estimate + (axis - estimate + math.pi / 2) % math.pi - math.pi / 2
    return middle - half, middle + half


def resultant_interval(unit: np.ndarray, group: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Length of the mean vector without what chance adds to it, and the ends of its interval.

    The lower end is zero where the directions may be spread evenly (Rayleigh's test).

    Args:
        unit: (N, 2) cosine and sine of every angle.
        group: (N,) event number from 0.
        level: confidence level.
    """
    mean, covariance = mean_vector(unit, group)
    length = float(np.hypot(*mean))
    along = mean / length if length > 0 else np.array([1.0, 0.0])
    n_events = int(group.max()) + 1
    if n_events < 2:
        return length, math.nan, math.nan
    # Across two events that differ only sideways there is no variance, and rounding may take it below zero.
    deviation = math.sqrt(max(float(along @ covariance @ along), 0.0))
    reach = float(special.stdtrit(n_events - 1, 0.5 + level / 2)) * deviation
    # Noise alone makes a mean vector, whose squared length is on average the trace.
    noise = float(np.trace(covariance))
    # Of even directions the squared length is exponential about its mean, which gives its quantile at ``level`` too.
    cleaned, least = (math.sqrt(max(length**2 - times * noise, 0.0)) for times in (1.0, -math.log1p(-level)))
    return cleaned, max(0.0, min(cleaned - reach, least)), min(1.0, length + reach)


def _has_direction(mean: np.ndarray, covariance: np.ndarray, n_events: int) -> bool:
    """Hotelling's test of a mean vector of zero."""
    if np.linalg.det(covariance) <= 1e-12 * np.trace(covariance) ** 2:
        return bool(mean @ mean > 0)
    squared = float(mean @ np.linalg.solve(covariance, mean)) * (n_events - 2) / (2 * (n_events - 1))
    return bool(special.fdtrc(2, n_events - 2, squared) < CHANCE)


def mean_vector(unit: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (2,) of vectors (N, 2) and its covariance (2, 2), of vectors summed by event."""
    mean = unit.mean(0)
    deviation = np.stack([np.bincount(group, part) for part in (unit - mean).T], axis=1) / len(unit)
    n_events = len(deviation)
    return mean, n_events / max(n_events - 1, 1) * deviation.T @ deviation
