"""Unlabelled events: distances from a trained network, clusters of the sections drawn with them."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from tiny_runs import plain_config, tiny_config

from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.data.samples.predicted_offsets import PredictedOffsets
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import CheckpointError, ConfigurationError
from seisvision.experiments.waveforms.offsets import offsets_of, predict_offsets
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.folder import RunFolder, read_json
from seisvision.runs.ensure import ensure_run, identify

TRACES = [
    "dataset.source.lead_s=300",
    "dataset.source.length_s=2200",
    "dataset.traces.window.length_s=600",
    "dataset.traces.window.start_s=-60",
    "dataset.traces.window.jitter_s=30",
]
SIX = ("tectonic", "glacial", "landslide", "explosion", "collapse", "volcanic")
SOURCE_COLUMNS = ("source_latitude_deg", "source_longitude_deg", "source_depth_km", "path_ep_distance_km")


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def network(data_dir: Path, runs_dir: Path) -> RunFolder:
    choices = ["experiment=atlas/offset", *TRACES, "dataset.samples.window.length_s=1200", "trainer.batch_size=16"]
    return ensure_run(tiny_config(data_dir, runs_dir, *choices), [])


def unlabelled_config(data_dir: Path, runs_dir: Path, checkpoint: Path, *overrides: str) -> dict:
    choices = [
        "experiment=atlas/unlabelled",
        f"offset_ckpt={checkpoint}",
        *TRACES,
        "dataset.samples.window.start_s=-60",
    ]
    smaller = ["dataset.samples.window.length_s=1200", "task.k=2", "task.train_k=2", "trainer.max_epochs=1"]
    return tiny_config(data_dir, runs_dir, *choices, *smaller, *overrides)


@pytest.fixture(scope="module")
def clustered(data_dir: Path, runs_dir: Path, network: RunFolder) -> RunFolder:
    return ensure_run(unlabelled_config(data_dir, runs_dir, network.path), [])


def evaluate(data_dir: Path, out: Path, checkpoint: Path, *overrides: str) -> Path:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={out}", "system.num_workers=0"]
    return evaluate_checkpoint(OmegaConf.create(plain_config([f"ckpt={checkpoint}", *folders, *overrides], "evaluate")))


def test_the_network_of_the_distances_has_never_seen_the_events(network: RunFolder, clustered: RunFolder) -> None:
    trained, asked = (read_json(run.metrics_file)["data"]["fingerprint"] for run in (network, clustered))
    assert trained != asked
    assert set(pd.read_csv(clustered.path / "clusters.csv")["source_type"]) == set(SIX)


def test_distances_for_events_of_the_training_are_warned_of(
    data_dir: Path, network: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    predict_offsets(_set(data_dir, network.config()), network.best_checkpoint)
    assert "trained on this very set" in caplog.text


def test_sections_are_clustered_with_predicted_distances(
    data_dir: Path, clustered: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config, run = clustered.config(), clustered
    offsets = offsets_of(Settings.of(config), _set(data_dir, config))
    assert config["offset_hash"] in caplog.text
    fingerprint = read_json(run.metrics_file)["data"]["fingerprint"]
    (table,) = (data_dir / "features").glob(f"offsets-{config['offset_hash']}-{fingerprint}.csv")
    assert PredictedOffsets.read(table).source_ids == offsets.source_ids
    unknown = np.isnan(offsets.offset_km)
    assert 0 < unknown.sum() < len(unknown)
    assert [bool(reason) for reason in offsets.reasons] == unknown.tolist()
    found = pd.read_csv(run.path / "clusters.csv")
    known = pd.Series(~unknown).groupby(np.array(offsets.source_ids)).sum()
    assert sorted(found["source_id"]) == sorted(known.index[known >= 3])
    assert read_json(run.metrics_file)["clustering"]["k"] == 2


def test_a_checkpoint_assigns_its_own_events_with_the_distances_it_learnt_from(
    data_dir: Path, clustered: RunFolder, tmp_path: Path
) -> None:
    folder = evaluate(data_dir, tmp_path, clustered.path)
    assert (folder / "clusters.csv").read_text() == (clustered.path / "clusters.csv").read_text()
    assert read_json(folder / "metrics.json")["data"]["offset_hash"] == clustered.config()["offset_hash"]


def test_events_of_another_set_need_no_coordinates(data_dir: Path, clustered: RunFolder, tmp_path: Path) -> None:
    """The same events in a set that knows nothing of their sources get the same clusters."""
    config = clustered.config()
    copy = tmp_path / "set"
    shutil.copytree(_set(data_dir, config).path, copy)
    table = pd.read_csv(copy / "metadata.csv", low_memory=False)
    unknown = [
        name for name in table if name.startswith("path_") or (name.startswith("source_") and name != "source_id")
    ]
    table.drop(columns=unknown).to_csv(copy / "metadata.csv", index=False)
    samples = {name: value for name, value in config["dataset"]["samples"].items() if name in ("onset", "window")}
    other = ["dataset=folder", f"dataset.source.path={copy}", "dataset.labels.source_type=null"]
    other += ["dataset.samples.min_stations=3", f"+dataset.samples.onset={samples['onset']}".replace("'", "")]
    other += [f"dataset.samples.window.{name}={value}" for name, value in samples["window"].items()]
    folder = evaluate(data_dir, tmp_path, clustered.path, *other, "training_events=keep")
    one, two = (pd.read_csv(path / "clusters.csv").set_index("source_id") for path in (clustered.path, folder))
    assert two["cluster"].to_dict() == one["cluster"].to_dict()
    np.testing.assert_allclose(two.loc[one.index, "distance"], one["distance"], rtol=1e-4)


def test_distances_whose_network_is_gone_are_an_error_unless_its_new_place_is_said(
    data_dir: Path, network: RunFolder, clustered: RunFolder, tmp_path: Path
) -> None:
    moved = network.best_checkpoint.rename(tmp_path / "moved.ckpt")
    try:
        with pytest.raises(CheckpointError, match=r"it is gone: .* say so with offset_ckpt=PATH"):
            evaluate(data_dir, tmp_path, clustered.path)
        folder = evaluate(data_dir, tmp_path, clustered.path, f"offset_ckpt={moved}")
    finally:
        shutil.copy(moved, network.best_checkpoint)
    assert (folder / "clusters.csv").read_text() == (clustered.path / "clusters.csv").read_text()
    with pytest.raises(ConfigurationError, match="not trained on predicted distances"):
        evaluate(data_dir, tmp_path, network.path, f"offset_ckpt={moved}")


def test_the_network_is_part_of_the_run_and_its_place_is_not(
    data_dir: Path, runs_dir: Path, network: RunFolder, tmp_path: Path
) -> None:
    moved, other = tmp_path / "moved.ckpt", tmp_path / "other.ckpt"
    shutil.copy(network.best_checkpoint, moved)
    other.write_bytes(network.best_checkpoint.read_bytes() + b" ")
    ids = [identify(unlabelled_config(data_dir, runs_dir, path)).run_id for path in (network.path, moved, other)]
    assert ids[0] == ids[1] != ids[2]
    with pytest.raises(CheckpointError, match="no checkpoint"):
        unlabelled_config(data_dir, runs_dir, tmp_path / "missing.ckpt")


def test_a_checkpoint_that_changed_is_refused(
    data_dir: Path, runs_dir: Path, network: RunFolder, tmp_path: Path
) -> None:
    path = tmp_path / "network.ckpt"
    shutil.copy(network.best_checkpoint, path)
    config = unlabelled_config(data_dir, runs_dir, path)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CheckpointError, match="has changed"):
        offsets_of(Settings.of(config), _set(data_dir, config))


def test_what_the_table_knows_of_sources_changes_no_prediction(
    data_dir: Path, runs_dir: Path, network: RunFolder, tmp_path: Path
) -> None:
    original = _set(data_dir, unlabelled_config(data_dir, runs_dir, network.path))
    copy = tmp_path / "set"
    shutil.copytree(original.path, copy)
    table = pd.read_csv(copy / "metadata.csv", low_memory=False)
    kept = table["source_id"].isin(table["source_id"].unique()[:4])
    table.loc[kept, list(SOURCE_COLUMNS)] = 1.0
    table["source_type"] = "unknown"
    table.to_csv(copy / "metadata.csv", index=False)
    rows = np.flatnonzero(kept)
    before, after = (predict_offsets(one, network.best_checkpoint) for one in (original, WaveformSet(copy)))
    np.testing.assert_allclose(before.offset_km[rows], after.offset_km[rows], rtol=1e-4)
    assert list(before.reasons) == list(after.reasons)


def test_missing_components_are_a_reason(data_dir: Path, runs_dir: Path, network: RunFolder, tmp_path: Path) -> None:
    original = _set(data_dir, unlabelled_config(data_dir, runs_dir, network.path))
    copy = tmp_path / "set"
    shutil.copytree(original.path, copy)
    table = pd.read_csv(copy / "metadata.csv", low_memory=False)
    table["trace_component_order"] = "Z12"
    table.to_csv(copy / "metadata.csv", index=False)
    offsets = predict_offsets(WaveformSet(copy), network.best_checkpoint)
    assert np.isnan(offsets.offset_km).all()
    assert any("needs component NE" in reason for reason in offsets.reasons)


def test_a_network_of_something_else_is_refused(data_dir: Path, runs_dir: Path) -> None:
    other = ensure_run(tiny_config(data_dir, runs_dir, "trainer.max_epochs=1", "run.test=false"), [])
    config = unlabelled_config(data_dir, runs_dir, other.path)
    with pytest.raises(ConfigurationError, match="does not predict distances"):
        offsets_of(Settings.of(config), _set(data_dir, config))


def _set(data_dir: Path, config: dict) -> WaveformSet:
    from seisvision.records.configuration import instantiate

    return WaveformSet(instantiate(config["dataset"]["source"]).prepare(data_dir))
