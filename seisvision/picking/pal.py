"""P and S in continuous recordings of three components by energy, kurtosis and polarisation: nothing is learnt.

After the picker of PAL (Zhou, Yue, Zhou and Fang 2022, doi:10.1785/0220210111): short over long averages of energy find
events; near them P is where a shorter average of the vertical rises most, refined by kurtosis and the Akaike criterion;
S is sought in the motion that is left when the polarisation of P is taken out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfilt

from seisvision.picking.akaike import samples_before_change

BAND_HZ = (1.0, 20.0)
FILTER_ORDER = 2
DETECT_S, P_S, S_S = (0.8, 6.0), (0.4, 2.0), (1.0, 2.0)
"""Short and long averages of the detection, of P and of S."""
TRIGGER = 12.0
"""Energy over that before it at which an event is declared."""
S_TRIGGER = 3.0
P_SEARCH_S = (0.5, 1.0)
"""Before and after the trigger."""
S_SEARCH_S = (0.4, 10.0)
"""After P."""
POLARISATION_S = 1.0
KURTOSIS_S = 1.0
REFINE_S = {"P": 0.4, "S": 0.5}
APART_S = 5.0
LEAST_SHARE = 1e-3
SETTLED_S = 10.0
"""After a gap the filter rings; long averages that touch it say nothing."""


@dataclass(frozen=True)
class RulePick:
    """A pick: its phase, sample and clarity, which is 1 at the trigger."""

    phase: str
    sample: int
    clarity: float


def pal_picks(
    samples: np.ndarray, known: np.ndarray, rate_hz: float, trigger: float = TRIGGER, s_trigger: float = S_TRIGGER
) -> Iterator[RulePick]:
    """Picks in the order of events, P before its S.

    Args:
        samples: (3, T) Z, N, E as recorded, 0 where nothing is known.
        known: (3, T) bool.
        rate_hz: sampling rate, more than 10 Hz.
        trigger: ratio of energies at which an event is declared.
        s_trigger: ratio that S must reach.
    """
    lines, there = banded(samples, known, rate_hz)
    if not there.any():
        return
    energy = (lines**2).sum(0)
    ratio = short_over_long(energy, there, rate_hz, DETECT_S)
    vertical = lines[0] if np.any(lines[0]) else np.sqrt(energy)
    p_ratio = short_over_long(vertical**2, there, rate_hz, P_S)
    ready = 0
    for at in (np.flatnonzero((ratio[1:] >= trigger) & (ratio[:-1] < trigger)) + 1).tolist():
        if at < ready:
            continue
        first = max(0, at - round(P_SEARCH_S[0] * rate_hz))
        last = min(len(ratio), at + round(P_SEARCH_S[1] * rate_hz))
        p = first + int(np.argmax(p_ratio[first:last]))
        p = refined(vertical, p, rate_hz, REFINE_S["P"])
        top = float(ratio[at : at + round(APART_S * rate_hz)].max())
        yield RulePick("P", p, top / trigger)
        s = _s_pick(lines, there, p, rate_hz)
        ready = p + round(APART_S * rate_hz)
        if s is not None and s[1] >= s_trigger:
            yield RulePick("S", s[0], s[1] / s_trigger)
            ready = max(ready, s[0] + round(DETECT_S[0] * rate_hz))


def banded(samples: np.ndarray, known: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Components (3, T) filtered causally, and the samples (T,) of which any component is known and settled."""
    high_hz = min(BAND_HZ[1], 0.45 * rate_hz)
    sections = butter(FILTER_ORDER, (BAND_HZ[0], high_hz), "bandpass", fs=rate_hz, output="sos")
    level = np.zeros_like(samples)
    for line, values, there in zip(level, samples, known, strict=True):
        if there.any():
            # Nothing known is as still as the mean: a gap begins and ends without a large step.
            line[:] = np.where(there, values - values[there].mean(), 0.0)
    some = np.asarray(known.any(axis=0))
    edges = np.flatnonzero(some[1:] & ~some[:-1]) + 1
    settled = some.copy()
    for edge in edges.tolist():
        settled[edge : edge + round(SETTLED_S * rate_hz / 5)] = False
    return np.asarray(sosfilt(sections, level, axis=-1)) * known, settled


def short_over_long(
    energy: np.ndarray, there: np.ndarray, rate_hz: float, windows_s: tuple[float, float]
) -> np.ndarray:
    """Mean energy (T,) of the short window from a sample on over that of the long one before it; 0 where unknown."""
    n_short, n_long = (max(2, round(one * rate_hz)) for one in windows_s)
    ratio = np.zeros(len(energy))
    if len(energy) <= n_short + n_long:
        return ratio
    total = np.concatenate([[0.0], np.cumsum(energy)])
    count = np.concatenate([[0], np.cumsum(there)])
    at = np.arange(n_long, len(energy) - n_short)
    short = (total[at + n_short] - total[at]) / n_short
    long = np.maximum(total[at] - total[at - n_long], 0) / n_long
    whole = count[at + n_short] - count[at - n_long] == n_short + n_long
    usable = whole & (long > 0)
    ratio[at[usable]] = short[usable] / long[usable]
    return ratio


def refined(line: np.ndarray, at: int, rate_hz: float, reach_s: float) -> int:
    """The sample near ``at`` where the kurtosis rises, then where the Akaike criterion sees the change."""
    n, reach = round(KURTOSIS_S * rate_hz), round(reach_s * rate_hz)
    first, last = max(0, at - reach - n), min(len(line), at + reach + n)
    piece = line[first:last]
    if len(piece) < 2 * n:
        return at
    windows = np.lib.stride_tricks.sliding_window_view(piece, n)
    windows = windows - windows.mean(1, keepdims=True)
    second = np.maximum((windows**2).mean(1), 1e-300)
    kurtosis = (windows**4).mean(1) / second**2
    # A window counts for its last sample: the rise begins where the arrival enters it.
    rise = np.diff(kurtosis)
    low = max(0, at - reach - first - n)
    high = max(low + 1, min(len(rise), at + reach - first - n))
    at = first + n + low + int(np.argmax(rise[low:high]))
    start = max(0, at - reach)
    piece = line[start : at + reach]
    return start + samples_before_change(piece, LEAST_SHARE) if len(piece) > 10 and piece.any() else at


def _s_pick(lines: np.ndarray, there: np.ndarray, p: int, rate_hz: float) -> tuple[int, float] | None:
    """S after P in the motion across the polarisation of P, and the ratio of energies there."""
    length = round(POLARISATION_S * rate_hz)
    first = max(0, p - round(S_S[1] * rate_hz))
    last = min(lines.shape[1], p + round((S_SEARCH_S[1] + S_S[0]) * rate_hz))
    after = lines[:, p : p + length]
    if after.shape[1] < length or last - p < 2 * length:
        return None
    _, axes = np.linalg.eigh(after @ after.T)
    across = axes[:, :2].T @ lines[:, first:last]
    energy = (across**2).sum(0)
    ratio = short_over_long(energy, there[first:last], rate_hz, S_S)
    begin = p - first + round(S_SEARCH_S[0] * rate_hz)
    # The energy of an event falls with time: a late ratio as large is no S.
    fading = energy_share(energy, round(S_S[0] * rate_hz))
    weighed = ratio * fading
    at = begin + int(np.argmax(weighed[begin:])) if len(weighed) > begin else 0
    if at == 0 or ratio[at] <= 0:
        return None
    line = across[int(np.argmax((across[:, at : at + length] ** 2).sum(1)))]
    return first + refined(line, at, rate_hz, REFINE_S["S"]), float(ratio[at])


def energy_share(energy: np.ndarray, n: int) -> np.ndarray:
    """Energy (T,) of ``n`` samples from each on over the most that any ``n`` have."""
    total = np.concatenate([[0.0], np.cumsum(energy)])
    share = np.zeros(len(energy))
    share[: len(energy) - n + 1] = total[n:] - total[:-n]
    return share / max(float(share.max()), 1e-300)
