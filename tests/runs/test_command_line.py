"""The commands as a person uses them: one clear message and an exit code for every mistake."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ready_python
from tiny_runs import ROOT, TINY

pytestmark = [pytest.mark.whole_networks, pytest.mark.whole_figures]


def _run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / program), *arguments]
    return ready_python.run(command, capture_output=True, text=True, env={**os.environ, **environment}, cwd=ROOT)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["modle=resnet18"], "Did you mean 'model'?"),
        (["optimizer.learning=1"], "there is no 'learning' in 'optimizer'"),
        (["model=resnet999"], "model=resnet999 does not exist. Did you mean"),
        (["seed=1", "-m", "model=resnet18,resnet180"], "Did you mean 'resnet18'?"),
        (["task.outputs=[{name: depth}]"], "Outputs of a task are no list any more but are called by name"),
        (["sweep=kfold"], "sweep=kfold is a sweep; add -m"),
        (["sweep=optuna"], "sweep=optuna is a sweep; add -m"),
        (["sweep=paired"], "sweep=paired is a sweep; add -m"),
        (["+sweep.over.seed=[1,2]"], "sweep.over is a sweep; add -m"),
        (["dataset=folder"], "dataset.source.path"),
        (["model._target_=os.getcwd"], "model._target_=os.getcwd is not allowed"),
        (["optimizer.lr=-1"], "optimizer.lr=-1 is not allowed"),
        (["trainer.batch_size=abc"], "trainer.batch_size=abc is not allowed; give a whole number of at least 1"),
        (["dataset.source.classes=[tectonik,glacial]"], "Did you mean 'tectonic'?"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_misuse_is_answered_in_one_message(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = _run("train.py", *arguments, f"system.runs_dir={tmp_path}")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 3


def test_a_missing_set_is_named_with_what_to_do(tmp_path: Path) -> None:
    folder = ["dataset=folder", "dataset.source.path=nowhere", "dataset.labels.source_type={a: [x], b: [y]}"]
    done = _run("train.py", *folder, "dataset.samples.window.length_s=60", f"system.runs_dir={tmp_path}")
    assert done.returncode == 1
    assert "nowhere" in done.stderr and "seisvision data" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sweep_shows_a_table_survives_a_bad_point_and_is_free_the_second_time(data_dir: Path, tmp_path: Path) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", "trainer.max_epochs=1"]
    sweep = ["-m", *TINY, *folders, "model=resnet18,resnet34"]
    done = _run("train.py", *sweep)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.splitlines()[-1])
    assert folder.parent == tmp_path / "default" / "sweeps"
    table = (folder / "comparison.txt").read_text()
    assert "11,177,538" in table and "21,285,698" in table

    started = time.monotonic()
    again = _run("train.py", *sweep, "view.height=32,0")
    assert time.monotonic() - started < 60
    assert again.returncode == 1
    assert again.stderr.count("is finished") == 2
    assert again.stderr.count("\nError: ") == 2 and "view.height=0 is not allowed" in again.stderr
    assert "11,177,538" in again.stdout


def test_help_and_version_are_cheap() -> None:
    code = (
        "import sys; sys.argv = ['train.py', '--cfg', 'job']; import runpy\n"
        "try: runpy.run_path('train.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'obspy', 'pytorch_lightning', 'pandas', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_seisvision_command_lists_its_commands() -> None:
    done = ready_python.run([sys.executable, "-m", "seisvision.cli", "data", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "synth" in done.stdout and "import" in done.stdout
