"""Deep clustering on pictures whose groups are known: it finds them, and does not depend on what must not matter."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from sklearn.metrics import adjusted_rand_score
from torch import nn
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.base.share import Share
from seisvision.data.serving.cluster_sampler import ClusterSampler
from seisvision.data.serving.epoch_sampler import EpochSampler
from seisvision.errors import ConfigurationError, DataError
from seisvision.models.backbone import Backbone
from seisvision.runs.callbacks import KeepCheckpoints
from seisvision.tasks import exact
from seisvision.tasks.deep_cluster import DeepClusterTask
from seisvision.views.view import View


class SmallNet(Backbone):
    """Three convolutions with batch normalisation: learns in seconds."""

    num_features = 32

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((in_channels, 16), (16, 32), (32, 32)):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self.network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network(image)


class Shown(View):
    """Shows the waveforms as they are: one channel, a row a station."""

    out_channels, height, width, components = 1, 24, 24, "Z"

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        return batch[keys.WAVEFORM].transpose(1, 2)


class Moved(nn.Module):
    """Moves every picture about: where the blob is means nothing."""

    def forward(self, batch: dict[str, Any], epoch: int, step: int, rank: int = 0) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(1000 * epoch + step)
        moves = torch.randint(-6, 7, (len(batch[keys.WAVEFORM]), 2), generator=generator).tolist()
        moved = [torch.roll(one, move, (0, 2)) for one, move in zip(batch[keys.WAVEFORM], moves, strict=True)]
        return {**batch, keys.WAVEFORM: torch.stack(moved)}


class Pictures:
    """Stands for a data module whose samples are pictures (N, 24, 24)."""

    trainer: Any = None
    batch_size = 16

    def __init__(self, pictures: torch.Tensor) -> None:
        ids = [f"event {number}" for number in range(len(pictures))]
        self.parts = {"train": SimpleNamespace(sample_ids=ids)}
        self.samples = [
            {keys.WAVEFORM: picture[:, None], keys.SOURCE_ID: name} for picture, name in zip(pictures, ids, strict=True)
        ]

    def loader(self, part: str, labels: np.ndarray | None = None) -> DataLoader:
        order = EpochSampler(len(self.samples), shuffle=False) if labels is None else ClusterSampler(labels)
        return DataLoader(self.samples, self.batch_size, sampler=order, collate_fn=_collate)  # type: ignore[arg-type]


def _collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    waveform = torch.stack([sample[keys.WAVEFORM] for sample in samples])
    return {keys.WAVEFORM: waveform, keys.SOURCE_ID: [sample[keys.SOURCE_ID] for sample in samples]}


def _blobs(n: int, n_groups: int = 3, seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Noisy pictures of blobs that are small, wide or high, anywhere; and which they are."""
    generator = torch.Generator().manual_seed(seed)
    groups = torch.randint(0, n_groups, (n,), generator=generator)
    widths = torch.tensor([[1.0, 1.0], [9.0, 1.5], [1.5, 9.0]])[groups]
    middle = torch.rand(n, 2, generator=generator) * 8 + 8
    place = torch.arange(24.0)
    y, x = (torch.exp(-((place - middle[:, axis, None]) ** 2) / (2 * widths[:, axis, None] ** 2)) for axis in (0, 1))
    pictures = 2 * y[:, :, None] * x[:, None, :] + 0.1 * torch.randn(n, 24, 24, generator=generator)
    return pictures, groups.numpy()


def _task(k: int = 3, **settings: Any) -> DeepClusterTask:
    torch.manual_seed(0)
    optimizer = functools.partial(torch.optim.SGD, lr=0.05, momentum=0.9)
    settings = {"pca_dim": 8, "n_init": 3, **settings}
    return DeepClusterTask(SmallNet(1), Shown(), k, optimizer, **settings)


def _trainer(epochs: int, **settings: Any) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,
        **settings,
    )


def _fit(task: DeepClusterTask, pictures: torch.Tensor, epochs: int, **settings: Any) -> pl.Trainer:
    task.attach(Pictures(pictures))  # type: ignore[arg-type]
    trainer = _trainer(epochs)
    trainer.fit(task, **settings)
    return trainer


def _final(task: DeepClusterTask, pictures: torch.Tensor, epoch: int) -> np.ndarray:
    task.eval()
    with torch.no_grad():
        features = task.features({keys.WAVEFORM: pictures[:, :, None]}).numpy()
    task.train()
    return task.cluster(task.prepare_points(features)[1], epoch).labels


def test_three_kinds_of_pictures_are_found() -> None:
    pictures, groups = _blobs(300)
    task = _task(train_k=9, pca_dim=4, augment=Moved())
    before = adjusted_rand_score(groups, _final(task, pictures, 0))
    _fit(task, pictures, 8)
    after = adjusted_rand_score(groups, _final(task, pictures, 8))
    assert after > 0.9 and after > before


def test_pictures_that_are_kept_teach_the_same_and_are_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, groups = _blobs(300)
    drawn: list[int] = []
    show = Shown.forward

    def count(self: Shown, batch: dict[str, Any]) -> torch.Tensor:
        drawn.append(len(batch[keys.SOURCE_ID]))
        return show(self, batch)

    monkeypatch.setattr(Shown, "forward", count)
    task = _task(train_k=9, pca_dim=4, augment=Moved(), drawings=4)
    _fit(task, pictures, 8)
    assert sum(drawn) == 300 * 5
    monkeypatch.undo()
    assert adjusted_rand_score(groups, _final(task, pictures, 8)) > 0.9


def test_more_noise_is_drawn_for_all_processes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shown, "noise_range_db", (0.0, 30.0))
    task = _task(more_noise_db=8.0)
    task._trainer = SimpleNamespace(current_epoch=3)  # type: ignore[assignment]
    picture = torch.full((6, 1, 4, 4), 0.5)
    noisier = task._in_more_noise(picture, 0, None)
    assert (noisier <= 0.5).all() and (noisier > 0.5 - 8 / 30).all()
    assert noisier[:, 0, 0, 0].unique().numel() == 6, "every picture by its own amount"
    halves = [task._in_more_noise(picture[rank::2], 0, Share(rank, 2, 6, 1)) for rank in (0, 1)]
    assert torch.equal(torch.stack(halves, 1).flatten(0, 1), noisier)


@pytest.mark.parametrize(("front", "channels"), [("none", 1), ("sobel", 2), ("contrast", 1)])
def test_fixed_first_layers_stand_before_the_network(front: str, channels: int) -> None:
    optimizer = functools.partial(torch.optim.SGD, lr=0.05)
    task = DeepClusterTask(SmallNet(channels), Shown(), 3, optimizer, front=front)
    assert task.features({keys.WAVEFORM: torch.rand(2, 24, 1, 24)}).shape == (2, 32)


def test_fewer_samples_than_components_can_be_clustered() -> None:
    pictures, _ = _blobs(40)
    task = _task(pca_dim=256)
    _fit(task, pictures, 2)
    assert len(task.labels) == 40 and len(task.history) == 2


def test_pictures_that_are_all_alike_but_two_leave_clusters_empty_and_nothing_breaks() -> None:
    pictures, _ = _blobs(3)
    task = _task(k=5)
    _fit(task, pictures[torch.arange(48) % 3], 2)
    assert [len(epoch["sizes"]) for epoch in task.history] == [3, 3]


def test_the_epoch_learns_the_clusters_of_the_features_it_begins_with(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, _ = _blobs(64)
    task = _task()
    seen: list[tuple[str, int]] = []
    step = DeepClusterTask.training_step

    def remember(self: DeepClusterTask, batch: dict[str, Any], index: int) -> torch.Tensor:
        seen.extend((name, self.current_epoch) for name in batch[keys.SOURCE_ID])
        return step(self, batch, index)

    first = _final(task, pictures, 0)
    monkeypatch.setattr(DeepClusterTask, "training_step", remember)
    _fit(task, pictures, 2)
    number_of = {f"event {number}": number for number in range(64)}
    for epoch in (0, 1):
        order = [number_of[name] for name, when in seen if when == epoch]
        assert len(order) == 64
        labels = first if epoch == 0 else task.labels
        counts = np.bincount(labels[order], minlength=3)
        assert counts.max() - counts.min() <= 1, "every cluster of this epoch comes equally often"


def test_numbers_of_clusters_mean_nothing_to_a_new_head() -> None:
    pictures, groups = _blobs(64)
    task = _task()
    task.attach(Pictures(pictures))  # type: ignore[arg-type]
    losses = []
    for names in ([0, 1, 2], [2, 0, 1]):
        task._renew_head(3)
        with torch.no_grad():
            logits = task({keys.WAVEFORM: pictures[:, :, None]})
        losses.append(float(nn.functional.cross_entropy(logits, torch.tensor(names)[torch.from_numpy(groups)])))
    assert losses == pytest.approx([math.log(3)] * 2, rel=0.02)


def test_the_head_is_new_in_every_epoch_and_the_same_in_every_run() -> None:
    task = _task()
    task._renew_head(1)
    first = task.head.weight.detach().clone()
    task._renew_head(2)
    assert not torch.equal(task.head.weight, first)
    task._renew_head(1)
    assert torch.equal(task.head.weight, first) and not task.head.bias.any()
    assert float(first.std()) == pytest.approx(0.01, rel=0.3)


def test_head_and_backbone_have_optimisers_of_their_own() -> None:
    pictures, _ = _blobs(64)
    task = _task(head_lr=1e-30)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    _fit(task, pictures, 1)
    task_head = task.head.weight.clone()
    task._renew_head(0)
    assert torch.equal(task_head, task.head.weight), "no rate, no change"
    assert not torch.equal(task.model.network[0].weight, before["network.0.weight"])


def test_a_resumed_training_ends_with_the_clusters_of_an_uninterrupted_one(tmp_path: Path) -> None:
    pictures, _ = _blobs(96)
    straight = _task()
    _fit(straight, pictures, 4)
    half = _task()
    _fit(half, pictures, 2).save_checkpoint(tmp_path / "half.ckpt")
    resumed = _task()
    _fit(resumed, pictures, 4, ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert resumed.history == straight.history
    assert np.array_equal(_final(resumed, pictures, 4), _final(straight, pictures, 4))
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


class SaveInEpoch(pl.Callback):
    """Writes a checkpoint while an epoch ends, as runs do before they are killed."""

    def __init__(self, path: Path, epoch: int) -> None:
        self._path, self._epoch = path, epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == self._epoch:
            trainer.save_checkpoint(self._path)


@pytest.mark.parametrize("epoch", [1, 3], ids=["in the middle", "after the last epoch"])
def test_a_training_resumes_from_what_was_written_as_an_epoch_ended(epoch: int, tmp_path: Path) -> None:
    pictures, _ = _blobs(96)
    straight = _task()
    straight.attach(Pictures(pictures))  # type: ignore[arg-type]
    _trainer(4, callbacks=[SaveInEpoch(tmp_path / "half.ckpt", epoch)]).fit(straight)
    resumed = _task()
    _fit(resumed, pictures, 4, ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert resumed.history == straight.history
    assert np.array_equal(resumed.learnt, straight.learnt)
    assert torch.equal(resumed.head.weight, straight.head.weight) or epoch == 3


def test_features_of_all_ranks_come_back_in_the_order_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = torch.arange(7.0)[:, None].repeat(1, 2)
    padded = [torch.nn.functional.pad(rows[rank::3], (0, 0, 0, 3 - len(rows[rank::3]))) for rank in range(3)]

    def all_gather(everywhere: list[torch.Tensor], mine: torch.Tensor) -> None:
        assert torch.equal(mine, padded[1])
        for place, values in zip(everywhere, padded, strict=True):
            place.copy_(values)

    monkeypatch.setattr(exact, "rank_and_size", lambda: (1, 3))
    monkeypatch.setattr(torch.distributed, "all_gather", all_gather)
    assert torch.equal(exact.rows_in_order(rows[1::3], 7), rows)


@pytest.mark.parametrize(
    "setting",
    [{"k": 1}, {"pca_dim": 0}, {"min_cluster_size": 0}, {"more_noise_db": 8.0}, {"backend": "sk"}, {"front": "edge"}],
)
def test_settings_that_make_no_sense_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        _task(**setting)


@pytest.mark.parametrize(("k", "train_k", "named"), [(2, 12, "task.train_k=12"), (12, 2, "task.k=12")])
def test_too_few_samples_are_refused_before_anything_is_drawn(k: int, train_k: int, named: str) -> None:
    task = _task(k, train_k=train_k, min_cluster_size=5)
    with pytest.raises(DataError, match=f"48 samples.*{named} .*task.min_cluster_size=5.* at least 60 samples"):
        task.attach(Pictures(_blobs(48)[0]))  # type: ignore[arg-type]
    task.attach(Pictures(_blobs(60)[0]))  # type: ignore[arg-type]


def test_stopping_early_without_validation_is_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keeper = KeepCheckpoints(tmp_path / "best.ckpt", tmp_path / "last.ckpt", "max", patience=3)
    trainer: Any = SimpleNamespace(
        callback_metrics={},
        world_size=1,
        is_global_zero=True,
        loggers=[],
        save_checkpoint=lambda *args, **more: None,
    )
    keeper.on_train_start(trainer, _task())
    for trainer.current_epoch in range(2):
        keeper.on_train_epoch_end(trainer, _task())
    keeper.on_train_end(trainer, _task())
    (record,) = caplog.records
    assert "trainer.early_stopping_patience=3" in record.getMessage() and "clusters" in record.getMessage()
