"""Faults of recordings, looked for in many channels of one length at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seisvision.data.importing.series.checks import CLIP_PEAKS, CLIP_RUN, looks_clipped

FLAT_S = 2.0
"""One value for longer is a gap that was filled, or a dead sensor."""
FLAT_SAMPLES = 10
LARGE_OFFSET = 3.0
"""Mean over standard deviation."""
SPIKE = 30.0
"""Largest step over the quantile 0.999 of the steps, there and back again."""
FEWEST_STEPS = 100
"""Of which a spike can be told."""
NAMES = ("infinite", "gap", "dead", "flat", "clipped", "offset", "spike")


@dataclass(frozen=True)
class Look:
    """What N traces look like.

    Attributes:
        faults: name to bool (N,), whether a channel of the trace has it.
        still: bool (N,), nothing moves in the trace.
        peak: largest absolute sample (N,), NaN aside.
        n_padding: zeros at either end that all components share, int (N,).
    """

    faults: dict[str, np.ndarray]
    still: np.ndarray
    peak: np.ndarray
    n_padding: np.ndarray


def look_at(waveforms: np.ndarray, rate_hz: np.ndarray) -> Look:
    """Look for faults in waveforms float32 (N, C, T), with gaps as NaN, of rates (N,) in Hz."""
    n_traces, n_channels, n_samples = waveforms.shape
    channels = waveforms.reshape(n_traces * n_channels, n_samples)
    peak = np.nanmax(np.abs(channels), axis=1, initial=0)
    odd = np.flatnonzero(~np.isfinite(channels.sum(axis=1, dtype=np.float64)))
    found = {name: np.zeros(len(channels), dtype=bool) for name in NAMES}
    if len(odd):
        found["infinite"][odd] = np.isinf(channels[odd]).any(axis=1)
        found["gap"][odd] = np.isnan(channels[odd]).any(axis=1)
        channels = channels.copy()
        channels[odd] = np.nan_to_num(channels[odd], nan=0.0, posinf=0.0, neginf=0.0)
    lowest, highest = channels.min(axis=1, initial=np.inf), channels.max(axis=1, initial=-np.inf)
    found["dead"] = lowest >= highest
    moving = np.flatnonzero(~found["dead"])
    if len(moving):
        moved = channels if len(moving) == len(channels) else channels[moving]
        _look_at_moving(moved, moving, lowest[moving], highest[moving], rate_hz[moving // n_channels], found)

    def of_traces(values: np.ndarray, join: Callable[..., np.ndarray]) -> np.ndarray:
        return join(values.reshape(n_traces, n_channels), axis=1)

    return Look(
        {name: of_traces(values, np.any) for name, values in found.items()},
        of_traces(found["dead"], np.all),
        of_traces(peak, np.max),
        _padding(waveforms),
    )


def _look_at_moving(
    channels: np.ndarray,
    places: np.ndarray,
    lowest: np.ndarray,
    highest: np.ndarray,
    rate_hz: np.ndarray,
    found: dict[str, np.ndarray],
) -> None:
    """Note the faults of channels (M, T) in which something moves; what is costly is done where it may be one."""
    steps = np.diff(channels, axis=1)
    longest = np.maximum(FLAT_SAMPLES, FLAT_S * rate_hz)
    for i in np.flatnonzero(np.count_nonzero(steps == 0, axis=1) >= longest):
        found["flat"][places[i]] = _longest_still(channels[i]) > longest[i]
    for extreme in (lowest, highest):
        n_extreme = np.count_nonzero(channels == extreme[:, None], axis=1)
        # Counting the extremes is quick, and a clipped channel has many.
        for i in np.flatnonzero((n_extreme >= CLIP_RUN * CLIP_PEAKS) & (extreme != 0)):
            found["clipped"][places[i]] |= looks_clipped(channels[i])
    mean, deviation = channels.mean(axis=1, dtype=np.float64), channels.std(axis=1, dtype=np.float64)
    found["offset"][places] = np.abs(mean) > LARGE_OFFSET * deviation
    if steps.shape[1] >= FEWEST_STEPS:
        for i in _perhaps_spikes(steps):
            found["spike"][places[i]] = _has_spike(steps[i])


def _longest_still(channel: np.ndarray) -> int:
    """Longest run of one value, zeros at either end aside."""
    moving = np.flatnonzero(channel)
    part = channel[moving[0] : moving[-1] + 1]
    changes = np.flatnonzero(np.diff(part) != 0)
    return int(np.diff(np.concatenate([[-1], changes, [len(part) - 1]])).max())


def _perhaps_spikes(steps: np.ndarray) -> np.ndarray:
    """Which rows of steps (M, T - 1) have few that come near the largest one, there and back."""
    size = np.abs(steps)
    each, at = np.arange(len(steps)), size.argmax(axis=1)
    back = np.zeros(len(steps), dtype=size.dtype)
    for beside in (at - 1, at + 1):
        inside = (beside >= 0) & (beside < steps.shape[1])
        beside = np.clip(beside, 0, steps.shape[1] - 1)
        back = np.maximum(back, np.where(inside & (steps[each, beside] * steps[each, at] < 0), size[each, beside], 0))
    least = np.minimum(size[each, at], back)
    # A little more than the quotient, so that rounding leaves none out.
    n_near = np.count_nonzero(size >= (least / SPIKE * (1 + 1e-5))[:, None], axis=1)
    return np.flatnonzero((least > 0) & (n_near < _n_largest(steps.shape[1])))


def _has_spike(steps: np.ndarray) -> bool:
    at = int(np.argmax(np.abs(steps)))
    usual = float(np.partition(np.abs(steps), -_n_largest(len(steps)))[-_n_largest(len(steps))])
    back = max(abs(steps[i]) if 0 <= i < len(steps) and steps[i] * steps[at] < 0 else 0.0 for i in (at - 1, at + 1))
    return min(abs(float(steps[at])), float(back)) > SPIKE * max(usual, 1e-30)


def _n_largest(n_steps: int) -> int:
    return max(3, n_steps // 1000)


def _padding(waveforms: np.ndarray) -> np.ndarray:
    """Zeros at either end of each trace that all components share, int (N,)."""
    moving = np.any(waveforms != 0, axis=1)
    n_samples = waveforms.shape[2]
    if not n_samples:
        return np.zeros(len(waveforms), dtype=int)
    outside = moving.argmax(axis=1) + moving[:, ::-1].argmax(axis=1)
    return np.where(moving.any(axis=1), outside, n_samples)
