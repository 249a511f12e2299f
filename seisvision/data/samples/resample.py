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
MOST_IN_VAIN = 8
"""Times as many products as the filter needs, up to which those of matrices take less time."""
MOST_PRODUCTS = 200_000
"""Of two matrices at once: more of them would be shared among threads, which then wait for one another."""


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
    """Resample (..., T) along its last axis, filtered below the smaller Nyquist frequency.

    The first sample keeps its time. At the ends the line through the first and last sample is continued,
    so an offset of the recording makes no step. Each row comes out the same whatever others are beside it.
    """
    up, down = _ratio(from_hz, to_hz)
    # In single precision a stretch would differ visibly from that part of the whole, for sums depend on its start.
    if waveforms.dtype == np.float64 and waveforms.size and _is_short(up, down):
        return _by_blocks(waveforms, up, down)
    return resample_poly(waveforms, up, down, axis=-1, window=_low_pass(up, down), padtype="line")


def _by_blocks(waveforms: np.ndarray, up: int, down: int) -> np.ndarray:
    """As ``resample_poly`` of finite samples, to rounding: products with matrices make a block of two blocks."""
    weights, before = _block_weights(up, down)
    step, n_made = weights.shape[1:]
    length = waveforms.shape[-1]
    rows = waveforms.reshape(-1, length)
    n_wanted = -(-length * up // down)
    n_blocks = -(-n_wanted // n_made)
    first, last = rows[:, :1], rows[:, -1:]
    slope = (last - first) / max(length - 1, 1)
    # One row after the other, so that it is still in the nearest memory of a processor when it is multiplied.
    padded = np.empty((n_blocks + 1) * step)
    blocks, end = padded.reshape(n_blocks + 1, step), before + length
    heads = first + slope * np.arange(-before, 0)
    tails = last + slope * np.arange(1, len(padded) - end + 1)
    made = np.empty((len(rows), n_blocks, n_made))
    n_at_once = max(1, MOST_PRODUCTS // (step * n_made))
    for row, head, tail, of_row in zip(rows, heads, tails, made, strict=True):
        padded[:before], padded[before:end], padded[end:] = head, row, tail
        for begin in range(0, n_blocks, n_at_once):
            out = of_row[begin : begin + n_at_once]
            np.matmul(blocks[begin : begin + len(out)], weights[0], out=out)
            out += blocks[begin + 1 : begin + 1 + len(out)] @ weights[1]
    return made.reshape(*waveforms.shape[:-1], n_blocks * n_made)[..., :n_wanted]


@lru_cache(maxsize=16)
def _block_weights(up: int, down: int) -> tuple[np.ndarray, int]:
    """Weights (2, block, made) of the samples of two blocks for each sample made, and how much earlier these begin."""
    taps = (_low_pass(up, down) * up).astype(np.float64)
    middle = len(taps) // 2
    before = middle // up
    n_periods = _periods(up, down)
    step, n_made = n_periods * down, n_periods * up
    sample, made = np.arange(2 * step)[:, None] - before, np.arange(n_made)
    tap = made * down - sample * up + middle
    inside = (tap >= 0) & (tap < len(taps))
    weights = np.where(inside, taps[np.where(inside, tap, 0)], 0.0)
    return weights.reshape(2, step, n_made), before


def _periods(up: int, down: int) -> int:
    """Periods of the two rates in one block: as many as the filter reaches over, so that it ends in the next block."""
    return -(-(2 * (HALF_LENGTH * max(up, down) // up) + 1) // down)


def _is_short(up: int, down: int) -> bool:
    """Whether blocks are little longer than the filter; near rates such as 99 and 100 Hz ask for long ones."""
    reach = 2 * HALF_LENGTH * max(up, down) // up + 1
    return up != down and 2 * _periods(up, down) * down <= MOST_IN_VAIN * reach


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
