"""Names, folders, links and archives of files as they come from other systems, and ASDF with odd contents."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from recorded_trees import recipe, trace, write_events, write_stations

from seisvision.data.importing.formats import packed
from seisvision.data.importing.formats.file_lists import list_files
from seisvision.data.importing.formats.waveform_files import read_segments
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.rejections import Refusal


@pytest.fixture
def sound(tmp_path: Path) -> bytes:
    """Content of a miniSEED file."""
    trace(0, "AAA").write(str(tmp_path / "sound"), format="MSEED")
    content = (tmp_path / "sound").read_bytes()
    (tmp_path / "sound").unlink()
    (tmp_path / "waveforms").mkdir()
    return content


def imported(folder: Path, ids: list[str], **source: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    write_events(folder / "events.csv", ids)
    write_stations(folder / "stations.csv", ["AAA"])
    run_import(recipe(folder, source, processing={"components": "Z"}), folder / "set")
    tables = [pd.read_csv(folder / "set" / name, keep_default_na=False) for name in ("metadata.csv", "rejected.csv")]
    return tables[0], tables[1]


@pytest.mark.parametrize("form", ["NFC", "NFD", "latin-1"])
@pytest.mark.parametrize("by", ["name", "folder"])
def test_names_find_their_event_in_every_form_of_unicode(tmp_path: Path, sound: bytes, form: str, by: str) -> None:
    text = "Zürich-É1"
    name = os.fsdecode(text.encode("latin-1")) if form == "latin-1" else unicodedata.normalize(form, text)
    path = tmp_path / "waveforms" / (f"{name}.MSEED" if by == "name" else f"{name}/a.mseed")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(sound)
    table, _ = imported(tmp_path, [unicodedata.normalize("NFD", text)], association={"by": by})
    assert [unicodedata.normalize("NFC", name) for name in table["source_id"]] == [text]
    assert text in table["trace_file"][0]


@pytest.mark.parametrize("name", ["new\nline", " lead", "e[1]", 'a,b"c', os.fsdecode(b"\xff\xfe bytes"), "a*b"])
def test_odd_names_are_read_or_listed(tmp_path: Path, sound: bytes, name: str) -> None:
    (tmp_path / "waveforms" / "ev0.mseed").write_bytes(sound)
    (tmp_path / "waveforms" / f"{name}.mseed").write_bytes(sound)
    table, rejected = imported(tmp_path, ["ev0", "e[1]", 'a,b"c', "a*b"])
    taken = name in ("e[1]", 'a,b"c', "a*b")
    assert set(table["source_id"]) == {"ev0", *([name] if taken else [])}
    assert (rejected["cause"] == "no_event").sum() == (not taken)


def test_leftovers_of_desktops_are_no_files(tmp_path: Path, sound: bytes) -> None:
    folder = tmp_path / "waveforms"
    for name in ("ev0.mseed", "._ev0.mseed", ".DS_Store", "Thumbs.db", "__MACOSX/ev0.mseed", ".git/ev0.mseed"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(sound)
    assert [name for _, name in list_files([str(folder)])] == ["ev0.mseed"]


def test_links_are_followed_once(tmp_path: Path, sound: bytes) -> None:
    folder = tmp_path / "waveforms"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "ev1.mseed").write_bytes(sound)
    (folder / "ev0.mseed").write_bytes(sound)
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.mseed").symlink_to(tmp_path / "nowhere")
    twice = [str(folder), f"{folder}/../waveforms", str(folder / "*.mseed"), str(folder / "linked")]
    names = sorted(name.rpartition("/")[2] for _, name in list_files(twice))
    assert names == ["ev0.mseed", "ev1.mseed", "gone.mseed"]
    _, rejected = imported(tmp_path, ["ev0", "ev1", "gone"])
    assert "gone.mseed" in set(rejected["file"][rejected["cause"] == "unreadable"])


def test_empty_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.mseed").touch()
    with pytest.raises(Refusal, match="is empty"):
        read_segments(tmp_path / "x.mseed")


def write_packed(path: Path, sound: bytes) -> Path:
    packers = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
    if path.suffix in packers:
        path.write_bytes(packers[path.suffix](sound))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/x.mseed", sound)
            archive.writestr("__MACOSX/._x.mseed", b"left over")
    else:
        (path.parent / "inner").write_bytes(sound)
        with tarfile.open(path, "w:gz") as archive:
            archive.add(path.parent / "inner", "../../climbed.mseed")
        (path.parent / "inner").unlink()
    return path


@pytest.mark.parametrize("suffix", [".mseed.gz", ".mseed.bz2", ".mseed.xz", ".zip", ".tgz"])
def test_packed_files_are_read(tmp_path: Path, sound: bytes, suffix: str) -> None:
    write_packed(tmp_path / "waveforms" / f"ev0{suffix}", sound)
    table, rejected = imported(tmp_path, ["ev0"])
    assert list(table["source_id"]) == ["ev0"] and rejected.empty
    assert not list(tmp_path.parent.rglob("climbed.mseed"))


def test_packed_files_that_grow_too_large_or_are_damaged(
    tmp_path: Path, sound: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_packed(tmp_path / "x.gz", bytes(50_000_000))
    monkeypatch.setattr(packed, "MAX_BYTES", 1 << 20)
    with pytest.raises(Refusal, match="grows beyond 1 MiB"):
        read_segments(path)
    path.write_bytes(gzip.compress(sound)[:-50])
    with pytest.raises(Refusal, match="cannot be unpacked"):
        read_segments(path)


def test_a_bad_file_in_an_archive_is_told_and_the_good_one_used(tmp_path: Path, sound: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("good.mseed", sound)
        archive.writestr("readme.txt", "no recording")
    losses: list[Refusal] = []
    assert len(read_segments(tmp_path / "x.zip", losses=losses)) == 1
    assert len(losses) == 1 and "readme.txt" in str(losses[0])


def test_odd_traces_of_an_archive_spare_the_others(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    times = "2020-01-01T00:00:00__2020-01-01T00:02:00__raw"
    odd: dict[str, dict[str, Any]] = {
        f"XX.AAA..HHZ__{times}": {"starttime": 10**18, "sampling_rate": 50.0},
        f"XX.AAA..HHN__{times}": {"starttime": 10**18, "sampling_rate": np.nan},
        f"XX.AAA..HHE__{times}": {"starttime": np.nan, "sampling_rate": 50.0},
        f"XX.AAA..BHZ__{times}": {"sampling_rate": 50.0},
        "XX.AAA..BHN": {"starttime": 10**18, "sampling_rate": 50.0},
        "something": {"starttime": 10**18, "sampling_rate": 50.0},
    }
    with h5py.File(path, "w") as archive:
        archive.attrs["file_format"] = "ASDF"
        for name, attributes in odd.items():
            dataset = archive.create_dataset(f"Waveforms/XX.AAA/{name}", data=np.arange(100))
            dataset.attrs.update(attributes)
    found = {segment.channel: segment.flaw and segment.flaw.cause for segment in read_segments(path)}
    assert found["HHZ"] is None and found["BHN"] is None, "a tag is not needed"
    assert found["HHN"] == found["BHZ"] == "damaged_header" and found["HHE"] == "unreadable"
    assert found[""] == "blank_code" and len(found) == 6
