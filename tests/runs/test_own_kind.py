"""A kind of output is a folder: everything that handles outputs handles one that nothing else names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from tiny_runs import ROOT, tiny_config

from seisvision.cli import main
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.errors import ConfigurationError
from seisvision.outputs.kinds import predictions_class
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.prediction_table import read_predictions
from seisvision.runs.ensure import ensure_run

OUTPUT = "{_target_: kind_of_quantiles.output.QuantileOutput, target: source_depth_km, unit: km, scale: 10.0}"
OWN = [
    "~task.outputs.source_type",
    f"+task.outputs.depth={OUTPUT}",
    "task.monitor=[val/loss,min]",
    "~model",
    "+model._target_=model_of_ones_own.RequiredArguments",
    "+model.width=7",
]


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", "kind_of_quantiles.,model_of_ones_own.")


@pytest.fixture(scope="module")
def runs(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    """Two runs of different seeds, the first with baselines and explained."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SEISVISION_ALLOWED_TARGETS", "kind_of_quantiles.,model_of_ones_own.")
        more = [["evaluation.baselines=true", "explain=gradcam"], ["seed=1"]]
        return [ensure_run(tiny_config(data_dir, folder, *OWN, *words), []) for words in more]


def test_it_is_trained_measured_stored_and_read_back(runs: list[RunFolder]) -> None:
    metrics = read_json(runs[0].metrics_file)
    assert {"median_ae_km", "coverage_80"} <= metrics["test"]["depth"].keys()
    assert {"median", "boosting"} <= metrics["baselines"]["depth"].keys()
    assert metrics["strongest_baseline"]["depth"]["name"] in metrics["baselines"]["depth"]
    table = pd.read_csv(runs[0].predictions_file)
    assert {"depth_target", "depth_prediction", "depth_error", "depth_q10", "depth_q90"} <= set(table.columns)
    said = read_predictions(runs[0].predictions_file, metrics["outputs"][0])
    assert type(said).__name__ == "QuantilePredictions" and said.decoded.shape == (len(table), 3)
    np.testing.assert_allclose(said.decoded[:, 2], table["depth_q90"])
    assert said.measures()["median_ae_km"].value == pytest.approx(
        metrics["test"]["depth"]["median_ae_km"]["value"], rel=1e-4
    )


def test_it_is_reported_and_explained(runs: list[RunFolder]) -> None:
    names = {path.name for path in runs[0].tables.iterdir()}
    assert {"depth_test_measures.csv", "depth_test_widths.csv", "depth_test_samples.csv"} <= names
    assert {"depth_seen.png", "depth_test_wrong.png"} <= {path.name for path in runs[0].figures.glob("*.png")}
    assert list(runs[0].explain.glob("*depth*"))


def test_networks_are_averaged_and_evaluated_again(runs: list[RunFolder], data_dir: Path, tmp_path: Path) -> None:
    def evaluate(ckpt: str) -> pd.DataFrame:
        settings = [
            f"ckpt={ckpt}",
            f"system.data_dir={data_dir}",
            f"system.runs_dir={tmp_path}",
            "system.num_workers=0",
        ]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return pd.read_csv(evaluate_checkpoint(compose("evaluate", overrides=settings)) / "predictions.csv")

    alone = [pd.read_csv(run.predictions_file).set_index("source_id") for run in runs]
    again = evaluate(str(runs[0].path)).set_index("source_id")
    pd.testing.assert_series_equal(again["depth_q10"], alone[0]["depth_q10"])
    both = evaluate("[" + ",".join(str(run.path) for run in runs) + "]").set_index("source_id")
    for column in ("depth_prediction", "depth_q10", "depth_q90"):
        np.testing.assert_allclose(both[column], (alone[0][column] + alone[1][column]) / 2, rtol=1e-4)


def test_it_is_compared(runs: list[RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    assert main(["compare", str(runs[0].path.parent), "--out", str(page)]) == 0
    text = page.read_text()
    assert "median error (km)" in text and "predictions against targets" in text
    assert "left out" not in capsys.readouterr().err


def test_a_strangers_kind_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEISVISION_ALLOWED_TARGETS")
    with pytest.raises(ConfigurationError, match="Unknown kind of output 'kind_of_quantiles'"):
        predictions_class("kind_of_quantiles")
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", "json.")
    with pytest.raises(ConfigurationError, match=r"'json' cannot be found.*PREDICTIONS"):
        predictions_class("json")
