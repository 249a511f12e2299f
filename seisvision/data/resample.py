"""Anti-aliased change of sampling rate."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from scipy.signal import firwin, resample_poly

RATE_TOLERANCE = 1e-4
"""Rates closer than this fraction count as equal: 6 ms over one minute."""
HALF_LENGTH = 10
"""Half length of the low-pass filter, in samples of the slower of the two rates."""


def same_rate(rate_hz: float | np.ndarray, other_hz: float) -> bool | np.ndarray:
    """Tell whether rates are equal for all practical purposes."""
    return np.abs(rate_hz - other_hz) <= RATE_TOLERANCE * other_hz


def margin_samples(from_hz: float, to_hz: float) -> int:
    """Return how many samples beyond a stretch the filter looks at, at ``from_hz``."""
    return int(np.ceil((HALF_LENGTH + 1) * max(1.0, from_hz / to_hz)))


def resample(waveforms: np.ndarray, from_hz: float, to_hz: float) -> np.ndarray:
    """Resample float32 (..., T) along its last axis, filtered below the smaller Nyquist frequency.

    The first sample keeps its time. At the ends the line through the first and last sample is continued,
    so an offset of the recording makes no step.
    """
    ratio = Fraction(to_hz / from_hz).limit_denominator(1000)
    up, down = ratio.numerator, ratio.denominator
    return resample_poly(waveforms, up, down, axis=-1, window=_low_pass(up, down), padtype="line")


@lru_cache(maxsize=64)
def _low_pass(up: int, down: int) -> np.ndarray:
    slower = max(up, down)
    return firwin(2 * HALF_LENGTH * slower + 1, 1 / slower, window=("kaiser", 5.0)).astype(np.float32)
