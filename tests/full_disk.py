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
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from chaos_data import ROOT, Scenario, differences, scenarios

sys.path.insert(0, str(ROOT / "tests" / "runs"))

from tiny_runs import TINY

LARGE_BYTES = 512 << 20
PAGE_BYTES = 4096
TOLD = ("No space left on device", "Disk quota exceeded", "File too large")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything goes; must not be there yet")
    parser.add_argument("--steps", type=int, default=12, help="sizes of the disk for each command")
    parser.add_argument("--only", nargs="+", help="names of commands")
    parser.add_argument("--events", type=int, default=6, help="of the imports")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    wrong, n_full = [], 0
    with scenarios(asked.folder / "inputs", asked.events) as data:
        known = data | runs(asked.folder / "inputs")
        for name in asked.only or known:
            started = time.monotonic()
            full, found = fill_up(known[name], asked.folder / name, asked.steps)
            n_full += full
            wrong += [f"{name}: {fault}" for fault in found]
            seconds = time.monotonic() - started
            print(f"{name}: full {full} times of {asked.steps}, {len(found)} faults, {seconds:.0f} s", flush=True)
    print("\n".join(wrong) or f"the disk was full {n_full} times, and everything was told and mended")
    return 1 if wrong else 0


def runs(inputs: Path) -> dict[str, Scenario]:
    """Commands on runs; a finished one is made once and copied to the disk for those that only read it."""
    words = [*TINY, f"system.data_dir={inputs / 'data'}", "run.test=true"]
    trained = inputs / "runs"

    def train(folder: Path) -> list[str]:
        return ["train.py", *words, f"system.runs_dir={folder / 'runs'}"]

    def finished(folder: Path) -> None:
        if not trained.exists():
            subprocess.run(
                [sys.executable, ROOT / "train.py", *words, f"system.runs_dir={trained}"], check=True, cwd=ROOT
            )
        shutil.copytree(trained, folder / "runs")

    def run(folder: Path) -> Path:
        return next((folder / "runs").glob("*/*/status.json")).parent

    def make_data(folder: Path) -> None:
        finished(folder)
        shutil.rmtree(folder / "runs")

    return {
        "train": Scenario(train, (), make_data),
        "evaluate": Scenario(lambda folder: ["evaluate.py", f"ckpt={run(folder)}"], (), finished),
        "compare": Scenario(
            lambda folder: [
                "compare",
                str(folder / "runs"),
                "--show-test",
                "--out",
                str(folder / "report" / "all.html"),
            ],
            (),
            finished,
        ),
        "explain": Scenario(lambda folder: ["explain", str(run(folder)), "--samples", "2"], (), finished),
    }


def fill_up(scenario: Scenario, folder: Path, n_steps: int) -> tuple[int, list[str]]:
    """Do a command on disks of many sizes; returns how often one was full, and what was wrong."""
    wrong: list[str] = []
    with disk(folder / "undisturbed", LARGE_BYTES) as whole:
        scenario.prepare(whole)
        before = used(whole)
        first = do(scenario.words(whole), whole)
        if first.returncode != 0:
            return 0, [f"undisturbed it ends with {first.returncode}: {first.stderr[-500:]}"]
        # A folder of its own: temporary files of the command need room as well.
        needed = max(used(whole) - before, PAGE_BYTES)
        n_full = 0
        for step in range(n_steps):
            size = before + needed * step // n_steps // PAGE_BYTES * PAGE_BYTES
            with disk(folder / "disturbed", LARGE_BYTES) as small:
                scenario.prepare(small)
                _resize(small, max(size, used(small)))
                done = do(scenario.words(small), small)
                where = f"with {(size - before) / 1e3:.0f} of {needed / 1e3:.0f} kB"
                if done.returncode != 0:
                    n_full += 1
                    wrong += [f"{where}: {fault}" for fault in faults_of(done, small)]
                _resize(small, LARGE_BYTES)
                again = do(scenario.words(small), small)
                if again.returncode != 0 and "exists already" not in again.stderr:
                    wrong.append(f"{where}, then again: {again.returncode}: {again.stderr[-800:]}")
                wrong += [f"{where}, then again: {difference}" for difference in differences(small, whole)]
        return n_full, wrong


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
        state = json.loads(path.read_text())["state"]
        if state == "running":
            wrong.append("the status stays 'running'")
    wrong += [f"left {path.name}" for path in folder.rglob(".*.partial-*")]
    return wrong


def do(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Do a command whose caches lie elsewhere."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment |= {"XDG_CACHE_HOME": str(folder.parent / "cache")}
    program = [str(ROOT / words[0])] if words[0].endswith(".py") else ["-m", "seisvision.cli", words[0]]
    command = [sys.executable, *program, *words[1:]]
    return subprocess.run(command, cwd=folder.parent, env=environment, capture_output=True, text=True)


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
