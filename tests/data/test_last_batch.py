"""The last batch of an epoch of training is never a single sample, in one process or in several."""

from __future__ import annotations

import numpy as np
import pytest
from small_sets import write_set

from seisvision import keys
from seisvision.data.samples.window import Window
from seisvision.data.serving.cluster_sampler import ClusterSampler
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.serving.epoch_sampler import EpochSampler, TrainingBatches, count_batches
from seisvision.data.splitting.split import Split


def _batches(n: int, batch_size: int, n_ranks: int = 1) -> list[list[list[int]]]:
    """Batches of every rank."""
    samplers = [
        EpochSampler(n, shuffle=True, rank=rank, n_ranks=n_ranks, batch_size=batch_size, joins=True)
        for rank in range(n_ranks)
    ]
    return [list(TrainingBatches(sampler)) for sampler in samplers]


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [
        (25, 8, [8, 8, 9]),
        (9, 8, [9]),
        (3, 2, [3]),
        (26, 8, [8, 8, 8, 2]),
        (24, 8, [8, 8, 8]),
        (1, 8, [1]),
        (3, 1, [1, 1, 1]),
        (5, 8, [5]),
    ],
)
def test_a_last_sample_joins_the_batch_before_it(n: int, batch_size: int, sizes: list[int]) -> None:
    (batches,) = _batches(n, batch_size)
    assert [len(batch) for batch in batches] == sizes and count_batches(n, batch_size) == len(sizes)
    assert [number for batch in batches for number in batch] == list(EpochSampler(n, shuffle=True))


@pytest.mark.parametrize(("n", "batch_size", "n_ranks"), [(25, 8, 2), (13, 6, 3), (9, 4, 4), (5, 2, 2), (14, 6, 3)])
def test_ranks_share_the_joined_batch(n: int, batch_size: int, n_ranks: int) -> None:
    (whole,) = _batches(n, batch_size)
    shares = _batches(n, batch_size, n_ranks)
    assert {len(share) for share in shares} == {len(whole)}
    for number, batch in enumerate(whole):
        together = [sample for share in shares for sample in share[number]]
        assert sorted(sample for sample in together if sample >= 0) == sorted(batch)
        assert all(share[number] for share in shares), "a rank without a sample would leave the others waiting"


def test_orders_of_clusters_join_as_well() -> None:
    sampler = ClusterSampler(np.arange(17) % 3, batch_size=4, joins=True)
    assert [len(batch) for batch in TrainingBatches(sampler)] == [4, 4, 4, 5]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> EventDataModule:
    small = write_set(tmp_path_factory.mktemp("set") / "small", 13)
    split = Split({"train": tuple(small.source_ids[:9]), "val": tuple(small.source_ids[9:])})
    return EventDataModule(small, split, samples={"window": Window(length_s=5.0)}, batch_size=4)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_epoch_serves_each_event_once(data: EventDataModule, num_workers: int) -> None:
    data.num_workers = num_workers
    loader = data.train_dataloader()
    served = [batch[keys.SOURCE_ID] for batch in loader]
    assert [len(batch) for batch in served] == [4, 5] and len(loader) == 2
    assert sorted(name for batch in served for name in batch) == sorted(data.split.parts["train"])


def test_what_is_not_trained_on_keeps_its_batches(data: EventDataModule) -> None:
    data.num_workers = 0
    assert [len(batch[keys.SOURCE_ID]) for batch in data.loader("train")] == [4, 4, 1]
