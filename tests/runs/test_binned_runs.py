"""Runs of binned outputs: trained, measured beside baselines, located, averaged, evaluated again and compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from tiny_runs import ROOT, plain_config

from seisvision.cli import main
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.prediction_table import read_predictions
from seisvision.runs.ensure import ensure_run

ALLOWED = "model_of_ones_own."
LOCAL = [
    "experiment=offset_local",
    "task=ingv",
    "~task.outputs.detection",
    "~task.outputs.magnitude",
    "~task.outputs.depth",
    "task.outputs.distance.n_bins=6",
    "task.outputs.distance.limits=null",
    "task.outputs.distance.rule=equal_counts",
    "dataset.source.n_events=12",
    "dataset.source.noise_db=-20",
    "dataset.source.n_stations=[4,4]",
    "view.height=16",
    "view.width=16",
    "trainer.max_epochs=2",
    "trainer.batch_size=32",
    "logger=csv",
    "system.num_workers=0",
    "~model",
    "+model._target_=model_of_ones_own.RequiredArguments",
    "+model.width=7",
]
OUTPUTS = ("distance", "azimuth")


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", ALLOWED)


@pytest.fixture(scope="module")
def runs(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    """Two seeds, the first beside baselines and located."""
    folder = tmp_path_factory.mktemp("runs")
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={folder}"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SEISVISION_ALLOWED_TARGETS", ALLOWED)
        located = ["location=default", "location.output=distance"]
        more = [["evaluation.baselines=true", *located], ["evaluation.baselines=false", "location=none", "seed=1"]]
        return [ensure_run(plain_config([*LOCAL, *folders, *words]), []) for words in more]


def test_bins_are_measured_like_numbers_and_angles(runs: list[RunFolder]) -> None:
    metrics = read_json(runs[0].metrics_file)
    for output in OUTPUTS:
        assert {"exact_bin", "within_1_bin", "coverage_68", "acc_curve_area"} <= metrics["test"][output].keys()
    about = {one["name"]: one for one in metrics["outputs"]}
    assert len(about["distance"]["edges"]) == 7
    for output in OUTPUTS:
        said = read_predictions(runs[0].predictions_file, about[output])
        np.testing.assert_allclose(said.probability.sum(axis=1), 1, atol=1e-4)
        value = said.measures()[said.headline].value
        assert value == pytest.approx(metrics["test"][output][said.headline]["value"], rel=1e-4)
    assert metrics["location"]["network"]["measures"]["median_error_km"]["n"] > 0


def test_polarisation_stands_beside_back_azimuths(runs: list[RunFolder]) -> None:
    metrics = read_json(runs[0].metrics_file)
    baselines = metrics["baselines"]
    assert "polarisation" not in baselines["distance"] and "s_minus_p" in baselines["distance"]
    found = baselines["azimuth"]["polarisation"]
    assert "nothing fitted; answers" in found["description"] and found["features"][0] == "back_azimuth_deg"
    assert (
        found["test"]["median_ae_deg"]["value"] < 25 < baselines["azimuth"]["median"]["test"]["median_ae_deg"]["value"]
    )
    assert metrics["strongest_baseline"]["azimuth"]["name"] == "polarisation"
    assert metrics["differences"]["test"]["azimuth"]["polarisation"]["of"] == "median_ae_deg"


def test_networks_of_bins_are_evaluated_again_and_averaged(
    runs: list[RunFolder], data_dir: Path, tmp_path: Path
) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", "system.num_workers=0"]

    def evaluate(ckpt: str) -> Path:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return evaluate_checkpoint(compose("evaluate", overrides=[f"ckpt={ckpt}", *folders]))

    alone = [pd.read_csv(run.predictions_file) for run in runs]
    again = evaluate(str(runs[0].path))
    pd.testing.assert_frame_equal(pd.read_csv(again / "predictions.csv"), alone[0])
    assert "polarisation" in read_json(again / "metrics.json")["baselines"]["azimuth"]
    both = pd.read_csv(evaluate("[" + ",".join(str(run.path) for run in runs) + "]") / "predictions.csv")
    for column in ("distance_bin_3", "azimuth_bin_35"):
        np.testing.assert_allclose(both[column], (alone[0][column] + alone[1][column]) / 2, rtol=1e-3, atol=1e-6)
    assert (both["distance_low95"] < both["distance_prediction"]).all()


def test_they_are_compared(runs: list[RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(runs[0].path.parent), "--out", str(tmp_path / "report.html")]) == 0
    assert "median error (deg)" in (tmp_path / "report.html").read_text()
    assert "left out" not in capsys.readouterr().err
