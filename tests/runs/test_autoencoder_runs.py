"""The auto-encoder: trained by one command, judged beside zeros and the mean picture, asked again, never averaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from tiny_runs import ROOT, plain_config

from seisvision.cli import main
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.errors import ConfigurationError, DataError
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.outputs.reconstruction.predictions import ReconstructionPredictions
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.prediction_table import read_predictions
from seisvision.runs.ensure import ensure_run

FEW = [
    "experiment=autoencoder",
    "dataset.source.n_events=16",
    "dataset.source.n_stations=[2,2]",
    "dataset.source.noise_db=0",
    "trainer.max_epochs=2",
    "logger=csv",
    "system.num_workers=0",
]


@pytest.fixture(scope="module")
def runs(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    """Two seeds."""
    folder = tmp_path_factory.mktemp("runs")
    words = [*FEW, f"system.data_dir={data_dir}", f"system.runs_dir={folder}"]
    return [ensure_run(plain_config([*words, f"seed={seed}"]), []) for seed in (1, 2)]


def asked(data_dir: Path, checkpoints: str, *words: str) -> Path:
    """Where an evaluation was written."""
    settings = [f"ckpt={checkpoints}", f"system.data_dir={data_dir}", "system.num_workers=0", *words]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return evaluate_checkpoint(compose("evaluate", overrides=settings))


def test_it_is_judged_beside_zeros_and_the_mean_picture(runs: list[RunFolder]) -> None:
    run = runs[0]
    metrics = read_json(run.metrics_file)
    beside = metrics["baselines"]["reconstruction"]
    measured = metrics["test"]["reconstruction"]
    assert beside.keys() == {"zeros", "mean_picture"}
    assert beside["zeros"]["test"]["rmse_normalised"]["value"] == 1
    # No record resembles the mean of so few others.
    assert beside["mean_picture"]["test"]["rmse_normalised"]["value"] == pytest.approx(1, abs=0.4)
    assert beside["mean_picture"]["test"]["rmse_normalised"]["value"] != 1
    difference = metrics["differences"]["test"]["reconstruction"]["zeros"]
    assert difference["value"] == pytest.approx(measured["rmse_normalised"]["value"] - 1, rel=1e-4)
    # Of five test events the mean has no interval, but its median has.
    median = measured["median_rmse_normalised"]
    assert median["low"] < median["value"] < median["high"]
    assert metrics["strongest_baseline"]["reconstruction"]["name"] in beside
    figures = {path.name for path in run.figures.glob("*.png")}
    assert figures >= {"reconstruction_test_answers.png", "reconstruction_seen.png", "learning_curves.png"}


def test_one_number_a_sample_is_kept_and_no_picture(runs: list[RunFolder]) -> None:
    metrics = read_json(runs[0].metrics_file)
    table = pd.read_csv(runs[0].predictions_file)
    own = [column for column in table if column.startswith("reconstruction_")]
    assert own == ["reconstruction_target", "reconstruction_prediction", "reconstruction_mean_picture"]
    said = read_predictions(runs[0].predictions_file, metrics["outputs"][0])
    assert isinstance(said, ReconstructionPredictions) and said.decoded.shape == (len(table), 2)
    measured = metrics["test"]["reconstruction"]
    assert said.error.mean() == pytest.approx(measured["rmse_normalised"]["value"], rel=1e-4)
    assert 1 - np.mean(said.error**2) == pytest.approx(measured["explained_variance"]["value"], rel=1e-3)


def test_it_is_evaluated_again_and_compared(runs: list[RunFolder], data_dir: Path, tmp_path: Path) -> None:
    again = asked(data_dir, str(runs[0].path), f"system.runs_dir={tmp_path}")
    pd.testing.assert_frame_equal(pd.read_csv(again / "predictions.csv"), pd.read_csv(runs[0].predictions_file))
    metrics, first = read_json(again / "metrics.json"), read_json(runs[0].metrics_file)
    assert metrics["baselines"]["reconstruction"].keys() == {"zeros", "mean_picture"}
    assert metrics["strongest_baseline"] == first["strongest_baseline"]
    assert (again / "figures" / "reconstruction_test_answers.png").is_file()
    assert main(["compare", str(runs[0].path.parent), "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "explained variance" in page and "mean_picture" in page


def test_another_set_is_scored_without_any_label(runs: list[RunFolder], data_dir: Path, tmp_path: Path) -> None:
    other = [
        "dataset=synthetic_local",
        *(word for word in FEW if word.startswith("dataset.")),
        "dataset.source.n_events=6",
    ]
    again = asked(data_dir, str(runs[0].path), f"system.runs_dir={tmp_path}", *other)
    said = read_predictions(again / "predictions.csv", read_json(runs[0].metrics_file)["outputs"][0])
    assert len(said.sample_ids) > 1 and said.answered.all()


def test_several_networks_are_not_averaged(runs: list[RunFolder], data_dir: Path, tmp_path: Path) -> None:
    several = f"[{runs[0].path},{runs[1].path}]"
    with pytest.raises(DataError, match=r"'reconstruction' by several networks cannot be averaged"):
        asked(data_dir, several, f"system.runs_dir={tmp_path}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=convnetquake", "~model.decoder"], r"'reconstruction' needs .* and ConvNetQuake does not"),
        (["model.decoder=false"], r"JanbakhshNet has no decoder .*Set model\.decoder=true"),
        (["task.outputs.reconstruction.loss=l3"], r"task\.outputs\.reconstruction\.loss='l3' is not allowed"),
    ],
)
def test_what_cannot_reconstruct_is_refused_by_name(words: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        chosen = plain_config(["experiment=autoencoder", *words])
        build_task(Settings.of(chosen), build_view(chosen["view"]))


def test_it_goes_with_other_outputs(data_dir: Path, tmp_path: Path) -> None:
    offset = "{_target_: seisvision.outputs.ScalarOutput, target: path_ep_distance_km, unit: km}"
    words = [*FEW, f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", "trainer.max_epochs=1"]
    run = ensure_run(plain_config([*words, f"+task.outputs.offset={offset}"]), [])
    metrics = read_json(run.metrics_file)
    assert metrics["test"].keys() == {"reconstruction", "offset"} and "median" in metrics["baselines"]["offset"]
