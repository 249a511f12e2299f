"""Whether a recording can be used: finite, long and fast enough, not dead, not clipped, not made of gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from seisvision.data.importing.recipe import Quality
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.series.batches import in_batches, stacked
from seisvision.data.importing.series.signals import Recording, Verdict, verdict_of

CLIP_RUN = 3
"""Samples in a row at the largest value that make a peak look cut off."""
CLIP_PEAKS = 2
"""Number of such peaks that make a recording a suspect."""
CLIP_LEVELS = 200
"""Steps of the recorder between the smallest and the largest value that are needed to judge."""
FLAT_RUN = 20
"""Equal samples in a row that are needed to call a recording flat, however slowly it is sampled."""


def check_all(recordings: Sequence[Recording], quality: Quality) -> list[Verdict]:
    """Check each recording as :func:`check` does; most hold nothing that would need a closer look."""

    def look(items: list[Recording]) -> list[FirstLook]:
        return _first_look([item.samples for item in items], items[0].rate_hz, quality)

    looks = in_batches(recordings, lambda item: (len(item.samples), item.rate_hz), look)
    return [verdict_of(check, item, quality, look) for item, look in zip(recordings, looks, strict=True)]


def check(recording: Recording, quality: Quality, look: FirstLook | None = None) -> Recording:
    """Refuse recordings that cannot be used; mark those that look clipped.

    Args:
        look: what is known of the samples already.

    Raises:
        Refusal: NaN or infinite samples, too short, sampled too slowly, dead, too much of it interpolated, or pieces
            that contradict one another or peaks that are clipped where that is refused.
    """
    samples, rate = recording.samples, recording.rate_hz
    length_s = len(samples) / rate
    look = look or _first_look([samples], rate, quality)[0]
    if not look.is_finite:
        n_bad = int((~np.isfinite(samples)).sum())
        raise Refusal("quality", "not_finite", f"{n_bad} samples are NaN or infinite", n_bad)
    if length_s < quality.min_length_s:
        raise Refusal("quality", "short", f"length {length_s:.3g} s < {quality.min_length_s:g} s", length_s)
    if rate / 2 < quality.min_nyquist_hz:
        reason = f"half the sampling rate {rate / 2:g} Hz < {quality.min_nyquist_hz:g} Hz"
        raise Refusal("quality", "slow_sampling", reason, rate / 2)
    flat = _longest_run(samples) if look.may_be_flat else 0
    flat_s = flat / rate
    if flat_s > quality.max_flat_s and flat >= min(FLAT_RUN, len(samples)):
        raise Refusal("quality", "flat", f"one value for {flat_s:.3g} s > {quality.max_flat_s:g} s", flat_s)
    check_interpolated(recording.interpolated_s, length_s, quality, "quality")
    if recording.overlap_differs and quality.overlaps == "reject":
        raise Refusal("merge", "overlap", "pieces that overlap in time hold different samples")
    clipped = look.may_be_clipped and looks_clipped(samples)
    if clipped and quality.clipped == "reject":
        raise Refusal("quality", "clipped", "peaks are cut off at the largest value")
    return replace(recording, clipped=True) if clipped else recording


class FirstLook(NamedTuple):
    """What little work tells of samples: where one of the last two is false, a closer look would find nothing."""

    is_finite: bool
    may_be_flat: bool
    may_be_clipped: bool


def _first_look(rows: list[np.ndarray], rate_hz: float, quality: Quality) -> list[FirstLook]:
    samples = stacked(rows)
    length = samples.shape[1]
    low, high = samples.min(axis=1), samples.max(axis=1)
    # Of a run that is refused, two neighbours are left among samples half its length apart.
    shortest = max(FLAT_RUN, int(min(quality.max_flat_s * rate_hz, length)))
    step = max(1, min(shortest, length) // 2)
    few = samples[:, ::step]
    flat = (few[:, 1:] == few[:, :-1]).any(axis=1) if few.shape[1] > 1 else np.ones(len(samples), dtype=bool)
    finite = np.isfinite(low) & np.isfinite(high)
    looks = zip(finite.tolist(), flat.tolist(), _may_be_clipped(samples, low, high).tolist(), strict=True)
    return [FirstLook(*look) for look in looks]


def _may_be_clipped(samples: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether (R,) rows (R, T) stay at ``low`` or ``high`` for ``CLIP_RUN`` samples, and do so ``CLIP_PEAKS`` times."""
    same = samples[:, 1:] == samples[:, :-1]
    for _ in range(CLIP_RUN - 2):
        same = same[:, 1:] & same[:, :-1]
    rows, begins = np.divmod(np.flatnonzero(same), max(1, same.shape[1]))
    values = samples[rows, begins]
    at_end = (values == low[rows]) | (values == high[rows])
    return np.bincount(rows[at_end], minlength=len(samples)) >= CLIP_PEAKS


def check_interpolated(interpolated_s: float, length_s: float, quality: Quality, stage: str) -> None:
    """Raise a Refusal where too much of a recording, or of the window, stands for gaps."""
    if interpolated_s > quality.max_interpolated_fraction * length_s:
        reason = (
            f"{interpolated_s:.3g} of {length_s:.4g} s are gaps that were interpolated, "
            f"more than {quality.max_interpolated_fraction:.0%}"
        )
        raise Refusal(stage, "interpolated", reason, interpolated_s)


def _longest_run(samples: np.ndarray) -> int:
    """Length of the longest run of one value."""
    changes = np.flatnonzero(np.diff(samples) != 0)
    edges = np.concatenate([[-1], changes, [len(samples) - 1]])
    return int(np.diff(edges).max())


def looks_clipped(samples: np.ndarray) -> bool:
    """Whether several peaks end flat at the very largest or smallest value, as saturated recorders do."""
    low, high = samples.min(), samples.max()
    if low == high or not (_flat_peaks(samples, high) or _flat_peaks(samples, low)):
        return False
    # A recorder that writes a few counts of noise repeats its extremes by chance.
    return bool(high - low >= CLIP_LEVELS * np.diff(np.unique(samples)).min())


def _flat_peaks(samples: np.ndarray, extreme: float) -> bool:
    at = np.flatnonzero(samples == extreme)
    if len(at) < CLIP_RUN * CLIP_PEAKS:
        return False
    runs = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(at) > 1) + 1, [len(at)]]))
    return int((runs >= CLIP_RUN).sum()) >= CLIP_PEAKS
