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


def stretch_start(sample: float, from_hz: float, to_hz: float) -> int:
    """Return the last sample, not after ``sample``, to resample from so that the filter settles before ``sample``.

    It is one that keeps the time grid that resampling the whole recording would give.
    """
    _, down = _ratio(from_hz, to_hz)
    return max(0, int((sample - settling_samples(from_hz, to_hz)) // down) * down)


def settling_samples(from_hz: float, to_hz: float) -> int:
    """Return how many samples on either side the filter looks at, at ``from_hz``."""
    return int(np.ceil((HALF_LENGTH + 1) * max(1.0, from_hz / to_hz)))


def resample(waveforms: np.ndarray, from_hz: float, to_hz: float) -> np.ndarray:
    """Resample float32 (..., T) along its last axis, filtered below the smaller Nyquist frequency.

    The first sample keeps its time. At the ends the line through the first and last sample is continued,
    so an offset of the recording makes no step.
    """
    up, down = _ratio(from_hz, to_hz)
    return resample_poly(waveforms, up, down, axis=-1, window=_low_pass(up, down), padtype="line")


@lru_cache(maxsize=64)
def _ratio(from_hz: float, to_hz: float) -> tuple[int, int]:
    ratio = Fraction(to_hz / from_hz).limit_denominator(1000)
    return ratio.numerator, ratio.denominator


@lru_cache(maxsize=64)
def _low_pass(up: int, down: int) -> np.ndarray:
    slower = max(up, down)
    taps = firwin(2 * HALF_LENGTH * slower + 1, 1 / slower, window=("kaiser", 5.0))
    # Each phase passes a constant alike; otherwise a large offset of the recording returns as a tone.
    for phase in range(up):
        taps[phase::up] /= up * taps[phase::up].sum()
    return taps.astype(np.float32)
