"""Scores that are equal but for rounding stand together: their order says nothing."""

from __future__ import annotations

import numpy as np

ROUNDING = 1e-9


def ends_of_ties(score: np.ndarray) -> np.ndarray:
    """Numbers of the last of each run of equal scores (N,), which fall."""
    return np.append(np.flatnonzero(np.diff(score) < -ROUNDING * np.abs(score[:-1])), len(score) - 1)
