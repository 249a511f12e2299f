"""Folders that strangers send: nothing is read or written through what leads out of them, and nothing hangs."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fake_cluster_runs import make_run
from fake_runs import fake_run
from folder_commands import comparing
from hostile_folders import FINE, attack
from hostile_structures import write_set

from seisvision.cli import main
from seisvision.data.importing.recipe import load_recipe
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError, SeisvisionError
from seisvision.experiments.clustering.report.runs import read_cluster_runs
from seisvision.experiments.waveforms.figures import draw_training
from seisvision.plain_files import NoPlainFileError, check_plain
from seisvision.records.checkpoint import find_checkpoint
from seisvision.records.folder import RunFolder
from seisvision.records.history import read_history
from seisvision.records.sweeps.folder import SweepFolder
from seisvision.records.sweeps.states import read_state
from seisvision.records.trust.composing import check_foreign_file
from seisvision.runs.loggers.history import HistoryLogger
from seisvision.stored_arrays import read_arrays
from seisvision.yaml_files import read_yaml

SECRET = "the-secret-of-another-folder"


@pytest.fixture(autouse=True)
def not_for_ever() -> Iterator[None]:
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(100)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("good", "other", "bad"):
        fake_run(tmp_path / "runs" / name, {"optimizer.lr": len(name)}, n=10)
    (tmp_path / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n" + SECRET.encode())
    return tmp_path / "runs"


@pytest.mark.slow
def test_some_hostile_folders(tmp_path: Path) -> None:
    faults: list[str] = []
    attacks = [one for one in comparing(tmp_path / "whole") if one.name != "clusters"]
    counts = attack(40, 3, tmp_path, tmp_path / "data", attacks, faults.append)
    assert not {name for name in counts if ": " not in name} - FINE, faults
    assert counts["refused"] > 3 and counts["accepted"] > 10


@pytest.mark.parametrize(
    "name", ["status.json", "predictions.csv", "figures/samples.png", "tables/x.csv", "config.yaml"]
)
def test_no_link_out_of_a_run_is_followed_into_a_report(runs: Path, tmp_path: Path, name: str) -> None:
    path = runs / "bad" / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(tmp_path / "secret.png")
    assert main(["compare", str(runs), "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert f"{path} is a link to {tmp_path / 'secret.png'}" in page
    assert "PNG" not in (tmp_path / "comparison.csv").read_text() and SECRET not in page


@pytest.mark.parametrize("name", ["status.json", "metrics.json", "predictions.csv", "metrics.csv", "overrides.yaml"])
def test_a_pipe_is_not_waited_for(runs: Path, tmp_path: Path, name: str) -> None:
    (runs / "bad" / name).unlink()
    os.mkfifo(runs / "bad" / name)
    assert main(["compare", str(runs), "--out", str(tmp_path / "report.html")]) == 0
    assert "is no file but a pipe" in (tmp_path / "report.html").read_text()
    assert main(["sweep", "status", str(runs)]) == 0


@pytest.mark.parametrize("name", [".lock", "train.log", "checkpoints", "figures"])
def test_a_run_is_not_worked_on_through_a_link(tmp_path: Path, name: str) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / name).symlink_to(tmp_path / "outside")
    with pytest.raises(NoPlainFileError, match=f"{name} is a link to"), folder.locked():
        pass
    with pytest.raises(NoPlainFileError):
        find_checkpoint(folder.path)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("name", [".lock", "train.log", "checkpoints", "figures", "status.json"])
def test_a_run_with_a_link_to_itself_is_refused(tmp_path: Path, name: str) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / name).symlink_to(name)
    with pytest.raises(NoPlainFileError, match=f"{name} is a link that leads in circles"), folder.locked():
        pass
    with pytest.raises(NoPlainFileError, match="in circles"):
        folder.status()


def test_a_sweep_that_links_to_itself_is_listed(runs: Path, tmp_path: Path) -> None:
    (runs / "sweep.json").symlink_to("sweep.json")
    assert main(["compare", str(runs), "--out", str(tmp_path / "report.html")]) == 0


def test_links_within_a_run_and_to_a_run_may_be(tmp_path: Path) -> None:
    fake_run(tmp_path / "elsewhere" / "run", n=10)
    (tmp_path / "elsewhere" / "run" / "again.csv").symlink_to("predictions.csv")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "run")
    check_plain(tmp_path / "link")
    with RunFolder(tmp_path / "link").locked():
        assert RunFolder(tmp_path / "link").is_finished()


def header(dtype: str, shape: str) -> bytes:
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        header("'<f4'", "(1000000000000,)") + bytes(40),
        header("'<U1000000000'", "(1,)") + bytes(40),
        header("'<f4'", "(-1,)") + bytes(40),
        header("'|O'", "(1,)") + b"cos\nsystem\n(S'true'\ntR.",
        header("__import__('os')", "(1,)"),
        header("'<f4'", "(50000000,)") + bytes(200_000_000),
        b"",
    ],
    ids=["shape", "text", "negative", "object", "code", "bomb", "empty"],
)
def test_arrays_are_not_believed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(ValueError, match=r"shape|objects|unpacks|magic|dtype|malformed"):
        read_arrays(path)


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {
        "a": np.eye(3, order="F"),
        "b/c": np.array(["x", "yz"]),
        "d": np.array("text"),
        "e": np.zeros((0, 4), "i2"),
    }
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    (tmp_path / "x.npz").write_bytes(content.getvalue())
    read = read_arrays(tmp_path / "x.npz")
    assert read.keys() == arrays.keys() and read_arrays(tmp_path / "x.npz", ["a"]).keys() == {"a"}
    for name, values in arrays.items():
        np.testing.assert_array_equal(read[name], values)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "3",
        "[1]",
        "defaults: 3",
        "defaults: [null]",
        "defaults: [{a: 3}]",
        "defaults: [{}]",
        "defaults: [{a: x, b: x}]",
    ],
)
def test_experiments_of_other_types_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"own\.yaml is refused"):
        check_foreign_file(tmp_path / "own.yaml", "experiment/own.yaml")


@pytest.mark.parametrize("text", ["a: !!timestamp x", "a: !!bool x", "a: !!int x", "? [1]\n: 3", "a: !!binary ä"])
def test_tags_that_do_not_fit_are_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"config\.yaml is not readable YAML"):
        read_yaml(tmp_path / "config.yaml")


@pytest.mark.parametrize("name", ["started", "seconds", "seconds_before", "created", "pid", "host"])
def test_what_is_null_in_a_status_is_not_known(runs: Path, name: str) -> None:
    folder = RunFolder(runs / "bad")
    folder.status_file.write_text(json.dumps({"state": "running", "attempts": 1, name: None}))
    assert main(["sweep", "status", str(runs)]) == 0
    folder.mark_running()
    folder.status_file.write_text(json.dumps({**folder.status(), "seconds_before": None, "started": None}))
    folder.mark_finished()
    assert folder.status()["state"] == "finished"


ARRAYS = {
    "points not finite": {"points": np.full((42, 3), np.nan)},
    "no points": {"points": np.zeros((42, 0), "f4")},
    "no features": {"features": np.zeros((42, 0), "f4")},
    "features beyond float32": {"features": np.full((42, 3), 1e300)},
    "a sample twice": {"sample_ids": np.array(["a"] * 42)},
}


@pytest.mark.parametrize("changed", list(ARRAYS.values()), ids=list(ARRAYS))
def test_clusters_of_broken_arrays_are_left_out(tmp_path: Path, changed: dict[str, np.ndarray]) -> None:
    run = make_run(tmp_path / "run", np.random.default_rng(0).normal(size=(42, 4)), 2, 1)
    arrays = read_arrays(run.path / "features.npz")
    np.savez(run.path / "features.npz", **{**arrays, **changed})
    runs, left_out = read_cluster_runs([tmp_path])
    assert not runs and "features.npz" in left_out[0].reason


@pytest.mark.parametrize("setting", ["train_k: 1", "train_k: -3", "k: 100000000", "seed: -1"])
def test_clusters_of_impossible_numbers_are_left_out(tmp_path: Path, setting: str) -> None:
    run = make_run(tmp_path / "run", np.random.default_rng(0).normal(size=(42, 4)), 2, 1)
    name = setting.partition(":")[0]
    run.config_file.write_text(re.sub(rf"\b{name}: \w+", setting, run.config_file.read_text(), count=1))
    runs, left_out = read_cluster_runs([tmp_path])
    assert not runs and f"{name}=" in left_out[0].reason


@pytest.mark.parametrize("training", [{"best_value": 10**400}, {"epochs": 10**400}, {"epochs": True}])
def test_a_number_beyond_all_is_told_of_its_point(tmp_path: Path, training: dict[str, object]) -> None:
    run = RunFolder(tmp_path / "run")
    fake_run(run.path, n=10)
    run.metrics_file.write_text(json.dumps({**json.loads(run.metrics_file.read_text()), "training": training}))
    state = read_state(run, 1, [], monitor=["val/loss", "min"])
    assert state.state == "damaged" and "how the training went" in str(state.error)
    assert main(["sweep", "status", str(tmp_path)]) == 0


@pytest.mark.parametrize("is_folder", [True, False])
def test_settings_that_are_no_file_are_told_in_one_line(tmp_path: Path, is_folder: bool) -> None:
    (tmp_path / "config.yaml").mkdir() if is_folder else None
    with pytest.raises(NoPlainFileError, match=r"config\.yaml is not there, or is no file\. Restore it"):
        read_yaml(tmp_path / "config.yaml")
    assert main(["explain", str(tmp_path), "--data-dir", str(tmp_path)]) in (1, 2)
    sweep = SweepFolder(tmp_path / "sweep")
    sweep.describe({}, [])
    sweep.best_file.mkdir()
    assert main(["sweep", "best", str(sweep.path)]) == 1


LINES = "0,3,train/loss,0.5\n1,6,train/loss,0.25\n"


@pytest.mark.parametrize(
    ("content", "n_lines"),
    [
        ("epoch,step,x,value\n" + LINES, 1),
        ("", 0),
        ("\udcff,\n" + LINES, 1),
        ("h\nx,1,2,3\n" + "9" * 5000 + ",,,\n", 0),
    ],
    ids=["another column", "empty", "no UTF-8", "no epochs"],
)
def test_a_run_goes_on_and_is_drawn_whatever_its_history_says(tmp_path: Path, content: str, n_lines: int) -> None:
    folder = RunFolder(tmp_path)
    folder.history_file.write_text(content, errors="surrogateescape")
    nothing_more: Any = SimpleNamespace(outputs=[])
    draw_training(folder, nothing_more, nothing_more)
    assert read_history(folder.history_file) == {} and not (folder.figures / "learning_curves.png").exists()
    HistoryLogger(folder.history_file).forget_from(1)
    kept = folder.history_file.read_text().splitlines()
    assert kept == ["epoch,step,name,value", *LINES.splitlines()[:n_lines]]
    draw_training(folder, nothing_more, nothing_more)
    assert (folder.figures / "learning_curves.png").exists() == bool(n_lines)


def test_a_table_of_too_many_columns_is_refused_at_once(runs: Path, tmp_path: Path) -> None:
    header = ",".join(["trace_name"] * 100_000) + "\n"
    table = write_set(tmp_path / "set") / "metadata.csv"
    table.write_text(header)
    with pytest.raises(DataError, match=r"metadata\.csv has more than 5,000 columns"):
        WaveformSet(table.parent)
    for name in ("good", "other", "bad"):
        (runs / name / "predictions.csv").write_text(header)
    assert main(["compare", str(runs), "--out", str(tmp_path / "report.html")]) == 0
    assert "predictions.csv has more than 5,000 columns" in (tmp_path / "report.html").read_text()
    (tmp_path / "obs.csv").write_text(header)
    assert main(["locate", str(tmp_path / "obs.csv"), "--out", str(tmp_path / "loc.csv")]) == 1


@pytest.mark.parametrize("points", ["x", [3], [{"number": 1}], [{"number": 1, "overrides": "x"}]])
def test_a_sweep_of_another_shape_is_told(tmp_path: Path, points: object) -> None:
    sweep = SweepFolder(tmp_path / "sweep")
    sweep.describe({}, [])
    sweep.file.write_text(json.dumps({"points": points}))
    with pytest.raises(SeisvisionError, match=r"sweep\.json"):
        sweep.points()
    assert main(["sweep", "status", str(sweep.path)]) == 1
    sweep.best_file.write_text("- 1\n")
    assert main(["sweep", "best", str(sweep.path)]) == 2


@pytest.mark.parametrize("text", ["3", "x", "sources: 3", "sources: [3]", "sources: [{waveforms: 3}]",
                                  "sources: {a: {}}",
                                  "sources: [{waveforms: [1.5], events: [x], stations: {a: 1}}]"])  # fmt: skip
def test_recipes_of_other_types_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ConfigurationError):
        load_recipe(tmp_path / "own.yaml")
