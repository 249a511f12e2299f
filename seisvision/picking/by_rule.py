"""P and S of many windows by rules that learn nothing: what a network that picks has to beat."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from seisvision.picking.akaike import samples_before_change

BAND_HZ = (2.0, 20.0)
FILTER_ORDER = 2
SHORT_S, LONG_S = 0.3, 3.0
RATIO = 3.0
"""Short over long average from which an arrival is triggered."""
KURTOSIS_S = 2.0
RISE_S = 0.1
KURTOSIS_RISE = 3.0
"""Rise of the kurtosis within :data:`RISE_S` that counts for an arrival."""
SOONEST_S = 0.3
"""Least S minus P."""
REFINE_S = 1.0
LEAST_SHARE = 1e-3
RULES = {
    "sta_lta": "recursive short over long average (0.3 and 3 s, 2 to 20 Hz), triggered at 3",
    "kurtosis": "steepest rise of the kurtosis of 2 s, 2 to 20 Hz",
    "akaike": "the triggered times, moved within 1 s to the least of the Akaike criterion",
}


def picks_by_rule(
    vertical: np.ndarray, horizontal: np.ndarray, rate_hz: float
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Times of P and S (N, 2) after the first sample in seconds, NaN where nothing moves, and their clarity (N, 2).

    P is sought on the vertical, S on the horizontals behind it. Clarity is 1 where the rule would just trigger.

    Args:
        vertical: (N, T).
        horizontal: (N, C, T); where none moves the vertical stands in.
        rate_hz: sampling rate.
    """
    vertical, horizontal = (_filtered(lines, rate_hz) for lines in (vertical, horizontal))
    dead = ~np.any(horizontal, axis=(1, 2))
    horizontal = np.where(dead[:, None, None], vertical[:, None], horizontal)
    energy = [vertical**2, (horizontal**2).sum(1)]
    found = {
        "sta_lta": _both([_short_over_long(one, rate_hz) for one in energy], RATIO, rate_hz, True),
        "kurtosis": _both([_kurtosis_rise(one, rate_hz) for one in energy], KURTOSIS_RISE, rate_hz, False),
    }
    times, clear = found["sta_lta"]
    lines = [vertical, np.sqrt(energy[1])]
    refined = np.stack([_refined(one, times[:, i], rate_hz) for i, one in enumerate(lines)], 1)
    found["akaike"] = refined, clear
    alive = np.any(vertical, axis=-1, keepdims=True)
    return {name: (np.where(alive, one, np.nan), np.where(alive, two, 0.0)) for name, (one, two) in found.items()}


def _filtered(lines: np.ndarray, rate_hz: float) -> np.ndarray:
    """Band-passed causally, so that nothing moves ahead; what follows the first sample of a recording is no step."""
    low_hz, high_hz = BAND_HZ[0], min(BAND_HZ[1], 0.45 * rate_hz)
    low_hz = min(low_hz, high_hz / 4)
    sections = butter(FILTER_ORDER, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
    level = lines.astype(float) - lines.mean(-1, keepdims=True)
    return sosfilt(sections, level, axis=-1)


def _both(clarity: list[np.ndarray], trigger: float, rate_hz: float, to_trigger: bool) -> tuple[np.ndarray, np.ndarray]:
    """P where the first curve (N, T) is highest, S where the second is highest behind it."""
    after_p, after_s = clarity
    p, p_clear = _highest(after_p, trigger, to_trigger)
    behind = np.arange(after_s.shape[1]) >= (p + SOONEST_S * rate_hz)[:, None]
    s, s_clear = _highest(np.where(behind, after_s, 0.0), trigger, to_trigger)
    return np.stack([p, s], 1) / rate_hz, np.stack([p_clear, s_clear], 1) / trigger


def _highest(curve: np.ndarray, trigger: float, to_trigger: bool) -> tuple[np.ndarray, np.ndarray]:
    """Sample (N,) of the highest value of curves (N, T), or the one at which they rose through the trigger to it."""
    top = curve.argmax(1)
    height = curve[np.arange(len(curve)), top]
    if not to_trigger:
        return top.astype(float), height
    place = np.arange(curve.shape[1])
    below = (curve < np.minimum(trigger, height)[:, None]) & (place <= top[:, None])
    last = np.where(below.any(1), below.shape[1] - 1 - below[:, ::-1].argmax(1), -1)
    return (last + 1).astype(float), height


def _short_over_long(energy: np.ndarray, rate_hz: float) -> np.ndarray:
    """Ratio of recursive averages (N, T), 0 until the long one has seen its length (Withers et al. 1998)."""
    averages = [lfilter([1 / n], [1, 1 / n - 1], energy, axis=-1) for n in (SHORT_S * rate_hz, LONG_S * rate_hz)]
    ratio = averages[0] / np.maximum(averages[1], 1e-300)
    ratio[:, : round(LONG_S * rate_hz)] = 0
    return ratio


def _kurtosis_rise(energy: np.ndarray, rate_hz: float) -> np.ndarray:
    """Rise (N, T) of the kurtosis of a moving window (Baillard et al. 2014, doi:10.1785/0120120347)."""
    n, step = max(4, round(KURTOSIS_S * rate_hz)), max(1, round(RISE_S * rate_hz))
    if energy.shape[1] <= n + step:
        return np.zeros_like(energy)
    level = energy / np.maximum(energy.mean(-1, keepdims=True), 1e-300)
    second, fourth = (_moving_mean(values, n) for values in (level, level**2))
    kurtosis = np.zeros_like(energy)
    kurtosis[:, n - 1 :] = fourth / np.maximum(second**2, 1e-12)
    rise = np.zeros_like(energy)
    # Told where the rise begins.
    rise[:, n : -step or None] = (kurtosis[:, n + step :] - kurtosis[:, n:-step]).clip(0)
    return rise


def _moving_mean(values: np.ndarray, n: int) -> np.ndarray:
    total = np.pad(values.cumsum(-1), ((0, 0), (1, 0)))
    return (total[:, n:] - total[:, :-n]) / n


def _refined(lines: np.ndarray, times_s: np.ndarray, rate_hz: float) -> np.ndarray:
    """Times (N,) moved to the change that the Akaike criterion finds about them in lines (N, T)."""
    reach, found = round(REFINE_S * rate_hz), times_s.copy()
    for row, time_s in enumerate(times_s):
        first = max(0, round(time_s * rate_hz) - reach)
        piece = lines[row, first : first + 2 * reach]
        if len(piece) > 10 and piece.any():
            found[row] = (first + samples_before_change(piece, LEAST_SHARE)) / rate_hz
    return found
