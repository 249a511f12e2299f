"""A set is copied to the disk of a node once, whole, and again when it changes."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_sets import event_waveforms, write_set

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sources import scratch
from seisvision.data.sources.scratch import stage_to_scratch
from seisvision.errors import DataError


def stage(arguments: tuple[Path, Path]) -> tuple[str, float]:
    """For other processes: where the copy is, and when its samples were last written."""
    copy = stage_to_scratch(*arguments)
    return str(copy), float((copy / "card.json").stat().st_ino)


@pytest.mark.parametrize("settings", [{}, {"events_per_chunk": 3}])
def test_the_copy_reads_like_the_set(tmp_path: Path, settings: dict[str, int]) -> None:
    path = write_set(tmp_path / "set", **settings).path
    copy = stage_to_scratch(path, tmp_path / "node" / "scratch")
    assert (
        copy.parent == tmp_path / "node" / "scratch" and WaveformSet(copy).fingerprint == WaveformSet(path).fingerprint
    )
    np.testing.assert_array_equal(np.stack(WaveformSet(copy).read_event("ev004").waveforms), event_waveforms(4))


def test_processes_share_one_copy(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set").path
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.map(stage, [(path, tmp_path / "scratch")] * 6, chunksize=1)
    assert len(set(found)) == 1
    assert [item.name for item in (tmp_path / "scratch").iterdir() if not item.name.startswith(".")] == [
        Path(found[0][0]).name
    ]


def test_an_edited_set_is_copied_anew_and_a_damaged_copy_mended(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set").path
    first = stage_to_scratch(path, tmp_path / "scratch")
    (first / "waveforms.hdf5").write_bytes(b"")
    assert stage_to_scratch(path, tmp_path / "scratch") == first
    assert len(WaveformSet(first)) == 10
    table = path / "metadata.csv"
    table.write_text(table.read_text().replace("quake", "blast"))
    second = stage_to_scratch(path, tmp_path / "scratch")
    assert second != first and set(WaveformSet(second).metadata["source_type"]) == {"blast"}


def test_nothing_is_left_of_a_copy_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_set(tmp_path / "set").path
    real = scratch._copy_file

    def fail(source: Path, target: Path) -> None:
        if source.suffix == ".hdf5":
            raise OSError("no space left on device")
        real(source, target)

    monkeypatch.setattr(scratch, "_copy_file", fail)
    with pytest.raises(DataError, match="no space left"):
        stage_to_scratch(path, tmp_path / "scratch")
    assert not [item for item in (tmp_path / "scratch").iterdir() if item.is_dir()]


def test_a_small_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_set(tmp_path / "set").path
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10})())
    with pytest.raises(DataError, match="GB left"):
        stage_to_scratch(path, tmp_path / "scratch")
