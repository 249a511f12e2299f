"""A run from end to end: complete, idempotent, resumable, reproducible, and evaluated again from its checkpoint."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import ready_python
import torch
from omegaconf import OmegaConf
from tiny_runs import ROOT, TINY, plain_config, tiny_config

from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.data.splitting.splits import Split
from seisvision.errors import CheckpointError, ConfigurationError, DataError, SeisvisionError
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.configuration import ALLOWED_TARGETS_VARIABLE
from seisvision.records.folder import FAILED, FINISHED, INTERRUPTED, RunFolder, read_json
from seisvision.records.integrity.seals import write_tensors
from seisvision.runs.ensure import ensure_run, identify
from seisvision.runs.terminal import set_up_logging


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def finished(data_dir: Path, runs_dir: Path) -> RunFolder:
    set_up_logging()
    return ensure_run(tiny_config(data_dir, runs_dir, "evaluation.baselines=true"), ["typed=this"])


def _scores(folder: RunFolder) -> dict:
    metrics = read_json(folder.metrics_file)
    metrics["training"].pop("seconds")
    return metrics


def _history(folder: RunFolder) -> pd.DataFrame:
    return pd.read_csv(folder.history_file)


def test_the_run_folder_is_complete(finished: RunFolder) -> None:
    status = finished.status()
    assert (status["state"], status["attempts"], status["error"]) == (FINISHED, 1, None)
    assert OmegaConf.to_container(OmegaConf.load(finished.overrides_file)) == ["typed=this"]
    environment = read_json(finished.environment_file)
    assert environment["packages"]["torch"] == torch.__version__.split("+")[0]
    assert environment["seed"] == 3407
    assert "epoch   2/2" in finished.log_file.read_text()
    assert {"train/loss", "val/loss", "val/source_type_accuracy"} <= set(_history(finished)["name"])
    split = Split.load(finished.split_file)
    with finished.predictions_file.open() as handle:
        predicted = [row["source_id"] for row in csv.DictReader(handle)]
    assert sorted(predicted) == sorted(split.parts["test"])
    assert sorted(path.name for path in finished.checkpoints.iterdir()) == ["best.ckpt", "last.ckpt"]
    assert list(finished.figures.glob("*.png"))


def test_metrics_carry_counts_intervals_and_baselines(finished: RunFolder) -> None:
    metrics = read_json(finished.metrics_file)
    predictions = pd.read_csv(finished.predictions_file)
    share = (predictions["source_type_target"] == predictions["source_type_prediction"]).mean()
    accuracy = metrics["test"]["source_type"]["accuracy"]
    assert accuracy["value"] == pytest.approx(share)
    assert accuracy["n"] == len(predictions) == 6
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert sum(map(sum, metrics["test"]["source_type"]["confusion"])) == 6
    baselines = metrics["baselines"]["source_type"]
    assert baselines["majority"]["test"]["accuracy"]["n"] == 6
    assert set(metrics["differences"]["test"]["source_type"]) <= set(baselines)


def test_the_same_run_again_trains_nothing(
    finished: RunFolder, data_dir: Path, runs_dir: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seisvision.runs.training.train_and_evaluate", lambda folder: pytest.fail("trained again"))
    before = finished.metrics_file.stat().st_mtime_ns
    again = ensure_run(tiny_config(data_dir, runs_dir, "evaluation.baselines=true"), [])
    assert again.path == finished.path
    assert finished.metrics_file.stat().st_mtime_ns == before
    assert "accuracy" in capsys.readouterr().out


def test_fresh_asks_for_another_folder(finished: RunFolder, data_dir: Path, runs_dir: Path) -> None:
    fresh = identify(tiny_config(data_dir, runs_dir, "evaluation.baselines=true", "run.fresh=true"))
    assert fresh.path.name == f"{finished.run_id}-2"


def test_deterministic_runs_agree_bit_for_bit(data_dir: Path, tmp_path: Path) -> None:
    overrides = ["trainer.deterministic=true", "trainer.max_epochs=1"]
    first = ensure_run(tiny_config(data_dir, tmp_path / "a", *overrides), [])
    second = ensure_run(tiny_config(data_dir, tmp_path / "b", *overrides), [])
    assert _scores(first) == _scores(second)
    assert _history(first).equals(_history(second))
    weights = [load_checkpoint(folder.best_checkpoint)["state_dict"] for folder in (first, second)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_killed_run_resumes_and_ends_like_an_uninterrupted_one(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED_TARGETS_VARIABLE, "model_of_ones_own.")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(Path(__file__).parent)]))
    overrides = ["trainer.max_epochs=3", "trainer.early_stopping_patience=2", "augment=light"]
    overrides += ["~model", "+model._target_=model_of_ones_own.WithDropout"]
    straight = ensure_run(tiny_config(data_dir, tmp_path / "straight", *overrides), [])
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path / 'killed'}", "system.num_threads=1"]
    folders.append("system.num_workers=1")
    command = [sys.executable, str(ROOT / "train.py"), *TINY, *overrides, *folders]
    folder = RunFolder(tmp_path / "killed" / "default" / straight.run_id)
    process = ready_python.Ready(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in process.stderr or ():
        if b"epoch   2/3" in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert folder.status()["state"] == "running"

    done = ready_python.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "resume   after epoch" in done.stderr
    assert done.stdout.splitlines()[-1] == str(folder.path)
    assert folder.status()["attempts"] == 2
    assert _scores(folder) == _scores(straight)
    assert _history(folder).equals(_history(straight))


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM], ids=lambda kind: kind.name)
def test_an_interrupted_run_says_so_and_can_be_resumed(kind: signal.Signals, data_dir: Path, tmp_path: Path) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", "system.num_workers=1"]
    command = [sys.executable, str(ROOT / "train.py"), "-m", *TINY, *folders, "trainer.max_epochs=500", "seed=1,2"]
    process = ready_python.Ready(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in process.stderr or ():
        if b"epoch   2/500" in line:
            process.send_signal(kind)
            break
    rest = process.stderr.read() if process.stderr else b""
    assert process.wait(timeout=120) == 130
    assert b"The same command resumes." in rest and b"point 2" not in rest
    (folder,) = (path.parent for path in (tmp_path / "default").glob("*/status.json"))
    status = RunFolder(folder).status()
    assert (status["state"], status["error"]) == (INTERRUPTED, "interrupted")
    assert load_checkpoint(RunFolder(folder).last_checkpoint)["seisvision"]["epoch"] >= 0


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("trainer.precision=64x", "precision=64x is not allowed. Did you mean '64'"),
        ("task.monitor=[val/source_type_acuracy,max]", "Did you mean 'val/source_type_accuracy'"),
    ],
)
def test_settings_without_sense_are_explained(override: str, said: str, data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ensure_run(tiny_config(data_dir, tmp_path, override, "trainer.max_epochs=1"), [])


def test_a_failed_run_says_why_and_can_be_repeated(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(data_dir, tmp_path, "trainer.max_epochs=1")
    with monkeypatch.context() as patched:
        patched.setattr(
            "seisvision.experiments.waveforms.experiment.build_task",
            lambda *_: (_ for _ in ()).throw(DataError("disk full")),
        )
        with pytest.raises(DataError, match="disk full"):
            ensure_run(config, [])
    folder = identify(config)
    assert folder.status()["state"] == FAILED
    assert folder.status()["error"] == "DataError: disk full"
    assert ensure_run(config, []).status()["state"] == FINISHED
    assert folder.status()["attempts"] == 2


def test_two_processes_never_work_on_one_run(data_dir: Path, tmp_path: Path) -> None:
    config = tiny_config(data_dir, tmp_path)
    with identify(config).locked(), pytest.raises(SeisvisionError, match="being worked on by process"):
        ensure_run(config, [])


def test_checkpoints_hold_all_that_is_needed_and_no_code(finished: RunFolder) -> None:
    content = load_checkpoint(finished.best_checkpoint)["seisvision"]
    assert content["config"] == finished.config()
    assert content["outputs"][0]["class_names"] == ["tectonic", "glacial"]
    assert content["split_hash"] == Split.load(finished.split_file).hash


def test_a_checkpoint_with_a_pickle_is_refused_unopened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"state_dict": Trap()}, tmp_path / "foreign.ckpt")
    with pytest.raises(CheckpointError, match="could run code"):
        load_checkpoint(tmp_path / "foreign.ckpt")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("damage", ["truncated", "text", "other", "missing", "empty folder"])
def test_useless_checkpoints_are_named(damage: str, finished: RunFolder, tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    if damage == "truncated":
        path.write_bytes(finished.best_checkpoint.read_bytes()[:5000])
    elif damage == "text":
        path.write_text("no checkpoint")
    elif damage == "other":
        torch.save({"state_dict": {}}, path)
    elif damage == "empty folder":
        path = tmp_path
    with pytest.raises(CheckpointError, match=str(path)):
        load_checkpoint(path)


def _evaluate(data_dir: Path, runs_dir: Path, checkpoint: Path, *overrides: str) -> Path:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}", "system.num_workers=0"]
    composed = OmegaConf.create(plain_config([f"ckpt={checkpoint}", *folders, *overrides], "evaluate"))
    return evaluate_checkpoint(composed)


def test_a_run_interrupted_in_its_evaluation_keeps_its_best_epoch(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ["task.monitor=[val/loss,min]", "trainer.max_epochs=3", "trainer.early_stopping_patience=1"]
    straight = ensure_run(tiny_config(data_dir, tmp_path / "straight", *overrides), [])
    config = tiny_config(data_dir, tmp_path / "interrupted", *overrides)
    with monkeypatch.context() as patched:
        patched.setattr(
            "seisvision.experiments.supervised.experiment.predict", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            ensure_run(config, [])
    assert identify(config).status()["error"] == "interrupted"
    resumed = ensure_run(config, [])
    assert _scores(resumed) == _scores(straight)
    assert read_json(resumed.metrics_file)["training"]["best_value"] > 0
    assert _history(resumed).equals(_history(straight))


def test_a_refitted_run_is_evaluated_as_it_was_trained(data_dir: Path, tmp_path: Path) -> None:
    folder = ensure_run(tiny_config(data_dir, tmp_path, "split.refit=true", "trainer.max_epochs=1"), [])
    again = _evaluate(data_dir, tmp_path / "again", folder.path)
    assert read_json(again / "metrics.json")["test"] == read_json(folder.metrics_file)["test"]
    with pytest.raises(SeisvisionError, match="val"):
        _evaluate(data_dir, tmp_path / "again", folder.path, "part=val")


HOSTILE = "${oc.create:{_target_:os.mkdir,path:sprung}}"
SECTION = "seisvision.views.record_section.RecordSection"


@pytest.mark.parametrize(
    "poison",
    [{"view": {"_target_": "os.mkdir", "path": "sprung"}}, {"view": {"_target_": SECTION, "channels": HOSTILE}}],
    ids=["target", "interpolation"],
)
def test_the_configuration_in_a_checkpoint_cannot_run_anything(
    poison: dict, finished: RunFolder, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = load_checkpoint(finished.best_checkpoint)
    checkpoint["seisvision"]["config"].update(poison)
    write_tensors(checkpoint, tmp_path / "poisoned.ckpt")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SeisvisionError):
        _evaluate(data_dir, tmp_path, tmp_path / "poisoned.ckpt")
    assert not (tmp_path / "sprung").exists()


def test_names_that_become_paths_stay_below_the_runs_folder(
    finished: RunFolder, data_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="escape' is not allowed"):
        identify(tiny_config(data_dir, tmp_path, "name=../escape"))
    checkpoint = load_checkpoint(finished.best_checkpoint)
    checkpoint["seisvision"]["run_id"] = "../../escape"
    write_tensors(checkpoint, tmp_path / "escaping.ckpt")
    with pytest.raises(CheckpointError, match="no run id"):
        load_checkpoint(tmp_path / "escaping.ckpt")


def test_evaluate_reproduces_the_stored_test_metrics(finished: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    folder = _evaluate(data_dir, tmp_path, finished.path)
    assert read_json(folder / "metrics.json")["test"] == read_json(finished.metrics_file)["test"]
    assert (folder / "predictions.csv").read_text() == finished.predictions_file.read_text()


def _names(folder: Path, pattern: str) -> set[str]:
    return {path.name for path in folder.glob(pattern)}


def test_evaluate_writes_the_tables_and_figures_of_a_training_run(
    finished: RunFolder, data_dir: Path, tmp_path: Path
) -> None:
    folder = _evaluate(data_dir, tmp_path, finished.path)
    tables = _names(finished.tables, "source_type_test_*.csv")
    assert tables == _names(folder, "tables/*.csv") and "source_type_test_confusion.csv" in tables
    for name in tables:
        assert (folder / "tables" / name).read_text() == (finished.tables / name).read_text()
    drawn = _names(finished.figures, "source_type_test_*.png")
    assert drawn < _names(folder, "figures/*.png") and "source_type_test_reliability.png" in drawn
    assert _names(folder, "figures/samples/*.png") == _names(finished.figures, "samples/*.png") != set()


def test_evaluate_reports_all_parts_together(finished: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    folder = _evaluate(data_dir, tmp_path, finished.path, "part=all")
    confusion = pd.read_csv(folder / "tables" / "source_type_all_confusion.csv")
    assert confusion.drop(columns="true class").to_numpy().sum() == len(pd.read_csv(folder / "predictions.csv")) == 30
    shown = pd.read_csv(folder / "tables" / "source_type_all_samples.csv")
    assert {"worst", "other"} >= set(shown["why"]) and len(shown) >= 8


OTHER = ["dataset=synthetic", *(word.replace("=30", "=12") for word in TINY if word.startswith("dataset."))]


def test_evaluate_measures_another_labelled_set(finished: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    folder = _evaluate(data_dir, tmp_path, finished.best_checkpoint, *OTHER, "dataset.source.seed=5")
    assert json.loads((folder / "metrics.json").read_text())["all"]["source_type"]["accuracy"]["n"] == 12
    confusion = pd.read_csv(folder / "tables" / "source_type_all_confusion.csv")
    assert confusion.drop(columns="true class").to_numpy().sum() == 12
    assert (folder / "figures" / "source_type_all_confusion.png").is_file()


def test_evaluate_only_predicts_where_no_label_is_known(finished: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    others = ["dataset.source.seed=5", "dataset.source.classes=[explosion,collapse]", "dataset.labels.source_type=null"]
    folder = _evaluate(data_dir, tmp_path, finished.best_checkpoint, *OTHER, *others)
    assert json.loads((folder / "metrics.json").read_text())["all"] == {}
    predicted = pd.read_csv(folder / "predictions.csv")
    assert len(predicted) == 12 and predicted["source_type_target"].isna().all()
    assert _names(folder, "tables/*.csv") == {"source_type_all_samples.csv"}, "nothing can be measured"
    shown = pd.read_csv(folder / "tables" / "source_type_all_samples.csv")
    assert shown["target"].isna().all() and set(shown["prediction"]) <= {"tectonic", "glacial"}
    assert all((folder / "tables" / picture).is_file() for picture in shown["picture"])
    assert _names(folder, "figures/*.png") == {"source_type_all_seen.png"}


def test_a_network_memorises_a_few_events(data_dir: Path, tmp_path: Path) -> None:
    overrides = ["trainer.max_epochs=15", "trainer.overfit_batches=2", "augment=none", "optimizer.lr=3e-3"]
    folder = ensure_run(tiny_config(data_dir, tmp_path, *overrides), [])
    history = _history(folder)
    assert history[history["name"] == "train/source_type_accuracy"]["value"].iloc[-3:].max() == 1.0


def test_wandb_is_offline_without_a_key_and_never_stops_a_run(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    overrides = ["logger=wandb", "trainer.max_epochs=1", "seed=1"]
    started = time.monotonic()
    folder = ensure_run(tiny_config(data_dir, tmp_path, *overrides), [])
    assert folder.status()["state"] == FINISHED
    assert time.monotonic() - started < 120
    assert list((folder.path / "wandb").glob(f"offline-run-*/run-default-{folder.run_id}.wandb"))


def test_tensorboard_files_are_written_on_request(data_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="logger=tensorboard is an extra")
    folder = ensure_run(
        tiny_config(data_dir, tmp_path, "logger=tensorboard", "trainer.max_epochs=1", "run.test=false"), []
    )
    assert list((folder.path / "tensorboard").glob("events.out.tfevents.*"))


def test_folds_share_the_test_events_and_cover_the_rest(data_dir: Path, tmp_path: Path) -> None:
    folds = []
    for fold in range(2):
        overrides = [f"split.fold={fold}", "split.n_folds=2", "trainer.max_epochs=1", "run.test=false"]
        folds.append(Split.load(ensure_run(tiny_config(data_dir, tmp_path, *overrides), []).split_file).parts)
    assert set(folds[0]["test"]) == set(folds[1]["test"])
    assert set(folds[0]["val"]) | set(folds[1]["val"]) == set(folds[0]["train"]) | set(folds[0]["val"])
    assert not set(folds[0]["val"]) & set(folds[1]["val"])


def test_a_training_that_diverges_stops_and_says_so(data_dir: Path, tmp_path: Path) -> None:
    config = tiny_config(data_dir, tmp_path, "optimizer=sgd", "optimizer.lr=1e6", "trainer.gradient_clip_val=null")
    with pytest.raises(SeisvisionError, match=r"diverged.*optimizer\.lr"):
        ensure_run(config, [])
