"""A piece of a recording at the rate of the network, whatever its own rate and wherever its samples lie.

Every value is a sum of fixed weights over the samples around it, so that it does not depend on where the piece was cut.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
from scipy import signal

SAME_RATE = 2e-7
"""Part by which rates may differ and be one: a tenth of a sample in an hour and a half at 100 Hz."""
LARGEST_RATIO = 10_000
"""Largest number in the ratio of two rates: 99.99 to 100 Hz is 9,999 to 10,000."""
MOST_DRIFT = 0.05
"""Samples by which a ratio of whole numbers may be off before it begins anew."""
HALF_LENGTH = 16
"""Samples of the slower rate on either side that are weighed."""
PASSED = 0.92
"""Part of the band below half the slower rate that is kept."""
KAISER_BETA = 7.0
MAX_RISE, MAX_FALL = 12.0, 1000.0
"""Factors beyond which a rate is not brought to another: of 1 Hz nothing is left in the band of a picker."""


def is_same_rate(rate_hz: float, other_hz: float) -> bool:
    """Whether samples of both rates can be taken for one another."""
    return abs(rate_hz / other_hz - 1) <= SAME_RATE


def can_be_resampled(from_hz: float, to_hz: float) -> bool:
    """Whether there is enough in a recording to be brought to another rate."""
    return from_hz / MAX_FALL <= to_hz <= from_hz * MAX_RISE


def context_s(from_hz: float, to_hz: float) -> float:
    """How far from a value the samples lie that it is made of."""
    return (HALF_LENGTH + 2) / min(from_hz, to_hz)


def resample_at(samples: np.ndarray, position: float, ratio: float) -> tuple[int, np.ndarray]:
    """Bring samples (T,) to another rate, on whole samples of it.

    Beyond its ends the piece is taken to hold its first and last value.

    Args:
        samples: as recorded.
        position: of the first of them, in samples of the new rate.
        ratio: new rate over old.

    Returns:
        Index of the first new sample, and the values float64 (M,): those between the first and the last old sample.

    Reference:
        Polyphase windowed sinc: Crochiere and Rabiner (1983), Multirate Digital Signal Processing, chapter 4.
    """
    first = math.ceil(position - 1e-9)
    length = math.floor(position + (len(samples) - 1) * ratio + 1e-9) - first + 1
    if length <= 0:
        return first, np.empty(0)
    fraction = Fraction(ratio).limit_denominator(LARGEST_RATIO)
    off = abs(float(fraction) / ratio - 1)
    at_once = length if off * length <= MOST_DRIFT else max(1, int(MOST_DRIFT / off))
    half = math.ceil(HALF_LENGTH * max(1.0, 1 / ratio))
    padded = np.pad(np.asarray(samples, dtype=np.float64), half, mode="edge")
    parts = []
    for done in range(0, length, at_once):
        n_values = min(at_once, length - done)
        begin = (first + done - position) / ratio
        whole = math.floor(begin)
        end = math.ceil(begin + n_values / ratio) + 2 * half + 2
        # Times are told in nanoseconds, so that a finer step would be noise.
        weights, late = _weights(fraction.numerator, fraction.denominator, round(begin - whole, 6), half)
        values = signal.upfirdn(weights, padded[whole:end], fraction.numerator, fraction.denominator)
        parts.append(values[late : late + n_values])
    return first, np.concatenate(parts)


@lru_cache(maxsize=32)
def _weights(up: int, down: int, begin: float, half: int) -> tuple[np.ndarray, int]:
    """Weights for ``scipy.signal.upfirdn`` that shift by ``begin`` and the padding, and how many values come before."""
    shift = begin + half
    late = math.ceil((shift + half + 1) * up / down)
    n_weights = math.ceil(((late * down) + up) / up) * up
    distance = (np.arange(n_weights) - late * down) / up + shift
    cutoff = PASSED * min(1.0, up / down)
    inside = np.abs(distance) < half
    window = np.zeros(n_weights)
    window[inside] = np.i0(KAISER_BETA * np.sqrt(1 - (distance[inside] / half) ** 2))
    weights = cutoff * np.sinc(cutoff * distance) * window
    # An offset stays an offset at every place between two samples.
    by_place = weights.reshape(-1, up)
    return (by_place / by_place.sum(axis=0)).ravel(), late
