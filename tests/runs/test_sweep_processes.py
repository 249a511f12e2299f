"""Sweeps whose runs are processes of their own: nothing is imported to skip them, and no end goes unnoticed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import ready_python
from tiny_runs import ROOT, TINY, tiny_config

from seisvision.records.folder import FAILED, INTERRUPTED, PENDING, RUNNING
from seisvision.reports.comparing.collect import collect
from seisvision.runs.ensure import identify
from seisvision.sweeps.local import ParallelLauncher


def test_the_command_keeps_a_table_and_skips_finished_points_without_torch(data_dir: Path, tmp_path: Path) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", "trainer.max_epochs=1", "run.test=false"]
    command = [sys.executable, str(ROOT / "train.py"), "-m", *TINY, *folders, "sweep=seeds", "seed=1,2"]
    done = ready_python.run([*command, "launcher=local_parallel"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.splitlines()[-1])
    assert path.parent == tmp_path / "default" / "sweeps"
    stored = json.loads((path / "sweep.json").read_text())
    assert [point["overrides"][-1] for point in stored["points"]] == ["seed=1", "seed=2"]
    assert (path / "comparison.txt").read_text().count("resnet18 (seed") >= 2
    runs, left_out, _ = collect([str(path)])
    assert len(runs) == 2 and not left_out

    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'torch', 'pytorch_lightning', 'obspy', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    again = subprocess.run([sys.executable, "-c", code, *command[1:]], capture_output=True, text=True, cwd=ROOT)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("is finished") == 2 and again.stdout.splitlines()[-1] == str(path)


def test_a_worker_that_is_killed_is_a_failed_point_and_ctrl_c_stops_the_others(data_dir: Path, tmp_path: Path) -> None:
    launcher = ParallelLauncher(n_jobs=2)
    folders = []
    for seed in (1, 2):
        config = tiny_config(data_dir, tmp_path, f"seed={seed}", "trainer.max_epochs=500", "run.test=false")
        folders.append(identify(config))
        folders[-1].prepare(config, [])
    doing = launcher.run(folders)
    victim, other = folders
    command = (
        "import os, signal, sys, time, json, pathlib\n"
        "a, b = map(pathlib.Path, sys.argv[1:])\n"
        "while not all((one / 'checkpoints/last.ckpt').exists() for one in (a, b)): time.sleep(0.2)\n"
        "os.kill(json.loads((a / 'status.json').read_text())['pid'], signal.SIGKILL)"
    )
    killer = subprocess.Popen([sys.executable, "-c", command, str(victim.path), str(other.path)])
    assert next(doing).path == victim.path
    assert killer.wait() == 0
    assert victim.status()["state"] == FAILED and "signal 9" in victim.status()["error"]
    assert other.status()["state"] == RUNNING
    pid = other.status()["pid"]
    with pytest.raises(KeyboardInterrupt):
        doing.throw(KeyboardInterrupt)
    assert other.status()["state"] == INTERRUPTED and other.last_checkpoint.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_ctrl_c_stops_the_sweep_after_the_checkpoint(data_dir: Path, tmp_path: Path) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", "trainer.max_epochs=500"]
    command = [sys.executable, str(ROOT / "train.py"), "-m", *TINY, *folders, "seed=1,2,3", "launcher=local_parallel"]
    process = ready_python.Ready(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    deadline = time.monotonic() + 300
    while len(list(tmp_path.glob("default/*/checkpoints/last.ckpt"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130 and "The same command resumes." in said
    (path,) = (tmp_path / "default" / "sweeps").iterdir()
    states = pd.read_csv(path / "points.csv")["state"].tolist()
    assert states == [INTERRUPTED, INTERRUPTED, PENDING]
