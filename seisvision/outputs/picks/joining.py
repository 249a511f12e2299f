"""Picks of several networks as one list."""

from __future__ import annotations

import numpy as np


def joined(votes: np.ndarray, voted: np.ndarray, apart_s: float) -> np.ndarray:
    """Picks (N, F, 2, K) of M networks.

    The most probable pick of any is joined by the nearest of each other network within ``apart_s``: its time is their
    mean, weighed by probability, its probability the sum over all that voted, so that a pick of one of four counts a
    quarter. Then the most probable of what is left, and so on.

    Args:
        votes: (M, N, F, 2, K) times and probabilities.
        voted: bool (M, N): who was asked.
        apart_s: how far picks of one arrival may differ.
    """
    found = np.full(votes.shape[1:], np.nan)
    for row, phase in np.ndindex(*votes.shape[1:3]):
        asked = np.flatnonzero(voted[:, row])
        if not len(asked):
            continue
        times, probability = votes[asked, row, phase].transpose(1, 0, 2)
        told = _join(times, np.nan_to_num(probability), apart_s)
        for number, (time_s, height) in enumerate(sorted(told, key=lambda one: -one[1])[: votes.shape[-1]]):
            found[row, phase, :, number] = time_s, height
    return found


def _join(times_s: np.ndarray, probability: np.ndarray, apart_s: float) -> list[tuple[float, float]]:
    """Times and probabilities of picks (M, K) of one phase in one window."""
    left = np.where(np.isfinite(times_s), probability, -1.0)
    told = []
    while left.max() >= 0:
        centre_s = times_s.flat[left.argmax()]
        near = np.where((np.abs(times_s - centre_s) <= apart_s) & (left >= 0), left, -1.0)
        chosen = near.argmax(1)
        members = np.arange(len(near))
        weight = np.maximum(near[members, chosen], 0.0)
        total = float(weight.sum())
        mean_s = float((np.nan_to_num(times_s[members, chosen]) * weight).sum() / total) if total else float(centre_s)
        told.append((mean_s, total / len(near)))
        # Whatever else lies within reach is of the same arrival.
        left[np.abs(times_s - centre_s) <= apart_s] = -1.0
    return told
