"""Where windows lie, and what stands in them where nothing is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seisvision.data.importing.series.gaps import runs_of


def starts_on_grid(day_first: int, begin: int, end: int, step: int, length: int) -> np.ndarray:
    """Starts of the windows that hold any sample from ``begin`` to ``end``, a step apart since 1970.

    So windows lie where they lie, whatever the piece of the archive that is read, and the last window of a day is the
    first of the next.

    Args:
        day_first: number of the sample that is the first of the day, since 1970.
        begin: first sample that is to be covered, counted from the start of the day.
        end: one after the last.
        step: samples from window to window.
        length: samples of a window.
    """
    earliest = begin - length + 1
    first = earliest + (-(day_first + earliest)) % step
    return np.arange(first, end, step, dtype=np.int64)


def starts_in_blocks(known: np.ndarray, step: int, length: int) -> np.ndarray:
    """Starts of windows within each unbroken block of samples, the last one flush with its end.

    So does the ``annotate`` of SeisBench; blocks shorter than a window have none.

    Args:
        known: (T,) bool, of any component.
    """
    starts: list[int] = []
    for begin, end in runs_of(known, length):
        starts += range(begin, end - length + 1, step)
        if starts[-1] + length < end:
            starts.append(end - length)
    return np.array(starts, dtype=np.int64)


def with_enough(known: np.ndarray, starts: np.ndarray, length: int, least: int) -> np.ndarray:
    """The starts of windows in which at least so many samples are known; the others cost nothing.

    Args:
        known: (T,) bool, of any component.
        starts: (W,) places in ``known``; windows may reach beyond its ends.
        length: samples of a window.
        least: known samples that a window needs.
    """
    counts = np.concatenate([[0], np.cumsum(known)])
    ends = np.clip(starts + length, 0, len(known))
    return starts[counts[ends] - counts[np.clip(starts, 0, len(known))] >= least]


def bridge_short(samples: np.ndarray, known: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Components (3, T) with gaps of up to ``longest`` samples as straight lines, and what is known of them then."""
    if known.all():
        return samples, known
    samples, known = samples.copy(), known.copy()
    for line, there in zip(samples, known, strict=True):
        if not there.any() or there.all():
            continue
        gaps = [one for one in runs_of(~there) if one[1] - one[0] <= longest and one[0] > 0 and one[1] < len(there)]
        if not gaps:
            continue
        begins, ends = np.array(gaps).T
        lengths = ends - begins
        # Place of every sample of every gap, and how far into its gap it lies.
        into = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = np.repeat(begins, lengths) + into
        slopes = (line[ends] - line[begins - 1]) / (lengths + 1)
        line[at] = np.repeat(line[begins - 1], lengths) + (into + 1) * np.repeat(slopes, lengths)
        there[at] = True
    return samples, known


def cut_windows(
    samples: np.ndarray, known: np.ndarray, starts: Sequence[int], length: int, order: Sequence[int]
) -> np.ndarray:
    """Windows as the network gets them: gaps are bridged, and every component begins at zero.

    A gap within a window is a straight line, one at an end keeps the nearest value: what is known is never beside a
    step. A component of which nothing is known is zero. See :func:`bridge_short` for the gaps that are many.

    Args:
        samples: (3, T) Z, N, E.
        known: (3, T).
        starts: B places.
        length: samples of a window.
        order: components of the network, as numbers of Z, N, E.

    Returns:
        (B, C, length) float32.
    """
    windows = np.empty((len(starts), len(order), length), dtype=np.float32)
    whole = np.all(known[:, min(starts, default=0) : max(starts, default=0) + length], axis=1)
    for row, start in enumerate(starts):
        for place, component in enumerate(order):
            line = samples[component, start : start + length]
            if not whole[component]:
                there = known[component, start : start + length]
                line = line if there.all() else _bridged(line, there)
            # In the precision of the recording: an offset may be large beside what moves.
            np.subtract(line, line[0], out=windows[row, place], casting="same_kind")
    return windows


def _bridged(samples: np.ndarray, known: np.ndarray) -> np.ndarray:
    if not known.any():
        return np.zeros(len(samples))
    at = np.flatnonzero(known)
    return np.interp(np.arange(len(samples)), at, samples[at])


def cut_zero_filled(samples: np.ndarray, starts: Sequence[int], length: int, order: Sequence[int]) -> np.ndarray:
    """Windows with zeros in gaps, as SeisBench has them; see :func:`cut_windows`."""
    return np.stack([samples[list(order), start : start + length] for start in starts]).astype(np.float32)
