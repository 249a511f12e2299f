"""A finished run knows whether its files are what they were when it ended."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from edited_sets import evaluate

from seisvision.cli import main
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.integrity.manifest import altered_files, read_manifest, write_manifest


def change_a_digit(path: Path) -> None:
    """Change one digit of a number in a table, and nothing of its size."""
    text = path.read_text()
    place = max(text.rfind(digit) for digit in "12345678")
    path.write_text(text[:place] + str(int(text[place]) + 1) + text[place + 1 :])


def test_the_results_are_listed_and_nothing_was_changed(finished: RunFolder) -> None:
    listed = set(read_manifest(finished))
    assert {"metrics.json", "predictions.csv", "metrics.csv", "config.yaml", "checkpoints/best.ckpt"} <= listed
    assert not {"status.json", "train.log", "manifest.json", ".lock"} & listed
    assert altered_files(finished) == []


@pytest.mark.parametrize("name", ["metrics.json", "predictions.csv", "metrics.csv", "split.csv", "known_events.csv"])
def test_a_changed_digit_is_found(
    name: str, finished: RunFolder, copy_of: Callable, capsys: pytest.CaptureFixture
) -> None:
    run = copy_of(finished)
    assert main(["runs", "check", str(run.path)]) == 0
    assert "nothing changed" in capsys.readouterr().out
    change_a_digit(run.path / name)
    assert main(["runs", "check", str(run.path.parent)]) == 1
    assert f"{name} (changed)" in capsys.readouterr().out
    (run.path / name).unlink()
    assert main(["runs", "check", str(run.path)]) == 1
    assert f"{name} (missing)" in capsys.readouterr().out


def test_what_is_added_later_and_logs_change_nothing(finished: RunFolder, copy_of: Callable) -> None:
    run = copy_of(finished)
    run.explain.mkdir()
    (run.explain / "heat.json").write_text("{}")
    with run.log_file.open("a") as file:
        file.write("shown again\n")
    (run.path / "notes.txt").write_text("mine")
    assert altered_files(run) == []


@pytest.mark.parametrize("name", ["metrics.json", "predictions.csv"])
def test_a_comparison_says_what_was_changed(
    name: str, finished: RunFolder, copy_of: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("seisvision.runs.terminal.log.propagate", True)
    run = copy_of(finished)
    assert main(["compare", str(run.path), "--out", str(tmp_path / "whole.html")]) == 0
    assert "was changed after its end" not in caplog.text
    change_a_digit(run.path / name)
    assert main(["compare", str(run.path), "--out", str(tmp_path / "changed.html")]) == 0
    assert f"was changed after its end: {name} (changed)" in caplog.text
    assert "was changed after its end" in (tmp_path / "changed.html").read_text()


def test_an_evaluation_says_that_the_features_of_the_baselines_were_changed(
    finished: RunFolder, copy_of: Callable, data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = copy_of(finished)
    caplog.set_level(logging.WARNING)
    (run.path / "baselines.npz").write_bytes(b"")
    write_manifest(run)
    (run.path / "baselines.npz").unlink()
    evaluate(data_dir, tmp_path / "out", run.path)
    assert "baselines.npz (missing)" in caplog.text


def test_a_run_of_an_earlier_version_has_its_checkpoints_looked_over(
    finished: RunFolder, copy_of: Callable, capsys: pytest.CaptureFixture
) -> None:
    run = copy_of(finished)
    run.manifest_file.unlink()
    assert main(["runs", "check", str(run.path)]) == 0
    assert "earlier version" in capsys.readouterr().out
    content = bytearray(run.last_checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    run.last_checkpoint.write_bytes(bytes(content))
    assert main(["runs", "check", str(run.path)]) == 1
    assert "last.ckpt is damaged" in capsys.readouterr().out


NAMED = '{"files": {"%s": {"bytes": 1, "sha256": "0"}}}'


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"files": {"metrics.json": 5}}', '{"files": 7}', NAMED % "../x", NAMED % "/x", NAMED % ("x" * 5000)],
)
def test_a_damaged_manifest_is_told_in_one_line(
    content: str, finished: RunFolder, copy_of: Callable, capsys: pytest.CaptureFixture
) -> None:
    run = copy_of(finished)
    run.manifest_file.write_text(content)
    assert main(["runs", "check", str(run.path)]) == 1
    said = capsys.readouterr().out
    assert "manifest.json" in said and len(said.splitlines()) == 3


def test_a_name_that_no_terminal_takes_is_told(finished: RunFolder, copy_of: Callable) -> None:
    run = copy_of(finished)
    run.manifest_file.write_text(NAMED % r"\ud800\n")
    with tempfile.TemporaryFile("w+", encoding="utf-8") as screen, contextlib.redirect_stdout(screen):
        assert main(["runs", "check", str(run.path)]) == 1
        screen.seek(0)
        assert r"\ud800" in screen.read()


def test_a_moved_run_is_still_whole(finished: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(finished.path, tmp_path / "elsewhere")
    assert altered_files(RunFolder(tmp_path / "elsewhere")) == []
    assert read_json(tmp_path / "elsewhere" / "status.json")["state"] == "finished"
