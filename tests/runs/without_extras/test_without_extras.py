"""What ``pip install seisvision`` gives, without any extra, works; what needs an extra says which."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from itertools import zip_longest
from pathlib import Path

import pytest
import ready_python
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from test_configuration import CHOICES, FILL
from tiny_runs import ROOT, TINY

from seisvision.cli import COMMANDS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOR_DEVELOPERS = {"docs", "test", "dev", "browser", "all", "fdsn", "laplace"}
"""Extras that no user's command needs."""

TOGETHER = ("model", "view", "split", "logger", "augment", "trainer", "optimizer", "scheduler", "explain", "launcher")
"""Groups whose choices compose whatever those of the others are, so that one composition holds a choice of each."""

EACH = """
import json, sys
from tiny_runs import plain_config
from seisvision.errors import SeisvisionError
from seisvision.runs.ensure import ensure_run
for overrides in json.load(sys.stdin):
    try:
        ensure_run(plain_config(overrides), overrides)
        print("it ran")
    except SeisvisionError as error:
        print(" ".join(str(error).split()))
"""
"""Run experiments, and print a line of each."""
COMPOSE = """
import json, sys
from tiny_runs import plain_config
print(sum(bool(plain_config(overrides)) for overrides in json.load(sys.stdin)))
"""
IMPORT = """
import importlib, pkgutil, seisvision
names = [module.name for module in pkgutil.walk_packages(seisvision.__path__, "seisvision.")]
print(sum(bool(importlib.import_module(name)) for name in names))
"""
HELP = """
import sys
from seisvision.cli import COMMANDS, build_parser
parser = build_parser()
for words in [(), *COMMANDS]:
    try:
        parser.parse_args([*words, "--help"])
    except SystemExit as ended:
        assert ended.code == 0, words
"""


def plain_installation() -> set[str]:
    """Names of all distributions that the dependencies bring along, as installed here."""
    found: set[str] = set()
    wanted = [Requirement(line) for line in PROJECT["dependencies"]]
    asked: set[tuple[str, str]] = set()
    while wanted:
        one = wanted.pop()
        name = canonicalize_name(one.name)
        found.add(name)
        for extra in {"", *one.extras} - {extra for known, extra in asked if known == name}:
            asked.add((name, extra))
            try:
                lines = distribution(name).requires or []
            except PackageNotFoundError:
                continue  # For another platform.
            further = [Requirement(line) for line in lines]
            wanted += [of for of in further if of.marker is None or of.marker.evaluate({"extra": extra})]
    return found


@pytest.fixture(scope="module")
def poorer() -> Iterator[dict[str, str]]:
    """The environment of processes that see the dependencies only, and so does the Python of which they are forks."""
    plain = plain_installation() | {"seisvision"}
    by_module = packages_distributions()
    hidden = {name for names in by_module.values() for name in names if canonicalize_name(name) not in plain}
    hidden |= {module for module, names in by_module.items() if not {canonicalize_name(name) for name in names} & plain}
    assert {"pytest", "captum", "optuna", "submitit", "tensorboard"} <= hidden
    assert not {"torch", "yaml", "hydra", "obspy"} & hidden
    paths = f"{Path(__file__).parent / 'hidden'}{os.pathsep}{ROOT / 'tests' / 'runs'}{os.pathsep}{ROOT}"
    environment = {**os.environ, "PYTHONPATH": paths, "SEISVISION_TEST_HIDDEN": " ".join(sorted(hidden))}
    with ready_python.begun_in(environment):
        yield environment


def run(poorer: dict[str, str], *words: str, asked: object = None, code: int = 0) -> str:
    """What a program says, on both streams where it fails as it should; the environment hides what is no dependency."""
    done = ready_python.run(
        [sys.executable, *words], env=poorer, cwd=ROOT, capture_output=True, text=True, input=json.dumps(asked)
    )
    assert done.returncode == code, done.stderr
    return done.stdout + (done.stderr if code else "")


def test_what_is_hidden_is_not_there(poorer: dict[str, str]) -> None:
    look = "import importlib.util as u; print(*[u.find_spec(name) is None for name in ('captum', 'optuna', 'scipy')])"
    assert run(poorer, "-c", look).split() == ["True", "True", "False"]
    ask = "import importlib.metadata as m; print('optuna' in {one.name for one in m.distributions()})"
    assert run(poorer, "-c", ask).split() == ["False"]


def test_every_module_is_imported(poorer: dict[str, str]) -> None:
    assert int(run(poorer, "-c", IMPORT)) > 200


def test_every_command_explains_itself(poorer: dict[str, str]) -> None:
    assert "name: default" in run(poorer, "train.py", "--cfg", "job")
    assert "ckpt: ???" in run(poorer, "evaluate.py", "--cfg", "job")
    said = run(poorer, "-c", HELP)
    assert said.count("usage: ") == len(COMMANDS) + 1


def test_every_yaml_composes(poorer: dict[str, str]) -> None:
    # Experiments only choose among the others, which test_configuration composes for each.
    choices = [(group, choice) for group, choice in CHOICES if "/" not in group and group != "experiment"]
    alone = [(group, choice) for group, choice in choices if group not in TOGETHER or (group, choice) in FILL]
    asked = [[f"{group}={choice}", *FILL.get((group, choice), [])] for group, choice in alone]
    by_group = {group: [one for one in choices if one[0] == group and one not in alone] for group in TOGETHER}
    side_by_side = list(zip_longest(*by_group.values()))
    asked += [["=".join(one) for one in some if one is not None] for some in side_by_side]
    assert len(alone) + sum(map(len, by_group.values())) == len(choices) > 80
    assert int(run(poorer, "-c", COMPOSE, asked=asked)) == len(asked)


REFUSED = {
    "tensorboard": [*TINY, "logger=tensorboard"],
    "trackio": [*TINY, "logger=trackio"],
    "explain": [*TINY, "explain=gradcam"],
    "clusters": [*TINY, "task=cluster", "task.backend=faiss"],
    "seisbench": ["dataset=seisbench", "dataset.source.name=nowhere", "dataset.source.allow_download=true"],
}
"""By the extra that each would need."""
REFUSED_SWEEPS = {
    "sweeps": ["sweep=optuna", "optimizer.lr=tag(log,interval(1e-5,1e-2))"],
    "slurm": ["launcher=slurm", "launcher.dry_run=true", "seed=1,2"],
}
"""The same of what ``-m`` is needed for."""


def test_what_needs_an_extra_names_it(poorer: dict[str, str], data_dir: Path, tmp_path: Path) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}"]
    lines = run(poorer, "-c", EACH, asked=[[*overrides, *folders] for overrides in REFUSED.values()]).splitlines()
    for extra, line in zip(REFUSED, lines, strict=True):
        assert f"pip install 'seisvision[{extra}]'" in line


@pytest.mark.parametrize(("extra", "overrides"), list(REFUSED_SWEEPS.items()), ids=list(REFUSED_SWEEPS))
def test_a_sweep_that_needs_an_extra_names_it(
    poorer: dict[str, str], data_dir: Path, tmp_path: Path, extra: str, overrides: list[str]
) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}"]
    said = run(poorer, "train.py", "-m", *TINY, *overrides, *folders, code=2)
    assert f"pip install 'seisvision[{extra}]'" in said


def test_recordings_of_fibres_in_other_formats_need_an_extra(poorer: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "other.sgy").write_bytes(b"of another maker")
    words = ["-m", "seisvision.cli", "fibre", "import", str(tmp_path / "other.sgy"), "--out", str(tmp_path / "set")]
    assert "pip install 'seisvision[fibre]'" in run(poorer, *words, code=1)


def test_each_extra_for_users_is_asked_for() -> None:
    """But for shores on maps, which are drawn where they are there: ``tests/earth/test_coast_lines.py``."""
    assert {*REFUSED, *REFUSED_SWEEPS, "fibre", "maps"} == set(PROJECT["optional-dependencies"]) - FOR_DEVELOPERS
