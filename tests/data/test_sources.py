"""Sets are found where people expect them, and what is missing is explained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from small_sets import write_set

from seisvision.data.sources.folder import FolderSource, list_sets
from seisvision.errors import DataError


def test_relative_paths_mean_the_data_folder_then_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = write_set(tmp_path / "data" / "mine", 2)
    write_set(tmp_path / "here" / "mine", 3)
    outside = write_set(tmp_path / "here" / "other", 4)
    monkeypatch.chdir(tmp_path / "here")
    assert FolderSource("mine").prepare("../data").resolve() == inside.path
    assert FolderSource("mine").fingerprint(tmp_path / "data") == inside.fingerprint
    assert FolderSource("other").prepare("../data") == outside.path
    assert FolderSource(str(inside.path)).prepare("nowhere") == inside.path


def test_fingerprint_without_a_card_follows_the_content(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "mine", 2).path
    (folder / "card.json").unlink()
    before = FolderSource("mine").fingerprint(tmp_path)
    assert before == FolderSource("mine").fingerprint(tmp_path)
    table = folder / "metadata.csv"
    table.write_text(table.read_text().replace("quake", "shake"))
    assert FolderSource("mine").fingerprint(tmp_path) != before


def test_a_missing_set_is_explained(tmp_path: Path) -> None:
    write_set(tmp_path / "alpha", 1)
    write_set(tmp_path / "beta", 1, events_per_chunk=1)
    (tmp_path / "notes").mkdir()
    (tmp_path / ".gamma.partial-1").mkdir()
    (tmp_path / ".gamma.partial-1" / "metadata.csv").touch()
    assert list_sets(tmp_path) == ["alpha", "beta"]
    with pytest.raises(DataError, match=r"'delta' was found neither in .*alpha, beta.*seisvision data synth"):
        FolderSource("delta").prepare(tmp_path)
    with pytest.raises(DataError, match="Sets in the data folder: none"):
        FolderSource("delta").fingerprint(tmp_path / "nowhere")


def test_import_is_cheap() -> None:
    heavy = ("torch", "h5py", "pandas", "numpy")
    code = f"import sys, seisvision.data.sources.folder; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
