"""Kill processes of a sweep at random and repeat its command; the results must be those of an undisturbed sweep.

    python tests/chaos_sweep.py FOLDER [--kills 20] [--points 6] [--devices 2] [--seed 1] [--data-dir data]

Every kill is a ``kill -9`` of a worker, of the parent or of all processes of the sweep, after a random time. Every file
that a reader may open must be whole then, and no process may be left once the parent is gone. A short version is among
the tests (``tests/runs/test_sweep_chaos.py``).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "runs"))

sys.path.insert(0, str(ROOT / "tests"))

import ready_python  # noqa: E402
from tiny_runs import TINY  # noqa: E402

ORPHAN_S = 15.0
"""How long a process may outlive the parent of a sweep."""
LOOK_EVERY_S = 0.3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the runs go")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--points", type=int, default=6)
    parser.add_argument("--devices", type=int, default=2, help="processes of a run")
    parser.add_argument("--longest", type=float, default=25.0, help="seconds before a kill, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data-dir", default="data")
    asked = parser.parse_args()
    command = sweep_command(asked.data_dir, asked.points, asked.devices)
    rng = random.Random(asked.seed)
    started = time.monotonic()
    kills, attempts = disturbed(command, asked.folder / "disturbed", asked.kills, rng, asked.longest, print)
    print(f"{asked.kills} kills ({dict(kills)}), {attempts} starts, {time.monotonic() - started:.0f} s", flush=True)
    undisturbed(command, asked.folder / "undisturbed")
    wrong = differences(asked.folder / "disturbed", asked.folder / "undisturbed", asked.points)
    print("\n".join(wrong) or f"all {asked.points} points finished, with the metrics of an undisturbed sweep")
    return 1 if wrong else 0


def sweep_command(data_dir: str | Path, n_points: int, n_devices: int, *more: str) -> list[str]:
    """A sweep of tiny runs of several processes each, without its ``system.runs_dir``."""
    seeds = ",".join(str(seed) for seed in range(1, n_points + 1))
    devices = ["trainer=ddp", f"trainer.devices={n_devices}", "trainer.accelerator=cpu"] if n_devices > 1 else []
    tiny = [word for word in TINY if not word.startswith("trainer.max_epochs")]
    words = [*tiny, f"system.data_dir={data_dir}", "trainer.max_epochs=4", f"seed={seeds}", *devices, *more]
    return [sys.executable, str(ROOT / "train.py"), "-m", *words]


def undisturbed(command: list[str], runs_dir: Path) -> None:
    """Do the sweep in one go."""
    ready_python.run([*command, f"system.runs_dir={runs_dir}"], check=True, cwd=ROOT, capture_output=True)


def disturbed(
    command: list[str],
    runs_dir: Path,
    n_kills: int,
    rng: random.Random,
    longest_s: float,
    say: Callable[[str], object] = lambda text: None,
) -> tuple[Counter[str], int]:
    """Repeat the command until it succeeds, and disturb it on the way; returns kills by target, and starts."""
    kills: Counter[str] = Counter()
    attempts = 0
    while True:
        attempts += 1
        process = ready_python.Ready(
            [*command, f"system.runs_dir={runs_dir}"],
            cwd=ROOT,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while kills.total() < n_kills and _stays(process, rng.uniform(0.5, longest_s)):
            target = rng.choice(["worker", "worker", "parent", "tree"])
            while target == "worker" and not _workers(process.pid) and _stays(process, LOOK_EVERY_S):
                pass
            if _kill(process.pid, target, rng):
                kills[target] += 1
                say(f"kill {kills.total()}: {target}")
                check_files(runs_dir)
        code = process.wait()
        _check_orphans(runs_dir)
        check_files(runs_dir)
        if code == 0:
            if kills.total() < n_kills:
                raise SystemExit(f"The sweep was done after {kills.total()} kills; give more points or shorter times.")
            return kills, attempts
        if attempts > 3 * n_kills + 5:
            raise SystemExit(f"The sweep did not come to an end in {attempts} starts.")


def differences(runs_dir: Path, reference: Path, n_points: int) -> list[str]:
    """What sets the runs of two folders apart: their number, their metrics, their curves and their predictions."""
    runs, others = (sorted(path.parent for path in top.glob("default/*/status.json")) for top in (runs_dir, reference))
    if [path.name for path in runs] != [path.name for path in others] or len(runs) != n_points:
        return [f"{len(runs)} and {len(others)} run folders instead of {n_points}, or others"]
    wrong = []
    for run, other in zip(runs, others, strict=True):
        state = json.loads((run / "status.json").read_text())["state"]
        if state != "finished":
            wrong.append(f"{run}: {state}")
            continue
        metrics, expected = (json.loads((path / "metrics.json").read_text()) for path in (run, other))
        for part in ("training", "val", "test"):
            for stored in (metrics, expected):
                stored[part].pop("seconds", None)
            if metrics[part] != expected[part]:
                wrong.append(f"{run}: other {part} metrics")
        for name in ("metrics.csv", "predictions.csv"):
            if not pd.read_csv(run / name).equals(pd.read_csv(other / name)):
                wrong.append(f"{run}: another {name}")
    return wrong


def check_files(runs_dir: Path) -> None:
    """Read everything that has its final name; a file of which only a part was written cannot be read."""
    for path in runs_dir.rglob("*"):
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".yaml":
            assert yaml.safe_load(path.read_text()) is not None, path
        elif path.suffix == ".ckpt":
            # A checkpoint is a zip archive, whose directory is written last.
            assert path.read_bytes()[-22:-18] == b"PK\x05\x06", path


def _stays(process: subprocess.Popen, seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _kill(parent: int, target: str, rng: random.Random) -> bool:
    """Send the signal; False where there is no such process at the moment."""
    below, workers = descendants(parent), _workers(parent)
    victims = {"worker": workers and [rng.choice(workers)], "parent": [parent], "tree": [parent, *below]}[target]
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(victims)


def _workers(parent: int) -> list[int]:
    return [pid for pid in descendants(parent) if "--worker" in _words(pid)]


def descendants(parent: int) -> list[int]:
    """Processes below a process."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                above = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(above, []).append(int(path.name))
    found, todo = [], [parent]
    while todo:
        more = children.get(todo.pop(), [])
        found += more
        todo += more
    return found


def _words(pid: int) -> list[str]:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text().split("\0")
    except OSError:
        return []


def _check_orphans(runs_dir: Path) -> None:
    """Wait until no process names the runs, which must not take long."""
    deadline = time.monotonic() + ORPHAN_S
    while True:
        left = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        left = [pid for pid in left if any(str(runs_dir) in word for word in _words(pid))]
        left = [pid for pid in left if pid != os.getpid()]
        if not left:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"Processes {left} outlived the sweep by {ORPHAN_S:g} s.")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
