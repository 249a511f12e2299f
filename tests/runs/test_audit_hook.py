"""Before training, a set with a fatal fault is refused by name, and what tells the class is said."""

import logging
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from tiny_runs import plain_config

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.errors import DataError
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.data_checks import MAX_WARNINGS, check_data
from seisvision.experiments.waveforms.network import build_view
from seisvision.experiments.waveforms.settings import Settings

CLASSES = ("quake", "blast")
N_EVENTS = 40


def write_set(path: Path, *, own_stations: bool = False) -> Path:
    """Events of two classes, four stations each; noise."""
    rng = np.random.default_rng(0)
    with WaveformSetWriter(path, card={"name": "hook"}) as writer:
        for event in range(N_EVENTS):
            kind = CLASSES[event % 2]
            rows = [
                {
                    "source_id": f"ev{event}",
                    "source_type": kind,
                    "source_origin_time": f"2020-01-{1 + event % 28:02d}T{event % 24:02d}:00:00.000Z",
                    "source_latitude_deg": 46.0 + 0.2 * rng.random(),
                    "source_longitude_deg": -122.0 + 0.2 * rng.random(),
                    "source_depth_km": 5.0,
                    "source_magnitude": 1.0,
                    "station_network_code": "XX",
                    "station_code": f"{kind[0].upper() if own_stations else 'S'}{station}",
                    "station_latitude_deg": 46.5,
                    "station_longitude_deg": -121.0 + 0.1 * station,
                    "trace_start_time": f"2020-01-{1 + event % 28:02d}T{event % 24:02d}:00:02.000Z",
                    "trace_sampling_rate_hz": 20.0,
                }
                for station in range(4)
            ]
            writer.add_event(rows, rng.normal(size=(4, 3, 400)).astype(np.float32))
    return path


def config(path: Path, *more: str) -> dict:
    """A classification of that set."""
    return plain_config(
        [
            "dataset=folder",
            f"dataset.source.path={path}",
            "dataset.labels.source_type={quake: [quake], blast: [blast]}",
            "dataset.samples.window.length_s=15",
            "view.height=32",
            "view.width=32",
            "split.by=event",
            f"system.data_dir={path.parent}",
            *more,
        ]
    )


def test_sound_sets_pass_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_data(Settings.of(config(write_set(tmp_path / "set"))), WaveformSet(tmp_path / "set"))
    assert not caplog.records


def test_what_tells_the_class_is_said_in_few_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_set(tmp_path / "set", own_stations=True)
    with caplog.at_level(logging.WARNING):
        check_data(Settings.of(config(path)), WaveformSet(path))
    said = [record.getMessage() for record in caplog.records]
    assert 1 <= len(said) <= MAX_WARNINGS
    assert any("station alone" in line for line in said)


def fatal_set(path: Path) -> Path:
    """Two classes under one event: the label contradicts itself."""
    table = write_set(path) / "metadata.csv"
    lines = table.read_text().splitlines()
    lines[1:] = [line.replace("quake", "blast", 1) if i % 4 == 3 else line for i, line in enumerate(lines[1:])]
    table.write_text("\n".join(lines) + "\n")
    return path


def test_fatal_findings_are_refused_until_allowed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = fatal_set(tmp_path / "set")
    asked = config(path)
    with pytest.raises(DataError, match=r"\+dataset\.allow_findings=\[(\w+)\]") as refused:
        build_data(Settings.of(asked), build_view(asked["view"]))
    code = str(refused.value).rpartition("[")[2].rstrip("]")
    assert f"{code}: " in str(refused.value)
    allowed = config(path, f"+dataset.allow_findings=[{code}]")
    with caplog.at_level(logging.WARNING):
        assert build_data(Settings.of(allowed), build_view(allowed["view"])).waveform_set.path == path
    assert any("Allowed although fatal" in record.getMessage() for record in caplog.records)


def test_sets_are_read_from_the_disk_of_the_node_if_asked(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set")
    asked = config(path, f"system.scratch={tmp_path / 'scratch'}")
    data = build_data(Settings.of(asked), build_view(asked["view"]))
    assert data.waveform_set.path.parent == tmp_path / "scratch"
    assert data.waveform_set.fingerprint == WaveformSet(path).fingerprint


def regression(path: Path, task: str, *more: str) -> dict:
    """The same set for a number instead of a class."""
    return config(path, f"task={task}", "view=density", *more)


def edit(path: Path, **columns: object) -> Path:
    table = pd.read_csv(path / "metadata.csv")
    table.assign(**{name: make(table) if callable(make) else make for name, make in columns.items()}).to_csv(
        path / "metadata.csv", index=False
    )
    return path


@pytest.mark.parametrize(
    ("task", "columns", "code"),
    [
        ("depth", {"source_depth_km": lambda t: 900.0 + 100 * t.index}, "depth_impossible"),
        ("depth", {"source_depth_km": 5.0}, "target_constant"),
        ("magnitude", {"source_magnitude": lambda t: np.where(t.source_id == "ev3", -999, 2 + t.index / 400)}, "magn"),
        ("force_azimuth", {"source_force_azimuth_deg": lambda t: 400.0 + t.index}, "angle_impossible"),
        ("cluster", {"path_ep_distance_km": -5.0}, "distance_negative"),
    ],
)
def test_numbers_are_audited_as_classes_are(tmp_path: Path, task: str, columns: dict, code: str) -> None:
    path = edit(write_set(tmp_path / "set"), **columns)
    with pytest.raises(DataError, match=code):
        check_data(Settings.of(regression(path, task)), WaveformSet(path))


def test_a_set_that_is_only_measured_is_audited_too(tmp_path: Path) -> None:
    path = edit(write_set(tmp_path / "set"), source_magnitude=lambda t: 1e15 + t.index)
    with pytest.raises(DataError, match="magnitude_impossible"):
        check_data(Settings.of(regression(path, "magnitude")), WaveformSet(path), fits=False)
    one = edit(write_set(tmp_path / "one"), source_depth_km=5.0)
    check_data(Settings.of(regression(one, "depth")), WaveformSet(one), fits=False)


def test_classes_that_contradict_are_no_fault_where_none_is_learnt(tmp_path: Path) -> None:
    path = edit(fatal_set(tmp_path / "set"), source_depth_km=lambda t: 1.0 + t.source_id.str[2:].astype(int))
    check_data(Settings.of(regression(path, "depth")), WaveformSet(path))
    with pytest.raises(DataError, match="labels_contradict"):
        check_data(Settings.of(config(path)), WaveformSet(path))


@pytest.mark.parametrize("task", ["source_type", "depth", "cluster"])
def test_copies_of_a_recording_are_refused_before_any_training(tmp_path: Path, task: str) -> None:
    path = edit(write_set(tmp_path / "set"), source_depth_km=lambda t: 1.0 + t.source_id.str[2:].astype(int))
    with h5py.File(path / "waveforms.hdf5", "r+") as file:
        file["data/bucket7"][1] = 3 * file["data/bucket2"][0]
    asked = config(path) if task == "source_type" else regression(path, task)
    with pytest.raises(DataError, match=r"copy_between_events.*ev2 .*ev7 "):
        check_data(Settings.of(asked), WaveformSet(path))
    check_data(
        Settings.of({**asked, "dataset": {**asked["dataset"], "allow_findings": ["copy_between_events"]}}),
        WaveformSet(path),
    )
