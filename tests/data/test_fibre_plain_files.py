"""Recordings of fibres that say too little, too much or wrong things: what is taken, filled, left out, refused."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest

from seisvision.commands.fibre import recordings
from seisvision.data.fibre import dascore_files
from seisvision.data.fibre.files import read_each, read_fibre
from seisvision.data.fibre.record import Choice, FibreRecord, Places
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError

PLACED = {"latitude_deg": np.array([1.0, 2.0, 3.0]), "longitude_deg": np.full(3, 7.0)}
SAMPLES = np.arange(120, dtype=np.float32).reshape(3, 40)


def written(path: Path, **values: Any) -> Path:
    """An HDF5 file of three channels at 100 Hz, with other values in their place."""
    usual = {"data": SAMPLES, "distance_m": 10.0 * np.arange(3), "sampling_rate_hz": 100.0}
    with h5py.File(path, "w") as file:
        for name, value in (usual | {"start_time": "2024-01-01T00:00:00"} | PLACED | values).items():
            file[name] = value
    return path


def read(path: Path, **values: Any) -> FibreRecord:
    return next(iter(read_fibre(written(path / "one.h5", **values))))


def test_a_table_of_places_stands_for_the_wrong_ones_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "one.h5", latitude_deg=np.array([100.0, 101, 102]), longitude_deg=np.arange(3.0))
    with pytest.raises(DataError, match="latitude 102 lies beyond a pole"):
        next(iter(read_fibre(path)))
    table = Places(np.array([0.0, 20.0]), np.array([1.0, 3.0]), np.array([7.0, 7.0]))
    assert next(iter(read_fibre(path, Choice(places=table)))).latitude_deg.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("stored", "metres", "told"),
    [
        (10.0, 10.0, "gauge length: 10 m"),
        (np.array([10.0]), 10.0, "gauge length: 10 m"),
        (np.full(3, 10), 10.0, "gauge length: 10 m"),
        (np.nan, None, "gauge length: not stated"),
        (np.full(3, np.nan), None, "gauge length: not stated"),
    ],
    ids=["number", "one", "each", "unknown", "each-unknown"],
)
def test_a_number_may_be_told_once_or_for_each_channel(
    tmp_path: Path, stored: Any, metres: float | None, told: str
) -> None:
    record = read(tmp_path, gauge_length_m=stored, sampling_rate_hz=np.full(3, 100.0))
    assert record.gauge_length_m == metres and record.rate_hz == 100 and told in recordings.told(record)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"gauge_length_m": np.array([10.0, 20.0, 10.0])}, "gauge_length_m holds 2 different numbers, 10 to 20"),
        ({"gauge_length_m": np.zeros(0)}, "gauge_length_m is empty"),
        ({"sampling_rate_hz": np.array([100.0, 50.0])}, "sampling_rate_hz holds 2 different numbers"),
        ({"sampling_rate_hz": np.nan}, "sampling_rate_hz=None must be a positive number"),
        ({"sampling_rate_hz": np.array([-1.0])}, "sampling_rate_hz=-1.0 must be a positive number"),
        (
            {"data": np.zeros((0, 40)), "distance_m": np.zeros(0)} | dict.fromkeys(PLACED, np.zeros(0)),
            "no channels or no samples",
        ),
        ({"data": np.zeros((3, 0))}, "no channels or no samples"),
        ({"distance_m": np.full(3, np.nan)}, "no value of distance_m is a number"),
        ({"start_time": "NaT"}, "start_time 'NaT' is no time"),
    ],
    ids=["gauges", "no-gauge", "rates", "no-rate", "negative-rate", "no-channels", "no-samples", "nowhere", "no-time"],
)
def test_what_is_no_one_number_is_refused_with_its_name(tmp_path: Path, values: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=rf"one\.h5: .*{reason}"):
        read(tmp_path, **values)


def test_a_channel_whose_distance_is_no_number_is_left_out_and_told(tmp_path: Path) -> None:
    record = read(tmp_path, distance_m=np.array([0.0, np.nan, 20.0]))
    assert record.along_m.tolist() == [0, 20] and record.latitude_deg.tolist() == [1, 3]
    assert np.array_equal(record.samples, SAMPLES[[0, 2]])
    said = recordings.told(record)
    assert "2 of 3 channels kept" in said and "1 left out, whose distance is no number" in said


def test_short_gaps_are_filled_and_channels_with_longer_ones_left_out(tmp_path: Path) -> None:
    data = SAMPLES.copy()
    data[:, 5] = np.nan
    data[0, 20:30] = np.inf
    data[1, 20:31] = np.nan
    data[2, 0] = np.nan
    record = read(tmp_path, data=data)
    expected = SAMPLES[[0, 2]].copy()
    expected[1, 0] = expected[1, 1]
    assert np.allclose(record.samples, expected)
    said = recordings.told(record)
    assert "1 left out, whose samples are no numbers" in said and "13 samples in short gaps filled" in said
    data = np.full((3, 8), np.nan)
    with pytest.raises(DataError, match=r"each of the 3 channels .* no numbers"):
        read(tmp_path, data=data)


def test_an_import_goes_on_beyond_refused_recordings_and_tells_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = np.full((3, 40), np.nan)
    files = [written(tmp_path / "a.h5", data=empty), written(tmp_path / "b.h5"), tmp_path / "missing.h5"]
    args = Namespace(files=files, channels=None, out=tmp_path / "set", spacing=0.0, most=800)
    assert recordings.run(args) == 0
    said = capsys.readouterr().out
    assert "a.h5: refused:" in said and "there is no" in said and "2 of 3 recordings refused" in said
    assert WaveformSet(tmp_path / "set").metadata["source_id"].unique().tolist() == ["b"]
    args = Namespace(**vars(args) | {"files": [files[0], files[2]], "out": tmp_path / "none"})
    with pytest.raises(DataError, match="none was not written: 2 of 2 recordings were refused"):
        recordings.run(args)
    assert not (tmp_path / "none").exists()


def test_in_a_folder_of_another_maker_what_is_refused_stands_between_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c", "d"):
        (tmp_path / name).touch()

    def spool(path: str) -> list[str]:
        if path.endswith("a"):
            raise RuntimeError("of no known maker")
        return [] if path.endswith("b") else [path]

    def record(path: Path, spool: list[str], choice: Choice) -> str:
        if path.name == "c":
            raise DataError("no times")
        return path.name

    monkeypatch.setitem(sys.modules, "dascore", SimpleNamespace(spool=spool))
    monkeypatch.setattr(dascore_files, "_record", record)
    *refused, last = read_each(tmp_path)
    assert last == "d" and all(isinstance(one, DataError) for one in refused)
    reasons = "RuntimeError: of no known maker", "dascore finds no recording", "no times"
    assert all(reason in str(one) for reason, one in zip(reasons, refused, strict=True))
    with pytest.raises(DataError, match="of no known maker"):
        list(read_fibre(tmp_path))
