"""Batches: each event once, the same with any number of workers, nothing dropped without a word."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from small_sets import event_waveforms, trace_row, write_set

from seisvision import keys
from seisvision.data.datamodule import EventDataModule
from seisvision.data.epoch_sampler import EpochSampler
from seisvision.data.samples import Window
from seisvision.data.splits import Split, make_split
from seisvision.data.waveform_set import WaveformSet
from seisvision.data.writer import WaveformSetWriter
from seisvision.errors import ConfigurationError, DataError

CLASSES = {"quake": 0, "blast": 1}
SAMPLES = {"window": Window(length_s=5.0), "targets": {"source_type": CLASSES}}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    return write_set(tmp_path_factory.mktemp("sets") / "small", 30)


def datamodule(waveform_set: WaveformSet, **changes: Any) -> EventDataModule:
    settings = {"samples": SAMPLES, "batch_size": 4} | changes
    return EventDataModule(waveform_set, make_split(waveform_set.event_table()), **settings)


def served(loader: Any) -> list[str]:
    return [source_id for batch in loader for source_id in batch[keys.SOURCE_ID]]


def test_parts_serve_each_event_once(small: WaveformSet) -> None:
    data = datamodule(small)
    train, val, test = data.train_dataloader(), data.val_dataloader(), data.test_dataloader()
    assert served(val) == list(data.split.parts["val"]) and served(test) == list(data.split.parts["test"])
    shuffled = served(train)
    assert sorted(shuffled) == sorted(data.split.parts["train"]) and shuffled != list(data.split.parts["train"])
    assert next(iter(train))[keys.WAVEFORM].shape == (4, 4, 1, 100)


@pytest.mark.parametrize(("worker_start", "num_workers"), [("fork", 2), ("spawn", 1)])
def test_workers_give_the_same_batches(small: WaveformSet, worker_start: str, num_workers: int) -> None:
    alone = list(datamodule(small).train_dataloader())
    helped = list(datamodule(small, num_workers=num_workers, worker_start=worker_start).train_dataloader())
    assert len(alone) == len(helped) == 4
    for one, other in zip(alone, helped, strict=True):
        assert one[keys.SOURCE_ID] == other[keys.SOURCE_ID]
        assert torch.equal(one[keys.WAVEFORM], other[keys.WAVEFORM])
        assert torch.equal(one[keys.TARGETS]["source_type"], other[keys.TARGETS]["source_type"])


def test_loading_leaves_the_global_random_state_alone(small: WaveformSet) -> None:
    before = torch.get_rng_state()
    list(datamodule(small).train_dataloader())
    assert torch.equal(before, torch.get_rng_state())


def test_order_follows_from_seed_and_epoch() -> None:
    def order(epoch: int, seed: int = 3407) -> list[int]:
        sampler = EpochSampler(50, shuffle=True, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(3) == order(3) and sorted(order(3)) == list(range(50))
    assert order(3) != order(4) and order(3) != order(3, seed=1)


@pytest.mark.parametrize("n_ranks", [2, 3, 7])
def test_ranks_share_the_samples(n_ranks: int) -> None:
    n = 25
    ordered = [list(EpochSampler(n, shuffle=False, rank=rank, n_ranks=n_ranks)) for rank in range(n_ranks)]
    assert sorted(number for numbers in ordered for number in numbers) == list(range(n))
    drawn = [EpochSampler(n, shuffle=True, rank=rank, n_ranks=n_ranks) for rank in range(n_ranks)]
    numbers = [list(sampler) for sampler in drawn]
    assert {len(some) for some in numbers} == {len(drawn[0])} == {-(-n // n_ranks)}
    together = [some[i] for i in range(len(numbers[0])) for some in numbers]
    assert together[:n] == list(EpochSampler(n, shuffle=True))
    with pytest.raises(ConfigurationError, match="rank=2"):
        EpochSampler(n, shuffle=True, rank=2, n_ranks=2)


class Listener(pl.LightningModule):
    """Learns next to nothing and remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(1))
        self.seen: dict[tuple[str, int], list[str]] = {}

    def training_step(self, batch: dict[str, Any], number: int) -> torch.Tensor:
        self.seen.setdefault(("train", self.current_epoch), []).extend(batch[keys.SOURCE_ID])
        return (self.gain * batch[keys.WAVEFORM]).square().mean()

    def validation_step(self, batch: dict[str, Any], number: int) -> None:
        self.seen.setdefault(("val", self.current_epoch), []).extend(batch[keys.SOURCE_ID])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fitted(data: EventDataModule, folder: Path) -> Listener:
    model = Listener()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        default_root_dir=folder,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        **quiet,
    )
    trainer.fit(model, datamodule=data)
    return model


def test_lightning_gets_a_new_order_each_epoch(small: WaveformSet, tmp_path: Path) -> None:
    data = datamodule(small)
    seen = fitted(data, tmp_path).seen
    expected = EpochSampler(len(data.parts["train"]), shuffle=True)
    for epoch in range(2):
        expected.set_epoch(epoch)
        assert seen["train", epoch] == [data.split.parts["train"][i] for i in expected]
        assert seen["val", epoch] == list(data.split.parts["val"])


def test_refit_trains_on_train_and_val(small: WaveformSet, tmp_path: Path) -> None:
    data = datamodule(small, refit=True)
    parts = data.split.parts
    assert sorted(data.parts["train"].source_ids) == sorted(parts["train"] + parts["val"])
    assert served(data.test_dataloader()) == list(parts["test"])
    assert data.val_dataloader() == []
    seen = fitted(data, tmp_path).seen
    assert len(seen["train", 1]) == 24 and ("val", 0) not in seen


def test_counts_and_names(small: WaveformSet) -> None:
    data = datamodule(small)
    assert data.class_names == {"source_type": ["quake", "blast"]}
    table = small.event_table()
    for part, ids in data.split.parts.items():
        assert data.counts[part]["source_type"] == table.loc[list(ids), "source_type"].value_counts().to_dict()
    merged = datamodule(small, samples=SAMPLES | {"targets": {"source_type": {"quake": 0, "blast": 1, "shot": 1}}})
    assert merged.class_names == {"source_type": ["quake", "blast/shot"]}
    named = datamodule(small, class_names={"source_type": ["natural", "artificial"]})
    assert sum(named.counts["train"]["source_type"].values()) == len(named.parts["train"])
    assert list(named.counts["train"]["source_type"]) == ["natural", "artificial"]
    with pytest.raises(ConfigurationError, match="has 2 classes but the names"):
        datamodule(small, class_names={"source_type": ["natural"]})
    with pytest.raises(ConfigurationError, match="without gaps"):
        datamodule(small, samples=SAMPLES | {"targets": {"source_type": {"quake": 0, "blast": 2}}})


def test_left_out_events_are_listed_with_a_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    changes: dict[int, dict[str, Any]] = {1: {"source_type": "slide"}, 2: {"source_origin_time": None}}
    with WaveformSetWriter(tmp_path / "set", card={}) as writer:
        for event in range(8):
            n_stations = 2 if event == 3 else 4
            rows = [trace_row(event, station, **changes.get(event, {})) for station in range(n_stations)]
            writer.add_event(rows, event_waveforms(event, n_stations))
    split = Split({"train": tuple(f"ev{i:03d}" for i in range(5)), "test": ("ev005", "ev006")})
    samples = SAMPLES | {"window": Window("origin", 0, 5)}
    with caplog.at_level(logging.WARNING):
        data = EventDataModule(tmp_path / "set", split, samples=samples, min_stations=3)
    assert {(item.source_id, item.part, item.reason) for item in data.excluded} == {
        ("ev007", "", "in no part of the split"),
        ("ev001", "train", "no label: source_type=slide"),
        ("ev002", "train", "no origin time"),
        ("ev003", "train", "fewer than 3 stations"),
    }
    assert data.parts["train"].source_ids == ["ev000", "ev004"]
    assert "4 events of" in caplog.text and "1 x no origin time" in caplog.text
    with pytest.raises(DataError, match=r"no event is left in part 'train'.*5 x fewer than 9 stations"):
        EventDataModule(tmp_path / "set", split, samples=samples, min_stations=9)


def test_one_label_of_several_is_enough(small: WaveformSet) -> None:
    targets = {"source_type": {"blast": 0, "shot": 1}, "source_depth_km": None}
    assert datamodule(small, samples=SAMPLES | {"targets": targets}).excluded == []


def test_parts_may_differ(small: WaveformSet) -> None:
    moved = Window("trace", 2, 5, jitter_s=1.0)
    data = datamodule(small, samples_by_part={"train": {"window": moved}})
    assert data.parts["train"].window is moved and data.parts["test"].window is SAMPLES["window"]
    with pytest.raises(ConfigurationError, match="Did you mean 'train'"):
        datamodule(small, samples_by_part={"trian": {}})


def test_splits_that_do_not_fit_are_refused(small: WaveformSet) -> None:
    with pytest.raises(DataError, match=r"event 'other' is not in .*split belongs to another set"):
        EventDataModule(small, Split({"train": ("other",)}), samples=SAMPLES)
    with pytest.raises(ConfigurationError, match="split of events, not of traces"):
        EventDataModule(small, Split({"train": ("0",)}, unit="trace"), samples=SAMPLES)
    with pytest.raises(ConfigurationError, match="there is no part 'val'"):
        EventDataModule(small, Split({"train": ("ev001",)}), samples=SAMPLES).loader("val")
    with pytest.raises(ConfigurationError, match="batch_size=0"):
        datamodule(small, batch_size=0)


def test_last_training_batch(small: WaveformSet) -> None:
    def lengths(**changes: Any) -> list[int]:
        return [len(batch[keys.SOURCE_ID]) for batch in datamodule(small, **changes).train_dataloader()]

    assert lengths(batch_size=5) == [5, 5, 5, 1]
    assert lengths(batch_size=5, drop_last=True) == [5, 5, 5]
    assert lengths(batch_size=50, drop_last=True) == [16]
