"""Windows drawn anew in every epoch: the same in any process, from memory or disk, and not in validation."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from small_sets import RATE_HZ, event_waveforms, trace_row

from seisvision import keys
from seisvision.data.samples.noise.windows import NoiseWindows
from seisvision.data.samples.window import Window
from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.serving.epoch_sampler import DealtSamples, EpochSampler
from seisvision.data.serving.redrawn import gathered
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.splitting.split import Split
from seisvision.errors import ConfigurationError

EVENT = Window("trace", 3.0, 4.0, jitter_s=1.0, redrawn=True)
TRACE = Window("onset", -2.0, 4.0, jitter_s=1.0, complete=True, redrawn=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    path = tmp_path_factory.mktemp("sets") / "small"
    with WaveformSetWriter(path, card={"name": "small"}) as writer:
        for event in range(8):
            arrivals = {f"trace_{phase}_arrival_sample": (5.0 + i) * RATE_HZ for i, phase in enumerate("ps")}
            known = {"trace_onset_s": 5.0, **arrivals}
            waveforms = event_waveforms(event, 3) * 0.1
            waveforms[:, 0, round(5 * RATE_HZ)] = 50.0
            writer.add_event([trace_row(event, station, **known) for station in range(3)], waveforms)
    return WaveformSet(path)


def module(waveform_set: WaveformSet, unit: str, **changes: Any) -> EventDataModule:
    samples = {"window": EVENT if unit == "event" else TRACE} | changes.pop("samples", {})
    events = waveform_set.source_ids
    split = Split({"train": tuple(events[:6]), "val": tuple(events[6:])})
    return EventDataModule(waveform_set, split, samples=samples, unit=unit, batch_size=4, seed=5, **changes)


def epoch(data: EventDataModule, number: int) -> dict[str, dict[str, Any]]:
    """All samples of an epoch of training, by id, each as a batch of one."""
    loader = data.train_dataloader()
    loader.batch_sampler.sampler.set_epoch(number)
    found = {}
    for batch in loader:
        names = batch.get(keys.TRACE_ID, batch[keys.SOURCE_ID])
        for i, name in enumerate(names):
            found[name] = {key: value[i] for key, value in batch.items() if torch.is_tensor(value)}
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(torch.equal(one[key].nan_to_num(-9.0), other[key].nan_to_num(-9.0)) for key in one)


@pytest.mark.parametrize("unit", ["event", "trace"])
def test_every_epoch_sees_another_window_and_times_move_along(small: WaveformSet, unit: str) -> None:
    data = module(small, unit)
    epochs = [epoch(data, number) for number in range(12)]
    onsets = torch.tensor([[float(seen[name][keys.ONSET_S][0]) for name in epochs[0]] for seen in epochs])
    assert onsets.min() >= 1.0 and onsets.max() <= 3.0 and onsets.std(0).min() > 0.2
    for seen in epochs:
        for sample in seen.values():
            assert sample[keys.WAVEFORM].shape[-1] == 4 * RATE_HZ
            peak_s = sample[keys.WAVEFORM][:, 0].argmax(-1) / RATE_HZ
            torch.testing.assert_close(peak_s, sample[keys.ONSET_S])
            torch.testing.assert_close(sample[keys.ARRIVALS_S], torch.stack([peak_s, peak_s + 1], dim=-1))
            torch.testing.assert_close(sample[keys.START_S] + peak_s, torch.full_like(peak_s, 7.0))
    again = epoch(module(WaveformSet(small.path), unit), 11)
    assert all(same(again[name], epochs[11][name]) for name in again)


@pytest.mark.parametrize("unit", ["event", "trace"])
def test_validation_and_what_is_fitted_see_the_fixed_window(small: WaveformSet, unit: str) -> None:
    redrawn, fixed = module(small, unit), module(small, unit, samples={"window": Window(**_fixed(unit))})
    for part in ("val", "train"):
        for batch, expected in zip(redrawn.loader(part), fixed.loader(part), strict=True):
            assert torch.equal(batch[keys.WAVEFORM], expected[keys.WAVEFORM])
            assert torch.equal(batch[keys.ONSET_S], expected[keys.ONSET_S])


def _fixed(unit: str) -> dict[str, Any]:
    return {**vars(EVENT if unit == "event" else TRACE), "redrawn": False}


@pytest.mark.parametrize(
    ("unit", "settings"),
    [
        ("event", {"in_memory": True}),
        ("trace", {"in_memory": True}),
        ("event", {"num_workers": 2}),
        ("trace", {"num_workers": 1}),
    ],
)
def test_memory_and_workers_serve_the_same(small: WaveformSet, unit: str, settings: dict[str, Any]) -> None:
    alone, other = module(small, unit), module(small, unit, **settings)
    # Reading processes are persistent, and must hear of the epoch.
    loader = other.train_dataloader()
    for number in (2, 3):
        loader.batch_sampler.sampler.set_epoch(number)
        expected = epoch(alone, number)
        for batch in loader:
            for i, name in enumerate(batch.get(keys.TRACE_ID, batch[keys.SOURCE_ID])):
                got = {key: value[i] for key, value in batch.items() if torch.is_tensor(value)}
                assert same(got, expected[name])


def test_batches_on_a_gpu_are_cut_at_once_to_the_same_windows(small: WaveformSet) -> None:
    served = module(small, "event", in_memory=True)._served("train", redrawn=True)
    batch = collate_events(served.__getitems__([13, 2, 7]))
    wide = collate_events(served._wide.__getitems__([1, 2, 1]))[keys.WAVEFORM]
    firsts = torch.tensor([served._first(*divmod(number, 6), wide.shape[-1]) for number in (13, 2, 7)])
    assert torch.equal(gathered(wide, firsts, batch[keys.WAVEFORM].shape[-1]), batch[keys.WAVEFORM])
    assert not served.live_on(torch.device("cpu"))


def test_two_processes_see_what_one_sees(small: WaveformSet) -> None:
    data = module(small, "trace")
    served = data._served("train", redrawn=True)
    whole = EpochSampler(len(served), shuffle=True, seed=5, tells_epoch=True, batch_size=4)
    whole.set_epoch(3)
    order = list(whole)
    expected = collate_events([served[number] for number in order[:4]])[keys.WAVEFORM]
    for rank in range(2):
        mine = EpochSampler(len(served), shuffle=True, seed=5, tells_epoch=True, batch_size=4, rank=rank, n_ranks=2)
        mine.set_epoch(3)
        batch = collate_events(DealtSamples(served).__getitems__(list(mine)[:2]))
        assert torch.equal(batch[keys.WAVEFORM], expected[rank::2]) and batch[keys.COUNTS].all()
    assert torch.equal(DealtSamples(served)[-1 - order[0]][keys.WAVEFORM], expected[0])
    # As a reading process that was spawned gets it.
    assert torch.equal(pickle.loads(pickle.dumps(served))[order[0]][keys.WAVEFORM], expected[0])


def test_stations_and_windows_can_both_be_drawn(small: WaveformSet) -> None:
    drawn = {"window": EVENT, "station_choice": "random", "max_stations": 2}
    disk, memory = (module(small, "event", samples=drawn, in_memory=kept) for kept in (False, True))
    for number in (0, 4):
        one, other = epoch(disk, number), epoch(memory, number)
        assert all(same(one[name], other[name]) and len(one[name][keys.STATION_MASK]) == 2 for name in one)


def test_all_that_may_be_drawn_lies_in_the_recording_and_before_the_event(small: WaveformSet) -> None:
    late = Window("onset", 0.5, 4.0, jitter_s=1.0, complete=True, redrawn=True)
    with pytest.raises(Exception, match="the window ends after the recording"):
        module(small, "trace", samples={"window": late})
    short = Window("onset", -1.0, 2.0, jitter_s=0.5, complete=True, redrawn=True)
    classes = {"source_type": {"quake": 0, "blast": 0, "noise": 1}}
    cut = {"window": short, "noise": NoiseWindows(1.0, (0.5, 9.0)), "targets": classes}
    data = module(small, "trace", samples=cut)
    epochs = [epoch(data, number) for number in range(8)]
    noise = [one[keys.WAVEFORM] for seen in epochs for name, one in seen.items() if name.endswith("-noise")]
    assert len(noise) >= 8 and max(float(one.abs().max()) for one in noise) < 5.0


@pytest.mark.parametrize("settings", [{"jitter_s": 0.0}, {"reference": "random", "jitter_s": 1.0}])
def test_nothing_to_draw_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="redrawn=true"):
        Window(**{"length_s": 4.0, "redrawn": True, **settings})


def test_a_station_that_recorded_nothing_in_the_window_is_masked(tmp_path: Path) -> None:
    with WaveformSetWriter(tmp_path / "short", card={}) as writer:
        waveforms = [event_waveforms(0, 1)[0], event_waveforms(1, 1)[0, :, :30]]
        writer.add_event([trace_row(0, station) for station in range(2)], waveforms)
    waveform_set = WaveformSet(tmp_path / "short")
    window = Window("trace", 1.0, 2.0, jitter_s=1.0, redrawn=True)
    data = EventDataModule(waveform_set, Split({"train": ("ev000",)}), samples={"window": window})
    masks = {tuple(epoch(data, number)["ev000"][keys.STATION_MASK].tolist()) for number in range(20)}
    assert masks == {(True, True), (True, False)}
