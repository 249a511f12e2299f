"""What reaches the dashboards: W&B read back by its own tool, TensorBoard by its reader, trackio from its file."""

import json
import logging
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_runs import fake_clustering, fake_run
from pytorch_lightning.utilities import rank_zero_only

from seisvision.errors import ConfigurationError
from seisvision.judging.figures_sources import picture_file
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.tables import write_table
from seisvision.runs.dashboards import send_results, summarise
from seisvision.runs.loggers import TensorBoardLogger, TrackioLogger, WandbLogger
from seisvision.runs.loggers.wandb_logger import STEP
from seisvision.sweeps.ending import unsent_parts

HOSTILE = "<script>alert(1)</script> | x"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A finished run with a table, a picture and a checkpoint."""
    import numpy as np

    folder = RunFolder(fake_run(tmp_path / "runs" / "fake" / "0123456789"))
    picture = picture_file(folder.figures / "samples" / "a.png", np.full((3, 8, 8), 100, np.uint8))
    shutil.copy(picture, folder.figures / "source_type_test_confusion.png")
    rows = [["event-1", "../figures/samples/a.png", HOSTILE, 0.25], ["event-2", "../figures/samples/a.png", "b", None]]
    write_table(folder.tables / "source_type_test_samples.csv", ["event", "picture", "target", "p"], rows)
    write_table(folder.tables / "source_type_test_classes.csv", ["class", "n"], [["a", 3], ["b", 4]])
    folder.checkpoints.mkdir()
    folder.best_checkpoint.write_bytes(b"weights")
    folder.last_checkpoint.write_bytes(b"weights and more")
    return folder


def wandb_logger(folder: RunFolder, **settings: object) -> WandbLogger:
    config = {"model": {"name": "resnet18"}, "dataset": {"name": "fake_set"}, "task": {"outputs": [{"name": "type"}]}}
    return WandbLogger(folder.path, folder.run_id, "fake", config, mode="offline", **settings)  # type: ignore[arg-type]


def leet(file: Path, *options: str) -> list[dict]:
    """Records of an offline run as W&B's own tool reads them."""
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", *options, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        pytest.skip(f"wandb leet inspect is not there: {done.stderr[:200]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def of_type(records: list[dict], kind: str) -> list[dict]:
    return [record[kind] for record in records if record["type"] == kind]


def test_an_offline_run_holds_every_key_table_picture_and_model(
    folder: RunFolder, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What set up the terminal in another test of this process keeps messages from those who listen above.
    monkeypatch.setattr(logging.getLogger("seisvision"), "propagate", True)
    caplog.set_level("INFO", "seisvision")
    logger = wandb_logger(folder, tags=["mine"], sweep="ablation", log_model="all")
    for step in (4, 9):
        logger.log_metrics({"val/loss": 1.0 / step, "epoch": step // 5}, step)
    metrics = read_json(folder.metrics_file)
    send_results([logger], folder, metrics)
    logger.close(succeeded=True)
    (file,) = folder.path.glob("wandb/offline-run-*/*.wandb")
    assert f"this sends it: wandb sync {file.parent}" in caplog.text
    assert unsent_parts(folder) == [file.parent]
    records = leet(file)
    run = of_type(records, "run")[0]
    assert (run["run_id"], run["run_group"], run["job_type"]) == ("fake-0123456789", "ablation", "train")
    assert set(run["tags"]) == {"mine", "fake", "resnet18", "fake_set", "type"}
    items = [record["item"] for record in of_type(records, "history")]
    curve = [(item[STEP], item["_step"], item["val/loss"]) for item in items if "val/loss" in item]
    assert curve == [(4, 4, 0.25), (9, 9, pytest.approx(1 / 9))], "W&B's own steps are those of the optimiser"
    names = {name for item in items for name in item}
    assert "source_type_test_confusion._type" in names
    assert "table/source_type_test_classes._type" in names and "table/source_type_test_samples._type" in names
    aliases = {record["name"]: record["aliases"] for record in of_type(records, "artifact")}
    models = [record["aliases"] for record in of_type(records, "artifact") if record["name"] == "model-fake-0123456789"]
    assert sorted(alias for some in models for alias in some if alias != "latest") == ["best", "last"], aliases
    (table,) = file.parent.glob("files/media/table/table/source_type_test_samples*.json")
    stored = json.loads(table.read_text())
    assert stored["columns"] == ["event", "picture", "target", "p"] and stored["data"][0][2] == HOSTILE
    samples = next(one for one in of_type(records, "artifact") if "source_type_test_samples" in one["name"])
    sent = {Path(one["path"]).name: Path(one["local_path"]) for one in samples["manifest"]["contents"]}
    assert "a.png" in sent and all(
        path.is_relative_to(folder.path.resolve()) and path.exists() for path in sent.values()
    )
    written = {key: value for update in of_type(records, "summary") for key, value in update.get("update", {}).items()}
    wanted = summarise(folder, metrics)
    assert {name: written.get(name) for name in wanted} == pytest.approx(wanted)


def test_the_summary_has_best_and_final_values_and_measures_with_interval_and_n(folder: RunFolder) -> None:
    metrics = read_json(folder.metrics_file)
    summary = summarise(folder, metrics)
    accuracy = metrics["test"]["source_type"]["accuracy"]
    assert summary["test/source_type_accuracy"] == accuracy["value"]
    assert summary["test/source_type_accuracy_low"] < accuracy["value"] < summary["test/source_type_accuracy_high"]
    assert summary["test/source_type_accuracy_n"] == 60
    logged = {"val/loss": (3, 1, 2), "val/source_type_accuracy": (0.1, 0.9, 0.5), "lr-AdamW": (1, 2, 3)}
    lines = [f"{i},{i},{name},{value}" for name, values in logged.items() for i, value in enumerate(values)]
    folder.history_file.write_text("\n".join(["epoch,step,name,value", *lines]))
    summary = summarise(folder, metrics)
    assert (summary["best/val/loss"], summary["final/val/loss"]) == (1, 2)
    assert (summary["best/val/source_type_accuracy"], summary["final/val/source_type_accuracy"]) == (0.9, 0.5)
    assert summary["final/lr-AdamW"] == 3 and "best/lr-AdamW" not in summary, "no direction, no best"


def test_the_summary_has_epicentres_and_clusters(tmp_path: Path) -> None:
    run = RunFolder(fake_run(tmp_path / "a", located_km=100.0))
    summary = summarise(run, read_json(run.metrics_file))
    assert summary["location/network_median_error_km"] == 100.0 and summary["location/network_coverage_95_n"] == 60
    cluster = RunFolder(fake_clustering(tmp_path / "c", k=4, ari=0.4))
    summary = summarise(cluster, read_json(cluster.metrics_file))
    assert (summary["clustering/n_clusters"], summary["clustering/source_type_ari"]) == (4, 0.4)


def test_models_are_sent_only_on_request(folder: RunFolder) -> None:
    sent = {}
    for setting in (False, "best"):
        logger = wandb_logger(folder, log_model=setting)
        send_results([logger], folder, {})
        logger.close(succeeded=True)
        (file,) = folder.path.glob("wandb/offline-run-*/*.wandb")
        sent[setting] = [a["aliases"] for a in of_type(leet(file), "artifact") if a["name"].startswith("model-")]
        shutil.rmtree(folder.path / "wandb")
    assert sent[False] == [] and len(sent["best"]) == 1 and "best" in sent["best"][0]
    with pytest.raises(ConfigurationError, match=r"log_model=maybe .* false, best or all"):
        wandb_logger(folder, log_model="maybe")


def test_a_resumed_offline_run_is_a_second_part_of_the_same_run_with_later_steps(folder: RunFolder) -> None:
    for steps in ((1, 2), (3, 4)):
        logger = wandb_logger(folder)
        for step in steps:
            logger.log_metrics({"val/loss": float(step)}, step)
        logger.close(succeeded=True)
        # Folders are named by the second.
        for part in folder.path.glob("wandb/offline-run-*"):
            part.rename(folder.path / f"part-{steps[0]}") if part.is_dir() else None
    files = [next((folder.path / f"part-{first}").glob("*.wandb")) for first in (1, 3)]
    records = [leet(file) for file in files]
    assert {of_type(some, "run")[0]["run_id"] for some in records} == {"fake-0123456789"}
    steps = [record["item"]["_step"] for some in records for record in of_type(some, "history")]
    assert steps == [1, 2, 3, 4], "nothing is overwritten when both parts are synced"


def test_a_dashboard_that_fails_never_fails_a_run(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the dashboard is broken")

    logger = wandb_logger(folder)
    logger._run = SimpleNamespace(
        log=broken, log_artifact=broken, finish=broken, summary=SimpleNamespace(update=broken)
    )
    logger.log_metrics({"val/loss": 1.0}, 1)
    send_results([logger], folder, read_json(folder.metrics_file))
    logger.close(succeeded=True)


def test_tensorboard_gets_settings_with_final_values_pictures_and_tables(folder: RunFolder) -> None:
    pytest.importorskip("tensorboard", reason="logger=tensorboard is an extra")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(folder.path, folder.run_id, "fake", {"optimizer": {"lr": 0.1}, "system": {"x": 1}})
    logger.log_metrics({"val/loss": 0.5}, 7)
    send_results([logger], folder, read_json(folder.metrics_file))
    logger.close(succeeded=True)
    events = EventAccumulator(str(folder.path / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"source_type_test_confusion", "a"} <= set(tags["images"])
    assert events.Images("source_type_test_confusion")[-1].step == 7
    scalars = set(tags["scalars"])
    assert {"val/loss", "best/val/loss", "test/source_type_accuracy", "test/source_type_accuracy_low"} <= scalars
    assert "table/source_type_test_samples/text_summary" in tags["tensors"]
    text = events.Tensors("table/source_type_test_samples/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "event-1" in text and "<script>alert(1)</script> \\| x" in text
    assert "_hparams_/session_start_info" in events.summary_metadata
    hparams = (folder.path / "tensorboard" / "hparams.yaml").read_text()
    assert "lr: 0.1" in hparams and "system" not in hparams


TRACKIO = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from seisvision.runs.dashboards import send_results
from seisvision.records.folder import RunFolder, read_json
from seisvision.runs.loggers import TrackioLogger
import socket
def refuse(*args, **kwargs): raise AssertionError("network")
socket.socket.connect = refuse
folder = RunFolder(Path(sys.argv[1]))
for steps in ((1, 2), (3, 4)):
    logger = TrackioLogger(folder.path, folder.run_id, "fake", {"system": {"runs_dir": str(folder.path.parent.parent)}})
    for step in steps:
        logger.log_metrics({"val/loss": float(step)}, step)
    if step == 4:
        send_results([logger], folder, read_json(folder.metrics_file))
    logger.close(True)
print("last line")
"""


def test_trackio_keeps_all_in_one_file_and_asks_no_network(folder: RunFolder) -> None:
    pytest.importorskip("trackio", reason="logger=trackio is an extra")
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", TRACKIO, str(folder.path), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "last line\n", "standard output is for the run folder"
    with sqlite3.connect(folder.path.parent.parent / "trackio" / "seisvision.db") as database:
        rows = database.execute("select run_name, step, metrics from metrics order by rowid").fetchall()
    assert {row[0] for row in rows} == {"fake-0123456789"}, "a resumed run is the same run"
    values = [json.loads(row[2]) for row in rows]
    assert [value["val/loss"] for value in values if "val/loss" in value] == [1, 2, 3, 4]
    names = {name for value in values for name in value}
    assert {
        "summary/test/source_type_accuracy_low",
        "source_type_test_confusion",
        "table/source_type_test_samples",
    } <= names


BUILDERS: dict[str, Callable[[Path], object]] = {
    "wandb": lambda path: WandbLogger(path, "0123456789", "g", {}, mode="offline"),
    "tensorboard": lambda path: TensorBoardLogger(path, "0123456789", "g", {}),
    "trackio": lambda path: TrackioLogger(path, "0123456789", "g", {}),
}


@pytest.mark.parametrize("kind", BUILDERS)
def test_only_the_first_process_opens_anything(
    kind: str, folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind != "wandb":
        pytest.importorskip(kind, reason=f"logger={kind} is an extra")
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    here = tmp_path / "second_process"
    here.mkdir()
    logger = BUILDERS[kind](here)
    logger.log_metrics({"val/loss": 1.0}, 1)  # type: ignore[attr-defined]
    send_results([logger], folder, read_json(folder.metrics_file))
    logger.close(True)  # type: ignore[attr-defined]
    assert list(here.iterdir()) == []
