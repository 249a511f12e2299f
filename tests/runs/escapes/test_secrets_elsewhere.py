"""No secret of the environment, of git or of a command line is in what evaluations, comparisons, explanations, sweeps
and batch scripts write or say."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import ready_python
from test_secrets import CANARY, ENVIRONMENT, own_repository, spilt
from tiny_runs import ROOT, TINY

SECRETS = ENVIRONMENT | {
    "OPENAI_KEY": f"sk-{CANARY}0000",
    "GITHUB_TOKEN": f"ghp_{CANARY}0000",
    "OAUTH_CLIENT_SECRET": f"client{CANARY}",
    "SMTP_PASSWORD": f"mail {CANARY} word",
    "DATABASE_URL": f"postgres://me{CANARY}:pass{CANARY}@127.0.0.1/x",
}
SMALL = [
    "~model",
    "+model._target_=model_of_ones_own.RequiredArguments",
    "+model.width=7",
    "dataset.source.n_events=16",
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_repository(tmp_path_factory.mktemp("repository"))


def said(repository: Path, *words: str, code: int = 0, **variables: str) -> str:
    """What a command says where the environment and the repository hold secrets."""
    program = [str(ROOT / words[0])] if words[0].endswith(".py") else ["-m", "seisvision.cli", words[0]]
    own = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'runs'}", "OMP_NUM_THREADS": "1"}
    own["SEISVISION_ALLOWED_TARGETS"] = "model_of_ones_own."
    done = ready_python.run(
        [sys.executable, *program, *words[1:]],
        capture_output=True, text=True, cwd=repository, env={**os.environ, **own, **SECRETS, **variables},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_sweeps_evaluations_comparisons_and_explanations(repository: Path, data_dir: Path, tmp_path: Path) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path / 'runs'}"]
    text = said(repository, "train.py", "-m", *TINY, *SMALL, *folders, "trainer.max_epochs=1", "seed=1,2")
    runs = sorted(path.parent for path in (tmp_path / "runs").rglob("metrics.json"))
    assert len(runs) == 2
    text += said(repository, "evaluate.py", f"ckpt={runs[0]}", *folders, "accelerator=cpu")
    text += said(repository, "compare", str(tmp_path / "runs"), "--out", str(tmp_path / "report.html"))
    text += said(repository, "explain", str(runs[0]), "--samples", "2", "--data-dir", str(data_dir))
    text += said(repository, "sweep", "status", str(next((tmp_path / "runs").rglob("sweep.json")).parent))
    assert CANARY not in text and not spilt(tmp_path)


def test_batch_scripts(repository: Path, data_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="launcher=slurm is an extra")
    (tmp_path / "bin").mkdir()
    for name, answer in (("sbatch", "Submitted batch job 12"), ("srun", ""), ("squeue", "")):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\necho '{answer}'\n")
        (tmp_path / "bin" / name).chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path / 'runs'}"]
    words = ["train.py", *TINY, *folders, "launcher=slurm", "launcher.wait=false"]
    text = said(repository, *words, PATH=path)
    assert list((tmp_path / "runs").rglob("*submission.sh")) and list((tmp_path / "runs").rglob("*.pkl"))
    assert CANARY not in text and not spilt(tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ["train.py", "-m", "seed=1,2", f"+dataset.source.url=https://me:{CANARY}@host/x"],
        ["train.py", "launcher=slurm", "launcher.dry_run=true", f"launcher.setup=['export API_KEY=ghp_{CANARY}0000']"],
        ["train.py", "launcher=slurm", "launcher.dry_run=true", f"launcher.sbatch={{export: ghp_{CANARY}0000}}"],
        ["evaluate.py", f"ckpt=https://me:{CANARY}@host/best.ckpt"],
        ["tune", "lr", f"+model.token={CANARY}"],
        ["compare", f"https://me:{CANARY}@host/runs"],
        ["explain", f"https://me:{CANARY}@host/run"],
        ["clusters", f"https://me:{CANARY}@host/runs"],
        ["data", "fetch", f"https://me:{CANARY}@host/recipe.yaml"],
        ["data", "import", "--waveforms", f"https://me:{CANARY}@host/x", "--out", f"ghp_{CANARY}0000"],
    ],
    ids=lambda words: " ".join(words[:2])[:30],
)
def test_secrets_on_a_command_line_are_shown_and_written_nowhere(
    words: list[str], repository: Path, tmp_path: Path
) -> None:
    folders = [f"system.runs_dir={tmp_path}"] if words[0].endswith(".py") else []
    program = [str(ROOT / words[0])] if folders else ["-m", "seisvision.cli", words[0]]
    done = ready_python.run(
        [sys.executable, *program, *words[1:], *folders],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT), **SECRETS},
    )  # fmt: skip
    assert done.returncode in (1, 2) and "fault of seisvision" not in done.stderr, done.stderr
    assert CANARY not in done.stdout + done.stderr and not spilt(tmp_path)
