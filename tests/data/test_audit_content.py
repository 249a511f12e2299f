"""The thorough audit finds every bit that is not as it was written, and names what it belongs to."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_sets import write_set

from seisvision.cli import main
from seisvision.data.audit.audit import audit_set, load_audit
from seisvision.data.sets.stored import hashes
from seisvision.data.sets.waveform_set import WaveformSet


def flip(path: Path, at: int, bit: int = 0, quietly: bool = True) -> None:
    """Flip a bit as a failing disk does: nothing tells of it."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << bit)]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def where(path: Path, dataset: str, row: int, component: int = 1, sample: int = 50) -> int:
    """Place in the file of one uncompressed sample."""
    with h5py.File(path) as file:
        stored = file["data"][dataset]
        chunk = stored.id.get_chunk_info_by_coord((0, component, 0))
        return chunk.byte_offset + 4 * (row * stored.shape[2] + sample)


def findings(path: Path) -> dict[str, tuple[int, tuple[str, ...]]]:
    found = audit_set(WaveformSet(path), thorough=True).findings
    return {item.code: (item.count, item.examples) for item in found if item.code.startswith(("content", "samples_ch"))}


def test_a_sound_set_has_no_such_finding(tmp_path: Path) -> None:
    assert findings(write_set(tmp_path / "set", 4).path) == {}
    assert findings(write_set(tmp_path / "packed", 4, compression="gzip", events_per_chunk=3).path) == {}


def test_a_flipped_bit_is_found_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "MIN_BYTES", 0)
    path = write_set(tmp_path / "set", 8, events_per_chunk=4).path
    assert findings(path) == {}
    rng = np.random.default_rng(1)
    for _ in range(6):
        event, row, bit = int(rng.integers(8)), int(rng.integers(4)), int(rng.integers(8))
        name, bucket = f"waveforms{event // 4}.hdf5", f"bucket{event % 4}"
        at = where(path / name, bucket, row, int(rng.integers(3)), int(rng.integers(200)))
        flip(path / name, at, bit)
        place = f"{name} data/{bucket} trace {row}: event ev{event:03d} (row {4 * event + row}) station S{row:02d}"
        assert findings(path) == {"content_changed": (1, (name,)), "samples_changed": (1, (place,))}
        flip(path / name, at, bit)
    assert findings(path) == {}


def test_what_is_remembered_of_a_file_does_not_hide_a_flipped_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "MIN_BYTES", 0)
    path = write_set(tmp_path / "set", 4).path
    flip(path / "waveforms.hdf5", where(path / "waveforms.hdf5", "bucket2", 1))
    state = hashes._state(path / "waveforms.hdf5")
    monkeypatch.setattr(hashes, "_state", lambda file: state if file.suffix == ".hdf5" else [0, 0, 0])
    assert findings(path)["samples_changed"][0] == 1


def test_bits_of_packed_samples_and_of_the_table_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_set(tmp_path / "set", 4, compression="gzip").path
    with h5py.File(path / "waveforms.hdf5") as file:
        chunk = file["data/bucket3"].id.get_chunk_info_by_coord((0, 0, 0))
    flip(path / "waveforms.hdf5", chunk.byte_offset + chunk.size // 2)
    flip(path / "metadata.csv", path.joinpath("metadata.csv").read_text().index("blast") + 1)
    assert main(["data", "audit", str(path), "--thorough", "--strict"]) == 1
    shown = capsys.readouterr().out
    assert "files that are not as they were written: 2 of 2 files" in shown
    found = {item.code: item for item in load_audit(path).findings}
    assert found["content_changed"].examples == ("metadata.csv", "waveforms.hdf5")
    assert found["samples_changed"].count >= 1
    assert all("waveforms.hdf5 data/bucket3" in text for text in found["samples_changed"].examples)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_set(tmp_path / "set", 4).path
    os.truncate(path / "waveforms.hdf5", 3000)
    assert main(["data", "audit", str(path), "--thorough"]) == 1
    assert "Not as they were written: waveforms.hdf5 (cannot be read" in caplog.text


def test_sets_of_earlier_versions_are_compared_by_file(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set", 4).path
    with h5py.File(path / "waveforms.hdf5", "r+") as file:
        del file["checksums"]
    assert len(WaveformSet(path).read_event("ev001").waveforms) == 4
    (name,) = findings(path)["content_changed"][1]
    assert name == "waveforms.hdf5 (outside the samples, or it keeps no checksums of its traces)"
    (path / "card.json").write_text('{"name": "old"}')
    assert findings(path)["content_untold"][0] == 1
