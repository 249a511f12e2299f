"""A true value may be several columns: everything between the table of a set and a comparison handles vectors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from tiny_runs import ROOT, tiny_config

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.cli import main
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.numbers.output import ScalarOutput
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.prediction_table import read_predictions
from seisvision.runs.ensure import ensure_run

COLUMNS = ["source_latitude_deg", "source_longitude_deg", "source_depth_km"]
OUTPUT = f"{{_target_: kind_of_places.output.PlaceOutput, target: place, columns: [{','.join(COLUMNS)}]}}"
VECTOR = ["~task.outputs.source_type", f"+task.outputs.place={OUTPUT}", "task.monitor=[val/loss,min]"]
MODEL = ["~model", "+model._target_=model_of_ones_own.RequiredArguments", "+model.width=7"]
ALLOWED = "kind_of_places.,model_of_ones_own."


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", ALLOWED)


@pytest.fixture(scope="module")
def runs(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    """One run with baselines and explained, and another of two processes."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SEISVISION_ALLOWED_TARGETS", ALLOWED)
        # The second process imports the packages of this folder too.
        patched.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(Path(__file__).parent)]))
        ddp = ["seed=1", "trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "system.num_threads=1"]
        more = [["evaluation.baselines=true", "explain=gradcam"], ddp]
        return [ensure_run(tiny_config(data_dir, folder, *VECTOR, *MODEL, *words), []) for words in more]


def test_vectors_are_learnt_stored_and_read_back(runs: list[RunFolder]) -> None:
    for run in runs:
        metrics = read_json(run.metrics_file)
        said = read_predictions(run.predictions_file, metrics["outputs"][0])
        table = pd.read_csv(run.predictions_file)
        assert said.target.shape == said.decoded.shape == (len(table), 3)
        np.testing.assert_allclose(said.target[:, 2], table["place_target_source_depth_km"])
        is_test = table["part"] == "test" if "part" in table else np.ones(len(table), bool)
        value = said.take(np.flatnonzero(is_test)).measures()["mae_km"].value
        assert value == pytest.approx(metrics["test"]["place"]["mae_km"]["value"], rel=1e-4)
    assert {"middle"} == read_json(runs[0].metrics_file)["baselines"]["place"].keys()
    assert list(runs[0].explain.glob("*place*"))


def test_vectors_are_averaged_evaluated_again_and_compared(
    runs: list[RunFolder], data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ckpt = "[" + ",".join(str(run.path) for run in runs) + "]"
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", "system.num_workers=0"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        folder = evaluate_checkpoint(compose("evaluate", overrides=[f"ckpt={ckpt}", *folders]))
        again = evaluate_checkpoint(compose("evaluate", overrides=[f"ckpt={runs[0].path}", *folders]))
    alone = [pd.read_csv(run.predictions_file).set_index("source_id") for run in runs]
    both = pd.read_csv(folder / "predictions.csv").set_index("source_id")
    column = "place_prediction_source_depth_km"
    np.testing.assert_allclose(both[column], (alone[0][column] + alone[1][column]) / 2, rtol=1e-4)
    np.testing.assert_allclose(both["place_target_source_depth_km"], alone[0]["place_target_source_depth_km"])
    assert read_json(again / "metrics.json")["baselines"]["place"].keys() == {"middle"}
    assert main(["compare", str(runs[0].path.parent), "--out", str(tmp_path / "report.html")]) == 0
    assert "mean distance (km)" in (tmp_path / "report.html").read_text()
    assert "left out" not in capsys.readouterr().err


def test_a_sample_is_labelled_if_any_of_its_numbers_is_known() -> None:
    from kind_of_places.output import PlaceOutput
    from kind_of_places.predictions import PlacePredictions

    output = PlaceOutput("place", "place", ["x", "y"], scale=1.0)
    nan = torch.nan
    batch = {keys.TARGETS: {"x": torch.tensor([1.0, nan, nan]), "y": torch.tensor([2.0, 3.0, nan])}}
    truth = output.truth(batch)
    assert truth.shape == (3, 2) and output.known_weight(truth) == 2
    assert output.loss(torch.zeros(3, 2), truth) == pytest.approx((1 + 4 + 9) / 2)
    assert ScalarOutput("x", "x", "km").known_weight(batch[keys.TARGETS]["x"]) == 1
    ids = SampleIds.of_events(["a", "b", "c"])
    said = PlacePredictions.from_decoded(output.describe(), ids, truth.numpy(), np.zeros((3, 2)))
    assert said.labelled.tolist() == [True, True, False] and said.n_labelled == 2
    together = average_predictions([said, said.select(["b", "c"])])
    np.testing.assert_array_equal(together.target, said.target)
    # Half known truths are the same truth.
    a, b = said.paired(said)
    assert a.sample_ids == b.sample_ids == ("a", "b")
