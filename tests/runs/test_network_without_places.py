"""A locator of stations whose coordinates nobody has: trained, evaluated and asked, and refused where it takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from edited_sets import edited
from omegaconf import OmegaConf
from tiny_runs import plain_config

import seisvision
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters
from seisvision.data.synthesis_local.synthesise import synthesise_local
from seisvision.errors import ConfigurationError
from seisvision.experiments.waveforms.early_warning import check_asked_early
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.records.checkpoint import find_checkpoint
from seisvision.records.folder import RunFolder, read_json
from seisvision.runs.ensure import ensure_run

N_STATIONS, N_EVENTS = 6, 12
LOST = ("station_latitude_deg", "station_longitude_deg", "station_elevation_m", "path_")


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set with the places of its events, and of none of its stations."""
    parameters = LocalSynthesisParameters(
        n_events=N_EVENTS, sampling_rate_hz=20.0, length_s=14.0, lead_s=(1.0, 2.0), n_stations=(5, N_STATIONS),
        network_km=15.0, repeat=0.0, noise_db=-20.0, magnitude=(2.0, 3.0),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("nowhere")
    made = synthesise_local(parameters, folder / "made")
    return edited(made, folder / "set", lambda table: table.drop(columns=[n for n in table if n.startswith(LOST)]))


@pytest.fixture(scope="module")
def run(nowhere: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The smallest locator after three steps."""
    words = [
        "experiment=fcn_locator", "dataset=folder", f"dataset.source.path={nowhere}",
        "dataset.labels.source_type=null", "dataset.samples.network={stations: training, fixed: true}",
        "dataset.samples.window.length_s=12.8", "view.n_samples=256", f"view.n_stations={N_STATIONS}",
        "model.width=0.0625", "trainer.batch_size=2", "trainer.max_epochs=1", "trainer.limit_train_batches=3",
        "system.num_workers=0", "logger=csv", f"system.data_dir={nowhere.parent}",
        f"system.runs_dir={tmp_path_factory.mktemp('runs')}",
    ]  # fmt: skip
    return ensure_run(plain_config(words), [])


def test_it_is_trained_and_evaluated_as_any_other(run: RunFolder, nowhere: Path, tmp_path: Path) -> None:
    stored = torch.load(find_checkpoint(run.path), weights_only=True)["seisvision"]["network"]
    metrics = read_json(run.metrics_file)
    origin = metrics["outputs"][0]["origin_deg"]
    assert stored["middle_deg"] == origin and np.isnan(stored["latitude_deg"]).all()
    error_km = metrics["test"]["place"]["median_ae_epicentre_km"]["value"]
    assert 0 < error_km < 200
    table = pd.read_csv(run.predictions_file)
    assert table.filter(like="place_prediction").notna().all(axis=None)
    assert list(run.path.glob("**/*place*.png"))
    folders = [f"system.data_dir={nowhere.parent}", f"system.runs_dir={tmp_path}", "system.num_workers=0"]
    composed = plain_config([f"ckpt={run.path}", *folders], "evaluate")
    again = read_json(evaluate_checkpoint(OmegaConf.create(composed)) / "metrics.json")
    assert again["test"]["place"]["median_ae_epicentre_km"]["value"] == pytest.approx(error_km)
    answers = seisvision.open_run(run.path).network().predict(nowhere)
    assert len(answers.table) == N_EVENTS


def test_whoever_needs_the_places_refuses_it(run: RunFolder) -> None:
    trained = TrainedNetwork.open(find_checkpoint(run.path))
    with pytest.raises(ConfigurationError, match=r"stations without coordinates.*--stations.*evaluate\.py"):
        check_asked_early(run.path, trained)
