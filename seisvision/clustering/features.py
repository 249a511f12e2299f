"""Features of a network made ready for k-means: principal components, whitened, on the unit sphere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.errors import ConfigurationError, DataError

MIN_EIGENVALUE = 1e-6
"""Principal components with less than this share of the largest variance are rounding errors, and are left out."""


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
        points = (np.asarray(features, float) - self.mean) @ self.axes
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
    features = np.asarray(features, float)
    if len(features) < 2 or not np.isfinite(features).all():
        raise DataError(
            f"features of shape {features.shape} cannot be clustered: there must be two or more samples and only "
            "finite values. A learning rate that is too high makes networks diverge; lower optimizer.lr."
        )
    mean = features.mean(0)
    variance, axes = _principal_axes(features - mean)
    kept = variance > MIN_EIGENVALUE * variance[0]
    kept &= np.arange(len(variance)) < min(n_components, len(features) - 1)
    if not (variance[0] > 0 and kept.any()):
        raise DataError("all samples have the same features, so there is nothing to cluster; look at the pictures")
    axes, variance = axes[:, kept], variance[kept]
    return Preparation(mean, axes / np.sqrt(variance) if whiten else axes, normalise)


def whiten(features: np.ndarray, n_components: int = 256, **options: bool) -> np.ndarray:
    """Points (N, P) of features (N, F); see :func:`fit_preparation`."""
    return fit_preparation(features, n_components, **options)(features)


def effective_rank(features: np.ndarray) -> float:
    """Number of equally strong components that features (N, F) have the spectrum of; 1 means collapse.

    The exponential of the entropy of the shares of variance (Roy and Vetterli 2007, EUSIPCO).
    """
    features = np.asarray(features, float)
    variance, _ = _principal_axes(features - features.mean(0))
    share = variance[variance > 0] / variance.sum() if variance.sum() > 0 else np.ones(1)
    return float(np.exp(-(share * np.log(share)).sum()))


def _principal_axes(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances, falling, and axes (F, M) of centred features (N, F), with M the smaller of N and F.

    Each axis points to where its largest entry is positive, so that no library decides about signs.
    """
    n, f = centred.shape
    if f <= n:
        variance, axes = np.linalg.eigh(centred.T @ centred / n)
        variance, axes = variance[::-1], axes[:, ::-1]
    else:
        variance, samples = np.linalg.eigh(centred @ centred.T / n)
        variance, samples = variance[::-1], samples[:, ::-1]
        axes = centred.T @ samples
        axes = axes / np.maximum(np.linalg.norm(axes, axis=0), np.finfo(float).tiny)
    largest = np.abs(axes).argmax(0)
    signs = np.where(axes[largest, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    return np.maximum(variance, 0.0), axes * signs
