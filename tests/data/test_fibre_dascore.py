"""Recordings of fibres in the formats that dascore reads: what is kept, what is told, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seisvision.commands.fibre.recordings import told
from seisvision.data.fibre import dascore_files
from seisvision.data.fibre.files import read_fibre
from seisvision.data.fibre.record import Choice, Places
from seisvision.errors import DataError

dascore = pytest.importorskip("dascore", reason="dascore is not installed: pip install 'seisvision[fibre]'")
TABLE = Places(np.array([50.0, 250.0]), np.array([1.0, 2.0]), np.array([3.0, 3.0]))


def written(patch: Any, folder: Path) -> Path:
    path = folder / "one.h5"
    patch.io.write(path, "dasdae")
    return path


def test_kept_channels_are_those_of_the_file_and_what_it_says_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch = dascore.get_example_patch("random_das")
    patch = patch.update_attrs(data_units="1/s", data_type="strain_rate", gauge_length=10.0)
    path = written(patch.transpose("time", "distance"), tmp_path)
    record = next(iter(read_fibre(path, Choice(20.0, 800, TABLE))))
    assert record.along_m.tolist() == list(range(50, 251, 20))
    assert np.array_equal(record.samples, patch.data[50:251:20].astype(np.float32))
    assert record.rate_hz == pytest.approx(250) and record.latitude_deg[[0, -1]].tolist() == [1, 2]
    assert np.datetime64(record.start_ns, "ns") == patch.get_coord("time").min()
    said = told(record)
    assert all(part in said for part in ("11 of 300 channels", "20 m apart", "strain rate", "/ s", "length: 10 m"))
    # In pieces of a few channels, of which none is the whole file, it is the same.
    asked = []
    read = dascore.clients.filespool.FileSpool.select

    def counted(self: Any, **bounds: Any) -> Any:
        asked.append(bounds)
        return read(self, **bounds)

    monkeypatch.setattr(dascore.clients.filespool.FileSpool, "select", counted)
    monkeypatch.setattr(dascore_files, "MOST_BYTES", 50 * 8 * patch.shape[1])
    again = next(iter(read_fibre(path, Choice(20.0, 800, TABLE))))
    assert np.array_equal(again.samples, record.samples)
    spans = [bounds["distance"] for bounds in asked if "distance" in bounds]
    assert len(spans) > 3 and max(high - low for low, high in spans) < 50 and spans[0][0] == 50


def test_places_that_the_file_holds_are_taken_where_they_are_places(tmp_path: Path) -> None:
    patch = dascore.get_example_patch("random_das")
    north = np.linspace(31, 32, 300)
    placed = patch.update_coords(latitude=("distance", north), longitude=("distance", north + 99))
    record = next(iter(read_fibre(written(placed, tmp_path), Choice(most=4))))
    assert record.latitude_deg.tolist() == pytest.approx(north[[0, 100, 199, 299]].tolist())
    exchanged = patch.update_coords(latitude=("distance", north + 99), longitude=("distance", north))
    (tmp_path / "one.h5").unlink()
    with pytest.raises(DataError, match="latitude 131 lies beyond a pole"):
        next(iter(read_fibre(written(exchanged, tmp_path))))


def test_a_folder_is_read_file_by_file_and_left_as_it_was(tmp_path: Path) -> None:
    patch = dascore.get_example_patch("random_das")
    for name in ("b.h5", "a.h5"):
        patch.io.write(tmp_path / name, "dasdae")
        patch = patch.new(data=patch.data + 1)
    first, second = read_fibre(tmp_path, Choice(100.0, places=TABLE))
    assert np.allclose(first.samples, second.samples + 1) and len(list(tmp_path.iterdir())) == 2


def test_a_channel_without_numbers_is_left_out_and_told(tmp_path: Path) -> None:
    patch = dascore.get_example_patch("random_das")
    data = patch.data.copy()
    data[100, 7:40] = np.nan
    data[150, 7] = np.nan
    record = next(iter(read_fibre(written(patch.new(data=data), tmp_path), Choice(50.0, 800, TABLE))))
    assert record.along_m.tolist() == [50, 150, 200, 250] and all(
        part in told(record) for part in ("1 left out", "1 samples")
    )


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("no places", "no channel of the fibre has coordinates.* 0 to 299 m"),
        ("no unit", "distances have no unit"),
        ("seconds", "no length"),
        ("relative", "not absolute"),
        ("gap", "not evenly spaced"),
        ("text", "dascore cannot read it"),
    ],
)
def test_recordings_that_tell_too_little_are_refused(tmp_path: Path, damage: str, reason: str) -> None:
    patch = dascore.get_example_patch("random_das")
    times = patch.get_coord("time").values.copy()
    if damage == "no unit":
        patch = patch.set_units(distance=None)
    elif damage == "seconds":
        patch = patch.set_units(distance="s")
    elif damage == "relative":
        patch = patch.update_coords(time=times - times[0])
    elif damage == "gap":
        times[1000:] += np.timedelta64(1, "s")
        patch = patch.update_coords(time=times)
    path = tmp_path / "one.h5"
    if damage == "text":
        path = path.with_suffix(".tdms")
        path.write_text("of another maker")
    else:
        written(patch, tmp_path)
    with pytest.raises(DataError, match=reason):
        next(iter(read_fibre(path, Choice(places=None if damage == "no places" else TABLE))))
