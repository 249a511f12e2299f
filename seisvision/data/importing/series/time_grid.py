"""Sampling rates and time grids: what counts as one rate, and how samples come onto another grid.

Times are told in samples of the rate in question; a sample may never be more than half a sample from its time.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache

import numpy as np

from seisvision.data.samples.resample import RATE_TOLERANCE, resample

NEAR = 0.0101
"""Rates of one channel that differ by less than this fraction are one rate, told inexactly or drifting."""
SIMPLE = ((1, 1e-3), *((parts, RATE_TOLERANCE) for parts in (2, 3, 4, 5, 8, 10, 100)))
"""Parts of 1 Hz (or, of slow rates, of 1 s) in which recorders count, and how far a rate may be from them."""
HALF_SAMPLE = 0.5
SAME_SAMPLE = 0.05
"""Shifts of the grid below this part of a sample are left: the filter of the recorder is not known any better."""
HALF_LENGTH = 16
"""Samples on either side of a new one that are weighed."""
PHASES = 1024
"""Places between two samples that are told apart."""
CHUNK = 1 << 14
WHOLE_RATIO = 1000
"""Largest number in a ratio of rates that polyphase filters reach exactly."""


def clean_rate(rate_hz: float) -> float:
    """Nearest simple rate: 100 for 99.9999, 40 for 39.999996, 0.1 for a period of 9.99999 s; else the rate itself."""
    if rate_hz < 1:
        return 1 / clean_rate(1 / rate_hz)
    for parts, tolerance in SIMPLE:
        simple = round(rate_hz * parts) / parts
        if abs(simple - rate_hz) <= tolerance * simple:
            return simple
    return rate_hz


def near(rate_hz: float, other_hz: float) -> bool:
    """Whether two rates are one, told inexactly."""
    return abs(rate_hz - other_hz) <= NEAR * other_hz


def simplest(rates_hz: Iterable[float]) -> float:
    """Of rates that are one, told inexactly, a whole number where there is one, else the highest."""
    return max(rates_hz, key=lambda rate: (float(rate).is_integer(), rate))


def drift(length: int, rate_hz: float, other_hz: float) -> float:
    """Samples by which the last of ``length`` samples is off if it is read with the other rate."""
    return length * abs(other_hz / rate_hz - 1)


def to_rate(samples: np.ndarray, from_hz: float, to_hz: float) -> np.ndarray:
    """Resample (..., T) without aliasing; the first sample keeps its time, the last one its own to half a sample."""
    ratio = _whole_ratio(to_hz / from_hz)
    reached_hz = from_hz * ratio
    if ratio != 1:
        samples = resample(samples, from_hz, to_hz)
    length = samples.shape[-1]
    if drift(length, reached_hz, to_hz) <= HALF_SAMPLE:
        return samples
    step = reached_hz / to_hz
    positions = np.arange(int((length - 1) / step) + 1) * step
    return np.apply_along_axis(at_positions, -1, samples, positions)


@lru_cache(maxsize=64)
def _whole_ratio(ratio: float) -> float:
    return float(Fraction(ratio).limit_denominator(WHOLE_RATIO))


def at_positions(samples: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Values of a band-limited series (T,) between its samples.

    Args:
        positions: where, in samples of the series, (M,).

    Returns:
        (M,) float64. Beyond its ends the series holds its first and last value.

    Reference:
        Smith & Gossett (1984), A flexible sampling-rate conversion method, ICASSP; here with a Kaiser window and
        weights that sum to one, so that an offset stays an offset.
    """
    padded = np.pad(np.asarray(samples, dtype=np.float64), HALF_LENGTH, mode="edge")
    values = np.empty(len(positions))
    for begin in range(0, len(positions), CHUNK):
        part = np.clip(positions[begin : begin + CHUNK], 0, len(samples) - 1)
        whole = np.minimum(part.astype(np.int64), max(0, len(samples) - 2))
        around = padded[whole[:, None] + np.arange(1, 2 * HALF_LENGTH + 1)]
        values[begin : begin + CHUNK] = np.einsum(
            "ij,ij->i", around, _weights()[np.rint((part - whole) * PHASES).astype(int)]
        )
    return values


def later(samples: np.ndarray, fraction: float) -> np.ndarray:
    """Values (T - 1,) that lie ``fraction`` of a sample, from 0 to 1, after each sample but the last."""
    weights = _weights()[round(fraction * PHASES)]
    first, last = np.full(HALF_LENGTH - 1, samples[0]), np.full(HALF_LENGTH, samples[-1])
    return np.convolve(np.concatenate([first, samples, last]), weights[::-1], mode="valid")[: len(samples) - 1]


@lru_cache(maxsize=1)
def _weights() -> np.ndarray:
    """Weights (phases, 2 ``HALF_LENGTH``) of the samples around a place, by the part of a sample it lies after one."""
    distance = np.arange(PHASES + 1)[:, None] / PHASES - np.arange(1 - HALF_LENGTH, HALF_LENGTH + 1)
    weights = np.sinc(distance) * np.i0(8.0 * np.sqrt(np.maximum(0.0, 1 - (distance / HALF_LENGTH) ** 2)))
    return weights / weights.sum(axis=1, keepdims=True)
