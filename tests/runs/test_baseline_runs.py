"""What stands beside the network of a run, and beside that of an evaluation on another set."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from tiny_runs import TINY, plain_config, tiny_config

from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.errors import CheckpointError
from seisvision.judging.stored_baselines import FILE, read_stored
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.telling import describe_result
from seisvision.runs.ensure import ensure_run
from seisvision.runs.terminal import set_up_logging

OTHER = ["dataset=synthetic", *(word for word in TINY if word.startswith("dataset.")), "dataset.source.seed=5"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def finished(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    set_up_logging()
    runs_dir = tmp_path_factory.mktemp("runs")
    return ensure_run(tiny_config(data_dir, runs_dir, "evaluation.baselines=true", "trainer.max_epochs=1"), [])


def evaluated(data_dir: Path, out: Path, checkpoint: Path, *overrides: str) -> dict:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={out}", "system.num_workers=0"]
    words = [f"ckpt={checkpoint}", *folders, *overrides]
    return read_json(evaluate_checkpoint(OmegaConf.create(plain_config(words, "evaluate"))) / "metrics.json")


def test_a_run_leads_with_the_baseline_that_was_best_on_validation_events(finished: RunFolder) -> None:
    metrics = read_json(finished.metrics_file)
    stored, choice = metrics["baselines"]["source_type"], metrics["strongest_baseline"]["source_type"]
    best = max(one["val"]["accuracy"]["value"] for one in stored.values() if not one["skipped"])
    assert stored[choice["name"]]["val"]["accuracy"]["value"] == best
    assert choice["chosen_on"] == "the validation samples"
    lines = describe_result(metrics).splitlines()
    assert lines[5].startswith(choice["name"]) and lines[4].startswith("resnet18")
    assert f"resnet18 minus the strongest baseline, {choice['name']}: " in describe_result(metrics)


def test_what_was_fitted_is_kept_without_pickles(finished: RunFolder) -> None:
    stored = read_stored(finished.path / FILE, "event")
    assert set(stored.tables) == {"geometry", "band_power", "physics", "attributes"}
    assert len(stored.train.ids) == len(stored.train.targets["source_type"]) == 16
    with np.load(finished.path / FILE, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays.files)


def test_another_set_is_judged_beside_the_baselines_of_the_run(
    finished: RunFolder, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    metrics = evaluated(data_dir, tmp_path, finished.path, *OTHER)
    own = read_json(finished.metrics_file)
    found = metrics["baselines"]["source_type"]
    assert set(found) == set(own["baselines"]["source_type"])
    assert metrics["strongest_baseline"] == own["strongest_baseline"], "the other set has no say in the choice"
    assert found["boosting"]["all"]["accuracy"]["n"] == 30
    assert metrics["differences"]["all"]["source_type"]["majority"]["p_value"] <= 1
    assert "minus the strongest baseline" in capsys.readouterr().out
    json.dumps(metrics, allow_nan=True)


def test_the_run_s_own_test_events_get_the_same_baselines_again(
    finished: RunFolder, data_dir: Path, tmp_path: Path
) -> None:
    again, own = evaluated(data_dir, tmp_path, finished.path), read_json(finished.metrics_file)
    for name, baseline in own["baselines"]["source_type"].items():
        assert again["baselines"]["source_type"][name].get("test") == baseline.get("test")


def test_a_checkpoint_by_itself_still_knows_the_commonest_class(
    finished: RunFolder, data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alone = tmp_path / "moved" / "best.ckpt"
    alone.parent.mkdir()
    shutil.copy(finished.best_checkpoint, alone)
    metrics = evaluated(data_dir, tmp_path, alone, *OTHER)
    assert list(metrics["baselines"]["source_type"]) == ["majority"]
    beside = evaluated(data_dir, tmp_path / "beside", finished.path, *OTHER)
    for measure in ("accuracy", "roc_auc", "cross_entropy"):
        fitted, guessed = (one["baselines"]["source_type"]["majority"]["all"][measure] for one in (beside, metrics))
        assert guessed["value"] == pytest.approx(fitted["value"])
    assert metrics["strongest_baseline"] == {}


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_bytes(b"PK damaged")
    with pytest.raises(CheckpointError, match=FILE):
        read_stored(path, "event")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("target/source_type", np.full(16, 2**40)),
        ("target/source_type", np.full(16, -2)),
        ("about", np.array('{"settings": {}, "outputs": {"source_type": {"class_weight": "x", "strongest": null, '
                           '"chosen_on": null}}, "seed": 1}')),
        ("about", np.array('{"settings": {"band_power": {"x": 1}}, "outputs": {"source_type": {"class_weight": null, '
                           '"strongest": null, "chosen_on": null}}, "seed": 1}')),
    ],
    ids=["many classes", "no class", "weights", "settings"],
)  # fmt: skip
def test_features_of_a_stranger_that_cannot_be_fitted_are_told(
    finished: RunFolder, data_dir: Path, tmp_path: Path, name: str, values: np.ndarray
) -> None:
    shutil.copytree(finished.path, tmp_path / "run")
    arrays = dict(np.load(finished.path / FILE))
    np.savez(tmp_path / "run" / FILE, **{**arrays, name: values})
    with pytest.raises(CheckpointError, match=rf"run/{FILE}.* cannot be used: what its baselines were fitted on"):
        evaluated(data_dir, tmp_path / "out", tmp_path / "run")


def test_a_refitted_run_holds_training_events_out_to_choose(data_dir: Path, tmp_path: Path) -> None:
    words = ["evaluation.baselines=true", "split.refit=true", "trainer.max_epochs=1"]
    metrics = read_json(ensure_run(tiny_config(data_dir, tmp_path, *words), []).metrics_file)
    choice = metrics["strongest_baseline"]["source_type"]
    assert choice["chosen_on"] == "a fifth of the training events, held out for it"
    assert "val" not in metrics["baselines"]["source_type"][choice["name"]]


def test_distances_on_another_set_stand_beside_the_training_median(data_dir: Path, tmp_path: Path) -> None:
    words = ["dataset=synthetic_traces", *TINY[:5], "dataset.source.length_s=2400"]
    small = ["task=offset", "view=spectrogram", "view.height=16", "view.width=32", "trainer.max_epochs=1"]
    rest = [word for word in TINY if word.startswith(("trainer.batch", "logger", "system"))]
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}"]
    folder = ensure_run(plain_config([*words, *small, *rest, *folders]), [])
    metrics = evaluated(data_dir, tmp_path / "out", folder.path, *words, "dataset.source.seed=5")
    found = metrics["baselines"]["offset"]
    assert {"median", "two_feature", "s_minus_p", "boosting", "forest"} == set(found)
    train = read_stored(folder.path / FILE, "trace").train.targets["path_ep_distance_km"]
    guessed = found["median"]["all"]["mae_km"]["value"]
    assert np.isfinite(guessed) and len(train) > 10
