"""Hydra builds, sets and reads nothing beyond what is needed here, whatever a file of an experiment says."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ready_python
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from omegaconf import OmegaConf
from tiny_runs import ROOT

from seisvision.errors import ConfigurationError
from seisvision.records.trust.composing import check_foreign_file, check_hydra, guard_composition, refuse_rerun


@pytest.fixture(autouse=True)
def guarded() -> Iterator[None]:
    before = ConfigLoaderImpl.load_configuration, FileConfigSource.load_config
    guard_composition(ROOT / "conf")
    yield
    ConfigLoaderImpl.load_configuration, FileConfigSource.load_config = before  # type: ignore[method-assign]


def _compose(*overrides: str, name: str = "train") -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        compose(name, overrides=list(overrides), return_hydra_config=True)


@pytest.mark.parametrize("override", ["experiment=null", "model=18"])
def test_a_choice_that_is_no_name_is_refused_and_no_fault(override: str) -> None:
    with pytest.raises(ConfigurationError, match="take the name of a choice"):
        _compose(override)


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_what_this_program_composes_is_allowed(name: str) -> None:
    _compose(name=name)
    _compose("hydra.run.dir=below/here", "hydra.verbose=true", name=name)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+hydra.callbacks.x={_target_: os.system, command: id}", r"hydra\.callbacks\.x\._target_=os\.system"),
        ("hydra.launcher._target_=os.system", r"hydra\.launcher\._target_=os\.system"),
        ("hydra.sweeper._target_=os.system", r"hydra\.sweeper\._target_=os\.system"),
        ("+hydra.job_logging.handlers.x={class: logging.FileHandler, filename: /x}", r"class=logging\.FileHandler"),
        ("+hydra.hydra_logging.formatters.x={class: os.system}", r"class=os\.system"),
        ("+hydra.hydra_logging.handlers.x={class: logging.StreamHandler, stream: 'ext://os.system'}", "ext://os"),
        ("+hydra.job.env_set.LD_PRELOAD=/tmp/x.so", r"hydra\.job\.env_set=LD_PRELOAD"),
        ("hydra.job.chdir=true", r"hydra\.job\.chdir"),
        ("hydra.run.dir=/tmp/elsewhere", r"hydra\.run\.dir=/tmp/elsewhere"),
        ("hydra.output_subdir=../elsewhere", r"hydra\.output_subdir"),
    ],
)
def test_what_hydra_would_build_or_set_is_refused(override: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{said}.* is not allowed"):
        _compose(override)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"job_logging": {"handlers": {"x": {"()": "os.system", "command": "id"}}}}, r"handlers\.x\.\(\)=os\.system"),
        ({"job_logging": "${evil}"}, r"hydra\.job_logging=\$"),
        ({"job": "${evil}"}, r"hydra\.job=\$"),
        ({"launcher": {"_target_": "${evil}"}}, r"hydra\.launcher\._target_=\$"),
        ("${evil}", r"hydra=\$"),
    ],
)
def test_what_refers_elsewhere_is_refused(node: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{said}.* is not allowed"):
        check_hydra(OmegaConf.create({"evil": {"a": "os.system"}, "hydra": node}))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("experiment/x.yaml", "# @package _global_\nhydra: {callbacks: {a: {_target_: os.system}}}", "sets 'hydra'"),
        ("hydra/callbacks/x.yaml", "a: {_target_: os.system}", "sets 'hydra'"),
        ("experiment/x.yaml", "# @package hydra.callbacks\na: 1", "sets 'hydra'"),
        ("experiment/x.yaml", "defaults:\n  - /experiment@hydra.callbacks: y\na: 1", "sets 'hydra'"),
        ("experiment/x.yaml", "defaults:\n  - override /launcher: slurm\na: 1", "sets 'launcher'"),
        ("experiment/x.yaml", "# @package _global_\nlauncher: {setup: [touch x]}", "sets 'launcher'"),
        ("experiment/x.yaml", "# @package _global_\nsystem: {runs_dir: /home}", "sets 'runs_dir'"),
        ("experiment/x.yaml", "a: ${oc.env:HOME}", "would be looked up on this machine"),
        ("experiment/x.yaml", "a: ${${b}:HOME}", "would be looked up on this machine"),
        ("experiment/x.yaml", "a: !!python/object/apply:os.system [id]", "is not readable YAML"),
    ],
)
def test_files_from_elsewhere_say_nothing_of_the_machine(name: str, content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=said):
        check_foreign_file(path, name)


def test_an_experiment_from_elsewhere_may_choose(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "# @package _global_\ndefaults:\n  - override /model: resnet34\nname: theirs\noptimizer: {lr: 1e-3}\n"
        "window: {length_s: '${dataset.source.length_s}'}\nsystem: {num_workers: 2}\n"
    )
    check_foreign_file(path, "experiment/x.yaml")


@pytest.mark.parametrize("word", ["--experimental-rerun", "--experimental-rerun=x", "--exp=x", "--experimental"])
def test_what_hydra_would_unpickle_is_refused(word: str) -> None:
    with pytest.raises(ConfigurationError, match="it runs what is in the file"):
        refuse_rerun(["seed=1", word, "x"])
    refuse_rerun(["experiment=demo", "-m", "--config-dir", "x"])


def test_a_callback_in_an_experiment_ends_in_one_line(tmp_path: Path) -> None:
    flag, folder = tmp_path / "PWNED", tmp_path / "experiment"
    folder.mkdir()
    (folder / "evil.yaml").write_text(
        f"# @package _global_\nhydra: {{callbacks: {{a: {{_target_: os.system, command: touch {flag}}}}}}}\n"
    )
    command = [sys.executable, str(ROOT / "train.py"), "--config-dir", str(tmp_path), "experiment=evil"]
    done = ready_python.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2 and not flag.exists()
    assert len(done.stderr.splitlines()) == 1 and "evil.yaml is refused: it sets 'hydra'" in done.stderr
