"""A set is known by what it holds: an edit of one sample is another fingerprint, a copy or a touch is none."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from small_sets import write_foreign, write_set

from seisvision.data.sets.set_files import set_fingerprint
from seisvision.data.sets.stored import hashes
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sources.combined import CombinedSource
from seisvision.data.sources.scratch import stage_to_scratch
from seisvision.data.synthesis.source import SyntheticSource
from seisvision.errors import DataError


@pytest.fixture(params=["remembered", "small"], autouse=True)
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Large sets, whose hashes are remembered, and small ones, which are read every time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if request.param == "remembered":
        monkeypatch.setattr(hashes, "MIN_BYTES", 0)
        monkeypatch.setattr(hashes, "CLOCK_TICK_NS", 0)
    return str(request.param)


def edit_one_sample(folder: Path, name: str = "waveforms.hdf5") -> None:
    with h5py.File(folder / name, "a") as file:
        dataset = next(iter(file["data"].values()))
        dataset[(0,) * dataset.ndim] += 1.0


def edit_in_secret(folder: Path) -> None:
    """An edit in place that sets the time of the file back."""
    status = (folder / "waveforms.hdf5").stat()
    edit_one_sample(folder)
    os.utime(folder / "waveforms.hdf5", ns=(status.st_atime_ns, status.st_mtime_ns))


def zero(folder: Path) -> None:
    with h5py.File(folder / "waveforms.hdf5", "a") as file:
        for dataset in file["data"].values():
            dataset[...] = 0


def without_card(folder: Path) -> None:
    (folder / "card.json").unlink()


def as_earlier_versions_wrote_it(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    del card["files"]["waveforms.hdf5"]["sha256"]
    (folder / "card.json").write_text(json.dumps(card))
    (folder / hashes.FILE_NAME).unlink(missing_ok=True)


@pytest.mark.parametrize("edit", [edit_one_sample, edit_in_secret, zero])
@pytest.mark.parametrize("kind", [lambda folder: None, without_card, as_earlier_versions_wrote_it])
def test_edited_samples_are_another_set(
    tmp_path: Path,
    kind: Callable[[Path], None],
    edit: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = write_set(tmp_path / "set").path
    kind(path)
    before = set_fingerprint(path)
    assert set_fingerprint(path) == before
    original = (path / "waveforms.hdf5").read_bytes()
    with caplog.at_level(logging.WARNING):
        edit(path)
        edited = set_fingerprint(path)
    assert edited != before and WaveformSet(path).fingerprint == edited
    assert kind is without_card or ("waveforms.hdf5" in caplog.text and before in caplog.text)
    (path / "waveforms.hdf5").write_bytes(original)
    assert set_fingerprint(path) == before


@pytest.mark.parametrize("kind", [lambda folder: None, without_card, as_earlier_versions_wrote_it])
def test_touched_copied_and_moved_sets_stay_what_they_are(tmp_path: Path, kind: Callable[[Path], None]) -> None:
    path = write_set(tmp_path / "set", events_per_chunk=None).path
    kind(path)
    before = set_fingerprint(path)
    for name in ("waveforms.hdf5", "metadata.csv"):
        os.utime(path / name)
    assert set_fingerprint(path) == before
    shutil.copytree(path, tmp_path / "copy", copy_function=shutil.copyfile)
    assert set_fingerprint(tmp_path / "copy") == before
    path.rename(tmp_path / "moved")
    assert set_fingerprint(tmp_path / "moved") == before
    copy = stage_to_scratch(tmp_path / "moved", tmp_path / "scratch")
    assert WaveformSet(copy).fingerprint == before


def count_hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read: list[str] = []
    digest = hashlib.file_digest

    def count(file: object, name: str) -> object:
        if name == "sha256":
            read.append(Path(file.name).name)  # type: ignore[attr-defined]
        return digest(file, name)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "file_digest", count)
    return read


def test_a_large_set_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: str) -> None:
    if sizes == "small":
        pytest.skip("small sets are read every time")
    path = write_set(tmp_path / "set", events_per_chunk=4).path
    read = count_hashes(monkeypatch)
    first = set_fingerprint(path)
    assert read == [] and set_fingerprint(path) == first
    without_card(path)
    (path / hashes.FILE_NAME).unlink()
    again = set_fingerprint(path)
    assert len(read) == 6 and set_fingerprint(path) == again and len(read) == 6
    edit_one_sample(path, "waveforms1.hdf5")
    assert set_fingerprint(path) != again and read[6:] == ["waveforms1.hdf5"]
    read.clear()
    copy = stage_to_scratch(path, tmp_path / "scratch")
    assert set_fingerprint(copy) == set_fingerprint(path)
    assert read == []


def test_read_only_folders_are_remembered_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: str
) -> None:
    if sizes == "small":
        pytest.skip("small sets are read every time")
    path = write_set(tmp_path / "set").path
    without_card(path)
    (path / hashes.FILE_NAME).unlink()
    write = hashes.write_text

    def refuse(target: Path, text: str) -> None:
        if target.parent == path:
            raise PermissionError(13, "read-only", str(target))
        write(target, text)

    monkeypatch.setattr(hashes, "write_text", refuse)
    first = set_fingerprint(path)
    read = count_hashes(monkeypatch)
    assert set_fingerprint(path) == first and read == []
    assert not (path / hashes.FILE_NAME).exists() and list((tmp_path / "cache").rglob("*.json"))
    edit_in_secret(path)
    assert set_fingerprint(path) != first


def test_damaged_memory_is_replaced(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set").path
    first = set_fingerprint(path)
    for damage in ("", "[]", "{", '{"waveforms.hdf5": 3}', '{"waveforms.hdf5": {"state": [1, 2, 3]}}'):
        (path / hashes.FILE_NAME).write_text(damage)
        assert set_fingerprint(path) == first


def fingerprint_of(path: Path) -> str:
    return set_fingerprint(path)


def test_processes_that_ask_at_once_agree(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set", events_per_chunk=2).path
    without_card(path)
    (path / hashes.FILE_NAME).unlink(missing_ok=True)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        found = pool.map(fingerprint_of, [path] * 9, chunksize=1)
    assert set(found) == {set_fingerprint(path)}
    assert not list(path.glob("*.partial-*"))


@pytest.mark.parametrize("how", ["link", "raw", "virtual"])
def test_samples_in_other_files_are_refused(tmp_path: Path, how: str) -> None:
    table = pd.DataFrame({"trace_name": ["b$0"], "trace_sampling_rate_hz": 20})
    path = write_foreign(tmp_path / "set", table, {"b": np.zeros((1, 3, 9))}, {"component_order": "ZNE"})
    (path / "waveforms.hdf5").rename(tmp_path / "elsewhere.h5")
    with h5py.File(path / "waveforms.hdf5", "w") as file:
        group = file.create_group("data")
        if how == "link":
            group["b"] = h5py.ExternalLink(str(tmp_path / "elsewhere.h5"), "/data/b")
        elif how == "raw":
            group.create_dataset("b", (1, 3, 9), "f4", external=[(str(tmp_path / "samples.raw"), 0, 108)])
        else:
            layout = h5py.VirtualLayout((1, 3, 9), "f8")
            layout[...] = h5py.VirtualSource(str(tmp_path / "elsewhere.h5"), "data/b", (1, 3, 9))
            group.create_virtual_dataset("b", layout)
    with pytest.raises(DataError, match=r"keeps 'data/b' in another file"):
        set_fingerprint(path)


def test_made_sets_that_were_edited_are_other_sets(tmp_path: Path) -> None:
    write_set(tmp_path / "one")
    sources = [CombinedSource([{"path": "one"}], length_s=2.0, before_s=1.0, jitter_s=0.0, sampling_rate_hz=20.0)]
    settings = {"n_events": 2, "length_s": 120, "offset_range_deg": (1, 2), "n_stations": (2, 3)}
    sources.append(SyntheticSource(processes=1, **settings))  # type: ignore[arg-type]
    for source in sources:
        before = source.fingerprint(tmp_path)
        folder = source.prepare(tmp_path)
        assert source.fingerprint(tmp_path) == WaveformSet(folder).fingerprint == before
        edit_one_sample(folder)
        assert source.fingerprint(tmp_path) == WaveformSet(folder).fingerprint != before
        assert source.prepare(tmp_path) == folder
