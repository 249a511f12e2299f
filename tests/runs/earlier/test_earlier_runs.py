"""Runs that version 0.1.0 made keep their names, and are opened, measured, compared and gone on with.

``runs_0.1.0.tar.xz`` holds run folders without pictures and logs, made with the commands in their ``environment.json``.
"""

from __future__ import annotations

import logging
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from tiny_runs import ROOT, plain_config

from seisvision.cli import main
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.records.folder import FINISHED, INTERRUPTED, RunFolder, read_json
from seisvision.records.identity import LATER, run_identity, scientific_part
from seisvision.runs import terminal
from seisvision.runs.ensure import ensure_run, identify

HERE = Path(__file__).resolve().parent
SINGLE = ["clusters", "depth", "force_azimuth", "interrupted", "locate", "source_type"]


@pytest.fixture
def earlier(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of those runs, from whose parent they were made."""
    with tarfile.open(HERE / "runs_0.1.0.tar.xz") as archive:
        archive.extractall(tmp_path / "runs", filter="data")
    (tmp_path / "data").symlink_to(data_dir)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_ones_own.")
    return tmp_path / "runs"


def runs_below(folder: Path) -> list[RunFolder]:
    return [RunFolder(path.parent) for path in sorted(folder.glob("*/config.yaml"))]


def words(run: RunFolder) -> list[str]:
    """What was typed after the name of the command, less the word that asks for a sweep."""
    return [word for word in read_json(run.environment_file)["command"][1:] if word != "-m"]


@pytest.mark.parametrize("name", SINGLE)
def test_the_command_of_a_run_still_means_its_folder(earlier: Path, name: str) -> None:
    (run,) = runs_below(earlier / name)
    assert identify(plain_config(words(run))).path.resolve() == run.path


def test_a_setting_that_came_later_renames_no_run(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = plain_config([])
    before = run_identity(scientific_part(config, "data"))
    config["view"]["polarity"] = "both"
    config["task"]["outputs"][0]["scale"] = {"of": 1.0}
    assert run_identity(scientific_part(config, "data")) != before
    monkeypatch.setitem(LATER, "view.polarity", "both")
    monkeypatch.setitem(LATER, "task.outputs[].scale", {"of": 1.0})
    assert run_identity(scientific_part(config, "data")) == before
    config["view"]["polarity"] = "up"
    assert run_identity(scientific_part(config, "data")) != before


def test_their_files_are_as_they_were_written(earlier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished = [str(run.path) for run in runs_below(earlier / "source_type")]
    assert main(["runs", "check", *finished]) == 0, capsys.readouterr().out


def test_what_is_stored_is_shown_with_the_code_that_made_it(earlier: Path, caplog: pytest.LogCaptureFixture) -> None:
    (run,) = runs_below(earlier / "source_type")
    before = run.metrics_file.read_bytes()
    with caplog.at_level(logging.INFO, logger="seisvision"):
        assert ensure_run(plain_config(words(run)), []).path.resolve() == run.path
    assert run.metrics_file.read_bytes() == before
    made = read_json(run.environment_file)["git"]["commit"][:10]
    assert any(f"It was made by other code: commit {made}" in message for message in caplog.messages)


@pytest.mark.parametrize("name", ["source_type", "locate", "force_azimuth"])
def test_their_checkpoints_say_what_they_said(earlier: Path, name: str) -> None:
    (run,) = runs_below(earlier / name)
    settings = [f"ckpt={run.path}", "system.data_dir=data", "system.num_workers=0", "system.runs_dir=again"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        found = evaluate_checkpoint(compose("evaluate", overrides=settings))
    now, then = pd.read_csv(found / "predictions.csv"), pd.read_csv(run.predictions_file)
    assert list(now.columns) == list(then.columns) and len(now) == len(then)
    for column in then.columns:
        if then[column].dtype.kind == "f":
            # Another processor adds in another order.
            np.testing.assert_allclose(now[column], then[column], rtol=1e-3, atol=1e-4, err_msg=column)
        elif not column.endswith(("_predicted", "_correct")):
            assert now[column].tolist() == then[column].tolist(), column


def test_an_interrupted_one_is_gone_on_with(earlier: Path, caplog: pytest.LogCaptureFixture) -> None:
    (run,) = runs_below(earlier / "interrupted")
    assert run.status()["state"] == INTERRUPTED
    done = pd.read_csv(run.history_file)
    done = done[done["epoch"] < done["epoch"].max()]
    terminal.set_up_logging()
    with caplog.at_level(logging.INFO, logger="seisvision"):
        found = ensure_run(plain_config(words(run)), [])
    assert found.path.resolve() == run.path
    assert (run.status()["state"], run.status()["attempts"]) == (FINISHED, 2)
    history = pd.read_csv(run.history_file)
    assert history["epoch"].max() == 39
    pd.testing.assert_frame_equal(history.iloc[: len(done)], done)
    assert any("were trained by other code" in message for message in caplog.messages)


def test_a_sweep_is_repeated_for_nothing_and_compared(earlier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = runs_below(earlier / "sweep_of_two")
    assert len(runs) == 2
    for run in runs:
        seed = run.config()["seed"]
        settings = [word for word in words(run) if not word.startswith("seed=")]
        assert identify(plain_config([*settings, f"seed={seed}"])).path.resolve() == run.path
    assert main(["compare", "runs", "--out", "report.html"]) == 0
    shown = capsys.readouterr().out
    assert "RequiredArguments" in shown and "test_efficientnet" in shown
