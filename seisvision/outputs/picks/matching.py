"""Which pick is of which arrival, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAREST_S = (0.1, 0.2, 0.5)
"""Tolerances of the measures; residuals are of picks within the last."""


@dataclass(frozen=True)
class Matched:
    """Picks of one phase in N windows beside its arrivals.

    Windows of which nothing is known hold neither. An arrival beyond an end of the window is nothing to be found, and
    a pick of it nothing wrong.
    """

    n_true: np.ndarray
    """(N,) arrivals inside the window."""
    n_picked: np.ndarray
    """(N,) picks, without those of arrivals beyond the window."""
    n_hit: np.ndarray
    """(N,) arrivals that a pick is of, one each."""
    residual_s: np.ndarray
    """(N, E) pick minus arrival; NaN where none is near."""
    is_hit: np.ndarray
    """bool (N, K): picks that are of an arrival inside the window."""


def match(true_s: np.ndarray, picked_s: np.ndarray, window_s: float, tolerance_s: float) -> Matched:
    """Give arrivals their picks, the nearest pairs first, at most one each.

    Args:
        true_s: (N, E) arrivals; NaN in all places where nothing is known of a window.
        picked_s: (N, K) picks; NaN where there are fewer.
        window_s: length of the window.
        tolerance_s: how far a pick may be away.
    """
    known = np.isfinite(true_s).any(1)
    inside = (true_s >= 0) & (true_s < window_s)
    picked_s = np.where(known[:, None], picked_s, np.nan)
    apart = np.abs(picked_s[:, None, :] - true_s[:, :, None])
    # With a hair for times that were written in six digits.
    apart = np.where(apart <= tolerance_s + 1e-6, apart, np.inf)
    residual_s = np.full(true_s.shape, np.nan)
    taken, is_hit = np.zeros(picked_s.shape, bool), np.zeros(picked_s.shape, bool)
    rows = np.arange(len(true_s))
    for _ in range(min(true_s.shape[1], picked_s.shape[1])):
        flat = apart.reshape(len(apart), -1)
        best = flat.argmin(1)
        found = np.isfinite(flat[rows, best])
        if not found.any():
            break
        at, (arrival, pick) = rows[found], (one[found] for one in np.divmod(best, picked_s.shape[1]))
        residual_s[at, arrival] = picked_s[at, pick] - true_s[at, arrival]
        taken[at, pick] = True
        is_hit[at, pick] = inside[at, arrival]
        apart[at, arrival], apart[at, :, pick] = np.inf, np.inf
    residual_s = np.where(inside, residual_s, np.nan)
    n_picked = np.isfinite(picked_s).sum(1) - (taken & ~is_hit).sum(1)
    return Matched(inside.sum(1), n_picked, is_hit.sum(1), residual_s, is_hit)
