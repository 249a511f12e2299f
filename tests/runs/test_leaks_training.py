"""Leaks planted into what a network is trained on, and samples whose ids are bare numbers."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from edited_sets import FIGURES, SHORT, config_of, edited, evaluate, moved, predicted, set_of
from omegaconf import OmegaConf
from tiny_runs import TINY, plain_config, tiny_config

from seisvision import keys
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.data.audit.confounds import class_confounds
from seisvision.data.audit.table import AuditTable
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.samples.window import Window
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.splits import Split
from seisvision.errors import DataError
from seisvision.experiments.waveforms.offsets import predict_offsets
from seisvision.records.configuration import instantiate
from seisvision.records.folder import RunFolder, read_json
from seisvision.runs.ensure import ensure_run


@pytest.fixture(autouse=True)
def _heard_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings can be read, and no figures are drawn."""
    monkeypatch.setattr(logging.getLogger("seisvision"), "propagate", True)
    for name in FIGURES:
        monkeypatch.setattr(f"seisvision.experiments.supervised.{name}", lambda *_: None)


@pytest.fixture(scope="module")
def made(data_dir: Path) -> Path:
    """The set of the tiny experiment."""
    return instantiate(tiny_config(data_dir, data_dir)["dataset"]["source"]).prepare(data_dir)


def test_doubled_events_are_not_trained_on_and_tested(data_dir: Path, made: Path, tmp_path: Path) -> None:
    def double(table: pd.DataFrame) -> pd.DataFrame:
        again = table[table["source_id"].isin(table["source_id"].unique()[:10])]
        return pd.concat([table, moved(again, 1.0, 0.05).assign(source_id="again-" + again["source_id"])])

    path = edited(made, tmp_path / "doubled", double, other_motion=True)
    config = config_of(path, data_dir, tmp_path, *SHORT)
    with pytest.raises(DataError, match="copy_between_events"):
        ensure_run(config, [])
    config["dataset"]["allow_findings"] = ["copy_between_events"]
    split = Split.load(ensure_run(config, []).split_file)
    part_of = {name: part for part, ids in split.parts.items() for name in ids}
    doubled = [name for name in part_of if name.startswith("again-")]
    assert len(doubled) == 10
    assert all(part_of[name] == part_of[name.removeprefix("again-")] for name in doubled)


@pytest.mark.parametrize("seed", [1, 2])
def test_permuted_labels_give_no_better_than_chance(seed: int, made: Path, data_dir: Path, tmp_path: Path) -> None:
    def permute(table: pd.DataFrame) -> pd.DataFrame:
        types = table.drop_duplicates("source_id").set_index("source_id")["source_type"]
        permuted = dict(zip(types.index, np.random.default_rng(seed).permutation(types), strict=True))
        return table.assign(source_type=table["source_id"].map(permuted))

    path = edited(made, tmp_path / "permuted", permute)
    overrides = ["trainer.max_epochs=4", "split.test_fraction=0.5", "evaluation.baselines=true"]
    metrics = read_json(ensure_run(config_of(path, data_dir, tmp_path, *overrides), []).metrics_file)
    accuracy = metrics["test"]["source_type"]["accuracy"]
    assert accuracy["n"] >= 15 and accuracy["low"] < 0.5
    against = metrics["differences"]["test"]["source_type"]["majority"]
    assert against["low"] <= 0 and against["p_value"] > 0.05, "nobody may read 'better' from it"


@pytest.mark.parametrize("late_s", [30.0, -45.0])
def test_an_origin_that_moves_with_the_class_is_seen_and_does_not_reach_who_must_not_know_it(
    late_s: float, made: Path, tmp_path: Path
) -> None:
    def shift(table: pd.DataFrame) -> pd.DataFrame:
        shifted = moved(table, late_s)["source_origin_time"]
        return table.assign(
            source_origin_time=table["source_origin_time"].where(table["source_type"] == "glacial", shifted)
        )

    sets = [WaveformSet(edited(made, tmp_path / "as it was", lambda t: t))]
    sets.append(WaveformSet(edited(made, tmp_path / "shifted", shift)))
    plain, leaking = ({one.attribute: one for one in class_confounds(AuditTable(one))} for one in sets)
    assert "start after origin" not in plain or not plain["start after origin"].notable
    assert leaking["start after origin"].notable and leaking["start after origin"].accuracy > 0.95
    window = Window(reference="random", length_s=300.0, complete=True)
    samples = [TraceSamples(one, np.arange(10), window=window, components="Z") for one in sets]
    for row in range(10):
        before, after = (one[row][keys.WAVEFORM] for one in samples)
        assert np.array_equal(before, after)


TRACES = [
    "dataset.source.lead_s=300",
    "dataset.source.length_s=2200",
    "dataset.traces.window.length_s=600",
    "dataset.traces.window.start_s=-60",
    "dataset.traces.window.jitter_s=30",
    "dataset.samples.window.length_s=1200",
]


@pytest.fixture(scope="module")
def located(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A network that finds distances from single traces."""
    choices = ["experiment=atlas/locate", *TRACES, *SHORT, "location.classical=false"]
    return ensure_run(tiny_config(data_dir, tmp_path_factory.mktemp("runs"), *choices), [])


def _ask_about(located: RunFolder, path: Path, data_dir: Path, runs_dir: Path, *overrides: str) -> Path:
    """Let the network of distances speak of the traces of the set in a folder."""
    dataset = [word for word in (*TINY, *TRACES) if word.startswith("dataset.")]
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}", "system.num_workers=0"]
    words = [f"ckpt={located.path}", "dataset=synthetic_traces", *dataset, *folders, *overrides]
    composed = plain_config(words, "evaluate")
    composed["dataset"]["source"] = {"_target_": "seisvision.data.sources.FolderSource", "path": str(path)}
    return evaluate_checkpoint(OmegaConf.create(composed))


def _first_traces(table: pd.DataFrame) -> pd.DataFrame:
    """One trace of every event, whose id is its row."""
    first = table.drop_duplicates("source_id")
    return first.assign(source_id=[str(row) for row in range(len(first))])


def test_traces_of_events_that_were_trained_on(located: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    path = edited(
        set_of(located, data_dir), tmp_path / "set", lambda t: moved(t, 1.0).assign(source_id="x" + t.source_id)
    )
    folder = _ask_about(located, path, data_dir, tmp_path)
    new = {"x" + name for name in Split.load(located.split_file).parts["test"]}
    assert set(predicted(folder)["source_id"]) <= new
    metrics = read_json(folder / "metrics.json")
    assert metrics["training_events"]["trained_on"] == 16 and metrics["data"]["unit"] == "trace"
    excluded = pd.read_csv(folder / "excluded.csv", dtype=str)
    assert excluded.loc[excluded["reason"] == "trained on", "trace_id"].notna().all()


def test_single_traces_with_bare_numbers_for_ids_are_no_events(
    located: RunFolder, data_dir: Path, tmp_path: Path
) -> None:
    path = edited(set_of(located, data_dir), tmp_path / "numbered", _first_traces)
    folder = _ask_about(located, path, data_dir, tmp_path, "training_events=mark", "location=default")
    said = predicted(folder)
    assert (said["trace_id"] == said["source_id"]).all() and said["station_code"].ne("").all()
    table = pd.read_csv(path / "metadata.csv").set_index("source_id").loc[said["source_id"].astype(int)]
    assert said["offset_target"].astype(float).to_numpy() == pytest.approx(table["path_ep_distance_km"], rel=1e-3)
    assert {"all", "trained_on", "location"} <= set(read_json(folder / "metrics.json"))


def test_distances_of_events_that_their_network_has_seen_are_told(
    located: RunFolder, data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = edited(set_of(located, data_dir), tmp_path / "renamed", lambda t: t.assign(source_id="y" + t.source_id))
    predict_offsets(WaveformSet(path), located.best_checkpoint)
    assert "has seen 24 of the 30 events of this set in its training" in caplog.text


def test_clusters_are_not_asked_about_events_they_were_learnt_from(made: Path, data_dir: Path, tmp_path: Path) -> None:
    choices = ["task=cluster", "task.k=3", "task.pca_dim=6", "task.n_init=2", "task.min_cluster_size=2", *SHORT]
    folder = ensure_run(tiny_config(data_dir, tmp_path, *choices), [])
    path = edited(made, tmp_path / "copy", lambda t: t.assign(source_id="z" + t.source_id))
    marked = evaluate(data_dir, tmp_path, folder.path, path, "training_events=mark")
    table = pd.read_csv(marked / "clusters.csv", keep_default_na=False)
    known = read_json(marked / "metrics.json")["training_events"]
    assert len(table) == 30 and (table["seen"] == "trained on").sum() == known["trained_on"] > 0
    if known["trained_on"] == 30:
        with pytest.raises(DataError, match="All 30 events were seen"):
            evaluate(data_dir, tmp_path, folder.path, path)
