"""Several sets in one training: shares, every sample equally often, the same order in any process."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from small_sets import RATE_HZ, event_waveforms, trace_row

from seisvision import keys
from seisvision.data.samples.window import Window
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.serving.mixed import Beside, MixedSampler
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.splitting.split import Split

WINDOW = Window("onset", -2.0, 4.0, jitter_s=1.0, complete=True, redrawn=True)


def small_set(path: Path, first_event: int, n_events: int) -> WaveformSet:
    with WaveformSetWriter(path, card={"name": path.name}) as writer:
        for event in range(first_event, first_event + n_events):
            known = {"trace_onset_s": 5.0, "trace_p_arrival_sample": 5.0 * RATE_HZ}
            writer.add_event([trace_row(event, station, **known) for station in range(2)], event_waveforms(event, 2))
    return WaveformSet(path)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[WaveformSet, WaveformSet]:
    folder = tmp_path_factory.mktemp("sets")
    return small_set(folder / "own", 0, 6), small_set(folder / "other", 100, 5)


def mixed(sets: tuple[WaveformSet, WaveformSet], share: float, **changes: Any) -> EventDataModule:
    own, other = sets
    settings: dict[str, Any] = {"samples": {"window": WINDOW}, "unit": "trace", "batch_size": 4, "seed": 5} | changes
    events = own.source_ids
    data = EventDataModule(own, Split({"train": tuple(events[:4]), "val": tuple(events[4:])}), **settings)
    beside = EventDataModule(other, Split({"train": tuple(other.source_ids)}), **settings)
    data.beside = {"other": Beside(beside, share)}
    return data


def epoch(data: EventDataModule, number: int) -> list[tuple[str, torch.Tensor]]:
    """Event and waveform of each sample, in their order."""
    loader = data.train_dataloader()
    loader.batch_sampler.sampler.set_epoch(number)
    return [
        (event, waveform)
        for batch in loader
        for event, waveform in zip(batch[keys.SOURCE_ID], batch[keys.WAVEFORM], strict=True)
    ]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_share_of_every_epoch_comes_from_the_other_set(sets: tuple[WaveformSet, WaveformSet], share: float) -> None:
    data, own = mixed(sets, share), set(sets[0].source_ids)
    counts: Counter[str] = Counter()
    for number in range(5):
        names = [event for event, _ in epoch(data, number)]
        ours = [name for name in names if name in own]
        assert Counter(ours) == dict.fromkeys(sets[0].source_ids[:4], 2)
        assert len(names) - len(ours) == round(share * 8 / (1 - share))
        counts.update(name for name in names if name not in own)
    assert set(counts) == set(sets[1].source_ids)
    assert max(counts.values()) - min(counts.values()) <= 2, "one order after the other: all come equally often"


def test_windows_are_drawn_anew_and_follow_from_seed_and_epoch(sets: tuple[WaveformSet, WaveformSet]) -> None:
    first = epoch(mixed(sets, 0.5), 1)
    for again in (mixed(sets, 0.5), mixed(sets, 0.5, in_memory=True), mixed(sets, 0.5, num_workers=1)):
        found = epoch(again, 1)
        assert [name for name, _ in found] == [name for name, _ in first]
        assert all(torch.equal(one, other) for (_, one), (_, other) in zip(found, first, strict=True))
    later = dict(epoch(mixed(sets, 0.5), 2))
    assert any(not torch.equal(waveform, later[name]) for name, waveform in first if name in later)


def test_validation_serves_the_own_set_alone(sets: tuple[WaveformSet, WaveformSet]) -> None:
    data = mixed(sets, 0.5)
    names = [event for batch in data.loader("val") for event in batch[keys.SOURCE_ID]]
    assert set(names) == set(sets[0].source_ids[4:])


def test_two_processes_share_the_order_of_one() -> None:
    def orders(rank: int, n_ranks: int) -> list[int]:
        sampler = MixedSampler(7, {"a": (3, 0.3), "b": (50, 0.2)}, seed=1, rank=rank, n_ranks=n_ranks, batch_size=4)
        sampler.set_epoch(3)
        return list(sampler)

    whole, parts = orders(0, 1), [orders(rank, 2) for rank in range(2)]
    assert len(whole) == 14
    assert [parts[place % 2][place // 2] for place in range(len(whole))] == whole
