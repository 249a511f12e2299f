"""Leaks planted on purpose: each is refused, marked or harmless."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from edited_sets import FIGURES, PATH_COLUMNS, SHORT, Edit, edited, evaluate, moved, predicted, set_of
from tiny_runs import tiny_config

from seisvision.data.splitting.splits import Split
from seisvision.errors import ConfigurationError, DataError
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.integrity.seals import write_tensors
from seisvision.runs.ensure import ensure_run

NEW, TRAINED, VALIDATED = 6, 16, 8
"""Events of the tiny set in its test, training and validation parts."""


@pytest.fixture(scope="module")
def run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return ensure_run(tiny_config(data_dir, tmp_path_factory.mktemp("runs"), *SHORT), [])


@pytest.fixture(autouse=True)
def _heard_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings can be read, and no figures are drawn."""
    monkeypatch.setattr(logging.getLogger("seisvision"), "propagate", True)
    for name in FIGURES:
        monkeypatch.setattr(f"seisvision.experiments.supervised.{name}", lambda *_: None)


def _reasons(folder: Path) -> dict[str, int]:
    return pd.read_csv(folder / "excluded.csv", dtype=str)["reason"].value_counts().to_dict()


def _same(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(remark="copy")


def _subset(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.groupby("source_id").cumcount() % 2 == 0]


def _renamed(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(source_id=pd.factorize(table["source_id"])[0].astype(str))


def _of_another_agency(table: pd.DataFrame) -> pd.DataFrame:
    return _renamed(moved(table, 2.0, 0.09)).assign(station_code="X" + table["station_code"].str[1:])


def _another_year(table: pd.DataFrame) -> pd.DataFrame:
    """Every time moved by a year, every place to the other hemisphere, every name another."""
    starts = pd.to_datetime(table["trace_start_time"]) + pd.Timedelta(days=365)
    south = -table["source_latitude_deg"].astype(float)
    elsewhere = _renamed(moved(table, 365 * 86400.0)).assign(source_latitude_deg=south).drop(columns=PATH_COLUMNS)
    return elsewhere.assign(trace_start_time=starts.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def test_the_set_of_the_training_itself(run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    checkpoint = shutil.copy(run.best_checkpoint, tmp_path / "alone.ckpt")
    folder = evaluate(data_dir, tmp_path, checkpoint, set_of(run, data_dir))
    split = Split.load(run.split_file)
    assert set(predicted(folder)["source_id"]) == set(split.parts["test"])
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
        (lambda table: _renamed(moved(table, 600.0)), True, "recording"),
        (_another_year, False, "waveform"),
    ],
    ids=["renamed set", "half of the traces", "another agency", "origins shifted", "all but the waveforms"],
)
def test_copies_of_training_events_are_left_out(
    edit: Edit, other_motion: bool, way: str, run: RunFolder, data_dir: Path, tmp_path: Path
) -> None:
    path = edited(set_of(run, data_dir), tmp_path / "copy", edit, other_motion=other_motion)
    folder = evaluate(data_dir, tmp_path, run.path, path, "dataset.samples.min_stations=1")
    reasons = _reasons(folder)
    assert (reasons["trained on"], reasons["validated on"]) == (TRAINED, VALIDATED)
    metrics = read_json(folder / "metrics.json")
    assert max(metrics["training_events"]["found_by"].items(), key=lambda item: item[1]) == (way, TRAINED + VALIDATED)
    assert metrics["all"]["source_type"]["accuracy"]["n"] == len(predicted(folder)) == NEW
    assert metrics["data"]["fingerprint"] != metrics["data"]["training_fingerprint"]


def test_marked_events_are_measured_apart(run: RunFolder, data_dir: Path, tmp_path: Path, caplog) -> None:
    path = edited(set_of(run, data_dir), tmp_path / "copy", _same)
    marked = evaluate(data_dir, tmp_path, run.path, path, "training_events=mark")
    assert "24 of 30 events are not new to the network (16 trained on, 8 validated on" in caplog.text
    assert predicted(marked)["seen"].value_counts().to_dict() == {
        "": NEW,
        "trained on": TRAINED,
        "validated on": VALIDATED,
    }
    metrics = read_json(marked / "metrics.json")
    sizes = {part: metrics[part]["source_type"]["accuracy"]["n"] for part in ("all", "trained_on", "validated_on")}
    assert sizes == {"all": NEW, "trained_on": TRAINED, "validated_on": VALIDATED}
    kept = evaluate(data_dir, tmp_path, run.path, path, "training_events=keep")
    metrics = read_json(kept / "metrics.json")
    assert metrics["all"]["source_type"]["accuracy"]["n"] == 30 and metrics["training_events"]["trained_on"] == TRAINED
    with pytest.raises(ConfigurationError, match="training_events=drop is not allowed"):
        evaluate(data_dir, tmp_path, run.path, path, "training_events=drop")


def test_nothing_new_is_refused(run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    known = set(Split.load(run.split_file).parts["train"])
    path = edited(set_of(run, data_dir), tmp_path / "copy", lambda table: table[table["source_id"].isin(known)])
    with pytest.raises(DataError, match=r"All 16 events were seen in the training \(16 trained on"):
        evaluate(data_dir, tmp_path, run.path, path)
    folder = evaluate(data_dir, tmp_path, run.path, path, "training_events=mark")
    metrics = read_json(folder / "metrics.json")
    assert "all" not in metrics and metrics["trained_on"]["source_type"]["accuracy"]["n"] == 16


@pytest.mark.parametrize("what", ["ids", "sources"])
def test_shuffled_metadata_hide_no_training_event(what: str, run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    """Events that change names, or all that is said of their source: neither name nor motion may be known."""
    events = pd.read_csv(set_of(run, data_dir) / "metadata.csv", dtype=str)["source_id"].drop_duplicates().tolist()
    other = dict(zip(events, np.random.default_rng(2).permutation(events).tolist(), strict=True))

    def shuffle(table: pd.DataFrame) -> pd.DataFrame:
        columns = ["source_id"] if what == "ids" else [name for name in table if name.startswith("source_")]
        first = table.drop_duplicates("source_id").set_index("source_id", drop=False)
        replaced = first.loc[table["source_id"].map(other), columns].set_axis(table.index, axis=0)
        return table.assign(**{name: replaced[name] for name in columns})

    if what == "sources":
        path = edited(set_of(run, data_dir), tmp_path / "contradicting", shuffle)
        with pytest.raises(DataError, match="distances that contradict the coordinates"):
            evaluate(data_dir, tmp_path, run.path, path, "dataset.samples.window.reference=trace")
    path = edited(set_of(run, data_dir), tmp_path / "shuffled", lambda table: shuffle(table).drop(columns=PATH_COLUMNS))
    folder = evaluate(data_dir, tmp_path, run.path, path, "dataset.samples.window.reference=trace")
    back = {now: before for before, now in other.items()}
    said = set(predicted(folder)["source_id"])
    new = set(Split.load(run.split_file).parts["test"])
    motions = {other[name] for name in new}
    assert said and said <= motions, "no motion that was learnt from"
    assert all(back[name] in new for name in said)
    assert said == (motions if what == "ids" else motions & new)


def test_labels_replaced_after_the_training_are_told(run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    swap = {"tectonic": "glacial", "glacial": "tectonic"}
    path = edited(
        set_of(run, data_dir), tmp_path / "swapped", lambda t: t.assign(source_type=t["source_type"].map(swap))
    )
    checkpoint = load_checkpoint(run.best_checkpoint)
    source = {"_target_": "seisvision.data.sources.FolderSource", "path": str(path)}
    checkpoint["seisvision"]["config"]["dataset"]["source"] = source
    write_tensors(checkpoint, tmp_path / "moved.ckpt")
    with pytest.raises(DataError, match="is not the set the checkpoint was trained on: its fingerprint"):
        evaluate(data_dir, tmp_path, tmp_path / "moved.ckpt")
    metrics = read_json(evaluate(data_dir, tmp_path, run.path, path) / "metrics.json")
    assert metrics["training_events"]["trained_on"] == TRAINED
    own, swapped = read_json(run.metrics_file)["test"]["source_type"], metrics["all"]["source_type"]
    assert swapped["accuracy"]["value"] == pytest.approx(1 - own["accuracy"]["value"])


def test_an_earlier_checkpoint_says_that_it_does_not_know(
    run: RunFolder, data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = load_checkpoint(run.best_checkpoint)
    del checkpoint["seisvision"]["known_events"]
    write_tensors(checkpoint, tmp_path / "earlier.ckpt")
    path = edited(set_of(run, data_dir), tmp_path / "copy", _same)
    folder = evaluate(data_dir, tmp_path, tmp_path / "earlier.ckpt", path)
    assert read_json(folder / "metrics.json")["training_events"] == "unknown"
    assert "training_events: unknown" in caplog.text and "24 events are called as one of its training" in caplog.text
    folder = evaluate(data_dir, tmp_path, tmp_path / "earlier.ckpt", set_of(run, data_dir))
    assert len(predicted(folder)) == NEW, "its own set it knows by its ids"


def test_an_ensemble_leaves_out_what_any_member_has_seen(data_dir: Path, tmp_path: Path) -> None:
    folds = [
        ensure_run(tiny_config(data_dir, tmp_path, *SHORT, "split.n_folds=2", f"split.fold={fold}"), [])
        for fold in range(2)
    ]
    path = edited(set_of(folds[0], data_dir), tmp_path / "copy", _of_another_agency)
    folder = evaluate(data_dir, tmp_path, f"[{folds[0].path},{folds[1].path}]", path)
    metrics = read_json(folder / "metrics.json")
    assert metrics["votes"] == {"2": NEW} and metrics["all"]["source_type"]["accuracy"]["n"] == NEW
    assert metrics["training_events"]["trained_on"] == 24, "each was trained on by one of the folds"
    assert [member["seed"] for member in metrics["data"]["members"]] == [3407, 3407]
