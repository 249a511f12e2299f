"""A set appears whole or not at all, and nothing that this program did not make is ever replaced."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from recorded_trees import write_tree
from small_sets import write_foreign, write_set

from seisvision import leftovers
from seisvision.cli import main
from seisvision.data.importing.shards import merge_shards
from seisvision.data.sets.stored import placing
from seisvision.data.sets.stored.placing import whole_set
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sources.folder import FolderSource
from seisvision.errors import UNFORESEEN, DataError, DiskFullError
from seisvision.leftovers import REPLACED, hidden_name


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("tree"), n_events=3)


@pytest.fixture
def shards(tree: Path, tmp_path: Path) -> Path:
    """Two finished shards of an import."""
    for index in (1, 2):
        assert main(importing(tree, tmp_path / "set", "--shard", f"{index}/2")) == 0
    return tmp_path / "set.shards"


def importing(tree: Path, out: Path, *more: str) -> list[str]:
    given = ["--waveforms", str(tree / "waveforms"), "--events", str(tree / "events.csv")]
    return ["data", "import", *given, "--stations", str(tree / "stations.csv"), "--out", str(out), *more]


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob(".*"))


def dead_process() -> tuple[int, int]:
    """Number and start of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = leftovers._start_of(process.pid)
    process.kill()
    process.communicate()
    return process.pid, start


def name_of_dead(name: str, kind: str = "partial", suffix: str = "") -> str:
    pid, start = dead_process()
    own = f"-{os.getpid()}-{leftovers._start_of(os.getpid())}-"
    return hidden_name(name, kind, suffix).replace(own, f"-{pid}-{start}-")


def home(folder: Path) -> Path:
    """A folder of somebody, with what only looks like a part of a set."""
    (folder / "thesis").mkdir(parents=True)
    (folder / "thesis" / "chapter1.tex").write_text("years of work")
    (folder / "metadata.csv").write_text("source_id\n1\n")
    (folder / "card.json").write_text('{"name": "a visiting card"}')
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_home_folder_is_not_replaced_by_a_merge(shards: Path, tmp_path: Path) -> None:
    mine = home(tmp_path / "home")
    before = content(mine)
    assert main(["data", "merge", str(shards), "--overwrite", "--out", str(mine)]) == 1
    assert content(mine) == before
    (mine / "metadata.csv").unlink()
    (mine / "card.json").unlink()
    with pytest.raises(DataError, match=r"home is not a waveform set that this program made .* choose another folder"):
        merge_shards(shards, mine, overwrite=True)
    assert (mine / "thesis" / "chapter1.tex").read_text() == "years of work" and not hidden(tmp_path)


def test_a_home_folder_is_not_replaced_by_an_import_or_a_fetch(tree: Path, tmp_path: Path) -> None:
    mine = home(tmp_path / "home")
    before = content(mine)
    assert main(importing(tree, mine, "--overwrite")) == 1
    shard = tmp_path / "set.shards" / "0001-of-0002"
    home(shard)
    assert main(importing(tree, tmp_path / "set", "--shard", "1/2", "--overwrite")) == 1
    assert content(mine) == content(shard) == before


@pytest.mark.parametrize("foreign", ["notes.txt", "audit/notes.txt", "metadata.csv.bak", ".git/HEAD", "picks"])
def test_foreign_files_in_a_set_are_kept(foreign: str, shards: Path, tree: Path, tmp_path: Path) -> None:
    made = write_set(tmp_path / "mine", 2).path
    (made / foreign).parent.mkdir(exist_ok=True)
    (made / foreign).write_text("by hand")
    before = content(made)
    name = foreign.removesuffix("/HEAD")
    with pytest.raises(DataError, match=rf"mine is not overwritten, for it also holds what no set does: {name}; move"):
        merge_shards(shards, made, overwrite=True)
    assert main(importing(tree, made, "--overwrite")) == 1
    assert content(made) == before


def test_a_set_of_another_program_is_not_replaced(shards: Path, tmp_path: Path) -> None:
    import numpy as np
    import pandas as pd

    table = pd.DataFrame({"trace_name": ["a"], "trace_sampling_rate_hz": [20.0]})
    foreign = write_foreign(tmp_path / "other", table, {"a": np.ones((3, 9))}, {"component_order": "ZNE"})
    with pytest.raises(DataError, match="other is not a waveform set that this program made"):
        merge_shards(shards, foreign, overwrite=True)
    assert len(WaveformSet(foreign)) == 1


def test_links_and_the_working_folder_are_not_replaced(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write_set(tmp_path / "mine", 2).path
    link = tmp_path / "link"
    link.symlink_to(made)
    with pytest.raises(DataError, match=r"link is a link and is not replaced; name the folder that it leads to"):
        merge_shards(shards, link, overwrite=True)
    monkeypatch.chdir(made)
    for given in (made, Path("../mine")):
        with pytest.raises(DataError, match=r"mine holds the working folder and is not replaced"):
            merge_shards(shards, given, overwrite=True)
    for given in (Path(), Path("..")):
        with pytest.raises(DataError, match="names no new folder"):
            merge_shards(shards, given, overwrite=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == made)
    with pytest.raises(DataError, match=r"mine is where a disk is mounted"):
        merge_shards(shards, made, overwrite=True)
    assert len(WaveformSet(made)) == 2 and link.is_symlink()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match="exists already"):
        merge_shards(shards, tmp_path / "nowhere")


@pytest.mark.parametrize("exchange", [True, False])
def test_a_set_made_here_is_replaced_with_all_that_belongs_to_it(
    exchange: bool, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(placing, "_renameat2", _unknown_to_the_disk)
    assert main(["data", "merge", str(shards)]) == 0
    made = tmp_path / "set"
    whole = content(made)
    write_set(tmp_path / "mine", 2)
    assert main(["data", "audit", str(tmp_path / "mine")]) == 0
    (tmp_path / "mine" / ".content-hashes.json").write_text("{}")
    assert main(["data", "merge", str(shards), "--overwrite", "--out", str(tmp_path / "mine")]) == 0
    assert content(tmp_path / "mine") == whole and "rejected.csv" in whole
    assert hidden(tmp_path) == []


def _unknown_to_the_disk(source: Path, target: Path, flags: int) -> None:
    raise OSError(22, os.strerror(22), str(target))


@pytest.mark.parametrize("reader", ["open", "source", "write"])
def test_a_set_moved_aside_by_a_process_that_died_is_put_back(reader: str, tmp_path: Path) -> None:
    made = write_set(tmp_path / "mine", 2).path
    before = content(made)
    made.rename(tmp_path / name_of_dead("mine", REPLACED))
    if reader == "open":
        assert len(WaveformSet(made)) == 2
    elif reader == "source":
        assert FolderSource("mine").prepare(tmp_path) == made
    else:
        with pytest.raises(DataError, match="exists already"):
            write_set(made, 3)
    assert content(made) == before and hidden(tmp_path) == []
    aside = tmp_path / name_of_dead("mine", REPLACED)
    shutil.copytree(made, aside)
    write_set(tmp_path / "other", 1)
    assert aside.exists(), "of another set"
    write_set(made, 3, overwrite=True)
    assert hidden(tmp_path) == [] and len(WaveformSet(made)) == 3


def test_what_a_living_process_moved_aside_stays(tmp_path: Path) -> None:
    made = write_set(tmp_path / "mine", 2).path
    aside = made.rename(tmp_path / hidden_name("mine", REPLACED))
    with pytest.raises(DataError, match="does not exist"):
        WaveformSet(made)
    assert aside.is_dir()


def test_a_failing_replacement_leaves_the_old_set(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write_set(tmp_path / "mine", 2).path
    monkeypatch.setattr(placing, "_renameat2", _unknown_to_the_disk)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if target == made and ".partial-" in self.name:
            raise OSError(5, os.strerror(5), str(target))
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", fail)
        with pytest.raises(DiskFullError, match="Input/output"):
            merge_shards(shards, made, overwrite=True)
    assert len(WaveformSet(made)) == 2 and hidden(tmp_path) == []


def test_two_writers_of_one_new_set_do_not_undo_each_other(tmp_path: Path) -> None:
    made = tmp_path / "mine"
    with pytest.raises(DataError, match="made by another process meanwhile"), whole_set(made) as partial:
        (partial / "card.json").write_text("{}")
        write_set(made, 2)
    assert len(WaveformSet(made)) == 2 and hidden(tmp_path) == []


def test_leftovers_of_dead_processes_are_cleared_and_of_no_others(tmp_path: Path) -> None:
    dead, alive = tmp_path / name_of_dead("mine"), tmp_path / hidden_name("mine")
    elsewhere = tmp_path / dead.name.replace(leftovers._host(), "0123abcd")
    old = tmp_path / dead.name.replace(leftovers._host(), "4567abcd")
    earlier, precious = tmp_path / ".mine.partial-4711", tmp_path / name_of_dead("mine")
    earlier_set = tmp_path / ".mine.partial-4711.old"
    for folder in (dead, alive, elsewhere, old, earlier, precious, earlier_set):
        folder.mkdir()
        (folder / "metadata.csv").write_text("half")
    (precious / "thesis.tex").write_text("years of work")
    for path in (old / "metadata.csv", old, earlier_set / "metadata.csv", earlier_set):
        os.utime(path, (0, 0))
    write_set(tmp_path / "other", 1)
    assert not dead.exists() and not old.exists()
    assert alive.exists() and elsewhere.exists() and earlier.exists() and precious.exists()
    assert earlier_set.exists(), "perhaps the only copy of a set"


def test_a_shard_that_lost_its_list_is_made_again(tree: Path, shards: Path, tmp_path: Path, capsys) -> None:
    (shards / "0002-of-0002" / "rejected.csv").unlink()
    with pytest.raises(DataError, match=r"0002-of-0002 lacks rejected\.csv; make it again with .*--shard 2/2"):
        merge_shards(shards)
    assert main(importing(tree, tmp_path / "set", "--shard", "2/2")) == 0
    assert "finished already" not in capsys.readouterr().out
    assert len(WaveformSet(merge_shards(shards))) == 3


def test_an_empty_shard_is_not_stuck(tree: Path, tmp_path: Path) -> None:
    """Neither an empty folder, nor a shard of refused events that lost its list or is to be of another recipe."""
    folder = tmp_path / "set.shards" / "0004-of-0004"
    first = tmp_path / "set.shards" / "0001-of-0004"
    for path in (folder, first):
        path.mkdir(parents=True)
    for index in (1, 2, 3, 4):
        assert main(importing(tree, tmp_path / "set", "--shard", f"{index}/4")) == 0
    empty = next((tmp_path / "set.shards").glob("*/empty.json")).parent
    number = str(int(empty.name[:4]))
    (empty / "rejected.csv").unlink()
    assert main(importing(tree, tmp_path / "set", "--shard", f"{number}/4")) == 0
    assert (empty / "rejected.csv").is_file()
    other = ("--shard", f"{number}/4", "--set", "seed=1")
    assert main(importing(tree, tmp_path / "set", *other)) == 1
    assert main(importing(tree, tmp_path / "set", *other, "--overwrite")) == 0
    assert main(importing(tree, tmp_path / "set", "--shard", f"{number}/4", "--overwrite")) == 0
    assert len(WaveformSet(merge_shards(tmp_path / "set.shards"))) == 3
    assert not list(tmp_path.glob("*.shards/*.rejected.csv")) and hidden(tmp_path) == []


def test_a_shard_stays_until_its_successor_is_whole(tree: Path, shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = shards / "0001-of-0002"
    before = content(shard)
    monkeypatch.setattr("seisvision.data.sets.writer.WaveformSetWriter._write_card", _power_cut)
    words = ("--shard", "1/2", "--overwrite", "--set", "seed=1")
    assert main(importing(tree, shards.with_name("set"), *words)) == UNFORESEEN
    assert content(shard) == before


def _power_cut(*args: object) -> None:
    raise RuntimeError("power cut")


def test_everything_is_in_the_set_when_it_appears(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the folder when it is put in place is what is in it in the end, for every way to make a set."""
    put, seen = placing._put_in_place, {}

    def look(partial: Path, path: Path, overwrite: bool) -> None:
        seen[path] = content(partial)
        put(partial, path, overwrite)

    monkeypatch.setattr(placing, "_put_in_place", look)
    for index in range(1, 5):
        assert main(importing(tree, tmp_path / "set", "--shard", f"{index}/4")) == 0
    merge_shards(tmp_path / "set.shards")
    assert main(importing(tree, tmp_path / "one")) == 0
    combined = _combine(tmp_path)
    assert len(seen) == 4 + 1 + 1 + 1
    for path, files in seen.items():
        assert content(path) == files, path
    assert "rejected.csv" in seen[combined]


def _combine(folder: Path) -> Path:
    from seisvision.data.sources.combined import CombinedSource

    cut = {"components": "Z", "sampling_rate_hz": 10.0, "before_s": 1.5, "length_s": 15.0, "jitter_s": 1.0}
    members = [{"path": str(folder / "one")}, {"path": str(folder / "set")}]
    return CombinedSource(members, **cut).prepare(folder / "data")


def test_old_sets_without_what_cards_say_today_are_read_and_replaced(tmp_path: Path) -> None:
    made = write_set(tmp_path / "mine", 2).path
    card = json.loads((made / "card.json").read_text())
    del card["files"]
    (made / "card.json").write_text(json.dumps(card))
    assert len(WaveformSet(made)) == 2
    assert len(write_set(made, 3, overwrite=True)) == 3
