"""Samples in which nothing moves are left out, with the reason, and told by part and class."""

from __future__ import annotations

import logging
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_sets import N_SAMPLES, RATE_HZ, event_waveforms, trace_row

from seisvision.data.samples.still.motion import STILL, set_motion
from seisvision.data.samples.usability import refuse_nothing, unusable_samples
from seisvision.data.samples.window import Window
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.splitting.split import Split
from seisvision.errors import DataError

WHOLE = Window(length_s=N_SAMPLES / RATE_HZ)
DEAD = {0: 0.0, 3: 7.5, 6: 0.0}
"""Blasts that hold one value, and where that is zero gaps in one station."""


@pytest.fixture
def partly_dead(tmp_path: Path) -> WaveformSet:
    """Twelve events of four stations, three of the blasts dead; of event 1 one station, of event 2 the second half."""
    with WaveformSetWriter(tmp_path / "set", card={}) as writer:
        for event in range(12):
            waveforms = event_waveforms(event)
            if event in DEAD:
                waveforms[:] = DEAD[event]
            if event == 1:
                waveforms[2] = 0
            if event == 2:
                waveforms[..., N_SAMPLES // 2 :] = 0
            writer.add_event([trace_row(event, station) for station in range(4)], waveforms)
    with h5py.File(tmp_path / "set" / "waveforms.hdf5", "r+") as file:
        for dataset in file["data"].values():
            samples = dataset[()]
            if not samples.any():
                # Another program's: ours writes none.
                dataset[0] = np.nan
    return WaveformSet(tmp_path / "set")


def test_events_without_motion_cannot_be_used(partly_dead: WaveformSet) -> None:
    assert unusable_samples(partly_dead, samples={"window": WHOLE}) == {f"ev{i:03d}": STILL for i in DEAD}
    late = Window(start_s=6.0, length_s=3.0)
    assert "ev002" in unusable_samples(partly_dead, samples={"window": late})
    assert "ev002" not in unusable_samples(partly_dead, samples={"window": Window(start_s=4.0, length_s=3.0)})
    beside = Window(start_s=500.0, length_s=3.0)
    assert len(unusable_samples(partly_dead, samples={"window": beside})) == 12


def test_traces_without_motion_cannot_be_used(partly_dead: WaveformSet) -> None:
    found = unusable_samples(partly_dead, samples={"window": WHOLE, "components": "ZNE"}, unit="trace")
    still = {str(4 * event + station) for event in DEAD for station in range(4)} | {"6"}
    assert found == dict.fromkeys(still, STILL)


def test_training_tells_parts_and_classes(
    partly_dead: WaveformSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"ev{i:03d}" for i in range(12)]
    samples = {"window": WHOLE, "targets": {"source_type": {"quake": 0, "blast": 1}}}
    val = [names[i] for i in (0, 7, 8, 10, 11)]
    split = Split({"train": tuple(name for name in names if name not in val), "val": tuple(val)}, unit="event")
    with caplog.at_level(logging.WARNING):
        data = EventDataModule(partly_dead, split, samples=samples, cache_dir=tmp_path)
    said = caplog.text
    assert "train 2 of 7 (quake 0 of 4, blast 2 of 3)" in said
    assert "val 1 of 5 (quake 0 of 4, blast 1 of 1)" in said and "dataset.samples.window" in said
    assert "within events: train 1 of 20" in said
    assert {one.source_id: one.reason for one in data.excluded} == {f"ev{i:03d}": STILL for i in DEAD}
    caplog.clear()
    unit = EventDataModule(partly_dead, split, samples=samples, unit="trace")
    assert "train 9 of 28 (quake 1 of 16, blast 8 of 12)" in caplog.text and "dataset.traces.window" in caplog.text
    assert len(unit.excluded) == 13 and {one.reason for one in unit.excluded} == {STILL}


def test_what_was_found_is_kept_and_checked(partly_dead: WaveformSet, tmp_path: Path) -> None:
    found = set_motion(partly_dead, tmp_path / "features")
    path = next((tmp_path / "features").glob("motion-*.npz"))
    again = set_motion(WaveformSet(partly_dead.path), tmp_path / "features")
    assert np.array_equal(again.first, found.first) and np.array_equal(again.last, found.last)
    np.savez(path, components=np.array("ZNE"), first=np.zeros((1, 3)), last=np.zeros((1, 3)))
    assert np.array_equal(set_motion(WaveformSet(partly_dead.path), tmp_path / "features").first, found.first)


def test_a_set_of_which_nothing_moves_is_refused_with_the_reason(tmp_path: Path) -> None:
    with WaveformSetWriter(tmp_path / "set", card={}) as writer:
        writer.add_event([trace_row(0, 0)], np.zeros((1, 3, N_SAMPLES), dtype=np.float32))
    with pytest.raises(DataError, match=r"none of the 1 events .* no sample of the window differs .* dead channels"):
        refuse_nothing(WaveformSet(tmp_path / "set"), samples={"window": WHOLE})
