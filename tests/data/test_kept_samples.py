"""Samples in memory become batches at once, and these are the batches that they would become one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small_sets import write_set
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.base.devices import moved
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.samples.window import Window
from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.epoch_sampler import DealtSamples
from seisvision.data.serving.memory import SamplesInMemory


def samples_of(kind: str, path: Path) -> EventSamples | TraceSamples:
    waveform_set = write_set(path, 6, 3)
    window = Window(reference="onset", start_s=-1.0, length_s=2.0)
    common: dict[str, Any] = {"window": window, "components": "ZNE", "targets": {"path_ep_distance_km": None}}
    if kind == "events":
        return EventSamples(waveform_set, waveform_set.source_ids, **{**common, "targets": {"source_depth_km": None}})
    return TraceSamples(waveform_set, range(18), **common, event_peak=True)


def assert_same(batch: dict[str, Any], expected: dict[str, Any]) -> None:
    assert batch.keys() == expected.keys()
    for key, value in expected.items():
        if torch.is_tensor(value):
            assert batch[key].dtype == value.dtype
            assert torch.equal(batch[key].nan_to_num(-7.0), value.nan_to_num(-7.0)), key
        elif isinstance(value, dict):
            assert_same(batch[key], value)
        else:
            assert batch[key] == value, key


@pytest.mark.parametrize("kind", ["events", "traces"])
def test_a_batch_out_of_memory_is_that_of_its_samples(kind: str, tmp_path: Path) -> None:
    samples = samples_of(kind, tmp_path / "set")
    kept = SamplesInMemory(samples)
    for numbers in ([4, 0, 4], [5], [0, 1, 2, 3]):
        some = kept.__getitems__(numbers)
        assert len(some) == len(numbers) and [one[keys.SOURCE_ID] for one in some[1:]] == [
            samples[number][keys.SOURCE_ID] for number in numbers[1:]
        ]
        assert_same(collate_events(some), collate_events([samples[number] for number in numbers]))
    loaded = list(DataLoader(kept, batch_size=4, collate_fn=collate_events))
    assert [name for batch in loaded for name in batch[keys.SOURCE_ID]] == list(samples.source_ids)


def test_what_is_done_to_a_batch_leaves_the_memory_alone(tmp_path: Path) -> None:
    kept = SamplesInMemory(samples_of("traces", tmp_path / "set"))
    batch = collate_events(kept.__getitems__([2, 3]))
    before = batch[keys.WAVEFORM].clone()
    batch[keys.WAVEFORM].zero_()
    assert torch.equal(collate_events(kept.__getitems__([2, 3]))[keys.WAVEFORM], before)


def test_samples_that_are_dealt_say_whether_they_count_and_batches_tell_it_on_the_processor(tmp_path: Path) -> None:
    kept = SamplesInMemory(samples_of("events", tmp_path / "set"))
    dealt = DealtSamples(kept).__getitems__([2, -1 - 4])
    assert [bool(one[keys.COUNTS]) for one in dealt] == [True, False]
    assert [one[keys.SOURCE_ID] for one in dealt] == [kept[number][keys.SOURCE_ID] for number in (2, 4)]
    batch = collate_events(dealt)
    assert batch[keys.COUNTS].tolist() == [True, False]
    on_device = moved(batch, torch.device("meta"))
    assert on_device[keys.WAVEFORM].device.type == "meta" and on_device[keys.COUNTS].device.type == "cpu"


def test_samples_live_on_a_gpu_with_room_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = SamplesInMemory(samples_of("events", tmp_path / "set"))
    assert not kept.live_on(torch.device("cpu"))
    for free_bytes, lives in ((1000, False), (10**9, True)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free_bytes: (free, 10**10))
        with FakeTensorMode(allow_non_fake_inputs=True):
            assert kept.live_on(torch.device("cuda", 0)) is lives
            assert kept.joined([0, 1])[keys.WAVEFORM].device.type == ("cuda" if lives else "cpu")
