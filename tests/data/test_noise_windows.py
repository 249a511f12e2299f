"""Windows of noise: before anything arrives, named for good, in the part of their event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_sets import trace_row

from seisvision import keys
from seisvision.base.sample_ids import SampleIds, row_numbers
from seisvision.data.samples.noise.windows import NoiseWindows
from seisvision.data.samples.traces import TraceSamples, sample_targets
from seisvision.data.samples.window import Window
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.splitting.split import Split
from seisvision.data.splitting.splits import make_split
from seisvision.errors import ConfigurationError

RATE_HZ, N_SAMPLES, ONSET_S = 20.0, 1600, 40.0
CLASSES = {"quake": 0, "blast": 0, "noise": 1}
WINDOW = Window("onset", -3.0, 10.0, jitter_s=1.0, complete=True)
ONSET = {"bands_hz": [[1.0, 4.0]], "sta_s": 1.0, "threshold": 4.0}


def motion(event: int, n_stations: int, early: set[tuple[int, int]]) -> np.ndarray:
    """Noise of 1 with a wave of 50 from the onset on; of some traces an earlier one, 25 s before."""
    rng = np.random.default_rng(event)
    waveforms = rng.normal(size=(n_stations, 3, N_SAMPLES)).astype(np.float32)
    time_s = np.arange(N_SAMPLES) / RATE_HZ
    for station in range(n_stations):
        starts_s = [ONSET_S] + ([ONSET_S - 25.0] if (event, station) in early else [])
        for start_s in starts_s:
            wave = 50 * np.exp(-(time_s - start_s) / 3) * np.sin(2 * np.pi * 2 * (time_s - start_s))
            waveforms[station] += np.where(time_s >= start_s, wave, 0).astype(np.float32)
    return waveforms


def write(path: Path, n_events: int = 12, n_stations: int = 3, early: Any = (), **first: Any) -> WaveformSet:
    with WaveformSetWriter(path, card={"name": "noise"}) as writer:
        for event in range(n_events):
            known = {"trace_onset_s": ONSET_S, "trace_p_arrival_sample": (ONSET_S - 0.5) * RATE_HZ}
            rows = [trace_row(event, station, **(known | ({} if event else first))) for station in range(n_stations)]
            writer.add_event(rows, motion(event, n_stations, set(early)))
    return WaveformSet(path)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    return write(tmp_path_factory.mktemp("sets") / "quiet")


def module(waveform_set: WaveformSet, split: Split | None = None, seed: int = 1, **changes: Any) -> EventDataModule:
    targets = {"source_type": CLASSES, "path_ep_distance_km": None}
    cut = {"window": WINDOW, "onset": ONSET, "noise": NoiseWindows(1.0, (5, 25)), "targets": targets} | changes
    split = split or make_split(waveform_set.event_table(), test_fraction=0.25, val_fraction=0.25)
    return EventDataModule(waveform_set, split, unit="trace", samples=cut, seed=seed, batch_size=4)


def noise_of(data: EventDataModule, part: str) -> list[str]:
    return [name for name in data.parts[part].sample_ids if name.endswith("-noise")]


def test_noise_lies_in_the_part_of_its_event_and_before_its_waves(quiet: WaveformSet) -> None:
    data = module(quiet)
    for part, events in data.split.parts.items():
        found = noise_of(data, part)
        assert len(found) == len(events) and len(data.parts[part]) == 4 * len(events)
        assert {quiet.metadata["source_id"][row] for row in row_numbers(found)} == set(events)
        for number, name in enumerate(data.parts[part].sample_ids):
            sample = data.parts[part][number]
            loud = float(sample[keys.WAVEFORM].abs().max())
            assert (loud < 8) == name.endswith("-noise")
    assert data.counts["train"]["source_type"] == {"quake/blast": 18, "noise": 6}


def test_nothing_is_known_of_noise_but_that_it_is_noise(quiet: WaveformSet) -> None:
    data = module(quiet)
    samples = data.parts["train"]
    places = [i for i, name in enumerate(samples.sample_ids) if name.endswith("-noise")]
    for place in places:
        sample = samples[place]
        assert sample[keys.TARGETS]["source_type"] == 1 and sample[keys.TARGETS]["path_ep_distance_km"].isnan()
        for key in (keys.ARRIVALS_S, keys.OFFSET_KM, keys.AZIMUTH_DEG, keys.START_S, keys.SOURCE_DEPTH_KM):
            assert sample[key].isnan().all()
        # Hand-made features look about the onset, which must not tell what a window is.
        assert 2.0 <= float(sample[keys.ONSET_S]) <= 4.0
    ids = SampleIds("trace", noise_of(data, "train"), samples.ids.take(places).source_ids)
    assert ids.table(quiet.metadata)["source_id"].tolist() == list(ids.source_ids)
    targets = sample_targets(quiet, samples.ids, {"source_type": CLASSES, "path_ep_distance_km": None})
    for column, values in samples.targets.items():
        np.testing.assert_array_equal(targets[column], values)
    assert (sample_targets(quiet, ids, {"source_type": {"quake": 0, "blast": 1}})["source_type"] == -1).all()


def test_names_and_windows_are_those_of_any_seed_split_and_process(quiet: WaveformSet) -> None:
    events = quiet.source_ids
    whole = module(quiet, Split({"train": tuple(events)}), seed=1)
    folds = [
        Split({"train": tuple(events[:6]), "test": tuple(events[6:])}),
        Split({"train": tuple(events[3:]), "test": tuple(events[:3])}),
    ]
    wanted = {name: whole.parts["train"][i] for i, name in enumerate(whole.parts["train"].sample_ids)}
    for fold in folds:
        other = module(quiet, fold, seed=7)
        for part in ("train", "test"):
            for i, name in enumerate(other.parts[part].sample_ids):
                if name.endswith("-noise"):
                    assert torch.equal(other.parts[part][i][keys.WAVEFORM], wanted[name][keys.WAVEFORM])
        assert sorted(noise_of(other, "train") + noise_of(other, "test")) == sorted(noise_of(whole, "train"))
    again = module(WaveformSet(quiet.path), Split({"train": tuple(events)}), seed=3)
    assert noise_of(again, "train") == noise_of(whole, "train")
    by_station = make_split(quiet.metadata, by="station", test_fraction=0.3, val_fraction=0.0, unit="trace")
    apart = module(quiet, by_station)
    for part in apart.parts:
        assert {str(row) for row in row_numbers(noise_of(apart, part))} <= set(by_station.parts[part])


def test_a_window_that_may_hold_an_event_is_refused_and_told(tmp_path: Path) -> None:
    early = {(event, station) for event in range(6) for station in range(3) if event < 2 or station == 0}
    busy = write(tmp_path / "busy", 6, early=early)
    data = module(busy, Split({"train": tuple(busy.source_ids)}))
    taken = row_numbers(noise_of(data, "train"))
    assert {busy.metadata["source_id"][row] for row in taken} == {f"ev{event:03d}" for event in range(2, 6)}
    assert not any((row // 3, row % 3) in early for row in taken.tolist())
    refused = [one for one in data.excluded if "onset detector" in one.reason]
    assert len(refused) >= 6 and all(one.part == "train" and one.trace_id.endswith("-noise") for one in refused)
    unseen = module(busy, Split({"train": tuple(busy.source_ids)}), onset=None)
    assert {busy.metadata["source_id"][row] for row in row_numbers(noise_of(unseen, "train"))}.isdisjoint(
        {"ev000", "ev001"}
    )


@pytest.mark.parametrize(
    ("changes", "row", "reason"),
    [
        ({}, {"trace_onset_s": 14.0, "trace_p_arrival_sample": float("nan")}, "too little before the onset"),
        ({"onset": None}, {"trace_onset_s": float("nan"), "trace_p_arrival_sample": float("nan")}, "is not known"),
        ({"targets": {"path_ep_distance_km": None}}, {}, "no label: path_ep_distance_km=noise"),
    ],
)
def test_windows_that_cannot_be_are_told(tmp_path: Path, changes: dict, row: dict, reason: str) -> None:
    waveform_set = write(tmp_path / "set", 3, **row)
    window = {"window": Window("trace", 0.0, 10.0)}
    data = module(waveform_set, Split({"train": tuple(waveform_set.source_ids)}), **{**window, **changes})
    assert "ev000" not in {waveform_set.metadata["source_id"][row] for row in row_numbers(noise_of(data, "train"))}
    assert len(data.parts["train"]) == 9 + len(noise_of(data, "train"))
    assert {reason in one.reason for one in data.excluded} == {True}


def test_as_many_as_asked_for(quiet: WaveformSet) -> None:
    split = Split({"train": tuple(quiet.source_ids)})
    for per_event, expected in ((0.5, range(3, 10)), (2.0, [24]), (9.0, [36])):
        data = module(quiet, split, noise=NoiseWindows(per_event, (5, 25)), max_traces_per_event=1)
        assert len(noise_of(data, "train")) in expected
        assert len(data.parts["train"]) - len(noise_of(data, "train")) == 12
    baseline = data.variant(["train"], components="ZNE")
    assert sorted(baseline.sample_ids) == sorted(data.parts["train"].sample_ids)


@pytest.mark.parametrize("settings", [{"per_event": 0}, {"before_onset_s": [5]}, {"before_onset_s": [9, 5]}])
def test_settings_that_make_no_windows_are_refused(settings: dict) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        NoiseWindows(**settings)


def test_traces_by_number_are_as_before(quiet: WaveformSet) -> None:
    by_number, by_name = (TraceSamples(quiet, rows, window=WINDOW) for rows in ([4, 5], ["4", "5"]))
    assert by_number.sample_ids == by_name.sample_ids == ("4", "5")
    assert torch.equal(by_number[1][keys.WAVEFORM], by_name[1][keys.WAVEFORM])
