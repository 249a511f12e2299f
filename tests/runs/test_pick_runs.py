"""Pickers: trained by one command, judged beside rules, asked again, averaged, compared and begun with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from tiny_runs import ROOT, plain_config

from seisvision.cli import main
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.errors import ConfigurationError
from seisvision.experiments.waveforms.pickers import open_picker
from seisvision.outputs.picks.predictions import PickPredictions
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.prediction_table import read_predictions
from seisvision.runs.ensure import ensure_run

FEW = [
    "experiment=pick_local",
    "model=unet1d",
    "dataset.source.n_events=12",
    "dataset.source.n_stations=[2,2]",
    "dataset.source.noise_db=-20",
    "trainer.max_epochs=1",
    "trainer.batch_size=8",
    "logger=csv",
    "system.num_workers=0",
]


@pytest.fixture(scope="module")
def words(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("runs")
    return [*FEW, f"system.data_dir={data_dir}", f"system.runs_dir={folder}"]


@pytest.fixture(scope="module")
def runs(words: list[str]) -> list[RunFolder]:
    """Two seeds."""
    return [ensure_run(plain_config([*words, f"seed={seed}"]), []) for seed in (1, 2)]


def test_it_is_judged_beside_rules_that_learn_nothing(runs: list[RunFolder]) -> None:
    metrics = read_json(runs[0].metrics_file)
    beside = metrics["baselines"]["picks"]
    assert beside.keys() == {"sta_lta", "kurtosis", "akaike"}
    # Quiet records: a rule finds what an untrained network does not.
    found = beside["akaike"]["test"]["P_recall_0.2s"]
    assert found["value"] > 0.6
    assert metrics["differences"]["test"]["picks"]["akaike"]["of"] == "f1_0.1s"
    assert metrics["strongest_baseline"]["picks"]["name"] in beside
    figures = {path.name for path in runs[0].figures.glob("*.png")}
    assert figures >= {f"picks_test_{what}.png" for what in ("residuals", "threshold", "reliability")}


def test_a_few_times_a_window_are_kept_and_no_curve(runs: list[RunFolder]) -> None:
    table = pd.read_csv(runs[0].predictions_file)
    assert len([column for column in table if column.startswith("picks_")]) < 40
    said = read_predictions(runs[0].predictions_file, read_json(runs[0].metrics_file)["outputs"][0])
    assert isinstance(said, PickPredictions)
    assert said.labelled.all()
    assert np.nanmax(said.picked_s) <= 30


def test_two_networks_are_one_and_are_compared(runs: list[RunFolder], data_dir: Path, tmp_path: Path) -> None:
    checkpoints = ",".join(str(run.best_checkpoint) for run in runs)
    settings = [f"ckpt=[{checkpoints}]", f"system.data_dir={data_dir}", "system.num_workers=0"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        folder = evaluate_checkpoint(compose("evaluate", overrides=settings))
    both = read_predictions(folder / "predictions.csv", read_json(runs[0].metrics_file)["outputs"][0])
    alone = [read_predictions(run.predictions_file, read_json(run.metrics_file)["outputs"][0]) for run in runs]
    # Nobody is surer than the surer of the two.
    surest = np.max([one.select(both.sample_ids).probability[:, :, 0] for one in alone], 0)
    assert (both.probability[:, :, 0] <= surest + 1e-5).all()
    assert main(["compare", str(runs[0].path.parent), "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "P recall" in page and "akaike" in page


def test_training_begins_with_the_weights_of_another_run(runs: list[RunFolder], words: list[str]) -> None:
    still = ["model.frozen=true", "optimizer.lr=1e-12", f"init_from={runs[0].path}", "seed=1"]
    again = ensure_run(plain_config([*words, *still]), [])
    assert again.run_id != runs[0].run_id
    about = read_json(runs[0].metrics_file)["outputs"][0]
    first, second = (read_predictions(run.predictions_file, about) for run in (runs[0], again))
    assert np.allclose(first.decoded, second.decoded, atol=1e-4, equal_nan=True)
    with pytest.raises(ConfigurationError, match="another network"):
        ensure_run(plain_config([*words, f"init_from={runs[0].path}", "model.width=4"]), [])


def test_the_network_of_a_run_opens_whole(runs: list[RunFolder]) -> None:
    network = open_picker(runs[0].path)
    assert (network.components, network.n_samples, network.sampling_rate_hz) == ("ENZ", 3000, 100.0)
