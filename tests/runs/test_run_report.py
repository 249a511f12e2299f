"""What every run writes about its own results: tables, figures, and what its network looked at."""

from __future__ import annotations

import csv
import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_regression_runs import TRACES
from tiny_runs import plain_config, tiny_config

from seisvision.cli import main
from seisvision.errors import ConfigurationError
from seisvision.records.folder import FINISHED, RunFolder, read_json
from seisvision.records.identity import run_identity, scientific_part
from seisvision.records.thumbnails import read_thumbnails
from seisvision.runs.ensure import ensure_run

pytestmark = pytest.mark.usefixtures("drawn_figures")

pytest.importorskip("captum", reason="explain=gradcam is an extra")


@pytest.fixture(scope="module")
def classified(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    runs = tmp_path_factory.mktemp("runs")
    config = tiny_config(data_dir, runs, "explain=gradcam", "explain.samples=3", "view.height=64", "view.width=64")
    return ensure_run(config, [])


@pytest.fixture(scope="module")
def measured(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Offsets of single traces, with sigmas; no location."""
    choices = ["experiment=atlas/locate", *TRACES, "location=none", "trainer.batch_size=16", "explain=gradcam"]
    overrides = [*choices, "task.outputs.offset.loss=laplace", "trainer.max_epochs=1", "explain.samples=4"]
    return ensure_run(tiny_config(data_dir, tmp_path_factory.mktemp("runs"), *overrides), [])


def rows_of(folder: RunFolder, name: str) -> list[dict[str, str]]:
    with (folder.tables / f"{name}.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_tables_agree_with_the_stored_measures(classified: RunFolder) -> None:
    metrics = read_json(classified.metrics_file)["test"]["source_type"]
    measures = {row["measure"]: row for row in rows_of(classified, "source_type_test_measures")}
    for end, key in (("value", "value"), ("low", "low"), ("high", "high"), ("n", "n")):
        assert float(measures["accuracy"][end]) == pytest.approx(metrics["accuracy"][key], abs=1e-5)
    confusion = [[int(row[f"called {name}"]) for name in ("tectonic", "glacial")]
                 for row in rows_of(classified, "source_type_test_confusion")]  # fmt: skip
    assert confusion == metrics["confusion"]
    classes = rows_of(classified, "source_type_test_classes")
    assert [int(row["n"]) for row in classes] == np.sum(confusion, axis=1).tolist()
    assert [int(row["n_predicted"]) for row in classes] == np.sum(confusion, axis=0).tolist()
    assert rows_of(classified, "source_type_test_reliability")


def test_samples_have_pictures_and_the_worst_come_first(classified: RunFolder) -> None:
    rows = rows_of(classified, "source_type_test_samples")
    wrong = [row["prediction"] != row["target"] for row in rows]
    assert wrong == sorted(wrong, reverse=True) and [row["why"] for row in rows] == [
        "worst" if one else "other" for one in wrong
    ]
    for row in rows:
        assert (classified.tables / row["picture"]).resolve().is_file()
    predicted = pd.read_csv(classified.predictions_file).set_index("source_id")
    assert all(predicted.loc[row["event"], "source_type_prediction"] == row["prediction"] for row in rows)


def test_runs_keep_small_pictures_of_test_samples_the_wrong_ones_first(classified: RunFolder) -> None:
    kept = list(read_thumbnails(classified.thumbnails("test")))
    predicted = pd.read_csv(classified.predictions_file, dtype={"source_id": str})
    assert set(kept) == set(predicted["source_id"]), "few test events, so all of them"
    wrong = predicted["source_id"][predicted["source_type_prediction"] != predicted["source_type_target"]]
    assert set(kept[: len(wrong)]) == set(wrong)
    assert not classified.thumbnails("val").exists()


def test_regressions_have_the_same_tables_and_error_against_the_true_offset(measured: RunFolder) -> None:
    stored = read_json(measured.metrics_file)
    bins = rows_of(measured, "offset_test_error_against")
    by_offset = [row for row in bins if row["quantity"] == "offset_km"]
    assert {row["measure"] for row in bins} == {"median_ae_km"} and {"offset_km", "depth_km"} <= {
        row["quantity"] for row in bins
    }
    assert sum(int(row["n"]) for row in by_offset) == stored["data"]["samples"]["test"]
    # By hand, from the table of predictions and the true offsets in it.
    table = pd.read_csv(measured.predictions_file)
    first = by_offset[0]
    inside = table["offset_target"].between(float(first["low"]) - 0.5, float(first["high"]) + 0.5)
    wanted = (table["offset_prediction"] - table["offset_target"]).abs()[inside].median()
    assert inside.sum() == int(first["n"]) and float(first["value"]) == pytest.approx(wanted, rel=1e-3)
    for name in ("tolerance", "reliability", "measures", "samples"):
        assert rows_of(measured, f"offset_test_{name}")
    names = {path.name for path in measured.figures.glob("*.png")}
    assert {"offset_test_error_against.png", "offset_test_confident_wrong.png", "learning_curves.png"} <= names


def test_maps_are_stored_with_their_samples_and_the_sanity_check(classified: RunFolder, measured: RunFolder) -> None:
    for folder, stem, signed, n in ((classified, "source_type_test", False, 3), (measured, "offset_test", True, 4)):
        about = json.loads((folder.explain / f"{stem}.json").read_text())
        arrays = np.load(folder.explain / f"{stem}.npz")
        assert about["signed"] is signed and len(about["samples"]) == n and about["layer"].startswith("network.")
        assert arrays["maps"].shape == arrays["random_weights"].shape == (n, *about["map"])
        assert arrays["pictures"].shape[:2] == (n, 3) and np.isfinite(arrays["maps"]).all()
        assert arrays["sample_ids"].tolist() == about["samples"]
        assert -1 <= about["median_rank_correlation"] <= 1
        assert not np.allclose(arrays["maps"], arrays["random_weights"]), "random weights give other maps"
        assert (folder.figures / f"{stem}_gradcam.png").is_file()
        predicted = pd.read_csv(folder.predictions_file, dtype={"trace_id": str})
        ids = predicted["trace_id" if "trace_id" in predicted else "source_id"].tolist()
        assert set(about["samples"]) <= set(ids), "test samples are explained"


def test_a_stored_run_is_explained_again_with_the_same_maps(
    classified: RunFolder, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stem = classified.explain / "source_type_test"
    before = np.load(stem.with_suffix(".npz"))["maps"]
    assert main(["explain", str(classified.path), "--samples", "2", "--data-dir", str(data_dir)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(classified.figures)
    about, maps = json.loads(stem.with_suffix(".json").read_text()), np.load(stem.with_suffix(".npz"))["maps"]
    assert len(about["samples"]) == 2 and np.allclose(maps[0], before[0], atol=1e-5)
    layer = "network.layer2"
    assert main(["explain", str(classified.path), "--samples", "1", "--part", "val", "--layer", layer]) == 0
    assert json.loads((classified.explain / "source_type_val.json").read_text())["layer"] == layer


def test_a_finished_run_is_explained_when_it_is_asked_for_again(
    classified: RunFolder, data_dir: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("seisvision"), "propagate", True)
    caplog.set_level(logging.INFO, "seisvision")
    monkeypatch.setattr("seisvision.runs.training.train_and_evaluate", lambda folder: pytest.fail("trained again"))
    shutil.rmtree(classified.explain)
    (figure,) = classified.figures.glob("source_type_test_gradcam.png")
    figure.unlink()
    choices = ["explain=gradcam", "explain.samples=3", "view.height=64", "view.width=64"]
    config = tiny_config(data_dir, classified.path.parents[1], *choices)
    assert ensure_run(config, []).path == classified.path
    assert figure.is_file() and (classified.explain / "source_type_test.npz").is_file()
    before = figure.stat().st_mtime_ns
    ensure_run(config, [])
    assert figure.stat().st_mtime_ns == before and f"seisvision explain {classified.path}" in caplog.text


def test_wrong_uses_of_the_command_are_told(
    classified: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["explain", str(tmp_path)]) == ConfigurationError.exit_code
    assert main(["explain", str(classified.path), "--samples", "0"]) == ConfigurationError.exit_code
    assert main(["explain", str(classified.path), "--layer", "network.layer9"]) == ConfigurationError.exit_code


def test_explaining_does_not_make_another_run() -> None:
    plain, explained = (plain_config([f"explain={choice}"]) for choice in ("none", "gradcam"))
    assert explained["explain"]["method"] == "gradcam" and plain["explain"] is None
    assert run_identity(scientific_part(plain, "data")) == run_identity(scientific_part(explained, "data"))


@pytest.mark.parametrize("layer", ["nowhere", "global_pool"])
def test_what_cannot_be_explained_is_refused_before_training(layer: str, data_dir: Path, tmp_path: Path) -> None:
    config = tiny_config(data_dir, tmp_path, "explain=gradcam", f"explain.layer=network.{layer}", "seed=99")
    with pytest.raises(ConfigurationError, match=rf"network\.{layer}"):
        ensure_run(config, [])
    (folder,) = [RunFolder(path) for path in (tmp_path / "default").iterdir()]
    assert folder.status()["state"] != FINISHED and not folder.history_file.exists()
