"""Curves to picks, by rules that look at a fixed stretch around a sample only.

So a pick near the end of a piece, or of a day, is found or not found alike from both sides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

AMPLITUDE_S = 2.0
"""After a pick."""


def find_peaks(curve: np.ndarray, threshold: float, separation: int) -> np.ndarray:
    """Samples at which a curve (T,) reaches the threshold and is higher than all around it; of equal ones the first."""
    if not len(curve) or curve.max() < threshold:
        return np.empty(0, dtype=np.int64)
    highest = ndimage.maximum_filter1d(curve, 2 * separation + 1, mode="constant", cval=0.0)
    found = np.flatnonzero((curve >= threshold) & (curve == highest))
    return np.array(
        [at for at in found if not at or curve[max(0, at - separation) : at].max() < curve[at]], dtype=np.int64
    )


def window_residual(windows: Sequence[np.ndarray], places: Sequence[int], reach: int, threshold: float) -> float:
    """Samples by which the peak of the last window that sees a pick lies after that of the first.

    Args:
        windows: curves (T,) of the phase in the windows that see the pick, in the order of their starts.
        places: where the pick is in each.
        reach: samples around the pick in which the peak of a window is looked for.
        threshold: half of it must be reached by a peak.

    Returns:
        NaN where fewer than two windows see the pick, or one sees no peak there.
    """
    peaks = []
    for curve, place in zip(windows, places, strict=True):
        first = max(0, place - reach)
        part = curve[first : place + reach + 1]
        highest = int(part.argmax())
        if part[highest] < threshold / 2:
            return float("nan")
        peaks.append(first + highest - place)
    return float(peaks[-1] - peaks[0]) if len(peaks) > 1 else float("nan")


def amplitude(samples: np.ndarray, known: np.ndarray, at: int, rate_hz: float) -> float:
    """Half the largest peak-to-peak of any component in two seconds from a pick, in the unit of the samples.

    Args:
        samples: (3, T).
        known: (3, T).
        at: sample of the pick.

    Returns:
        NaN where no component has two samples there.
    """
    span = slice(at, at + round(AMPLITUDE_S * rate_hz))
    swings = [
        float(np.ptp(part[there])) / 2
        for part, there in zip(samples[:, span], known[:, span], strict=True)
        if np.count_nonzero(there) > 1
    ]
    return max(swings, default=float("nan"))
