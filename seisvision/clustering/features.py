"""Features of a network made ready for k-means: principal components, whitened, on the unit sphere."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.errors import ConfigurationError, DataError

MIN_EIGENVALUE = 1e-6
"""Principal components with less than this share of the largest variance are rounding errors, and are left out."""

MOST_AT_ONCE = 2**24
"""More values than these are centred in parts, so that no second and third copy of all features is held."""


@dataclass(frozen=True)
class Preparation:
    """The map from features to the points that are clustered; learnt once, it also takes features of other samples."""

    mean: np.ndarray
    """float64 (F,)."""
    axes: np.ndarray
    """float64 (F, P): principal components, divided by their standard deviations where whitened."""
    normalise: bool
    """Whether points lie on the unit sphere."""

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Points (N, P) of features (N, F)."""
        parts = [_centred(features, self.mean, rows=rows) @ self.axes for rows in _slices(*np.shape(features))]
        points = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if not self.normalise:
            return points
        length = np.linalg.norm(points, axis=1, keepdims=True)
        return points / np.where(length > 0, length, 1.0)

    @property
    def rank(self) -> int:
        """P: number of principal components kept."""
        return self.axes.shape[1]

    def to_dict(self) -> dict[str, Any]:
        """Arrays and plain values."""
        return {"mean": self.mean, "axes": self.axes, "normalise": self.normalise}


def fit_preparation(
    features: np.ndarray, n_components: int = 256, *, whiten: bool = True, normalise: bool = True
) -> Preparation:
    """Learn the preparation of Caron et al. (2018), arXiv:1807.05520, section 3: PCA, whitening, rows of length 1.

    Args:
        features: (N, F).
        n_components: largest P; never more than N - 1 or F, nor than there are components with variance.
        whiten: give all principal components the same variance. With few samples this makes weak components, which
            are noise, as loud as the strong ones: choose a small ``n_components`` with it.
        normalise: scale every row to length 1.

    Raises:
        ConfigurationError: ``n_components`` below 1.
        DataError: fewer than two samples, values that are not finite, or features that do not differ at all.
    """
    if n_components < 1:
        raise ConfigurationError(f"pca_dim={n_components} must be at least 1")
    features = _as_float(features)
    if len(features) < 2 or not np.isfinite(features).all():
        raise DataError(
            f"features of shape {features.shape} cannot be clustered: there must be two or more samples and only "
            "finite values. A learning rate that is too high makes networks diverge; lower optimizer.lr."
        )
    mean, most = features.mean(0, dtype=float), min(n_components, len(features) - 1)
    variance, vectors = _spectrum(features, mean)
    kept = variance > MIN_EIGENVALUE * variance[0]
    kept &= np.arange(len(variance)) < most
    if not (variance[0] > 0 and kept.any()):
        raise DataError("all samples have the same features, so there is nothing to cluster; look at the pictures")
    axes = _principal_axes(features, mean, vectors, most)
    axes, variance = axes[:, kept[: axes.shape[1]]], variance[kept]
    return Preparation(mean, axes / np.sqrt(variance) if whiten else axes, normalise)


def whiten(features: np.ndarray, n_components: int = 256, **options: bool) -> np.ndarray:
    """Points (N, P) of features (N, F); see :func:`fit_preparation`."""
    return fit_preparation(features, n_components, **options)(features)


def effective_rank(features: np.ndarray) -> float:
    """Number of equally strong components that features (N, F) have the spectrum of; 1 means collapse.

    The exponential of the entropy of the shares of variance (Roy and Vetterli 2007, EUSIPCO).
    """
    features = _as_float(features)
    variance, _ = _spectrum(features, features.mean(0, dtype=float))
    share = variance[variance > 0] / variance.sum() if variance.sum() > 0 else np.ones(1)
    return float(np.exp(-(share * np.log(share)).sum()))


def _as_float(features: np.ndarray) -> np.ndarray:
    """Float64, except of many features, which are converted in parts."""
    features = np.asarray(features)
    return features if features.size > MOST_AT_ONCE else np.asarray(features, float)


def _spectrum(features: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances (M,), falling, and the eigenvectors (M, M) they belong to, with M the smaller of N and F.

    The vectors are principal axes where F is the smaller, else weights of the samples.
    """
    n, f = features.shape
    if f <= n:
        blocks = (_centred(features, mean, rows=rows) for rows in _slices(n, f))
        product = functools.reduce(np.add, (block.T @ block for block in blocks))
    else:
        blocks = (_centred(features, mean, columns=columns) for columns in _slices(f, n))
        product = functools.reduce(np.add, (block @ block.T for block in blocks))
    variance, vectors = np.linalg.eigh(product / n)
    return np.maximum(variance[::-1], 0.0), vectors[:, ::-1]


def _principal_axes(features: np.ndarray, mean: np.ndarray, vectors: np.ndarray, most: int) -> np.ndarray:
    """Axes (F, M) of what :func:`_spectrum` found; where features are many only the first ``most``.

    Each axis points to where its largest entry is positive, so that no library decides about signs.
    """
    n, f = features.shape
    axes = vectors
    if f > n:
        # Cut only where it matters: a product with fewer columns may round differently.
        wanted = vectors if features.size <= MOST_AT_ONCE else vectors[:, :most]
        blocks = [_centred(features, mean, columns=columns).T @ wanted for columns in _slices(f, n)]
        axes = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        axes = axes / np.maximum(np.linalg.norm(axes, axis=0), np.finfo(float).tiny)
    largest = np.abs(axes).argmax(0)
    signs = np.where(axes[largest, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    return axes * signs


def _centred(
    features: np.ndarray, mean: np.ndarray, rows: slice = slice(None), columns: slice = slice(None)
) -> np.ndarray:
    return np.asarray(features[rows, columns], float) - mean[columns]


def _slices(length: int, width: int) -> Iterator[slice]:
    """Parts of an axis of which none holds more than `MOST_AT_ONCE` values where the other axis has ``width``."""
    step = max(1, MOST_AT_ONCE // max(width, 1))
    return (slice(first, first + step) for first in range(0, max(length, 1), step))
