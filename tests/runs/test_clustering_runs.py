"""A clustering run from end to end: complete, idempotent, resumable, and able to assign other events."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import ready_python
from omegaconf import OmegaConf
from sklearn.metrics import adjusted_rand_score
from thin_networks import CHANNELS
from tiny_runs import ROOT, TINY, plain_config, tiny_config

from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.errors import CheckpointError
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.folder import FINISHED, RunFolder, read_json
from seisvision.records.integrity.seals import write_tensors
from seisvision.runs.ensure import ensure_run

CLUSTER = ["task=cluster", "task.k=3", "task.pca_dim=6", "task.n_init=2", "task.min_cluster_size=2", "name=clusters"]


def _run(data_dir: Path, runs_dir: Path, *overrides: str) -> RunFolder:
    return ensure_run(tiny_config(data_dir, runs_dir, *CLUSTER, *overrides), [])


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def finished(data_dir: Path, runs_dir: Path) -> RunFolder:
    return _run(data_dir, runs_dir, "evaluation.baselines=true")


def _clusters(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "clusters.csv", dtype={"sample_id": str, "source_id": str})


def test_every_event_is_in_a_cluster(finished: RunFolder) -> None:
    table, metrics = _clusters(finished.path), read_json(finished.metrics_file)
    assert len(table) == table["source_id"].nunique() == 30
    found = metrics["clustering"]
    assert found["sizes"] == sorted(table["cluster"].value_counts().tolist(), reverse=True) and min(found["sizes"]) >= 2
    assert (table["margin"] >= 0).all() and (table["distance"] >= 0).all()
    medians = table.groupby("cluster")["strangeness"].median()
    assert medians.to_numpy() == pytest.approx(np.ones(len(medians)), rel=1e-4)
    assert set(table["source_type"]) == {"tectonic", "glacial"}
    ari = adjusted_rand_score(table["source_type"], table["cluster"])
    assert found["agreement"]["source_type"]["ari"]["value"] == pytest.approx(ari)
    assert len(found["nmi_history"]) == 2
    history = pd.read_csv(finished.history_file)
    assert {"train/loss", "train/loss_over_ln_k", "cluster/nmi", "cluster/kmeans_loss"} <= set(history["name"])


def test_stored_features_are_those_that_were_clustered(finished: RunFolder) -> None:
    table = _clusters(finished.path)
    with np.load(finished.path / "features.npz") as stored:
        assert stored["sample_ids"].tolist() == table["sample_id"].tolist()
        assert stored["features"].shape == (30, CHANNELS[-1]) and stored["features"].dtype == np.float32
        distance = np.linalg.norm(stored["points"][:, None] - stored["centres"], axis=-1)
    assert np.array_equal(distance.argmin(1), table["cluster"])
    assert np.sort(distance, axis=1)[:, 0] == pytest.approx(table["distance"].to_numpy(), abs=1e-5)


def test_simpler_ways_stand_beside_the_network(finished: RunFolder) -> None:
    metrics = read_json(finished.metrics_file)
    assert {"band_power", "physics", "pictures", "untrained"} == set(metrics["baselines"])
    own = metrics["clustering"]["agreement"]["source_type"]["ari"]["value"]
    for name, baseline in metrics["baselines"].items():
        assert sum(baseline["sizes"]) == 30
        difference = metrics["differences"]["source_type"][name]["value"]
        assert difference == pytest.approx(own - baseline["agreement"]["source_type"]["ari"]["value"])


def test_the_same_run_again_trains_nothing(
    finished: RunFolder, data_dir: Path, runs_dir: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seisvision.runs.training.train_and_evaluate", lambda folder: pytest.fail("trained again"))
    assert _run(data_dir, runs_dir, "evaluation.baselines=true").path == finished.path
    shown = capsys.readouterr().out
    assert "clusters of 30 events" in shown and "untrained" in shown


def test_a_killed_run_ends_with_the_clusters_of_an_uninterrupted_one(data_dir: Path, tmp_path: Path) -> None:
    straight = _run(data_dir, tmp_path / "straight", "trainer.max_epochs=4")
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path / 'killed'}", "system.num_threads=1"]
    command = [sys.executable, str(ROOT / "train.py"), *TINY, *folders, *CLUSTER, "trainer.max_epochs=4"]
    process = ready_python.Ready(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in process.stderr or ():
        if b"epoch   2/4" in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    folder = RunFolder(tmp_path / "killed" / "clusters" / straight.run_id)
    assert folder.status()["state"] == "running" and not (folder.path / "clusters.csv").exists()
    done = ready_python.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "resume   after epoch" in done.stderr and folder.status()["state"] == FINISHED
    assert (folder.path / "clusters.csv").read_text() == (straight.path / "clusters.csv").read_text()
    assert read_json(folder.metrics_file)["clustering"] == read_json(straight.metrics_file)["clustering"]
    assert pd.read_csv(folder.history_file).equals(pd.read_csv(straight.history_file))


def _evaluate(data_dir: Path, runs_dir: Path, checkpoint: Path, *overrides: str) -> Path:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}", "system.num_workers=0"]
    return evaluate_checkpoint(OmegaConf.create(plain_config([f"ckpt={checkpoint}", *folders, *overrides], "evaluate")))


def test_a_checkpoint_assigns_its_own_events_as_the_run_did(
    finished: RunFolder, data_dir: Path, tmp_path: Path
) -> None:
    folder = _evaluate(data_dir, tmp_path, finished.path)
    assert (folder / "clusters.csv").read_text() == (finished.path / "clusters.csv").read_text()


def test_a_checkpoint_assigns_events_it_has_never_seen(finished: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    other = ["dataset=synthetic", *(word.replace("=30", "=12") for word in TINY if word.startswith("dataset."))]
    folder = _evaluate(data_dir, tmp_path, finished.path, *other, "dataset.source.seed=5")
    table = _clusters(folder)
    assert len(table) == 12 and table["cluster"].isin([0, 1, 2]).all()
    assert read_json(folder / "metrics.json")["clustering"]["agreement"]["source_type"]["ari"]["n"] == 12


def test_an_unfinished_training_has_no_clusters_to_assign_to(
    finished: RunFolder, data_dir: Path, tmp_path: Path
) -> None:
    checkpoint = load_checkpoint(finished.best_checkpoint)
    del checkpoint["seisvision"]["clustering"]
    write_tensors(checkpoint, tmp_path / "half.ckpt")
    with pytest.raises(CheckpointError, match="no final clusters"):
        _evaluate(data_dir, tmp_path, tmp_path / "half.ckpt")


def test_sets_without_labels_are_clustered_too(data_dir: Path, tmp_path: Path) -> None:
    overrides = ["dataset.labels.source_type=null", "trainer.max_epochs=2", "evaluation.baselines=true"]
    overrides.append("task.train_k=5")
    folder = _run(data_dir, tmp_path, *overrides)
    metrics = read_json(folder.metrics_file)
    assert metrics["clustering"]["agreement"] == {} and metrics["differences"] == {}
    # The last clustering is into fewer clusters than those of the epochs, and not of their kind.
    assert len(metrics["clustering"]["nmi_history"]) == 1
    assert "source_type" not in _clusters(folder.path)


def test_two_processes_find_the_clusters_of_one(data_dir: Path, tmp_path: Path) -> None:
    """Features in shares, one clustering, batch norm and losses over the global batch, kept pictures from all."""
    overrides = ["trainer.max_epochs=2", "task.drawings=2", "task.more_noise_db=6", "dataset.source.n_events=29"]
    overrides += ["augment.station_dropout=0.3", "trainer.accelerator=cpu"]
    one = _run(data_dir, tmp_path / "one", *overrides)
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path / 'two'}", "system.num_threads=1"]
    command = [sys.executable, str(ROOT / "train.py"), *TINY, *folders, *CLUSTER, *overrides, "trainer.devices=2"]
    done = ready_python.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    two = RunFolder(tmp_path / "two" / "clusters" / one.run_id)
    assert _clusters(two.path)[["sample_id", "cluster"]].equals(_clusters(one.path)[["sample_id", "cluster"]])
    histories = [read_json(folder.metrics_file)["clustering"]["kmeans_loss_history"] for folder in (one, two)]
    assert histories[0] == pytest.approx(histories[1], rel=1e-3)
