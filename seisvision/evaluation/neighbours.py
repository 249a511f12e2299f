"""How far a sample lies from everything that a network has learnt from, in the features below its outputs.

The distance to the k-th nearest training sample, of features of unit length, needs no assumption of how features are
distributed (Sun, Ming, Zhu & Li 2022, Out-of-distribution detection with deep nearest neighbors).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from seisvision.seeding import DEFAULT_SEED

K = 30
"""Which neighbour; results hardly differ from 10 to 50."""
N_DIRECTIONS = 32
"""Of the largest spread, in which distances are measured; of 1,024 features they tell as much as all."""
MOST_KEPT = 20_000
AT_ONCE = 1000


@dataclass(frozen=True)
class KnownFeatures:
    """Where training samples lie."""

    middle: np.ndarray
    """(F,) mean of the features of unit length."""
    directions: np.ndarray
    """(D, F) of the largest spread."""
    places: np.ndarray
    """(N, D) of training samples."""

    @classmethod
    def fit(cls, features: np.ndarray) -> KnownFeatures:
        """From the features (N, F) of training samples; of very many, some are drawn."""
        if len(features) > MOST_KEPT:
            features = np.random.default_rng(DEFAULT_SEED).choice(features, MOST_KEPT, replace=False)
        features = _unit_length(features)
        middle = features.mean(axis=0)
        n_features = features.shape[1]
        largest = (max(n_features - N_DIRECTIONS, 0), n_features - 1)
        _, vectors = linalg.eigh((features - middle).T @ (features - middle), subset_by_index=largest)
        directions = vectors.T
        return cls(middle, directions, (features - middle) @ directions.T)

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Distances (M,) of samples with features (M, F) from their k-th nearest training sample."""
        k = min(K, len(self.places))
        places = (_unit_length(features) - self.middle) @ self.directions.T
        squares = (self.places**2).sum(axis=1)
        found = []
        for start in range(0, len(places), AT_ONCE):
            some = places[start : start + AT_ONCE]
            squared = (some**2).sum(axis=1)[:, None] + squares - 2 * some @ self.places.T
            found.append(np.partition(squared, k - 1, axis=1)[:, k - 1])
        return np.sqrt(np.maximum(np.concatenate([np.zeros(0), *found]), 0))


def share_as_far(distance: np.ndarray, usual: np.ndarray, usual_events: Sequence[Any]) -> np.ndarray:
    """Probability (M,) that a sample like the usual ones would be at least as far as each of M samples is.

    Of samples like the usual ones, no more than a share p is told p or less (a conformal p-value); events weigh alike,
    and the asked one as much as each of the others.

    Args:
        distance: (M,).
        usual: distances (N,) of other samples that were not learnt from, those of validation events.
        usual_events: (N,) their events.
    """
    _, event, count = np.unique(np.asarray(usual_events), return_inverse=True, return_counts=True)
    order = np.argsort(usual, kind="stable")
    weight = np.concatenate([[0.0], np.cumsum(1 / count[event[order]])])
    nearer = weight[np.searchsorted(usual[order], distance, side="left")]
    return np.asarray((1 + len(count) - nearer) / (1 + len(count)))


def _unit_length(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, float)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
