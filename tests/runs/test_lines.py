"""Views and networks of one dimension are configuration like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from tiny_runs import ROOT, TINY, plain_config

from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.errors import ConfigurationError
from seisvision.experiments.supervised.explain_stored import explain_stored
from seisvision.records.folder import RunFolder, read_json
from seisvision.runs.ensure import ensure_run

LINES = [
    "~view",
    "+view={_target_: model_of_lines.Waveforms, n_samples: 512}",
    "~model",
    "+model={_target_: model_of_lines.ConvNet, width: 4}",
    "dataset=synthetic_traces",
]
OFFSET = [
    "task=offset",
    "dataset.source.lead_s=300",
    "dataset.source.length_s=2200",
    "dataset.traces.window.length_s=600",
    "dataset.traces.window.start_s=-60",
    "dataset.traces.window.jitter_s=30",
]


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_lines.")


def config(data_dir: Path, runs_dir: Path, *overrides: str) -> dict[str, Any]:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}"]
    return plain_config([*(word for word in TINY if not word.startswith("view.")), *folders, *LINES, *overrides])


@pytest.fixture(scope="module")
def folder(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_lines.")
        return ensure_run(config(data_dir, tmp_path_factory.mktemp("runs"), *OFFSET, "evaluation.baselines=true"), [])


def test_a_run_has_all_that_others_have(folder: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    metrics = read_json(folder.metrics_file)
    assert metrics["training"]["model"] == "ConvNet" and metrics["training"]["flops"] > 0
    assert {"median", "s_minus_p"} <= set(metrics["baselines"]["offset"])
    assert {path.name for path in folder.figures.glob("*.png")} >= {"offset_seen.png", "learning_curves.png"}
    settings = [f"ckpt={folder.path}", f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        again = evaluate_checkpoint(compose("evaluate", overrides=[*settings, "system.num_workers=0"]))
    pd.testing.assert_frame_equal(pd.read_csv(again / "predictions.csv"), pd.read_csv(folder.predictions_file))


def test_clusters_are_found_in_lines(data_dir: Path, tmp_path: Path) -> None:
    cluster = ["task=cluster", "task.k=3", "task.pca_dim=6", "task.n_init=2", "evaluation.baselines=true"]
    found = ensure_run(config(data_dir, tmp_path, *OFFSET[1:], *cluster, "name=clusters", "task.front=contrast"), [])
    assert read_json(found.metrics_file)["clustering"]["k"] == 3
    with pytest.raises(ConfigurationError, match=r"task\.front=sobel takes gradients of pictures"):
        ensure_run(config(data_dir, tmp_path, *OFFSET[1:], *cluster, "name=edges", "task.front=sobel"), [])


def test_what_it_looked_at_is_drawn_along_time(folder: RunFolder, data_dir: Path) -> None:
    pytest.importorskip("captum", reason="explain=gradcam is an extra")
    explain_stored(folder, {"method": "gradcam", "samples": 2, "layer": None}, "test", data_dir)
    about = read_json(folder.explain / "offset_test.json")
    with np.load(folder.explain / "offset_test.npz") as stored:
        assert list(stored["maps"].shape[1:]) == about["map"] and len(about["map"]) == 1
        assert stored["maps"].shape == stored["random_weights"].shape and len(stored["maps"]) == 2
        assert not np.allclose(stored["maps"], stored["random_weights"])
        assert stored["lines"].shape == (2, 1, 512) and stored["sample_s"] > 0
    assert (folder.figures / "offset_test_gradcam.png").is_file()
