"""Intervals of proportions, of their means, and of means of bounded values, by event where samples share events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy import special

from seisvision.evaluation.intervals import rare_wilson_interval

FEW_EVENTS = 10
"""With fewer events that are not all right, or not all wrong, their dependence cannot be estimated."""
ENOUGH_EVENTS = 30
"""With fewer, neither can the variance."""


@dataclass(frozen=True)
class Part:
    """One term of a mean: its value, its interval, and what every event adds to its deviation."""

    value: float
    low: float
    high: float
    influence: np.ndarray
    """(G,) share of every event in the deviation of the value from the truth."""


def event_share_interval(values: np.ndarray, group: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Interval of the mean of values between 0 and 1, such as hits, whose samples share events.

    Wilson's with the number of independent trials that would vary as much (Rao and Scott 1992, Biometrics 48, 577-585,
    doi:10.2307/2532311), less where few events were seen (Korn and Graubard 1998, Survey Methodology 24, 193-201).
    Where fewer than ten events differ from all-right or all-wrong, or there are fewer than thirty, the samples of an
    event are taken for copies: the interval then errs on the wide side.

    Args:
        values: (N,) between 0 and 1.
        group: (N,) number of the event of every sample.
        level: confidence level.

    Returns:
        The two ends; (NaN, NaN) without samples.
    """
    if not len(values):
        return math.nan, math.nan
    return _wilson(float(np.mean(values)), effective_trials(values, group, level), level)


def effective_trials(values: np.ndarray, group: np.ndarray, level: float = 0.95) -> float:
    """Number of independent trials whose proportion is as well known as the mean of ``values``; see above."""
    size, total = _by_event(np.asarray(values, float), group)
    n, n_events = size.sum(), len(size)
    share = total.sum() / n
    # Trials that are left if the samples of an event were copies of each other.
    copies = n**2 / (size**2).sum()
    n_different = min(int((total > 1e-9).sum()), int((total < size - 1e-9).sum()))
    # Of a ratio of two sums, because events have different numbers of samples and the sum of these is chance as well.
    variance = n_events / max(n_events - 1, 1) * ((total - share * size) ** 2).sum() / n**2
    if n_events < 2 or variance <= 1e-18:
        return float(copies)
    estimated = share * (1 - share) / variance
    # Wilson's interval has the normal quantile: few events, which tell their variance badly, become fewer trials.
    estimated *= (NormalDist().inv_cdf(0.5 + level / 2) / special.stdtrit(n_events - 1, 0.5 + level / 2)) ** 2
    few = n_different < FEW_EVENTS or (n_events < ENOUGH_EVENTS and n_events < n)
    return float(min(estimated, copies) if few else estimated)


def share_part(hits: np.ndarray, among: np.ndarray, group: np.ndarray, n_events: int, level: float = 0.95) -> Part:
    """The proportion of ``hits`` among some samples as a part of a mean; see :func:`mean_of_parts`.

    Args:
        hits: bool (N,).
        among: bool (N,) samples that count.
        group: (N,) event number from 0 to ``n_events - 1``.
        n_events: G.
        level: confidence level.
    """
    chosen = np.flatnonzero(among)
    value = float(np.mean(hits[chosen]))
    independent = len(np.unique(group[chosen])) == len(chosen)
    ends = (
        _wilson(value, len(chosen), level)
        if independent
        else event_share_interval(hits[chosen].astype(float), group[chosen], level)
    )
    influence = np.bincount(group[chosen], (hits[chosen] - value) / len(chosen), n_events)
    return Part(value, *ends, influence)


def mean_of_parts(parts: Sequence[Part], level: float = 0.95) -> tuple[float, float, float]:
    """Mean of K estimates and its interval from theirs: the ends keep their distance, squared and summed.

    Newcombe 1998, Statistics in Medicine 17, 873-890 (method 10); Zou and Donner 2008, Statistics in Medicine 27,
    1693-1702, for estimates that depend on each other. Estimates that did not vary are taken to go together. Squares
    shorten the reach of rare errors, so the ends are never nearer than those of a share that varies as the mean does.
    """
    value = float(np.mean([part.value for part in parts]))
    influence = np.stack([part.influence for part in parts])
    covariance = influence @ influence.T
    scale = np.sqrt(np.diag(covariance))
    varied = np.outer(scale, scale)
    # Parts of different events have no product at all, whether they varied or not.
    apart = (influence != 0).astype(float) @ (influence != 0).T == 0
    correlation = np.where(varied > 1e-24, covariance / np.maximum(varied, 1e-24), np.where(apart, 0.0, 1.0))
    np.fill_diagonal(correlation, 1.0)
    below = np.array([part.value - part.low for part in parts])
    above = np.array([part.high - part.value for part in parts])
    reach = [math.sqrt(max(float(side @ correlation @ side), 0.0)) / len(parts) for side in (below, above)]
    low, high = max(0.0, value - reach[0]), min(1.0, value + reach[1])
    n_events = int((influence != 0).any(0).sum())
    variance = float((influence.mean(0) ** 2).sum()) * n_events / max(n_events - 1, 1)
    if len(parts) == 1 or variance <= 1e-18:
        return value, low, high
    whole = _wilson(value, value * (1 - value) / variance, level)
    return value, min(low, whole[0]), max(high, whole[1])


def _wilson(share: float, n: float, level: float) -> tuple[float, float]:
    return rare_wilson_interval(min(share * n, n), n, level)


def _by_event(values: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of samples and sum of values of every event that has samples."""
    number = np.unique(group, return_inverse=True)[1]
    return np.bincount(number).astype(float), np.bincount(number, values)
