"""Let a disk fill up at every stage of a command; it must say so in one line, and do the rest once there is room.

    sudo python tests/full_disk.py FOLDER [--steps 12] [--only import train ...] [--events 6]

Each command writes to a file system in memory that takes a part of what the command needs, from nothing to all but one
page, as the kernel refuses it: C libraries meet it, too. Then the disk grows, the same command is given again, and what
it leaves must be what an undisturbed one leaves. Mounting asks for a superuser; the tests have a layer in Python
instead (``tests/failing_disk.py``).
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaos_data import ROOT, Scenario, differences, forget_main, scenarios

sys.path.insert(0, str(ROOT / "tests" / "runs"))

import ready_python
from tiny_runs import CLUSTERED, SMALL, TINY, write_small_atlas

LEARNING_RATE = ["optimizer.lr=tag(log,interval(1e-4,1e-2))"]
LARGE_BYTES = 512 << 20
PAGE_BYTES = 4096
VOLATILE = ("second", "per_s", "started", "ended", "created", "command", "updated")
"""Words in names of columns that differ from one time to the next."""
FORKED = False
TOLD = ("No space left on device", "Disk quota exceeded", "File too large")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything goes; must not be there yet")
    parser.add_argument("--steps", type=int, default=12, help="sizes of the disk for each command")
    parser.add_argument("--only", nargs="+", help="names of commands")
    parser.add_argument("--events", type=int, default=6, help="of the imports")
    parser.add_argument("--forked", action="store_true", help="spend no time on imports: forks of this process")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    if asked.forked:
        global FORKED
        FORKED = True
        import_all()
    wrong, n_full = [], 0
    with scenarios(asked.folder / "inputs", asked.events) as data:
        known = data | runs(asked.folder / "inputs")
        known["synth"] = replace(known["synth"], prepare=with_earth_tables(asked.folder / "inputs"))
        for name in asked.only or known:
            started = time.monotonic()
            full, found = fill_up(known[name], asked.folder / name, asked.steps)
            n_full += full
            wrong += [f"{name}: {fault}" for fault in found]
            seconds = time.monotonic() - started
            print(f"{name}: full {full} times of {asked.steps}, {len(found)} faults, {seconds:.0f} s", flush=True)
    print("\n".join(wrong) or f"the disk was full {n_full} times, and everything was told and mended")
    return 1 if wrong else 0


def with_earth_tables(inputs: Path) -> Callable[[Path], object]:
    """Tables of the Earth that are there already: they are larger than the set, and left out where there is no room."""

    def prepare(folder: Path) -> None:
        cache = inputs / "earth"
        if not cache.exists():
            assert do(["data", "synth", "--n-events", "1", "--data-dir", str(inputs / "data")], inputs).returncode == 0
            shutil.copytree(inputs / "data" / "cache", cache)
        shutil.copytree(cache, folder / "data" / "cache")

    return prepare


def runs(inputs: Path) -> dict[str, Scenario]:
    """Commands on runs; finished ones are made once and copied to the disk for those that only read them."""
    words = [*TINY, *SMALL, f"system.data_dir={inputs / 'data'}", "trainer.accelerator=cpu"]
    one = [*words, "name=one", "run.test=true"]
    several = [*words, "-m", "name=several", "seed=1,2", "trainer.max_epochs=1"]
    clusters = [*words, *CLUSTERED, "-m", "name=clusters", "task.k=2,3"]
    small, config = inputs / "runs", inputs / "conf"
    small.mkdir()

    def train(asked: list[str], *more: str) -> Scenario:
        def prepare(folder: Path) -> None:
            finished(one)(folder)
            shutil.rmtree(folder / "runs")

        return Scenario(lambda folder: ["train.py", *asked, f"system.runs_dir={folder / 'runs'}", *more], (), prepare)

    def finished(asked: list[str]) -> Callable[[Path], None]:
        def prepare(folder: Path) -> None:
            name = next(word for word in asked if word.startswith("name=")).partition("=")[2]
            if not (small / name).exists():
                done = do(["train.py", *asked, f"system.runs_dir={small}"], small)
                assert done.returncode == 0, done.stderr
            shutil.copytree(small / name, folder / "runs" / name)

        return prepare

    def prepare_atlas(folder: Path) -> None:
        finished(one)(folder)
        shutil.rmtree(folder / "runs")
        if not config.exists():
            write_small_atlas(config, words)

    def run(folder: Path) -> str:
        return str(next((folder / "runs" / "one").glob("*/status.json")).parent)

    reading = {
        "evaluate": (one, lambda folder: ["evaluate.py", f"ckpt={run(folder)}", "accelerator=cpu"]),
        "ensemble": (several, lambda folder: ["evaluate.py", f"ckpt={folder / 'runs' / 'several'}", "accelerator=cpu"]),
        "compare": (several, lambda folder: ["compare", str(folder / "runs"), "--out", f"{folder}/report/all.html"]),
        "explain": (one, lambda folder: ["explain", run(folder), "--samples", "2"]),
        "clusters": (clusters, lambda folder: ["clusters", str(folder / "runs"), "--out", f"{folder}/report"]),
    }
    known = {name: Scenario(_in_place(words), (), finished(asked)) for name, (asked, words) in reading.items()}
    atlas = ["atlas", "--preset", "small", "--conf", str(config)]
    return known | {
        "train": train(one),
        "cluster": train([*words, "name=cluster", "task=cluster", "task.k=2", "task.min_cluster_size=2"]),
        "search": train([*words, "-m", "name=search", "sweep=optuna", "sweep.n_trials=2", *LEARNING_RATE]),
        "sweep": train([*several, "trainer=ddp", "trainer.devices=2"]),
        "atlas": Scenario(lambda folder: [*atlas, f"system.runs_dir={folder / 'runs'}"], (), prepare_atlas),
    }


def _in_place(words: Callable[[Path], list[str]]) -> Callable[[Path], list[str]]:
    """Results of evaluations go to the disk as well."""

    def on_disk(folder: Path) -> list[str]:
        asked = words(folder)
        return [*asked, f"system.runs_dir={folder / 'out'}"] if asked[0] == "evaluate.py" else asked

    return on_disk


def fill_up(scenario: Scenario, folder: Path, n_steps: int) -> tuple[int, list[str]]:
    """Do a command on disks of many sizes; returns how often one was full, and what was wrong."""
    wrong: list[str] = []
    with disk(folder / "undisturbed", LARGE_BYTES) as whole:
        (whole / "tmp").mkdir()
        scenario.prepare(whole)
        before = used(whole)
        first = do(scenario.words(whole), whole)
        if first.returncode != 0:
            return 0, [f"undisturbed it ends with {first.returncode}: {first.stderr[-500:]}"]
        # A folder of its own: temporary files of the command need room as well.
        # A set that is replaced lies beside the new one for a while.
        replaced = sum(file.stat().st_size for name in scenario.sets for file in (whole / name).rglob("*"))
        needed = max(used(whole) - before, replaced, PAGE_BYTES)
        n_full = 0
        print(f"  {folder.name}: needs {needed / 1e3:.0f} kB", flush=True)
        for step in range(n_steps):
            size = before + needed * step // n_steps // PAGE_BYTES * PAGE_BYTES
            with disk(folder / "disturbed", LARGE_BYTES) as small:
                (small / "tmp").mkdir()
                scenario.prepare(small)
                _resize(small, max(size, used(small)))
                done = do(scenario.words(small), small)
                where = f"with {(size - before) / 1e3:.0f} of {needed / 1e3:.0f} kB"
                n_before = len(wrong)
                if done.returncode != 0:
                    n_full += 1
                    wrong += [f"{where}: {fault}" for fault in faults_of(done, small)]
                _resize(small, LARGE_BYTES)
                again = do(scenario.words(small), small)
                if again.returncode != 0 and "exists already" not in again.stderr:
                    wrong.append(f"{where}, then again: {again.returncode}: {again.stderr[-800:]}")
                found = what_differs(small, whole)
                # What only saves time is left out where it finds no room, and a command that is done makes it no more.
                found = [one for one in found if done.returncode != 0 or "/cache/" not in one]
                wrong += [f"{where}, then again: {difference}" for difference in found]
                said = next((line for line in done.stderr.splitlines() if line.startswith("Error: ")), "")
                print(f"  {folder.name} {where}: {done.returncode} {said}", *wrong[n_before:], sep="\n    ", flush=True)
        return n_full, wrong


def what_differs(folder: Path, other: Path) -> list[str]:
    """What sets two folders apart: names of files, sets, and the tables and states of runs."""
    if any(other.rglob("study.db")):
        # A search that goes on draws further trials anew; as many of them must be finished.
        done = [sum(read_state(path) == "finished" for path in top.rglob("status.json")) for top in (folder, other)]
        return [] if done[0] == done[1] else [f"{done[0]} finished trials instead of {done[1]}"]
    data = [name for name in (folder, other) if any(name.rglob("card.json"))]
    wrong = differences(folder, other) if data else []
    names = [{str(path.relative_to(top)) for path in top.rglob("*")} for top in (folder, other)]
    wrong += [] if data else [f"{name} is in one only" for name in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        if name.endswith(".csv") and not data and table(folder / name, folder) != table(other / name, other):
            wrong.append(f"{name} differs")
    states = {read_state(path) for path in folder.rglob("status.json")}
    return wrong + [f"a run is {state}" for state in sorted(states - {"finished"})]


def read_state(path: Path) -> str:
    """State of a run."""
    return json.loads(path.read_text())["state"]


def table(path: Path, folder: Path) -> list[list[str]]:
    """Rows without times and places."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    told = [i for i, name in enumerate(rows[0]) if not any(word in name for word in VOLATILE)]
    return [[row[i].replace(str(folder), "") for i in told if i < len(row)] for row in rows]


def faults_of(done: subprocess.CompletedProcess[str], folder: Path) -> list[str]:
    """What is wrong with how a command told of a full disk."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    wrong = []
    if done.returncode != 1:
        wrong.append(f"exit code {done.returncode}")
    if len(lines) != 1 or not any(text in lines[0] for text in TOLD) or str(folder) not in lines[0]:
        wrong.append(f"said {lines or done.stderr[-500:]}")
    wrong += [
        f"said '{word}'" for word in ("Traceback", "not expected", "Logging error", "HDF5") if word in done.stderr
    ]
    for path in folder.rglob("status.json"):
        if read_state(path) == "running":
            wrong.append("the status stays 'running'")
    wrong += [f"left {path.name}" for path in folder.rglob(".*.partial-*")]
    return wrong


def do(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Do a command whose caches lie elsewhere, in a process of its own or in a fork of this one."""
    if FORKED:
        return _do_in_fork(words, folder)
    program = [str(ROOT / words[0])] if words[0].endswith(".py") else ["-m", "seisvision.cli", words[0]]
    command = [sys.executable, *program, *words[1:]]
    return ready_python.run(command, cwd=folder.parent, env=environment(folder), capture_output=True, text=True)


def _do_in_fork(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if pid == 0:
            code: Any = 99
            forget_main()
            try:
                os.chdir(folder.parent)
                os.environ.update(environment(folder))
                tempfile.tempdir = None
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                os.dup2(said.fileno(), 2)
                code = do_here(words)
            except SystemExit as end:
                code = end.code or 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said.seek(0)
        return subprocess.CompletedProcess(words, code, stderr=said.read().decode())


def do_here(words: list[str]) -> int:
    """Do a command in this process; returns its exit code, or raises ``SystemExit`` with it."""
    if not words[0].endswith(".py"):
        from seisvision.cli import main as command

        return command(words)
    sys.argv = [str(ROOT / words[0]), *words[1:]]
    runpy.run_path(sys.argv[0], run_name="__main__")
    return 0


def import_all() -> None:
    """Import what the forks need."""
    for name in ("data.audit.audit", "data.importing.shards", "data.synthesis.synthesise", "runs.training",
                 "runs.evaluation", "runs.explaining", "runs.cluster_report", "runs.comparing.report"):  # fmt: skip
        importlib.import_module(f"seisvision.{name}")


def environment(folder: Path) -> dict[str, str]:
    """Of a command in ``folder``: its caches lie beside it, and its temporary files in it."""
    more = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'runs'}", "OMP_NUM_THREADS": "1"}
    more |= {"XDG_CACHE_HOME": str(folder.parent / "cache"), "TMPDIR": str(folder / "tmp")}
    more |= {"SEISVISION_ALLOWED_TARGETS": "model_of_ones_own."}
    return os.environ | more


@contextlib.contextmanager
def disk(folder: Path, n_bytes: int) -> Iterator[Path]:
    """A file system in memory."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def _resize(folder: Path, n_bytes: int) -> None:
    size = max(n_bytes, PAGE_BYTES)
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


def used(folder: Path) -> int:
    """Bytes that are taken on the disk."""
    told = os.statvfs(folder)
    return (told.f_blocks - told.f_bfree) * told.f_frsize


if __name__ == "__main__":
    sys.exit(main())
