"""Butterworth filters, and by how much they move what they pass."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import signal

CORNERS = 4
"""Poles at each corner, unless said otherwise."""
SETTLING_PERIODS = 3.0
"""Longest periods after which a filter has forgotten what went into it, for all practical purposes."""


def band_pass(
    samples: np.ndarray,
    rate_hz: float,
    band_hz: tuple[float, float],
    corners: int = CORNERS,
    *,
    zerophase: bool = True,
) -> np.ndarray:
    """Butterworth band-pass; a high-pass where the band ends beyond nine tenths of half the sampling rate.

    Beyond its ends a recording is taken to keep its first and last value, so that neither an offset nor a recording
    shorter than the longest period is a step, and so that the way back begins where the way forth has died away.

    Args:
        samples: (..., T).
        rate_hz: sampling rate.
        band_hz: corners.
        corners: poles at each corner, for one way through the filter.
        zerophase: filter forwards and backwards: nothing moves, the gain at the corners is a half and some energy comes
            ahead of an onset. Else causal: arrivals come late, see :func:`delay_s`, and the gain there is 0.71.
    """
    filter_of_set = (rate_hz, *band_hz, corners)
    if not zerophase:
        return _one_way(samples, *filter_of_set)
    settling = min(math.ceil(SETTLING_PERIODS * rate_hz / band_hz[0]), samples.shape[-1])
    edges = [(0, 0)] * (samples.ndim - 1) + [(settling, settling)]
    # As scipy.signal.sosfiltfilt, which works out the settled state anew each time.
    forth = _one_way(np.pad(samples, edges, mode="edge"), *filter_of_set)
    both = _one_way(forth[..., ::-1], *filter_of_set)[..., ::-1]
    return both[..., settling : settling + samples.shape[-1]]


def _one_way(samples: np.ndarray, rate_hz: float, low_hz: float, high_hz: float, corners: int) -> np.ndarray:
    """Filter (..., T) as if each had been its first sample for ever before."""
    sections = _butterworth(rate_hz, low_hz, high_hz, corners)
    state = _settled(rate_hz, low_hz, high_hz, corners).reshape(len(sections), *[1] * (samples.ndim - 1), 2)
    return signal.sosfilt(sections, samples, axis=-1, zi=state * samples[..., :1])[0]


def delay_s(rate_hz: float, band_hz: tuple[float, float], corners: int = CORNERS) -> float:
    """Group delay of the causal filter in the middle of its band (the geometric mean of the corners)."""
    middle_hz = math.sqrt(band_hz[0] * min(band_hz[1], rate_hz / 2))
    sections = _butterworth(rate_hz, *band_hz, corners)
    return (
        sum(float(signal.group_delay((part[:3], part[3:]), [middle_hz], fs=rate_hz)[1][0]) for part in sections)
        / rate_hz
    )


@lru_cache(maxsize=32)
def _settled(rate_hz: float, low_hz: float, high_hz: float, corners: int) -> np.ndarray:
    """State of the filter after a long time of ones; to find it takes longer than to filter a minute."""
    return signal.sosfilt_zi(_butterworth(rate_hz, low_hz, high_hz, corners))


@lru_cache(maxsize=32)
def _butterworth(rate_hz: float, low_hz: float, high_hz: float, corners: int) -> np.ndarray:
    if high_hz >= 0.45 * rate_hz:
        return signal.butter(corners, low_hz, "highpass", fs=rate_hz, output="sos")
    return signal.butter(corners, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
