"""Commands whose reader has gone, as ``| head -1`` goes: quiet, no fault, and the work is done all the same."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ready_python
from fake_cluster_runs import make_run, three_groups
from fake_runs import fake_run
from tiny_runs import ROOT, TINY

from seisvision.records.folder import RunFolder
from seisvision.records.sweeps.folder import StoredPoint, SweepFolder
from seisvision.sweeps.report import SweepReport

sys.path.insert(0, str(ROOT / "tests" / "data"))
from small_sets import write_set


@contextlib.contextmanager
def no_reader() -> Iterator[int]:
    """The end of a pipe into which one writes, and nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


def done_unread(*words: str, merged: bool = False) -> tuple[int, str]:
    """Exit code of a command and what it said on standard error; ``merged`` sends that into the pipe as well."""
    program = [str(ROOT / words[0])] if words[0].endswith(".py") else ["-m", "seisvision.cli", words[0]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with no_reader() as pipe:
        errors = subprocess.STDOUT if merged else subprocess.PIPE
        done = ready_python.run(
            [sys.executable, *program, *words[1:]], stdout=pipe, stderr=errors, text=True, env=environment
        )
    return done.returncode, done.stderr or ""


def is_quiet(said: str) -> bool:
    return not any(word in said for word in ("Traceback", "BrokenPipe", "Broken pipe", "fault of", "Exception ignored"))


def runs(folder: Path) -> Path:
    for number in range(2):
        fake_run(folder / "runs" / str(number), {"optimizer.lr": 0.1**number}, skill=0.4 + 0.4 * number)
    return folder / "runs"


def sweep(folder: Path) -> Path:
    made = [RunFolder(path) for path in sorted(runs(folder).iterdir())]
    path = folder / "sweep"
    path.mkdir()
    found = SweepFolder(path)
    monitor = ["val/source_type_loss", "min"]
    points = [StoredPoint(i, ["a=1"], found.relative(one), None, monitor, 3) for i, one in enumerate(made, start=1)]
    found.describe({}, points)
    SweepReport(found).update(at_once=True)
    return path


def groups(folder: Path) -> Path:
    for k in (2, 3):
        make_run(folder / "runs" / str(k), three_groups(60)[0], k, 1)
    return folder / "runs"


def distances(folder: Path) -> Path:
    head = "event_id,station_latitude_deg,station_longitude_deg,offset_km\n"
    rows = [f"e,{2 * (i % 2)},{2 * (i // 2)},157.0\n" for i in range(4)]
    (folder / "obs.csv").write_text(head + "".join(rows))
    return folder / "obs.csv"


COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "help": lambda folder: ["data", "--help"],
    "help of a training": lambda folder: ["train.py", "--help"],
    "configuration": lambda folder: ["train.py", "--cfg", "job"],
    "card": lambda folder: ["data", "card", str(write_set(folder / "set", 2).path)],
    "audit": lambda folder: ["data", "audit", str(write_set(folder / "set", 24).path), "--out", f"{folder}/out"],
    "compare": lambda folder: ["compare", str(runs(folder)), "--out", f"{folder}/out/report.html"],
    "clusters": lambda folder: ["clusters", str(groups(folder)), "--out", f"{folder}/out"],
    "check": lambda folder: ["runs", "check", str(runs(folder))],
    "status": lambda folder: ["sweep", "status", str(sweep(folder))],
    "best": lambda folder: ["sweep", "best", str(sweep(folder))],
    "locate": lambda folder: ["locate", str(distances(folder)), "--out", f"{folder}/out/places.csv"],
}
WRITTEN = {
    "audit": "audit.html", "compare": "report.html", "clusters": "clusters.html", "locate": "places.csv",
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_nobody_reads_is_quiet_and_does_its_work(name: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    code, said = done_unread(*COMMANDS[name](tmp_path))
    assert code == 0 and is_quiet(said), (code, said)
    assert name not in WRITTEN or (tmp_path / "out" / WRITTEN[name]).stat().st_size


def test_scripts_that_nobody_reads(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="launcher=slurm is an extra")
    folders = [f"system.data_dir={tmp_path}/data", f"system.runs_dir={tmp_path}/runs"]
    words = ["-m", "seed=1,2", *TINY, *folders, "launcher=slurm", "launcher.dry_run=true"]
    code, said = done_unread("train.py", *words)
    assert code == 0 and is_quiet(said), (code, said)


def test_a_run_whose_results_nobody_reads_is_finished(data_dir: Path, tmp_path: Path) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", "trainer.max_epochs=1"]
    code, said = done_unread("train.py", *TINY, *folders)
    (folder,) = (path.parent for path in tmp_path.rglob("status.json"))
    assert code == 0 and is_quiet(said), (code, said)
    assert RunFolder(folder).status()["state"] == "finished"
    again, said = done_unread("evaluate.py", f"ckpt={folder}", *folders[:2], "accelerator=cpu", merged=True)
    assert again == 0 and said == ""


def test_an_error_is_told_and_has_its_code_where_results_are_unread(tmp_path: Path) -> None:
    code, said = done_unread("data", "card", str(tmp_path / "nowhere"))
    assert code == 1 and said.startswith("Error: ") and len(said.splitlines()) == 1
    flat = write_set(tmp_path / "set", 24).path
    assert done_unread("data", "audit", str(flat), "--out", str(flat / "metadata.csv" / "y"))[0] == 2
