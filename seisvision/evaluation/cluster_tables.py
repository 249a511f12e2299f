"""Clusters as tables: which event is in which, how typical it is, and what it has in common with the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Clustered:
    """Samples with the cluster each belongs to.

    Args:
        sample_ids: N ids, as ``samples.sample_ids``.
        source_ids: N ids of their events.
        labels: int (N,), cluster 0 to K - 1.
        points: float (N, F), features as they were clustered (whitened, of length one).
        centres: float (K, F).
    """

    sample_ids: list[str]
    source_ids: list[str]
    labels: np.ndarray
    points: np.ndarray
    centres: np.ndarray
