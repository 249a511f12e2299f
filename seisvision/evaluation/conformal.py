"""Conformal intervals and sets: as wide as the errors of other events say, whatever distribution the network states.

Scores of how wrong answers were on validation events have a quantile; what would be no more wrong than that is inside.
If new events are like those, a new sample is inside with at least the level's probability, for any network and any
size of the validation part (Vovk et al. 2005). Samples of one event go together, so that events are what is counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ConformalAnswers:
    """Intervals or sets of N samples."""

    inside: np.ndarray
    """bool (N,): the true value is."""
    size: np.ndarray
    """(N,) half widths in the unit, or numbers of classes."""
    unit: str


def conformal_threshold(scores: np.ndarray, source_ids: Sequence[Any], level: float) -> float:
    """The score that a sample of a new event exceeds with a probability of at most one minus the level.

    Every event weighs alike, and the new one, whose scores might be anything, as much as each of the others (Lee,
    Barber & Willett 2023, hierarchical conformal prediction, equation 4).

    Args:
        scores: (N,) of validation samples, larger is more wrong; NaN are left out.
        source_ids: (N,) their events.
        level: between 0 and 1.

    Returns:
        Infinity where there are too few events for the level.
    """
    known = np.isfinite(scores)
    scores = np.asarray(scores, float)[known]
    if not len(scores):
        return math.inf
    event, count = np.unique(np.asarray(source_ids)[known], return_inverse=True, return_counts=True)[1:]
    order = np.argsort(scores, kind="stable")
    weight = np.cumsum(1 / count[event[order]]) / (len(count) + 1)
    place = int(np.searchsorted(weight, level - 1e-12))
    return float(scores[order][place]) if place < len(scores) else math.inf
