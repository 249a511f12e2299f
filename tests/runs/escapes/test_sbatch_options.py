"""``launcher.sbatch`` as docs/clusters.md writes it, and what stands in a script for values that a shell would obey."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import ready_python
import yaml
from tiny_runs import ROOT, TINY, plain_config

from seisvision.errors import ConfigurationError
from seisvision.records.folder import RunFolder
from seisvision.sweeps.slurm import SlurmLauncher

pytest.importorskip("submitit", reason="launcher=slurm is an extra")

PAGE = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
ROWS = [line.strip().strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `launcher.")]
EXAMPLES = re.findall(r"`('launcher\.[^`]*')`", PAGE)
DEFAULTS = yaml.safe_load((ROOT / "conf" / "launcher" / "slurm.yaml").read_text(encoding="utf-8"))


def fake_slurm(folder: Path) -> Path:
    """Commands of SLURM that take every job and know of none."""
    folder.mkdir()
    for name, said in (("sbatch", "Submitted batch job 12"), ("srun", ""), ("squeue", "")):
        (folder / name).write_text(f"#!/bin/sh\necho '{said}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_examples_of_the_page_reach_sbatch_as_they_are_written(tmp_path: Path) -> None:
    assert len(EXAMPLES) == 2
    folders = [f"system.data_dir={tmp_path}/data", f"system.runs_dir={tmp_path}/runs"]
    typed = [*(word for example in EXAMPLES for word in shlex.split(example)), "launcher.wait=false"]
    path = f"{fake_slurm(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}"
    done = ready_python.run(
        [sys.executable, str(ROOT / "train.py"), *TINY, *folders, "launcher=slurm", *typed],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (script,) = (tmp_path / "runs").rglob("*submission.sh")
    lines = script.read_text().splitlines()
    assert {"#SBATCH --qos=long", "#SBATCH --constraint=a100", "module load cuda"} <= set(lines)
    assert lines.index("module load cuda") < next(i for i, line in enumerate(lines) if line.startswith("srun"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip())
def test_the_page_says_the_defaults(row: list[str]) -> None:
    names, default = re.findall(r"`launcher\.(\w+)`", row[0]), row[1].strip().strip("`")
    for name in names:
        stored = DEFAULTS[name]
        if stored is None or str(stored).startswith("${"):
            # Nothing is given by default, and words say what that comes to.
            assert re.search(r"none|of the cluster|system", row[1]), row
        else:
            assert yaml.safe_load(default) == stored, name


def test_every_setting_is_on_the_page() -> None:
    assert not [name for name in DEFAULTS if name != "kind" and f"launcher.{name}" not in PAGE]


def script_of(tmp_path: Path, capsys: pytest.CaptureFixture[str], **settings: Any) -> list[str]:
    folder = RunFolder(tmp_path / "runs" / "default" / "0000000000")
    folder.prepare(plain_config(["trainer.accelerator=cpu"]), [])
    assert list(SlurmLauncher(dry_run=True, **settings).run([folder])) == []
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    "value",
    [
        "long", "two words", "it's", 'say "x"', "'\"'\"", "$(touch x)", "`touch x`", "${HOME}", "a;b|c&d>e", "#x",
        "a #x", "*?[a]", "~", "-x", "--wrap=x", "!x", "a=b,c", "", "日本", 3, 2.5,
    ],
)  # fmt: skip
def test_a_value_is_one_word_of_its_line(value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = script_of(tmp_path, capsys, sbatch={"comment": value})
    (line,) = [line for line in lines if line.startswith("#SBATCH --comment")]
    # sbatch takes words and quotes as a shell does, and expands nothing.
    assert shlex.split(line.removeprefix("#SBATCH"), comments=True) == [f"--comment={value}"]


def test_an_option_without_a_value_is_given_as_true(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "#SBATCH --exclusive" in script_of(tmp_path, capsys, sbatch={"exclusive": True})


@pytest.mark.parametrize(
    ("sbatch", "said"),
    [
        ({"comment": "a\nb"}, "one line"),
        ({"comment": "a\r#SBATCH --uid=root"}, "one line"),
        ({"comment": "\u2028x"}, "one line"),
        ({"comment": "\x1b[2J"}, "one line"),
        ({"comment": "a\\"}, "backslash"),
        ({"comment": "a\\b"}, "backslash"),
        ({"exclusive": False}, "leave it out"),
        ({"exclusive": None}, "leave it out"),
        ({"exclude": ["n1", "n2"]}, "text or a number"),
        ({"exclude": {"a": 1}}, "text or a number"),
        ({"array": "0-3"}, "launcher decides"),
        ({"output": "/tmp/x"}, "launcher decides"),
        ({"open-mode": "truncate"}, "launcher decides"),
        ({"signal": "USR1@5"}, "launcher.signal_s"),
        ({"no-requeue": True}, "launcher.max_requeues"),
        ({"requeue": True}, "launcher.max_requeues"),
        ({"nodes": 3}, "trainer.num_nodes"),
        ({"ntasks": 3}, "trainer.devices"),
        ({"ntasks-per-node": 3}, "trainer.devices"),
        ({"qos; touch x": "long"}, "no option of sbatch"),
        ({"": "long"}, "no option of sbatch"),
        ({1: "long"}, "no option of sbatch"),
    ],
)  # fmt: skip
def test_what_sbatch_would_not_take_so_is_refused_by_name(sbatch: dict, said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)) as refused:
        SlurmLauncher(sbatch=sbatch)
    assert "launcher." in str(refused.value) and len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("sbatch", ["qos=long", ["qos"], 3])
def test_options_that_are_no_mapping_are_refused(sbatch: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"launcher\.sbatch=.*qos: long"):
        SlurmLauncher(sbatch=sbatch)
