"""Whichever write of a command on data meets a full disk: one line says so, and then the command does the rest."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from recorded_trees import write_tree
from small_fetches import make_centre, settings, start_server
from small_sets import write_set

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chaos_data import differences
from failing_disk import FailingDisk, errors_told, meet_every_step

from seisvision.cli import main
from seisvision.data.importing import formats

MOST_TRIES = 14
"""Of the steps of a command so many are tried, the first and the last among them."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_tree(tmp_path_factory.mktemp("tree"), 2, ("AAA",))
    (folder / "waveforms" / "stray.mseed").write_bytes((folder / "waveforms" / "ev0.mseed").read_bytes())
    return folder


@pytest.fixture(autouse=True)
def disk_of_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def said() -> Iterator[list[str]]:
    """Errors that the commands tell."""
    with errors_told() as told:
        yield told


def importing(tree: Path, out: Path, *more: str) -> list[str]:
    given = ["--waveforms", str(tree / "waveforms"), "--events", str(tree / "events.csv"), "--set", "name=full"]
    return ["data", "import", *given, "--stations", str(tree / "stations.csv"), "--out", str(out), *more]


def fill_up(
    tmp_path: Path, prepare: Callable[[Path], object], words: Callable[[Path], list[str]], said: list[str]
) -> None:
    """Let the disk be full from every step of a command on, and compare what comes of it with an undisturbed one."""
    meet_every_step(tmp_path, prepare, lambda folder: main(words(folder)), differences, MOST_TRIES)


def make_folder(folder: Path) -> None:
    folder.mkdir()


def test_import(tree: Path, tmp_path: Path, said: list[str]) -> None:
    fill_up(tmp_path, make_folder, lambda folder: importing(tree, folder / "set"), said)


def test_import_over_an_old_set(tree: Path, tmp_path: Path, said: list[str]) -> None:
    def prepare(folder: Path) -> None:
        write_set(folder / "set", 2)

    fill_up(tmp_path, prepare, lambda folder: importing(tree, folder / "set", "--overwrite"), said)


def test_an_empty_shard(tree: Path, tmp_path: Path, said: list[str]) -> None:
    fill_up(tmp_path, make_folder, lambda folder: importing(tree, folder / "set", "--shard", "1/3"), said)


def test_merge(tree: Path, tmp_path: Path, said: list[str]) -> None:
    for index in (1, 2):
        assert main(importing(tree, tmp_path / "parts" / "set", "--shard", f"{index}/2")) == 0

    def prepare(folder: Path) -> None:
        shutil.copytree(tmp_path / "parts", folder)

    fill_up(tmp_path, prepare, lambda folder: ["data", "merge", str(folder / "set.shards")], said)


def test_audit(tmp_path: Path, said: list[str]) -> None:
    def prepare(folder: Path) -> None:
        write_set(folder / "set", 5)

    fill_up(tmp_path, prepare, lambda folder: ["data", "audit", str(folder / "set")], said)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("centre")
    server = start_server(folder / "server")
    centre = make_centre(server)
    path = folder / "loop.yaml"
    path.write_text(yaml.safe_dump(settings(centre, requests={"timeout_s": 5.0})))
    yield path
    centre.close()
    server.close()


def test_fetch(recipe: Path, tmp_path: Path, said: list[str]) -> None:
    fill_up(tmp_path, make_folder, lambda folder: ["data", "fetch", str(recipe), "--out", str(folder / "set")], said)


@pytest.fixture
def packed(tree: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(tree, tmp_path / "tree"))
    plain = folder / "waveforms" / "ev1.mseed"
    (folder / "waveforms" / "ev1.mseed.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    return folder


def test_a_folder_for_temporary_files_that_is_not_there_refuses_no_recording(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    gone = tmp_path / "gone"
    for where in (tempfile, formats.packed):
        with monkeypatch.context() as patch:
            if where is tempfile:
                patch.setattr(tempfile, "tempdir", str(gone))
            else:
                patch.setattr(formats.packed, "temporary_folder", lambda: contextlib.nullcontext(gone))
            assert main(importing(packed, tmp_path / "set")) == 2
        assert said.pop().startswith(f"Error: No temporary file can be written: {gone}") and not said
        assert not (tmp_path / "set").exists()
    assert main(importing(packed, tmp_path / "set")) == 0
    assert len(pd.read_csv(tmp_path / "set" / "metadata.csv").source_id.unique()) == 2


def test_a_disk_too_small_to_unpack_to_refuses_no_recording(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(small))
    for room in (0, 1):
        said.clear()
        with pytest.MonkeyPatch.context() as patch:
            FailingDisk(small, room).install(patch)
            assert main(importing(packed, tmp_path / "set")) == 1
        assert f"cannot be unpacked in {small}: No space left on device" in said[0] and "TMPDIR" in said[0]
        assert not (tmp_path / "set").exists() and not list(small.iterdir())
    assert main(importing(packed, tmp_path / "set")) == 0
