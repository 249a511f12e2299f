"""An epoch in which every cluster comes equally often."""

import numpy as np
import pytest

from seisvision.data.serving.cluster_sampler import ClusterSampler, balanced_order

LABELS = np.repeat([0, 1, 3], [70, 25, 5])


def test_every_cluster_comes_equally_often_and_so_does_every_member() -> None:
    order = balanced_order(LABELS, seed=1, epoch=0)
    assert len(order) == len(LABELS)
    counts = np.bincount(LABELS[order], minlength=4)
    assert sorted(counts[[0, 1, 3]].tolist()) == [33, 33, 34] and counts[2] == 0
    for cluster in (1, 3):
        seen = np.bincount(order, minlength=100)[cluster == LABELS]
        assert seen.max() - seen.min() <= 1


def test_the_order_follows_from_seed_epoch_and_labels_alone() -> None:
    first = balanced_order(LABELS, 1, 2)
    assert np.array_equal(first, balanced_order(LABELS, 1, 2))
    assert not np.array_equal(first, balanced_order(LABELS, 1, 3))
    assert not np.array_equal(first, balanced_order(LABELS, 2, 2))


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_ranks_share_the_order_of_one_process(n_ranks: int) -> None:
    samplers = [ClusterSampler(LABELS, seed=1, rank=rank, n_ranks=n_ranks) for rank in range(n_ranks)]
    for sampler in samplers:
        sampler.set_epoch(4)
    shares = [list(sampler) for sampler in samplers]
    whole = balanced_order(LABELS, 1, 4)
    for rank, share in enumerate(shares):
        expected = whole[rank::n_ranks]
        assert share[: len(expected)] == expected.tolist()
        assert len(share) == len(samplers[rank]) == -(-len(LABELS) // n_ranks)
