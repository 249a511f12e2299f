"""Kill commands on data at random and repeat them; what they leave must be what undisturbed ones leave.

    python tests/chaos_data.py FOLDER [--kills 60] [--only import merge ...] [--seed 1] [--events 12] [--forked]

Every kill is a ``kill -9`` of the command, or of it and all processes below it, at a random moment of its usual time.
After each one the set in question must be absent, the old one or the new one, whole and with its list of rejections. In
the end the same command must leave the files of an undisturbed one, and no process, lock or hidden folder beside them.
A short version is among the tests (``tests/data/test_data_chaos.py``).
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "data")]

import ready_python  # noqa: E402
from recorded_trees import write_tree  # noqa: E402
from small_fetches import make_centre, settings, start_server  # noqa: E402
from small_sets import write_set  # noqa: E402

MARK = "SEISVISION_CHAOS"
ORPHAN_S = 20.0
"""How long a process may outlive the command that was killed: one that just starts ends once it has imported all."""
MOST_STARTS = 4
"""Starts that a scenario may need after its last kill."""
DONE_ALREADY = "exists already"


@dataclass(frozen=True)
class Scenario:
    """A command on data.

    Args:
        words: the command, given the folder of a scenario.
        sets: names of what it makes in that folder.
        prepare: lays out what it needs in the folder.
    """

    words: Callable[[Path], list[str]]
    sets: tuple[str, ...]
    prepare: Callable[[Path], object] = lambda folder: None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything goes; must not be there yet")
    parser.add_argument("--kills", type=int, default=60, help="in all")
    parser.add_argument("--only", nargs="+", help="names of scenarios")
    parser.add_argument("--events", type=int, default=12, help="of the imports")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--forked", action="store_true", help="spend no time on imports: kill forks of this process")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    with scenarios(asked.folder / "inputs", asked.events) as known:
        chosen = {name: known[name] for name in asked.only or known}
        wrong = []
        for number, (name, scenario) in enumerate(chosen.items()):
            n_kills = asked.kills * (number + 1) // len(chosen) - asked.kills * number // len(chosen)
            started = time.monotonic()
            rng = random.Random(f"{asked.seed} {name}")
            found = campaign(scenario, asked.folder / name, n_kills, rng, _say, forked=asked.forked)
            seconds = time.monotonic() - started
            print(f"{name}: {n_kills} kills, {seconds:.0f} s, {len(found)} faults", *found, flush=True)
            wrong += [f"{name}: {fault}" for fault in found]
    print("\n".join(wrong) or f"{asked.kills} kills: everything as an undisturbed command leaves it")
    return 1 if wrong else 0


@contextlib.contextmanager
def scenarios(inputs: Path, n_events: int, with_fetch: bool = True) -> Iterator[dict[str, Scenario]]:
    """All commands, by name; a data centre for the fetch serves on the loopback as long as the block lasts."""
    tree = write_tree(inputs / "tree", n_events)
    # One that is unpacked to a temporary folder, and one that belongs to nothing.
    first = tree / "waveforms" / "ev0.mseed"
    (tree / "waveforms" / "ev0.mseed.gz").write_bytes(gzip.compress(first.read_bytes()))
    first.rename(tree / "waveforms" / "stray.mseed")
    given = ["data", "import", "--waveforms", str(tree / "waveforms"), "--events", str(tree / "events.csv")]
    given += ["--stations", str(tree / "stations.csv"), "--set", "name=chaos"]

    def importing(folder: Path, *more: str) -> list[str]:
        return [*given, "--out", str(folder / "set"), *more]

    def shard(folder: Path, index: int) -> list[str]:
        return importing(folder, "--shard", f"{index}/3")

    def old(folder: Path) -> None:
        write_set(folder / "set", 5)

    def make_shards(folder: Path) -> None:
        for index in (1, 2, 3):
            assert _fork(shard(folder, index), folder, "").wait() == 0

    def merge(folder: Path, *more: str) -> list[str]:
        return ["data", "merge", str(folder / "set.shards"), *more]

    known = {
        "import": Scenario(importing, ("set",)),
        "import_workers": Scenario(lambda folder: importing(folder, "--workers", "2"), ("set",)),
        "import_overwrite": Scenario(lambda folder: importing(folder, "--overwrite"), ("set",), old),
        "shard": Scenario(lambda folder: shard(folder, 2), ("set.shards/0002-of-0003",)),
        "merge": Scenario(merge, ("set",), make_shards),
        "merge_overwrite": Scenario(
            lambda folder: merge(folder, "--overwrite"), ("set",), lambda folder: (make_shards(folder), old(folder))
        ),
        "synth": Scenario(
            lambda folder: [
                *("data", "synth", "--n-events", "6", "--n-stations", "3", "4", "--length-s", "600"),
                *("--processes", "2", "--data-dir", str(folder / "data")),
            ],
            (),
        ),
        "audit": Scenario(lambda folder: ["data", "audit", str(folder / "set"), "--strict"], ("set",), old),
    }
    if not with_fetch:
        yield known
        return
    server = start_server(inputs / "server")
    centre = make_centre(server)
    recipe = inputs / "loop.yaml"
    recipe.write_text(yaml.safe_dump(settings(centre, requests={"timeout_s": 3.0})))
    known["fetch"] = Scenario(lambda folder: ["data", "fetch", str(recipe), "--out", str(folder / "set")], ("set",))
    try:
        yield known
    finally:
        centre.close()
        server.close()


def campaign(
    scenario: Scenario,
    folder: Path,
    n_kills: int,
    rng: random.Random,
    say: Callable[[str], object] = lambda text: None,
    *,
    forked: bool = False,
) -> list[str]:
    """Do a command undisturbed in one folder and disturbed in another; returns what sets them apart.

    Args:
        scenario: the command.
        folder: where the two folders are made.
        n_kills: times that it is killed.
        rng: draws the moments.
        say: told how far it is.
        forked: kill forks of this process, which have imported everything, instead of commands of their own.
    """
    start = _fork if forked else _start
    for name in ("undisturbed", "disturbed"):
        (folder / name / "tmp").mkdir(parents=True)
        scenario.prepare(folder / name)
    before = {name: state(folder / "disturbed" / name) for name in scenario.sets}
    if forked:
        import seisvision.data.audit.audit
        import seisvision.data.fetching.fetcher
        import seisvision.data.importing.shards
        import seisvision.data.importing.summary  # noqa: F401
    started = time.monotonic()
    code = start(scenario.words(folder / "undisturbed"), folder / "undisturbed", "").wait()
    usual_s = time.monotonic() - started
    if code != 0:
        return [f"undisturbed it ends with {code}: {run(scenario.words(folder / 'undisturbed'), folder)}"]
    wanted = {name: state(folder / "undisturbed" / name) for name in scenario.sets}
    wrong: list[str] = []
    n_killed = n_starts = 0
    while n_killed < n_kills and n_starts < 3 * n_kills + MOST_STARTS:
        n_starts += 1
        # The first part of a command is spent on imports; half of the kills are in what comes after.
        first = rng.choice([0.0, 0.6]) * usual_s
        mark, begun = uuid.uuid4().hex, time.monotonic()
        process = start(scenario.words(folder / "disturbed"), folder / "disturbed", mark)
        if not killed(process, mark, rng.uniform(first, usual_s), rng, wrong):
            # It came to its end; once more from the beginning.
            usual_s = min(usual_s, max(time.monotonic() - begun, 0.05))
            wrong += differences(folder / "disturbed", folder / "undisturbed")
            shutil.rmtree(folder / "disturbed")
            (folder / "disturbed" / "tmp").mkdir(parents=True)
            scenario.prepare(folder / "disturbed")
            continue
        n_killed += 1
        say(f"  kill {n_killed} after {time.monotonic() - begun:.2f} s of {usual_s:.2f}, {len(wrong)} faults")
        for name in scenario.sets:
            now = state(folder / "disturbed" / name)
            if now not in (before[name], wanted[name]):
                wrong.append(f"kill {n_killed}: {name} is neither the old nor the new set: {short(now)}")
    if n_killed < n_kills:
        wrong.append(f"killed {n_killed} times only, in {n_starts} starts")
    say(f"  {n_killed} kills in {n_starts} starts of {usual_s:.1f} s")
    ended = run(scenario.words(folder / "disturbed"), folder / "disturbed")
    if ended.returncode != 0 and DONE_ALREADY not in ended.stderr:
        wrong.append(f"the command ended with {ended.returncode}: {ended.stderr[-500:]}")
    return wrong + differences(folder / "disturbed", folder / "undisturbed")


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Do a command in one go."""
    with ready_python.Ready(**_process(words, folder), stderr=subprocess.PIPE, text=True) as process:
        _, stderr = process.communicate()
    return subprocess.CompletedProcess(words, process.returncode, stderr=stderr)


class Fork:
    """A command in a fork of this process; waits as ``subprocess.Popen`` does."""

    def __init__(self, words: list[str], folder: Path, mark: str) -> None:
        from seisvision.cli import main

        self.pid = os.fork()
        if self.pid:
            return
        code = 3
        forget_main()
        try:
            os.environ.update(_process(words, folder, mark)["env"])
            tempfile.tempdir = str(folder / "tmp")
            null = os.open(os.devnull, os.O_WRONLY)
            for number in (1, 2):
                os.dup2(null, number)
            code = main(words)
        finally:
            os._exit(code)

    def wait(self, seconds: float = float("inf")) -> int:
        """Exit code; raises ``subprocess.TimeoutExpired`` where the command is not done by then."""
        deadline = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("fork", seconds)
            time.sleep(0.002)


def forget_main() -> None:
    """Let workers of a fork import what those of the command do, and not this campaign, which takes them seconds."""
    sys.modules["__main__"] = types.ModuleType("__main__")


def _fork(words: list[str], folder: Path, mark: str) -> Fork:
    return Fork(words, folder, mark)


def _start(words: list[str], folder: Path, mark: str) -> subprocess.Popen:
    return ready_python.Ready(**_process(words, folder, mark), stderr=subprocess.DEVNULL)


def killed(process: Any, mark: str, after_s: float, rng: random.Random, wrong: list[str]) -> bool:
    """Kill a command, or it and all below it, after some time; False where it ended before.

    Processes that stay behind are added to ``wrong``.
    """
    try:
        process.wait(after_s)
        return False
    except subprocess.TimeoutExpired:
        victims = rng.choice([[process.pid], [process.pid, *marked(mark)]])
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    wrong += _orphans(mark)
    return True


def _process(words: list[str], folder: Path, mark: str = "") -> dict[str, Any]:
    # The log of what is used of the system would otherwise tell one run from another.
    environment = os.environ | {MARK: mark, "TMPDIR": str(folder / "tmp"), "PYTHONPATH": str(ROOT)}
    environment |= {"XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "seisvision.cli", *words]
    return {"args": command, "cwd": ROOT, "env": environment, "stdout": subprocess.DEVNULL, "start_new_session": True}


def marked(mark: str) -> list[int]:
    """Processes that bear a mark in their environment, as all below a command do."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
    return found


def _orphans(mark: str) -> list[str]:
    """Wait until no process bears the mark, which must not take long; what is left then is told, and ended."""
    deadline = time.monotonic() + ORPHAN_S
    while left := marked(mark):
        if time.monotonic() > deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return [f"{len(left)} processes outlived their command by {ORPHAN_S:g} s"]
        time.sleep(0.1)
    return []


def state(path: Path) -> dict[str, Any]:
    """What a set holds, to compare; {} where it is not there. Times and lengths of work are left out."""
    if not path.is_dir():
        return {}
    kept: dict[str, Any] = {}
    for file in sorted(path.iterdir()):
        if file.suffix == ".hdf5":
            kept[file.name] = _arrays(file)
        elif file.name == "card.json":
            card = json.loads(file.read_text())
            told = ("name", "counts", "fingerprint", "unit", "component_order")
            kept[file.name] = {key: card.get(key) for key in told}
            kept[file.name]["n_files"] = len(card.get("files", ()))
        elif file.is_file() and not file.name.startswith("."):
            kept[file.name] = file.read_text()
    return kept


def _arrays(path: Path) -> dict[str, str]:
    arrays: dict[str, str] = {}

    def add(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = str(item[()]) if item.shape == () else np.asarray(item).tobytes().hex()

    with h5py.File(path, "r") as file:
        file.visititems(add)
    return arrays


def _say(text: str) -> None:
    print(text, flush=True)


def short(now: dict[str, Any]) -> str:
    return ", ".join(now) or "nothing"


def differences(folder: Path, other: Path) -> list[str]:
    """What sets two folders apart: the names of their files, hidden ones too, their sets and their tables."""
    names = [sorted(str(path.relative_to(top)) for path in top.rglob("*")) for top in (folder, other)]
    # Answers to a fetch that were under way are asked for again, and their requests are told twice.
    wrong = [f"{name} is in one only" for name in sorted(set(names[0]) ^ set(names[1]))]
    for card in other.rglob("card.json"):
        path = card.parent.relative_to(other)
        if state(folder / path) != state(other / path):
            wrong.append(f"{path} differs")
    for table in other.rglob("*.csv"):
        path = table.relative_to(other)
        same = table.name == "requests.csv" or not (folder / path).is_file()
        if not same and not pd.read_csv(folder / path).equals(pd.read_csv(table)):
            wrong.append(f"{path} differs")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
