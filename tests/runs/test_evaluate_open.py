"""What evaluations of other sets may leave unsaid: classes where there are none, and windows."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest
from edited_sets import edited, set_of
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from tiny_runs import ROOT, tiny_config

from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.records.folder import RunFolder, read_json
from seisvision.runs.ensure import ensure_run


@pytest.fixture(scope="module")
def finished(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return ensure_run(tiny_config(data_dir, tmp_path_factory.mktemp("runs"), "trainer.max_epochs=1"), [])


def composed(data_dir: Path, runs_dir: Path, *words: str) -> DictConfig:
    """What ``evaluate.py`` is given, with what was left open still open."""
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}", "system.num_workers=0"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("evaluate", overrides=[*words, *folders])


@pytest.mark.parametrize("labels", [[], ["dataset.labels={}"], ["dataset.labels=null"]], ids=["none", "empty", "null"])
def test_a_set_without_labels_is_predicted_by_the_command_of_the_readme(
    finished: RunFolder, data_dir: Path, tmp_path: Path, labels: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = edited(
        set_of(finished, data_dir),
        tmp_path / "unlabelled",
        lambda table: table.drop(columns="source_type").assign(source_id="other_" + table["source_id"]),
    )
    words = [f"ckpt={finished.path}", "dataset=folder", f"dataset.source.path={path}", "training_events=keep", *labels]
    folder = evaluate_checkpoint(composed(data_dir, tmp_path, *words))
    predicted = pd.read_csv(folder / "predictions.csv")
    assert len(predicted) > 20 and predicted["source_type_target"].isna().all()
    assert predicted["source_type_probability_tectonic"].notna().all()
    metrics = read_json(folder / "metrics.json")
    assert metrics["all"] == {} and metrics["baselines"] == {}
    assert "windows are those of the training (reference=origin" in caplog.text
    assert "another time axis" not in caplog.text


def test_classes_that_a_set_has_are_measured_in_the_windows_of_the_training(
    finished: RunFolder, data_dir: Path, tmp_path: Path
) -> None:
    """The own set under another name, with nothing said of windows, is predicted as it was in training."""
    labels = "dataset.labels.source_type={tectonic:[tectonic],glacial:[glacial]}"
    words = [f"ckpt={finished.path}", "dataset=folder", f"dataset.source.path={set_of(finished, data_dir)}", labels]
    folder = evaluate_checkpoint(
        composed(data_dir, tmp_path, *words, "training_events=keep", "dataset.samples.min_stations=3")
    )
    again, first = (
        pd.read_csv(path, dtype={"source_id": str}).set_index("source_id")
        for path in (folder / "predictions.csv", finished.predictions_file)
    )
    column = "source_type_probability_glacial"
    pd.testing.assert_series_equal(again.loc[first.index, column], first[column], rtol=1e-4)
