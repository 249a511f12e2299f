"""What killed processes leave goes with the next command, and nothing that a living one needs."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seisvision.data.sources.scratch import stage_to_scratch
from seisvision.files import LONGEST_NAME, locked, safe_name, whole_file, write_text
from seisvision.leftovers import OTHERS_DAYS, clear_below, hidden_name
from seisvision.records.folder import RunFolder

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock and process numbers")


def killed(code: str, *words: object) -> None:
    """Let a process do something, and kill -9 itself in the middle of it."""
    script = f"import os, sys\nfrom pathlib import Path\n{code}\n"
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'data'}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -9, done.stderr


KILLED_WRITING = """
from seisvision.files import whole_file
with whole_file(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    os.kill(os.getpid(), 9)
"""
KILLED_WORKING = """
from seisvision.records.folder import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    (Path(sys.argv[1]) / "checkpoints").mkdir()
    from seisvision.files import whole_file
    with whole_file(Path(sys.argv[1]) / "checkpoints" / "last.ckpt") as partial:
        partial.write_text("half")
        os.kill(os.getpid(), 9)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_half_a_file_of_a_killed_process_goes_with_the_next_write_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a [1].csv"
    killed(KILLED_WRITING, path)
    assert len(names(tmp_path)) == 1 and "partial" in names(tmp_path)[0]
    with whole_file(tmp_path / "other.csv") as mine:
        mine.write_text("x")
        write_text(path, "whole")
        assert mine.exists()
    assert names(tmp_path) == ["a [1].csv", "other.csv"]


def test_a_run_folder_is_free_of_them_once_it_is_worked_on_again(tmp_path: Path) -> None:
    killed(KILLED_WORKING, tmp_path / "run")
    assert len(names(tmp_path)) == 2 and ".lock" in names(tmp_path)
    with RunFolder(tmp_path / "run").locked():
        assert names(tmp_path) == [".lock"]
    assert names(tmp_path) == []


def test_what_belongs_to_a_living_process_or_another_machine_stays_for_days(tmp_path: Path) -> None:
    mine = tmp_path / hidden_name("a", suffix=".csv")
    elsewhere = tmp_path / ".a.partial-00000000-00000000-1-1-00000000.csv"
    of_before = tmp_path / ".a.partial-0123456789ab.csv"
    for path in (mine, elsewhere, of_before):
        path.touch()
    clear_below(tmp_path)
    assert len(names(tmp_path)) == 3
    long_ago = time.time() - OTHERS_DAYS * 86400 - 60
    for path in (mine, elsewhere, of_before):
        os.utime(path, (long_ago, long_ago))
    clear_below(tmp_path)
    assert names(tmp_path) == [mine.name]


def test_half_a_copy_on_a_node_goes_with_the_next_copy(tmp_path: Path) -> None:
    make = "from small_sets import write_set\nwrite_set(Path(sys.argv[1]))\n"
    half = "from seisvision.data.sources import scratch\nscratch._copy_file = lambda *a: os.kill(os.getpid(), 9)\n"
    stage = "scratch.stage_to_scratch(sys.argv[1], sys.argv[2])"
    killed(make + half + stage, tmp_path / "set", tmp_path / "node")
    assert any("partial" in path.name for path in (tmp_path / "node").iterdir())
    copy = stage_to_scratch(tmp_path / "set", tmp_path / "node")
    assert [path.name for path in (tmp_path / "node").iterdir()] == [copy.name]


def _count(folder: Path) -> None:
    for _ in range(40):
        with locked(folder / ".lock"):
            number = int((folder / "number").read_text())
            time.sleep(0.0005)
            (folder / "number").write_text(str(number + 1))


def test_a_lock_that_goes_with_its_holder_still_keeps_others_out(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0")
    several = [multiprocessing.get_context("spawn").Process(target=_count, args=(tmp_path,)) for _ in range(3)]
    for one in several:
        one.start()
    for one in several:
        one.join(120)
    assert (tmp_path / "number").read_text() == "120" and names(tmp_path) == ["number"]
    with locked(tmp_path / ".lock"), pytest.raises(BlockingIOError), locked(tmp_path / ".lock", wait=False):
        pass


@pytest.mark.parametrize("name", ["../../x", "a\0b", "x" * 300, "/etc/passwd", "..", ".", "日" * 99, "a b", "\udce9"])
def test_names_from_data_become_names_of_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{safe_name(name)}.png"
    path.touch()
    assert [one.name for one in tmp_path.iterdir()] == [path.name] and len(safe_name(name)) <= LONGEST_NAME
    assert safe_name(name) != safe_name(f"{name}2")


def test_good_names_stay_as_they_are() -> None:
    assert safe_name("2017-06-17_ev~1.a") == "2017-06-17_ev~1.a"
