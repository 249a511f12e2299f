"""The Atlas on unlabelled events: whose distances, once per number of clusters, and whether the clusters agree."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from fake_cluster_runs import make_run, three_groups
from fake_runs import CONFIG, SCALAR, fake_run
from sklearn.metrics import adjusted_rand_score
from tiny_runs import ROOT

from seisvision.atlas import stages as atlas_stages
from seisvision.atlas.agreement import cluster_event_means, write_agreement
from seisvision.atlas.presets import Preset, Stage, configurations, load_preset
from seisvision.atlas.report import write_report
from seisvision.atlas.stages import Done, Record, composed, run_stages
from seisvision.commands import atlas as command
from seisvision.errors import ConfigurationError, DataError
from seisvision.records.checkpoint import CONTENT_KEYS, checkpoint_hash
from seisvision.records.folder import RunFolder, read_json, write_json

CONF = ROOT / "conf"
SIX = ["tectonic", "glacial", "landslide", "explosion", "collapse", "volcanic"]
TASK = {
    "k": 3, "pca_dim": 16, "whiten": False, "normalise": True, "backend": "sklearn", "final_n_init": 5,
    "min_cluster_size": 1,
}  # fmt: skip


def load(name: str) -> Preset:
    with configurations(CONF):
        return load_preset(name, CONF)


@pytest.mark.parametrize("name", ["full", "reduced"])
def test_unlabelled_events_are_of_one_set_that_no_network_for_distances_has_seen(name: str) -> None:
    preset = load(name)
    configs = {}
    with configurations(CONF):
        for stage in preset.stages:
            if stage.kind != "agreement":
                needed = [f"offset_ckpt={ROOT / 'pyproject.toml'}"] if stage.offset_from else []
                configs[stage.name] = composed([*preset.overrides, *stage.overrides, *stage.points()[0], *needed])
    unlabelled = [stage for stage in configs if stage.startswith("unlabelled") or stage == "clusters_paper"]
    assert len(unlabelled) == 6
    source = configs["unlabelled"]["dataset"]["source"]
    assert all(configs[stage]["dataset"]["source"] == source for stage in unlabelled)
    assert source["classes"] == SIX == list(configs["unlabelled"]["dataset"]["labels"]["source_type"])
    for stage in preset.stages:
        if stage.offset_from:
            assert configs[stage.offset_from]["dataset"]["source"]["seed"] != source["seed"]


def test_the_published_number_is_found_as_published() -> None:
    """Once per number of clusters, from sections, without the origin or true distances (A-45 to A-50)."""
    preset = load("full")
    (stage,) = [stage for stage in preset.stages if stage.name == "clusters_paper"]
    with configurations(CONF):
        config = composed([*stage.overrides, *stage.points()[0], f"offset_ckpt={ROOT / 'pyproject.toml'}"])
    assert config["task"]["train_k"] is None and config["augment"]["time_shift_s"] == 0
    assert config["view"]["style"] == "wiggle" and config["dataset"]["samples"]["window"]["reference"] == "onset"
    assert (stage.offset_from, stage.offset_point) == ("offset_paper", {"view": "trace"})
    assert [int(point[0].partition("=")[2]) for point in stage.points()] == list(range(2, 13))


def test_no_preset_writes_over_the_results_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def run_stages(preset: Preset, typed: Sequence[str], record: Record, out: Path, only: Any) -> None:
        write_json(out / "agreement.json", {"of": preset.name})
        stage = next(stage for stage in preset.stages if stage.kind == "agreement")
        record.put(stage, Done("finished", files={"agreement": str(out / "agreement.json")}))

    monkeypatch.setattr(atlas_stages, "run_stages", run_stages)
    typed = [f"system.runs_dir={tmp_path}"]
    for preset in ("reduced", "full"):
        command.run(argparse.Namespace(preset=preset, overrides=typed, conf=CONF, only=None, report_only=False))
    reports = [Path(line) for line in capsys.readouterr().out.split()]
    assert reports == [tmp_path / "atlas" / "report.md", tmp_path / "atlas" / "full" / "report.md"]
    for report, preset in zip(reports, ("reduced", "full"), strict=True):
        assert f"preset {preset}" in report.read_text()
        assert read_json(report.with_suffix(".json"))["preset"] == preset
        assert read_json(report.with_name("agreement.json")) == {"of": preset}


OFFSETS = Preset(
    "offsets",
    "Offsets.",
    [],
    [
        Stage("offset_paper", "distances", "paper", ["A-34"], sweep={"view": ["trace", "spectrogram"]}),
        Stage("unlabelled", "u", "paper", ["A-45"], offset_from="offset_paper", offset_point={"view": "trace"}),
    ],
)


def test_the_distances_are_those_of_the_picture_that_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run_one(overrides: Sequence[str]) -> Path:
        said = dict(one.split("=", 1) for one in overrides)
        asked.append(said.get("offset_ckpt", ""))
        if said.get("view") == failing:
            raise DataError("the disk is full")
        path = tmp_path / said["name"] / said.get("view", "-")
        return path if path.exists() else fake_run(path, about=SCALAR)

    monkeypatch.setattr(atlas_stages, "run_one", run_one)
    monkeypatch.setattr(atlas_stages, "composed", lambda overrides: {"launcher": {"kind": "local"}})
    record, failing = Record(tmp_path / "stages.json"), "trace"
    run_stages(OFFSETS, [], record, tmp_path / "out")
    assert record.done["unlabelled"].error == (
        "it needs the run of offset_paper with view=trace, which is not finished; do --only offset_paper first"
    )
    assert asked == ["", ""]
    failing = "none"
    run_stages(OFFSETS, [], record, tmp_path / "out")
    assert record.done["unlabelled"].state == "finished"
    assert asked[-1] == str(tmp_path / "atlas" / "offset_paper" / "trace")


def test_runs_that_are_handed_over_keep_their_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run is done by the launcher, the second is still to come."""

    def launch_runs(runs: Sequence[tuple[dict[str, Any], list[str]]], folders: Sequence[RunFolder]) -> None:
        fake_run(folders[0].path, about=SCALAR)

    def identify(config: dict[str, Any]) -> RunFolder:
        return RunFolder(tmp_path / config["said"]["view"])

    def compose(overrides: Sequence[str]) -> dict[str, Any]:
        return {"launcher": {"kind": "slurm"}, "said": dict(one.split("=", 1) for one in overrides)}

    monkeypatch.setattr(atlas_stages, "composed", compose)
    monkeypatch.setattr("seisvision.sweeps.single.launch_runs", launch_runs)
    monkeypatch.setattr("seisvision.runs.ensure.identify", identify)
    record = Record(tmp_path / "stages.json")
    run_stages(OFFSETS, [], record, tmp_path / "out", only=["offset_paper"])
    done = Record(record.path).done["offset_paper"]
    assert done.points == {"view=trace": str(tmp_path / "trace")} and done.runs["runs"] == [str(tmp_path / "trace")]
    assert done.state == "failed" and "handed over" in str(done.error)


@pytest.mark.parametrize("point", [{}, {"view": "raw"}])
def test_a_preset_that_leaves_the_network_open_is_refused(tmp_path: Path, point: dict[str, str]) -> None:
    (tmp_path / "atlas").mkdir()
    (tmp_path / "train.yaml").write_text("{}")
    sweep = {"title": "a", "mode": "paper", "sweep": {"view": ["trace", "spectrogram"]}}
    stages = {"a": sweep, "b": {"title": "b", "mode": "paper", "offset_from": "a", "offset_point": point}}
    content = {"note": "", "overrides": [], "stages": stages}
    (tmp_path / "atlas" / "open.yaml").write_text("# @package _global_\n" + yaml.safe_dump(content))
    with configurations(tmp_path), pytest.raises(ConfigurationError, match="is no run of 'a'"):
        load_preset("open", tmp_path)


def network_of(path: Path, fingerprint: str) -> dict[str, str]:
    """The file of a network trained on a set, as a run names it."""
    torch.save({"seisvision": dict.fromkeys(CONTENT_KEYS, "0123456789") | {"data_fingerprint": fingerprint}}, path)
    return {"offset_ckpt": str(path), "offset_hash": checkpoint_hash(path)}


def complete(folder: Path, settings: dict[str, Any]) -> str:
    """Give a clustering run all that the report says of a run; returns its folder."""
    config = copy.deepcopy(CONFIG) | settings
    config["split"] |= {"stratify": False, "refit": False, "test_fraction": 0.0, "val_fraction": 0.0}
    config["view"]["width"], config["trainer"]["max_epochs"] = 32, 5
    config["task"], config["dataset"]["labels"] = (
        {"k": yaml.safe_load((folder / "config.yaml").read_text())["task"]["k"]},
        {},
    )
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    metrics = read_json(folder / "metrics.json")
    measure = {"value": 0.3, "low": 0.2, "high": 0.4, "n": 90}
    metrics["data"] |= {"split_hash": "split1"}
    metrics["clustering"] |= {"agreement": {"source_type": {"ari": measure, "nmi": measure}}}
    metrics["training"] = {"model": "resnet18"}
    write_json(folder / "metrics.json", metrics)
    return str(folder)


KINDS = Preset(
    "kinds",
    "Kinds.",
    [],
    [
        Stage("clusters", "known", "careful", ["A-52"], kind="clusters"),
        Stage("clusters_paper", "unknown", "paper", ["A-50"], kind="clusters"),
    ],
)


def reported_lines(tmp_path: Path, network: dict[str, str]) -> list[dict[str, Any]]:
    """Lines of a report on three trainings of either kind."""
    events, _ = three_groups(90)
    done = {}
    for stage, settings in (("clusters", {}), ("clusters_paper", network)):
        runs = [complete(make_run(tmp_path / stage / f"k{k}", events, k, 1).path, settings) for k in (2, 3, 5)]
        done[stage] = Done("finished", {"runs": runs})
    path = write_report(KINDS, done, tmp_path / "report", tmp_path)
    return read_json(path.with_suffix(".json"))["lines"]


def test_the_published_number_stands_beside_runs_as_published(tmp_path: Path) -> None:
    lines = reported_lines(tmp_path, network_of(tmp_path / "other.ckpt", "another set"))
    published = [line for line in lines if line["published"]]
    assert [line["ours"] for line in published] == ["2 (tried 2, 3, 5)", "5 (tried 2, 3, 5)"]
    assert [line["metric"] for line in published] == ["cross-entropy, smallest", "k-means loss, smallest"]
    assert all("clusters_paper" in line["run"] and line["mode"] == "paper" for line in published)
    entropies = [float(line["ours"]) for line in lines if line["statement"] == "A-48"]
    assert entropies == pytest.approx([0.5 * np.log(k) for k in (2, 3, 5)], rel=1e-3)
    for line in lines:
        assert ("known" in line["notes"]) == (line["mode"] == "careful")
        assert "seen" not in line["notes"] and "lost" not in line["notes"]


def test_distances_for_events_of_the_training_are_a_footnote(tmp_path: Path) -> None:
    lines = reported_lines(tmp_path, network_of(tmp_path / "same.ckpt", "abc"))
    assert [line["notes"] for line in lines if line["published"]] == ["W6 W11 seen"] * 2
    assert not any("seen" in line["notes"] for line in lines if line["mode"] == "careful")
    assert "trained on, so their errors are too small" in (tmp_path / "report" / "report.md").read_text()


def test_a_network_of_distances_that_changed_is_a_footnote(tmp_path: Path) -> None:
    network = network_of(tmp_path / "changed.ckpt", "abc")
    network_of(tmp_path / "changed.ckpt", "another set")
    lines = reported_lines(tmp_path, network)
    assert [line["notes"] for line in lines if line["published"]] == ["W6 W11 lost"] * 2


def clustering_run(
    path: Path, labels: np.ndarray, types: Sequence[str], traces: int = 1, fingerprint: str = "data1"
) -> Path:
    """The files of a clustering run of which agreement is made."""
    path.mkdir(parents=True)
    events = [f"event-{i:03d}" for i in range(len(labels))]
    source_ids = np.repeat(events, traces)
    rng = np.random.default_rng(3)
    features = 5.0 * np.eye(4)[np.repeat(labels, traces)] + rng.normal(0, 1.0, (len(source_ids), 4))
    table = {"sample_id": range(len(source_ids)), "source_id": source_ids, "cluster": np.repeat(labels, traces)}
    pd.DataFrame(table | {"source_type": np.repeat(types, traces)}).to_csv(path / "clusters.csv", index=False)
    np.savez(path / "features.npz", features=features, source_ids=source_ids)
    config = {"dataset": {"labels": {"source_type": {}}}, "task": TASK, "seed": 1}
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    write_json(path / "metrics.json", {"data": {"fingerprint": fingerprint}})
    return path


def test_clusterings_are_compared_by_event(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 120)
    noisy = np.where(rng.random(120) < 0.3, rng.integers(0, 3, 120), truth)
    types = [f"type {number}" for number in truth]
    folders = {
        "sections": clustering_run(tmp_path / "a", truth, types),
        "noisy": clustering_run(tmp_path / "b", noisy, types),
        "traces": clustering_run(tmp_path / "c", truth, types, traces=5),
    }
    path = write_agreement(folders, tmp_path / "agreement")
    pairs = {(pair["a"], pair["b"]): pair for pair in read_json(path)["pairs"]}
    expected = adjusted_rand_score(truth, noisy)
    assert pairs["sections", "noisy"]["ari"]["value"] == pytest.approx(expected)
    assert pairs["sections", "noisy"]["ari"]["low"] < expected < pairs["sections", "noisy"]["ari"]["high"]
    assert pairs["noisy", "known classes"]["ari"]["value"] == pytest.approx(expected)
    assert pairs["sections", "traces"]["ari"]["value"] == 1.0
    assert "ARI" in path.with_suffix(".md").read_text()


def test_clusterings_of_different_sets_are_not_compared(tmp_path: Path) -> None:
    truth = np.arange(60) % 3
    types = [str(number) for number in truth]
    folders = {
        "one": clustering_run(tmp_path / "a", truth, types),
        "two": clustering_run(tmp_path / "b", truth, types, fingerprint="data2"),
    }
    with pytest.raises(DataError, match="one of data1, two of data2"):
        write_agreement(folders, tmp_path / "agreement")
    assert not (tmp_path / "agreement.json").exists()


def test_features_of_traces_are_averaged_before_they_are_clustered() -> None:
    """Traces of every event lie half here and half there; only their mean tells the events apart."""
    events = np.repeat([f"e{i:02d}" for i in range(40)], 2)
    group = np.repeat(np.arange(40) % 2, 2)
    away = np.tile([10.0, -10.0], 40)
    features = np.stack([away + group, group * 1.0], axis=1)
    labels = cluster_event_means(features, events, TASK | {"k": 2}, seed=0)
    assert adjusted_rand_score(np.arange(40) % 2, labels) == 1.0


def test_means_are_clustered_as_the_run_clustered_its_traces() -> None:
    """A strong direction holds the kinds, weak ones are noise: whitening would make noise as loud as the kinds."""
    rng = np.random.default_rng(2)
    truth = np.arange(200) % 2
    features = np.column_stack([4.0 * truth - 2.0, 0.3 * rng.normal(size=(200, 30))])
    events = np.array([f"e{i:03d}" for i in range(200)])
    found = {
        whiten: cluster_event_means(features, events, TASK | {"k": 2, "whiten": whiten, "pca_dim": 31}, seed=0)
        for whiten in (False, True)
    }
    assert adjusted_rand_score(truth, found[False]) == 1.0
    assert adjusted_rand_score(truth, found[True]) < 0.5
    features[:3] += 1000.0
    sizes = {
        least: np.bincount(
            cluster_event_means(
                features, events, TASK | {"k": 2, "normalise": False, "min_cluster_size": least}, seed=0
            )
        ).min()
        for least in (1, 10)
    }
    assert sizes[1] == 3 and sizes[10] >= 10
