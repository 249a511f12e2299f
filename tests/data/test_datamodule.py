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
from seisvision.data.samples.events import Window
from seisvision.data.samples.usability import unusable_samples, usable_table
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.serving.epoch_sampler import EpochSampler
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.splitting.splits import Split, make_split
from seisvision.errors import ConfigurationError, DataError

CLASSES = {"quake": 0, "blast": 1}
SAMPLES = {"window": Window(length_s=5.0), "targets": {"source_type": CLASSES}}
ALL = {"window": Window(length_s=5.0)}


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
    train, val, test = data.train_dataloader(), data.val_dataloader(), data.loader("test")
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


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("n_ranks", "batch_size", "n"), [(2, 8, 25), (3, 6, 25), (7, 7, 25), (4, 8, 16), (2, 8, 3)])
def test_ranks_share_the_batches_of_one_process(n_ranks: int, batch_size: int, n: int, shuffle: bool) -> None:
    order = list(EpochSampler(n, shuffle=shuffle))
    batches = [order[first : first + batch_size] for first in range(0, n, batch_size)]
    shares = []
    for rank in range(n_ranks):
        sampler = EpochSampler(n, shuffle=shuffle, rank=rank, n_ranks=n_ranks, batch_size=batch_size)
        numbers, local = list(sampler), batch_size // n_ranks
        assert len(numbers) == len(sampler)
        shares.append([numbers[first : first + local] for first in range(0, len(numbers), local)])
    # All have equally many batches; what does not count is there only where a rank would have nothing.
    assert {len(share) for share in shares} == {len(batches)}
    for number, batch in enumerate(batches):
        together = [sample for share in shares for sample in share[number]]
        assert sorted(sample for sample in together if sample >= 0) == sorted(batch)
        assert all(share[number] == [-1 - order[-1]] or min(share[number]) >= 0 for share in shares)


def test_batches_that_cannot_be_dealt_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="rank=2"):
        EpochSampler(25, shuffle=True, rank=2, n_ranks=2)
    with pytest.raises(ConfigurationError, match=r"batch_size=8 .* number, 3\. Give 6 or 9"):
        EpochSampler(25, shuffle=True, rank=0, n_ranks=3, batch_size=8)


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
    assert served(data.loader("test")) == list(parts["test"])
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
    assert data.parts["train"].source_ids == ("ev000", "ev004")
    assert "4 events of" in caplog.text and "1 x no origin time" in caplog.text
    with pytest.raises(DataError, match=r"no event is left in part 'train'.*5 x fewer than 9 stations"):
        EventDataModule(tmp_path / "set", split, samples=samples, min_stations=9)


def test_one_label_of_several_is_enough(small: WaveformSet) -> None:
    targets = {"source_type": {"blast": 0}, "source_depth_km": None}
    assert datamodule(small, samples=SAMPLES | {"targets": targets}).excluded == []


def test_splits_that_do_not_fit_are_refused(small: WaveformSet) -> None:
    with pytest.raises(DataError, match=r"event 'other' is not in .*split belongs to another set"):
        EventDataModule(small, Split({"train": ("other",)}), samples=SAMPLES)
    with pytest.raises(ConfigurationError, match="split of events, not of traces"):
        EventDataModule(small, Split({"train": ("0",)}, unit="trace"), samples=SAMPLES)
    with pytest.raises(ConfigurationError, match="there is no part 'val'"):
        EventDataModule(small, Split({"test": ("ev001",)}), samples=SAMPLES).loader("val")
    with pytest.raises(DataError, match="is empty: no event is in any part"):
        EventDataModule(small, Split({}), samples=SAMPLES)
    with pytest.raises(ConfigurationError, match="batch_size=0"):
        datamodule(small, batch_size=0)


def test_a_class_without_training_events_is_named(small: WaveformSet) -> None:
    blasts = [f"ev{i:03d}" for i in range(0, 30, 3)]
    quakes = [name for name in small.source_ids if name not in blasts]
    split = Split({"train": tuple(quakes), "test": tuple(blasts)})
    with pytest.raises(ConfigurationError, match=r"no training event of .* is of class 'blast' of 'source_type'"):
        EventDataModule(small, split, samples=SAMPLES)
    evaluated = EventDataModule(small, Split({"test": tuple(quakes)}), samples=SAMPLES)
    assert evaluated.counts["test"]["source_type"]["blast"] == 0


def test_selected_values_are_served(small: WaveformSet) -> None:
    select = {"source_type": ["blast"], "source_cell": ["cell0", "cell1", "cell4"]}
    split = make_split(usable_table(small, "event", samples=ALL, select=select), val_fraction=0)
    data = EventDataModule(small, split, select=select, samples=ALL)
    kept = [name for part in data.parts.values() for name in part.source_ids]
    assert sorted(kept) == ["ev000", "ev003", "ev006", "ev018"]
    reasons = {item.source_id: item.reason for item in data.excluded}
    assert reasons["ev001"] == "not selected: source_type=quake"
    assert reasons["ev009"] == "not selected: source_cell=cell2"
    with pytest.raises(DataError, match=r"no event column 'source_typ'. Did you mean 'source_type'"):
        datamodule(small, select={"source_typ": ["blast"]})


@pytest.mark.parametrize("unit", ["event", "trace"])
def test_memory_serves_the_same_batches(small: WaveformSet, unit: str) -> None:
    samples = SAMPLES | {"window": Window("onset", -1, 4, jitter_s=0.5), "components": "ZE"}
    stored = datamodule(small, unit=unit, samples=samples)
    kept = datamodule(small, unit=unit, samples=samples, in_memory=True, num_workers=2)
    assert kept.train_dataloader().num_workers == 0
    for _ in range(2):
        pairs = zip(stored.train_dataloader(), kept.train_dataloader(), strict=True)
        for one, other in pairs:
            assert one.keys() == other.keys()
            for key, value in one.items():
                if torch.is_tensor(value):
                    assert torch.equal(value.nan_to_num(-1.0), other[key].nan_to_num(-1.0)), key
                elif key == keys.TARGETS:
                    assert torch.equal(value["source_type"], other[key]["source_type"])
                else:
                    assert value == other[key]


def test_memory_reads_each_event_once_and_when_first_asked(small: WaveformSet, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = WaveformSet.read_rows

    def counted(self: WaveformSet, rows: Any, components: str) -> Any:
        read.extend(rows.tolist())
        return original(self, rows, components)

    monkeypatch.setattr(WaveformSet, "read_rows", counted)
    data = datamodule(small, in_memory=True)
    list(data.loader("val"))
    assert read == sorted(row for name in data.split.parts["val"] for row in small.rows(name))
    list(data.loader("val"))
    list(data.val_dataloader())
    assert len(read) == 4 * len(data.split.parts["val"])


def test_traces_follow_their_event(small: WaveformSet) -> None:
    data = datamodule(small, unit="trace")
    for part, samples in data.parts.items():
        assert list(dict.fromkeys(samples.source_ids)) == list(data.split.parts[part])
        assert len(samples) == 4 * len(data.split.parts[part])
    events = datamodule(small)
    assert data.counts["test"]["source_type"] == {
        name: 4 * count for name, count in events.counts["test"]["source_type"].items()
    }
    batch = next(iter(data.loader("val")))
    assert batch[keys.WAVEFORM].shape == (4, 1, 1, 100)
    assert batch[keys.TRACE_ID] == list(data.parts["val"].sample_ids[:4])
    assert batch[keys.SOURCE_ID] == [data.split.parts["val"][0]] * 4


def test_a_split_of_traces_serves_just_these(small: WaveformSet) -> None:
    table = usable_table(small, "trace", samples=ALL, unit="trace")
    split = make_split(table, unit="trace", by="station", test_fraction=0.2, val_fraction=0.3)
    data = EventDataModule(small, split, samples=ALL, unit="trace")
    assert {part: set(samples.sample_ids) for part, samples in data.parts.items()} == {
        part: set(rows) for part, rows in split.parts.items()
    }
    with pytest.raises(DataError, match="'ev001' is no trace"):
        EventDataModule(small, Split({"train": ("ev001",)}, unit="trace"), samples=ALL, unit="trace")
    with pytest.raises(DataError, match=r"trace 120 is not in .* holds 120 traces"):
        EventDataModule(small, Split({"train": ("120",)}, unit="trace"), samples=ALL, unit="trace")
    with pytest.raises(ConfigurationError, match="Did you mean 'trace'"):
        EventDataModule(small, split, samples=ALL, unit="traces")


def test_a_window_beyond_the_recording_leaves_its_trace_out(small: WaveformSet) -> None:
    """Onsets lie 3, 4, 5 and 6 s after the start of recordings of 10 s."""
    samples = {"window": Window("onset", -3.5, 8, complete=True)}
    data = datamodule(small, unit="trace", samples=samples)
    reasons = {(item.trace_id, item.source_id): item.reason for item in data.excluded}
    assert len(reasons) == 60
    assert reasons["0", "ev000"] == "the window begins before the recording"
    assert reasons["3", "ev000"] == "the window ends after the recording"
    assert {item.trace_id for item in data.excluded if item.source_id == "ev001"} == {"4", "7"}
    assert {item.part for item in data.excluded} == {"train", "val", "test"}
    served_rows = {int(name) for part in data.parts.values() for name in part.sample_ids}
    assert served_rows == {row for row in range(120) if row % 4 in (1, 2)}
    assert set(unusable_samples(small, samples=samples, unit="trace")) == {trace_id for trace_id, _ in reasons}


def test_events_can_be_dealt_by_what_their_traces_allow(small: WaveformSet) -> None:
    samples = {"window": Window("onset", -3.5, 8, complete=True)}
    select = {"source_type": ["quake"]}
    events = usable_table(small, "event", samples=samples, unit="trace", select=select)
    assert list(events.index) == [name for i, name in enumerate(small.source_ids) if i % 3]
    assert len(usable_table(small, "trace", samples=samples, unit="trace", select=select)) == 2 * len(events)
    with pytest.raises(ConfigurationError, match="split events"):
        usable_table(small, "trace", samples=ALL)
    nothing = usable_table(small, "event", samples=samples, unit="trace", select={"source_type": ["none"]})
    with pytest.raises(DataError, match="nothing to split"):
        make_split(nothing)
