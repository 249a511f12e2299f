"""Differential times: how much later a wave comes in one window than in another, to a fraction of a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAD_S = 0.2
"""Of a window before the arrival."""


@dataclass(frozen=True)
class Lags:
    """Of N pairs of windows.

    Attributes:
        lag: (N,) samples by which the second is late against the first; NaN where the highest lies at an end.
        correlation: (N,) there.
        ratio: (N,) amplitude of the second over that of the first.
    """

    lag: np.ndarray
    correlation: np.ndarray
    ratio: np.ndarray


def lags_of(first: np.ndarray, second: np.ndarray) -> Lags:
    """Correlate windows over components together.

    Args:
        first: (N, C, L).
        second: (N, C, L + 2 m): from ``m`` samples before to ``m`` after the same time.
    """
    n, _, length = first.shape
    reach = (second.shape[-1] - length) // 2
    a = first - first.mean(-1, keepdims=True)
    moving = np.lib.stride_tricks.sliding_window_view(second, length, axis=-1)[:, :, : 2 * reach + 1]
    product = np.einsum("ncl,nctl->nt", a, moving)
    energy = np.einsum("nctl,nctl->nct", moving, moving) - length * moving.mean(-1) ** 2
    energy = np.maximum(energy.sum(1), 0)
    own = np.einsum("ncl,ncl->n", a, a)
    norm = np.sqrt(own[:, None] * energy)
    correlation = np.where(norm > 0, product / np.maximum(norm, 1e-300), 0.0)
    best = correlation.argmax(1)
    rows = np.arange(n)
    inner = np.clip(best, 1, max(1, correlation.shape[1] - 2))
    left, middle, right = (correlation[rows, inner + step] for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1), 0.0)
    at_end = (best == 0) | (best == correlation.shape[1] - 1)
    lag = np.where(at_end, np.nan, inner + np.clip(shift, -0.5, 0.5) - reach)
    ratio = product[rows, best] / np.maximum(own, 1e-300)
    return Lags(lag, correlation[rows, best], ratio)
