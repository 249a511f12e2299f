"""The order of an epoch in which all clusters are seen equally often."""

from __future__ import annotations

from typing import Any

import numpy as np

from seisvision.data.serving.epoch_sampler import EpochSampler
from seisvision.seeding import DEFAULT_SEED, numpy_stream


def balanced_order(labels: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """Sample numbers (N,) of one epoch: the same share of every non-empty cluster, shuffled.

    Every member of a cluster comes equally often, as far as the numbers allow: whole permutations one after
    the other, the last one cut. So an epoch is as long as the set, and follows from its arguments alone.

    Args:
        labels: cluster (N,) of every sample.
        seed: base seed.
        epoch: epoch.

    Reference: Caron et al. (2018), arXiv:1807.05520, section 3.3 (uniform sampling over pseudo-labels).
    """
    rng = numpy_stream(seed, "cluster order", epoch)
    clusters = np.unique(labels)
    share, rest = divmod(len(labels), len(clusters))
    lucky = set(rng.permutation(len(clusters))[:rest].tolist())
    chosen = []
    for number, cluster in enumerate(clusters):
        members, wanted = np.flatnonzero(labels == cluster), share + (number in lucky)
        rounds = [rng.permutation(members) for _ in range(-(-wanted // len(members)))]
        chosen.append(np.concatenate([*rounds, members[:0]])[:wanted])
    return rng.permutation(np.concatenate(chosen))


class ClusterSampler(EpochSampler):
    """Order of samples in which every cluster comes equally often, shared out to the ranks as the epoch's order is.

    Args:
        labels: cluster (N,) of every sample.
        seed: base seed.
        **ranks: number of this process, of all, and of the samples of a global batch, see :class:`EpochSampler`.
    """

    def __init__(self, labels: np.ndarray, *, seed: int = DEFAULT_SEED, **ranks: Any) -> None:
        super().__init__(len(labels), shuffle=True, seed=seed, **ranks)
        self.labels = np.asarray(labels)

    def order(self) -> np.ndarray:
        """Sample numbers (N,) of the whole epoch."""
        return balanced_order(self.labels, self.seed, self.epoch)
