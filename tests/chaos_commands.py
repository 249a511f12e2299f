"""Kill the commands that make or read runs at random moments and repeat them; they must end as undisturbed ones do.

    python tests/chaos_commands.py FOLDER [--kills 40] [--seed 1] [--data-dir data] [--forked] [--only evaluate ...]

Every kill is a ``kill -9`` of the command with all that it started, or of the command alone, after a random part of the
time that it takes undisturbed. Whatever has its final name must be whole then, and no process may be left. Once all
kills are done the same command goes to its end: what it wrote must be what an undisturbed one wrote, and nothing
hidden may lie beside it. A short version is among the tests (``tests/runs/integrity/test_commands_chaos.py``).
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "runs"))
sys.path.insert(0, str(ROOT / "tests"))

import ready_python  # noqa: E402
from chaos_data import Fork, forget_main  # noqa: E402
from chaos_sweep import check_files, descendants  # noqa: E402
from full_disk import do_here, import_all  # noqa: E402
from tiny_runs import CLUSTERED, SMALL, TINY, write_small_atlas  # noqa: E402

ORPHAN_S = 20.0
"""How long a process may outlive its command."""
VOLATILE = ("seconds", "started", "ended", "created", "host", "pid", "attempts", "seconds_before", "command", "out")
"""What differs between two runs of one command: times, machines, processes."""
MANIFESTS = ("manifest.json", "environment.json", "status.json", "train.log", "known_events.csv")
"""Files that name times or places."""
Say = Callable[[str], object]


@dataclass(frozen=True)
class Command:
    """A command on the runs in a folder.

    Args:
        words: after the interpreter; ``{runs}`` stands for the folder of runs, ``{out}`` for that of results, and
            ``{conf}`` for one of configurations.
        needs: commands whose results it starts from; done undisturbed.
        atlas: overrides of the runs of a small preset of the Atlas, where the command needs one.
    """

    words: list[str]
    needs: list[list[str]] = field(default_factory=list)
    atlas: list[str] | None = None


def tiny(data_dir: str, *more: str) -> list[str]:
    """A training of seconds."""
    return [
        "train.py",
        *TINY,
        *SMALL,
        f"system.data_dir={data_dir}",
        "system.runs_dir={runs}",
        "trainer.accelerator=cpu",
        *more,
    ]


def commands(data_dir: str) -> dict[str, Command]:
    """The commands that are disturbed, by name."""
    run = tiny(data_dir, "name=one")
    pair = tiny(data_dir, "-m", "name=several", "seed=1,2", "trainer.max_epochs=1")
    clusters = tiny(data_dir, *CLUSTERED, "-m", "name=clusters", "task.k=2,3", "trainer.max_epochs=1")
    folders = [f"system.data_dir={data_dir}", "system.runs_dir={out}", "system.num_workers=0", "accelerator=cpu"]
    two = ["trainer=ddp", "trainer.devices=2", "trainer.max_epochs=2"]
    return {
        "evaluate": Command(["evaluate.py", "ckpt={runs}/one", *folders], [run]),
        "ensemble": Command(["evaluate.py", "ckpt={runs}/several", *folders], [pair]),
        "compare": Command(["-m", "seisvision.cli", "compare", "{runs}/several", "--out", "{out}/report.html"], [pair]),
        "explain": Command(
            ["-m", "seisvision.cli", "explain", "{runs}/one", "--samples", "6", "--data-dir", data_dir], [run]
        ),
        "clusters": Command(
            ["-m", "seisvision.cli", "clusters", "{runs}/clusters", "--out", "{out}/clusters"], [clusters]
        ),
        "train": Command(tiny(data_dir, "name=trained")),
        "train_clusters": Command(tiny(data_dir, *CLUSTERED, "name=trained", "task.k=3")),
        "sweep": Command(tiny(data_dir, "-m", "name=swept", "seed=1,2", *two)),
        "atlas": Command(
            [
                *("-m", "seisvision.cli", "atlas", "--preset", "small", "--conf", "{conf}"),
                *(f"system.data_dir={data_dir}", "system.runs_dir={runs}"),
            ],
            atlas=[*TINY, *SMALL, "trainer.accelerator=cpu"],
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where runs and results go")
    parser.add_argument("--kills", type=int, default=40, help="of all commands together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--only", nargs="*", help="names of commands (default all)")
    parser.add_argument("--forked", action="store_true", help="spend no time on imports: kill forks of this process")
    asked = parser.parse_args()
    if asked.forked:
        os.environ.update(_environment())
        import_all()
    known = commands(str(Path(asked.data_dir).resolve()))
    names = asked.only or list(known)
    rng, wrong, started = random.Random(asked.seed), [], time.monotonic()
    for number, name in enumerate(names):
        n_kills = asked.kills // len(names) + (number < asked.kills % len(names))
        wrong += disturb(known[name], asked.folder.resolve() / name, n_kills, rng, _say, forked=asked.forked)
    print("\n".join(wrong) or f"all {len(names)} commands ended as undisturbed ones do")
    print(f"{asked.kills} kills, {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


def disturb(
    command: Command,
    folder: Path,
    n_kills: int,
    rng: random.Random,
    say: Say = print,
    runs: Path | None = None,
    *,
    forked: bool = False,
) -> list[str]:
    """Do a command undisturbed, then with kills, and say in what the results differ; nothing where they do not.

    Args:
        command: what is killed.
        folder: where runs and results go; emptied first.
        n_kills: how often.
        rng: draws the moments.
        say: takes a line for each kill.
        runs: runs that are there already, instead of those of ``command.needs``.
        forked: kill forks of this process, which have imported everything, instead of commands of their own.
    """
    start = _fork if forked else _start
    calm, wild = folder / "undisturbed", folder / "disturbed"
    shutil.rmtree(folder, ignore_errors=True)
    if runs is not None:
        shutil.copytree(runs, calm / "runs")
    for words in command.needs:
        _finish(words, calm)
    if command.atlas is not None:
        write_small_atlas(calm / "conf", command.atlas)
    calm.mkdir(parents=True, exist_ok=True)
    shutil.copytree(calm, wild)
    started = time.monotonic()
    if start(command.words, calm).wait():
        # Once more, to hear why.
        _finish(command.words, calm)
    takes_s = time.monotonic() - started
    say(f"{folder.name}: takes {takes_s:.1f} s")
    done = 0
    while done < n_kills:
        if not _killed(start(command.words, wild), wild, rng.uniform(0.05, 0.95) * takes_s, rng):
            # It came to its end first: from the beginning, as far as there is one.
            say(f"{folder.name}: was done before kill {done + 1}")
            _begin_again(wild, command)
        done += 1
        say(f"{folder.name}: kill {done} of {n_kills}")
    _finish(command.words, wild)
    return [f"{folder.name}: {line}" for line in (*differences(wild, calm), *left_behind(wild))]


def _begin_again(wild: Path, command: Command) -> None:
    """Take away what a command made, where it was done before it could be killed."""
    shutil.rmtree(wild / "out", ignore_errors=True)
    if not command.needs:
        shutil.rmtree(wild / "runs", ignore_errors=True)


def _words(words: Sequence[str], folder: Path) -> list[str]:
    runs, out = folder / "runs", folder / "out"
    out.mkdir(parents=True, exist_ok=True)
    places = {"{runs}": runs, "{out}": out, "{conf}": folder / "conf"}
    filled = list(words)
    for name, place in places.items():
        filled = [word.replace(name, str(place)) for word in filled]
    # The folder of a single run is known only when it was made.
    return [sys.executable, *(_single(word, runs) for word in filled)]


def _single(word: str, runs: Path) -> str:
    if word.removeprefix("ckpt=") != str(runs / "one") or not (runs / "one").is_dir():
        return word
    return f"{word}/{next(path.name for path in (runs / 'one').iterdir() if path.is_dir())}"


def _finish(words: Sequence[str], folder: Path) -> None:
    done = ready_python.run(_words(words, folder), cwd=ROOT, env=_environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")


def _environment() -> dict[str, str]:
    paths = [str(ROOT), str(ROOT / "tests" / "runs"), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    own = {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "SEISVISION_ALLOWED_TARGETS": "model_of_ones_own."}
    return {**os.environ, **own}


class _Fork(Fork):
    """A command in a fork of this process."""

    def __init__(self, words: Sequence[str], folder: Path) -> None:
        self.pid = os.fork()
        if self.pid:
            return
        code: Any = 3
        forget_main()
        try:
            os.chdir(ROOT)
            null = os.open(os.devnull, os.O_WRONLY)
            for number in (1, 2):
                os.dup2(null, number)
            program, *asked = _words(words, folder)[1:]
            # ``do_here`` knows programs by their files, and all else as commands of ``seisvision``.
            code = do_here([program, *asked] if program != "-m" else asked[1:])
        except SystemExit as end:
            code = end.code or 0
        finally:
            os._exit(code)


def _fork(words: Sequence[str], folder: Path) -> Any:
    return _Fork(words, folder)


def _start(words: Sequence[str], folder: Path) -> Any:
    return ready_python.Ready(
        _words(words, folder), cwd=ROOT, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _killed(process: Any, folder: Path, after_s: float, rng: random.Random) -> bool:
    """Kill a command after some time; False where it ended before."""
    try:
        process.wait(after_s)
        return False
    except subprocess.TimeoutExpired:
        pass
    below = descendants(process.pid)
    for pid in [process.pid, *(below if rng.random() < 0.5 else [])]:
        _kill(pid)
    process.wait()
    _check_orphans(below)
    check_files(folder)
    return True


def _say(text: str) -> None:
    print(text, flush=True)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 9)


def _check_orphans(below: Sequence[int]) -> None:
    """Wait until what the command had started is gone."""
    deadline = time.monotonic() + ORPHAN_S
    while left := [pid for pid in below if _is_alive(pid)]:
        if time.monotonic() > deadline:
            for pid in left:
                _kill(pid)
            raise SystemExit(f"Processes {left} outlived their command by {ORPHAN_S:g} s.")
        time.sleep(0.2)


def _is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def left_behind(folder: Path) -> list[str]:
    """Hidden and temporary files, locks among them."""
    hidden = [path for path in folder.rglob("*") if path.name.startswith(".")]
    hidden += list(folder.rglob("*.tmp"))
    return [f"left behind: {path.relative_to(folder)}" for path in hidden]


def differences(folder: Path, reference: Path) -> list[str]:
    """Files that only one folder has, and tables and metrics whose content differs."""
    names, expected = (_files(top) for top in (folder, reference))
    wrong = [f"only disturbed: {name}" for name in sorted(names - expected)]
    wrong += [f"missing: {name}" for name in sorted(expected - names)]
    for name in sorted(names & expected):
        if Path(name).name not in MANIFESTS and _content(folder, name) != _content(reference, name):
            wrong.append(f"another {name}")
    return wrong


def _files(top: Path) -> set[str]:
    return {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file() and path.name[0] != "."}


def _content(top: Path, name: str) -> Any:
    """What of a file must be the same: plain values without times and places; of other files that they are there."""
    path = top / name
    if path.suffix == ".json":
        return _plain(json.loads(path.read_text()), str(top))
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        kept = [
            i
            for i, head in enumerate(rows[0])
            if head not in VOLATILE and "seconds" not in head and "per_s" not in head
        ]
        return [[_shown(row[i], str(top)) for i in kept if i < len(row)] for row in rows]
    return None


def _plain(node: Any, place: str) -> Any:
    if isinstance(node, dict):
        return {key: _plain(value, place) for key, value in node.items() if key not in VOLATILE}
    if isinstance(node, list):
        return [_plain(value, place) for value in node]
    return _shown(node, place) if isinstance(node, str) else repr(node)


def _shown(text: str, place: str) -> str:
    """Text without the folder, which also the runs that were copied from the undisturbed one name."""
    for name in ("disturbed", "undisturbed"):
        text = text.replace(str(Path(place).with_name(name)), "")
    return text


if __name__ == "__main__":
    sys.exit(main())
