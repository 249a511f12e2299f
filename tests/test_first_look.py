"""What a visitor meets first: the demo is the small one, and the pictures of the README are there and light."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from seisvision.cli import Paragraphs, build_parser

ROOT = Path(__file__).resolve().parents[1]
SHOWN = re.compile(r"!\[[^\]]+\]\((?:docs/)?pictures/([^)]+)\)")
PNG = b"\x89PNG\r\n\x1a\n"


def test_make_demo_is_the_smaller_experiment_of_the_same_question() -> None:
    recipes = dict(re.findall(r"^(demo(?:-full)?):.*\n\t.*experiment=(\w+)$", (ROOT / "Makefile").read_text(), re.M))
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        small, full = (compose("train", overrides=[f"experiment={recipes[name]}"]) for name in ("demo", "demo-full"))
    assert small.dataset.source.n_events <= full.dataset.source.n_events / 4
    assert small.name != full.name, "their runs are stored apart"
    assert all(small[group] == full[group] for group in ("view", "model", "task", "split", "evaluation"))
    assert small.evaluation.baselines


def test_the_pictures_of_the_readme_are_there_and_light() -> None:
    shown = {
        name: set(SHOWN.findall((ROOT / name).read_text(encoding="utf-8"))) for name in ("README.md", "docs/gallery.md")
    }
    files = sorted((ROOT / "docs" / "pictures").iterdir())
    assert len(shown["README.md"]) >= 2 and {file.name for file in files} == set.union(*shown.values())
    assert all(file.read_bytes().startswith(PNG) for file in files)
    assert sum(file.stat().st_size for file in files if file.name in shown["README.md"]) < 400_000
    assert all(file.stat().st_size < 250_000 for file in files)


@pytest.fixture
def set_up(tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """``make setup`` with programs that write down what they are told: gives exit status, output and commands."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    programs, told = tmp_path / "venv" / "bin", tmp_path / "told"
    programs.mkdir(parents=True)

    def run(*words: str, failing: str = "") -> tuple[int, str, str]:
        told.write_text("")
        for name in ("python", "uv"):
            script = (
                f'#!/bin/sh\necho "{name} $*" >> {told}\ncase "{name} $*" in {failing or "nothing"}) exit 1;; esac\n'
            )
            (programs / name).write_text(script)
            (programs / name).chmod(0o755)
        (tmp_path / "venv" / "ready").unlink(missing_ok=True)
        done = subprocess.run(
            ["make", "setup", f"VENV={tmp_path / 'venv'}", f"PYTHON={programs / 'python'}", *words],
            cwd=ROOT, capture_output=True, text=True, check=False,
            env={name: value for name, value in os.environ.items() if name not in ("TORCH", "MAKEFLAGS", "MAKELEVEL")},
        )  # fmt: skip
        return done.returncode, done.stdout, told.read_text()

    return run


def test_a_set_up_for_processors_asks_for_builds_without_libraries_for_gpus(
    set_up: Callable[..., tuple[int, str, str]],
) -> None:
    status, _, told = set_up("TORCH=cpu")
    assert status == 0 and "--torch-backend=cpu" in told
    status, _, told = set_up()
    assert status == 0 and "torch-backend" not in told


def test_where_they_cannot_be_had_the_large_ones_are_not_taken_in_silence(
    set_up: Callable[..., tuple[int, str, str]],
) -> None:
    status, printed, told = set_up("TORCH=cpu", failing="uv*")
    assert status != 0 and "uv could not install these builds" in printed and "pytorch.org/get-started" in printed
    assert told.splitlines()[-1].startswith("uv ")
    assert "-e .[dev]" not in told.replace("--torch-backend=cpu -e .[dev]", "")
    status, _, told = set_up(failing="uv*")
    assert status == 0
    assert told.splitlines()[-1].startswith("python -m pip") and "-e .[dev]" in told.splitlines()[-1]


def all_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from all_parsers(one)


def test_help_fits_a_terminal_of_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    parsers = list(all_parsers(build_parser()))
    assert len(parsers) > 40
    for parser in parsers:
        told = parser.format_help()
        assert max(map(len, told.splitlines())) <= 80, f"{parser.prog}:\n{told}"


def test_descriptions_are_filled_and_what_is_indented_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    text = f"{'word ' * 20}\n{'more ' * 20}\n\n  seisvision like this \\\n      and this\n- one\n- two\n"
    first, second, third, *rest = Paragraphs("seisvision")._fill_text(text, 98, "").splitlines()
    assert len(first) > 90 and second.split().count("more") >= 1 and third.split() == ["more"] * len(third.split())
    assert rest == ["", "  seisvision like this \\", "      and this", "- one", "- two"]


def test_a_misspelt_command_is_asked_what_it_meant(capsys: pytest.CaptureFixture[str]) -> None:
    for words, meant in ((["dta"], "data"), (["data", "audt"], "audit"), (["export", "x", "--to", "onx"], "onnx")):
        with pytest.raises(SystemExit, match="2"):
            build_parser().parse_args(words)
        assert f"Did you mean '{meant}'?" in capsys.readouterr().err
