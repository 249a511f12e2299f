"""Leaks planted on purpose: each is refused, marked or harmless."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf
from tiny_runs import plain_config, tiny_config

from seisvision.data.splits import Split
from seisvision.errors import ConfigurationError, DataError
from seisvision.runs.checkpoint import load_checkpoint
from seisvision.runs.configuration import instantiate
from seisvision.runs.evaluation import evaluate_checkpoint
from seisvision.runs.experiment import ensure_run
from seisvision.runs.folder import RunFolder, read_json

SHORT = ["trainer.max_epochs=1"]
CUT = [
    "dataset.samples.min_stations=3",
    "dataset.samples.window.reference=origin",
    "dataset.samples.window.length_s=1200",
]
LABELS = "dataset.labels.source_type={tectonic:[tectonic],glacial:[glacial]}"
NEW, TRAINED, VALIDATED = 6, 16, 8
"""Events of the tiny set in its test, training and validation parts."""
Edit = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return ensure_run(tiny_config(data_dir, tmp_path_factory.mktemp("runs"), *SHORT), [])


@pytest.fixture(autouse=True)
def _heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("seisvision"), "propagate", True)


def _set_of(run: RunFolder, data_dir: Path) -> Path:
    return instantiate(run.config()["dataset"]["source"]).prepare(data_dir)


def _edited(run: RunFolder, data_dir: Path, path: Path, edit: Edit, *, other_motion: bool = False) -> Path:
    """A copy of the set of a run with another table, under another name; perhaps with noise for samples."""
    shutil.copytree(_set_of(run, data_dir), path)
    (path / "card.json").unlink()
    edit(pd.read_csv(path / "metadata.csv", dtype=str)).to_csv(path / "metadata.csv", index=False)
    if other_motion:
        rng = np.random.default_rng(8)
        with h5py.File(path / "waveforms.hdf5", "r+") as file:
            for dataset in file["data"].values():
                dataset[...] = rng.normal(size=dataset.shape)
    return path


def _evaluate(data_dir: Path, runs_dir: Path, ckpt: object, path: Path | None = None, *overrides: str) -> Path:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}", "system.num_workers=0"]
    other = [] if path is None else ["dataset=folder", f"dataset.source.path={path}", LABELS, *CUT]
    return evaluate_checkpoint(OmegaConf.create(plain_config([f"ckpt={ckpt}", *folders, *other, *overrides], "evaluate")))


def _predicted(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "predictions.csv", dtype=str, keep_default_na=False)


def _reasons(folder: Path) -> dict[str, int]:
    return pd.read_csv(folder / "excluded.csv", dtype=str)["reason"].value_counts().to_dict()


def _same(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(remark="copy")


def _subset(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.groupby("source_id").cumcount() % 2 == 0]


def _moved(table: pd.DataFrame, late_s: float, north_deg: float = 0.0) -> pd.DataFrame:
    times = pd.to_datetime(table["source_origin_time"]) + pd.Timedelta(seconds=late_s)
    latitude = table["source_latitude_deg"].astype(float) + north_deg
    return table.assign(source_origin_time=times.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), source_latitude_deg=latitude)


def _renamed(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(source_id=pd.factorize(table["source_id"])[0].astype(str))


def _of_another_agency(table: pd.DataFrame) -> pd.DataFrame:
    return _renamed(_moved(table, 2.0, 0.09)).assign(station_code="X" + table["station_code"].str[1:])


def _another_year(table: pd.DataFrame) -> pd.DataFrame:
    """Every time moved by a year, every place to the other hemisphere, every name another."""
    starts = pd.to_datetime(table["trace_start_time"]) + pd.Timedelta(days=365)
    south = -table["source_latitude_deg"].astype(float)
    moved = _renamed(_moved(table, 365 * 86400.0)).assign(source_latitude_deg=south)
    return moved.assign(trace_start_time=starts.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def test_the_set_of_the_training_itself(run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    checkpoint = shutil.copy(run.best_checkpoint, tmp_path / "alone.ckpt")
    folder = _evaluate(data_dir, tmp_path, checkpoint, _set_of(run, data_dir))
    split = Split.load(run.split_file)
    assert set(_predicted(folder)["source_id"]) == set(split.parts["test"])
    assert _reasons(folder) == {"trained on": TRAINED, "validated on": VALIDATED}
    metrics = read_json(folder / "metrics.json")
    counts = {"trained_on": TRAINED, "validated_on": VALIDATED, "found_by": {"id": TRAINED + VALIDATED}}
    assert metrics["training_events"] == {"handling": "leave_out", **counts}
    assert metrics["all"]["source_type"]["accuracy"]["n"] == NEW
    own = read_json(run.metrics_file)
    assert metrics["all"]["source_type"]["accuracy"] == own["test"]["source_type"]["accuracy"]
    data = metrics["data"]
    assert (data["seed"], data["split_hash"]) == (own["training"]["seed"], split.hash)
    assert data["fingerprint"] == data["training_fingerprint"] == own["data"]["fingerprint"]


@pytest.mark.parametrize(
    ("edit", "other_motion", "way"),
    [
        (_same, False, "origin"),
        (_subset, False, "origin"),
        (_of_another_agency, True, "origin"),
        (lambda table: _renamed(_moved(table, 3600.0)), True, "recording"),
        (_another_year, False, "waveform"),
    ],
    ids=["renamed set", "half of the traces", "another agency", "origins shifted", "all but the waveforms"],
)
def test_copies_of_training_events_are_left_out(
    edit: Edit, other_motion: bool, way: str, run: RunFolder, data_dir: Path, tmp_path: Path
) -> None:
    path = _edited(run, data_dir, tmp_path / "copy", edit, other_motion=other_motion)
    folder = _evaluate(data_dir, tmp_path, run.path, path, "dataset.samples.min_stations=1")
    reasons = _reasons(folder)
    assert (reasons["trained on"], reasons["validated on"]) == (TRAINED, VALIDATED)
    metrics = read_json(folder / "metrics.json")
    assert max(metrics["training_events"]["found_by"].items(), key=lambda item: item[1]) == (way, TRAINED + VALIDATED)
    assert metrics["all"]["source_type"]["accuracy"]["n"] == len(_predicted(folder)) == NEW
    assert metrics["data"]["fingerprint"] != metrics["data"]["training_fingerprint"]


def test_marked_events_are_measured_apart(run: RunFolder, data_dir: Path, tmp_path: Path, caplog) -> None:
    path = _edited(run, data_dir, tmp_path / "copy", _same)
    marked = _evaluate(data_dir, tmp_path, run.path, path, "training_events=mark")
    assert "24 of 30 events are not new to the network (16 trained on, 8 validated on" in caplog.text
    assert _predicted(marked)["seen"].value_counts().to_dict() == {
        "": NEW,
        "trained on": TRAINED,
        "validated on": VALIDATED,
    }
    metrics = read_json(marked / "metrics.json")
    sizes = {part: metrics[part]["source_type"]["accuracy"]["n"] for part in ("all", "trained_on", "validated_on")}
    assert sizes == {"all": NEW, "trained_on": TRAINED, "validated_on": VALIDATED}
    kept = _evaluate(data_dir, tmp_path, run.path, path, "training_events=keep")
    metrics = read_json(kept / "metrics.json")
    assert metrics["all"]["source_type"]["accuracy"]["n"] == 30 and metrics["training_events"]["trained_on"] == TRAINED
    with pytest.raises(ConfigurationError, match="training_events=drop is unknown"):
        _evaluate(data_dir, tmp_path, run.path, path, "training_events=drop")


def test_nothing_new_is_refused(run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    known = set(Split.load(run.split_file).parts["train"])
    path = _edited(run, data_dir, tmp_path / "copy", lambda table: table[table["source_id"].isin(known)])
    with pytest.raises(DataError, match="All 16 events were seen in the training .16 trained on"):
        _evaluate(data_dir, tmp_path, run.path, path)
    folder = _evaluate(data_dir, tmp_path, run.path, path, "training_events=mark")
    metrics = read_json(folder / "metrics.json")
    assert "all" not in metrics and metrics["trained_on"]["source_type"]["accuracy"]["n"] == 16


@pytest.mark.parametrize("what", ["ids", "sources"])
def test_shuffled_metadata_hide_no_training_event(what: str, run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    """Events that change names, or all that is said of their source: neither name nor motion may be known."""
    events = pd.read_csv(_set_of(run, data_dir) / "metadata.csv", dtype=str)["source_id"].drop_duplicates().tolist()
    other = dict(zip(events, np.random.default_rng(2).permutation(events).tolist(), strict=True))

    def shuffle(table: pd.DataFrame) -> pd.DataFrame:
        columns = ["source_id"] if what == "ids" else [name for name in table if name.startswith("source_")]
        first = table.drop_duplicates("source_id").set_index("source_id", drop=False)
        replaced = first.loc[table["source_id"].map(other), columns].set_axis(table.index, axis=0)
        return table.assign(**{name: replaced[name] for name in columns})

    path = _edited(run, data_dir, tmp_path / "shuffled", shuffle)
    folder = _evaluate(data_dir, tmp_path, run.path, path, "dataset.samples.window.reference=trace")
    back = {now: before for before, now in other.items()}
    said = set(_predicted(folder)["source_id"])
    new = set(Split.load(run.split_file).parts["test"])
    motions = {other[name] for name in new}
    assert said and said <= motions, "no motion that was learnt from"
    assert all(back[name] in new for name in said)
    assert said == (motions if what == "ids" else motions & new)


def test_labels_replaced_after_the_training_are_told(run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    swap = {"tectonic": "glacial", "glacial": "tectonic"}
    path = _edited(run, data_dir, tmp_path / "swapped", lambda t: t.assign(source_type=t["source_type"].map(swap)))
    checkpoint = load_checkpoint(run.best_checkpoint)
    source = {"_target_": "seisvision.data.sources.FolderSource", "path": str(path)}
    checkpoint["seisvision"]["config"]["dataset"]["source"] = source
    torch.save(checkpoint, tmp_path / "moved.ckpt")
    with pytest.raises(DataError, match="is not the set the checkpoint was trained on: its fingerprint"):
        _evaluate(data_dir, tmp_path, tmp_path / "moved.ckpt")
    metrics = read_json(_evaluate(data_dir, tmp_path, run.path, path) / "metrics.json")
    assert metrics["training_events"]["trained_on"] == TRAINED
    own, swapped = read_json(run.metrics_file)["test"]["source_type"], metrics["all"]["source_type"]
    assert swapped["accuracy"]["value"] == pytest.approx(1 - own["accuracy"]["value"])


def test_an_earlier_checkpoint_says_that_it_does_not_know(
    run: RunFolder, data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = load_checkpoint(run.best_checkpoint)
    del checkpoint["seisvision"]["known_events"]
    torch.save(checkpoint, tmp_path / "earlier.ckpt")
    path = _edited(run, data_dir, tmp_path / "copy", _same)
    folder = _evaluate(data_dir, tmp_path, tmp_path / "earlier.ckpt", path)
    assert read_json(folder / "metrics.json")["training_events"] == "unknown"
    assert "training_events: unknown" in caplog.text and "24 events are called as one of its training" in caplog.text
    folder = _evaluate(data_dir, tmp_path, tmp_path / "earlier.ckpt", _set_of(run, data_dir))
    assert len(_predicted(folder)) == NEW, "its own set it knows by its ids"


def test_an_ensemble_leaves_out_what_any_member_has_seen(data_dir: Path, tmp_path: Path) -> None:
    folds = [
        ensure_run(tiny_config(data_dir, tmp_path, *SHORT, "split.n_folds=2", f"split.fold={fold}"), [])
        for fold in range(2)
    ]
    path = _edited(folds[0], data_dir, tmp_path / "copy", _of_another_agency)
    folder = _evaluate(data_dir, tmp_path, f"[{folds[0].path},{folds[1].path}]", path)
    metrics = read_json(folder / "metrics.json")
    assert metrics["votes"] == {"2": NEW} and metrics["all"]["source_type"]["accuracy"]["n"] == NEW
    assert metrics["training_events"]["trained_on"] == 24, "each was trained on by one of the folds"
    assert [member["seed"] for member in metrics["data"]["members"]] == [3407, 3407]


def test_doubled_events_are_not_trained_on_and_tested(data_dir: Path, run: RunFolder, tmp_path: Path) -> None:
    def double(table: pd.DataFrame) -> pd.DataFrame:
        again = table[table["source_id"].isin(table["source_id"].unique()[:10])]
        return pd.concat([table, _moved(again, 1.0, 0.05).assign(source_id="again-" + again["source_id"])])

    path = _edited(run, data_dir, tmp_path / "doubled", double, other_motion=True)
    source = ["~dataset.source", f"+dataset.source={{_target_: seisvision.data.sources.FolderSource, path: {path}}}"]
    config = tiny_config(data_dir, tmp_path, *SHORT, "dataset.samples.window.length_s=1200")
    config["dataset"]["source"] = {"_target_": "seisvision.data.sources.FolderSource", "path": str(path)}
    config["dataset"]["allow_findings"] = ["copy_between_events", "copy_within_event"]
    del source
    split = Split.load(ensure_run(config, []).split_file)
    part_of = {name: part for part, ids in split.parts.items() for name in ids}
    doubled = [name for name in part_of if name.startswith("again-")]
    assert len(doubled) == 10
    assert all(part_of[name] == part_of[name.removeprefix("again-")] for name in doubled)


@pytest.mark.parametrize("seed", [1, 2])
def test_permuted_labels_give_no_better_than_chance(seed: int, run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    def permute(table: pd.DataFrame) -> pd.DataFrame:
        types = table.drop_duplicates("source_id").set_index("source_id")["source_type"]
        permuted = dict(zip(types.index, np.random.default_rng(seed).permutation(types), strict=True))
        return table.assign(source_type=table["source_id"].map(permuted))

    path = _edited(run, data_dir, tmp_path / "permuted", permute)
    overrides = ["trainer.max_epochs=4", "split.test_fraction=0.5", "evaluation.baselines=true"]
    config = tiny_config(data_dir, tmp_path, *overrides, "dataset.samples.window.length_s=1200")
    config["dataset"]["source"] = {"_target_": "seisvision.data.sources.FolderSource", "path": str(path)}
    metrics = read_json(ensure_run(config, []).metrics_file)
    accuracy = metrics["test"]["source_type"]["accuracy"]
    assert accuracy["n"] == 15 and accuracy["low"] < 0.5
    against = metrics["differences"]["test"]["source_type"]["majority"]
    assert against["low"] <= 0 and against["p_value"] > 0.05, "nobody may read 'better' from it"
