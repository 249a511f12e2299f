"""Curves of overlapping windows made one curve."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

STACKS = ("mean", "max")


def stack_curves(
    curves: Iterable[tuple[int, np.ndarray]], n_curves: int, begin: int, end: int, blind: int, how: str
) -> tuple[np.ndarray, np.ndarray]:
    """Mean or maximum of all windows that see a sample away from their ends.

    Probabilities of one sample never add up to more than one: where the maxima of different windows do, they are
    scaled down together.

    Args:
        curves: start of each window and its curves (K, T), probabilities.
        n_curves: K.
        begin: first sample of the result.
        end: one after the last.
        blind: samples at either end of a window that do not count.
        how: ``mean`` or ``max``.

    Returns:
        (K, end - begin) float32, 0 where no window sees a sample; and (end - begin,) int16, how many do.
    """
    length = end - begin
    stacked = np.zeros((n_curves, length), dtype=np.float32)
    seen = np.zeros(length, dtype=np.int16)
    for start, curve in curves:
        first, last = max(start + blind, begin), min(start + curve.shape[-1] - blind, end)
        if last <= first:
            continue
        part = curve[:, first - start : last - start]
        place = stacked[:, first - begin : last - begin]
        if how == "max":
            np.maximum(place, part, out=place)
        else:
            place += part
        seen[first - begin : last - begin] += 1
    if how == "mean":
        stacked /= np.maximum(seen, 1)
    total = stacked.sum(axis=0)
    over = total > 1
    if over.any():
        # Slightly more, so that rounding adds up to less than one.
        stacked[:, over] /= total[over] * np.float32(1 + 1e-6)
    return stacked, seen
