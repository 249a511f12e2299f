"""A kind of experiment is a folder: what does, sweeps, tells and compares runs handles one that nothing else names."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import ready_python
from experiment_on_tables.task import TableTask
from hydra import compose, initialize_config_dir
from tiny_runs import ROOT

from seisvision.cli import main
from seisvision.errors import ConfigurationError
from seisvision.records.configuration import to_plain
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.kinds import experiment_class
from seisvision.runs.ensure import ensure_run
from seisvision.runs.work import do_run

HERE = Path(__file__).parent
ALLOWED = {"SEISVISION_ALLOWED_TARGETS": "experiment_on_tables."}


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ALLOWED.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the configurations with one file more."""
    place = tmp_path_factory.mktemp("place")
    shutil.copytree(ROOT / "conf", place / "conf")
    shutil.copy(HERE / "experiment_on_tables" / "experiment_on_tables.yaml", place / "conf" / "experiment")
    shutil.copy(ROOT / "train.py", place)
    return place


def config_of(place: Path, runs: Path, *overrides: str) -> dict[str, Any]:
    folders = [f"system.data_dir={place}/data", f"system.runs_dir={runs}", "trainer.max_epochs=8"]
    with initialize_config_dir(str(place / "conf"), version_base="1.3"):
        return to_plain(compose("train", ["experiment=experiment_on_tables", *folders, *overrides]))


def test_it_trains_and_is_told(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ensure_run(config_of(place, tmp_path), [])
    metrics = read_json(folder.metrics_file)
    assert metrics["experiment_kind"] == "experiment_on_tables" and metrics["training"]["flops"] is None
    assert set(metrics["data"]["samples"]) == {"train", "val", "test"}
    assert "magnitude of cells:" in capsys.readouterr().out
    assert pd.read_csv(folder.predictions("test"))["cell_id"].tolist() == list(range(80, 120))
    ensure_run(config_of(place, tmp_path), [])
    assert "magnitude of cells:" in capsys.readouterr().out and folder.status()["attempts"] == 1


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ensure_run(config_of(place, tmp_path / "whole"), [])
    config = config_of(place, tmp_path / "cut")
    save = TableTask.on_save_checkpoint

    def stop(self: Any, checkpoint: dict[str, Any]) -> None:
        save(self, checkpoint)
        if self.current_epoch == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(TableTask, "on_save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            ensure_run(config, [])
    cut = ensure_run(config, [])
    assert cut.status()["attempts"] == 2 and cut.run_id == whole.run_id
    assert cut.predictions("test").read_bytes() == whole.predictions("test").read_bytes()
    assert pd.read_csv(cut.history_file).equals(pd.read_csv(whole.history_file))


def test_it_is_swept_by_the_command_and_compared(place: Path, tmp_path: Path) -> None:
    """In a process of its own, as a user would."""
    words = ["experiment=experiment_on_tables", "task.lr=0.05,0.001", "trainer.max_epochs=5", "name=swept"]
    swept = ready_python.run(
        [sys.executable, f"{place}/train.py", "-m", *words, f"system.data_dir={place}/data", "system.runs_dir=runs"],
        cwd=tmp_path, env={**os.environ, **ALLOWED, "PYTHONPATH": f"{ROOT}:{HERE}"}, capture_output=True, text=True,
    )  # fmt: skip
    assert swept.returncode == 0, swept.stderr
    assert swept.stdout.count("magnitude of cells") >= 2
    assert main(["compare", f"{tmp_path}/runs", "--out", f"{tmp_path}/report.html"]) == 0
    table = pd.read_csv(tmp_path / "comparison.csv")
    assert len(table) == 2
    page = (tmp_path / "report.html").read_text()
    assert "magnitude" in page and "task.lr" in page and "broken" not in page


def test_what_it_does_not_offer_is_refused_by_name(place: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="explain=none"):
        ensure_run(config_of(place, tmp_path, "explain=gradcam"), [])
    folder = ensure_run(config_of(place, tmp_path), [])
    kind = experiment_class("experiment_on_tables")
    with pytest.raises(ConfigurationError, match="cannot be explained"):
        kind.explain_stored(folder, {}, "test")
    with pytest.raises(ConfigurationError, match="cannot ask again"):
        kind.evaluate({}, [folder.best_checkpoint])


def test_strangers_may_not_name_one(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(place, tmp_path)
    monkeypatch.delenv("SEISVISION_ALLOWED_TARGETS")
    with pytest.raises(ConfigurationError, match=r"experiment_on_tables\.source\.TableSource is not allowed"):
        ensure_run(config, [])
    folder = RunFolder(tmp_path / "run")
    folder.prepare(config, [])
    with pytest.raises(ConfigurationError, match="Unknown kind of experiment"):
        do_run(folder)
