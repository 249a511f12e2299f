"""The three stages of the Atlas: only the last one sees the test events, and it trains on all the others."""

import math
import os
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from tiny_runs import ROOT, TINY

from seisvision.errors import SeisvisionError
from seisvision.records.folder import RunFolder, read_json, write_json
from seisvision.sweeps.protocol import best_run, run_protocol

STAGES = {
    "models": ["resnet18", "resnet34"],
    "tune": {"optimizer.lr": [1.0e-3, 1.0e-2], "trainer.batch_size": [8]},
    "seeds": [1, 2],
}


@pytest.fixture(scope="module")
def protocol(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs_dir = tmp_path_factory.mktemp("protocol")
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return run_protocol(STAGES, [*TINY, *folders])


def _runs(protocol: Path, stage: str) -> list[RunFolder]:
    return [RunFolder(protocol.parent / run_id) for run_id in read_json(protocol)["runs"][stage]]


def test_selection_never_touches_the_test_events(protocol: Path) -> None:
    for folder in _runs(protocol, "compare") + _runs(protocol, "tune"):
        assert "test" not in read_json(folder.metrics_file)
        assert not folder.predictions_file.exists()


def test_the_best_point_on_validation_is_refitted(protocol: Path) -> None:
    decision = read_json(protocol)["decision"]
    compared = [read_json(folder.metrics_file)["training"] for folder in _runs(protocol, "compare")]
    best = max(compared, key=lambda training: (training["best_value"], -training["best_val_loss"]))
    assert best["model"] == decision["model"]
    tuned = [read_json(folder.metrics_file)["training"] for folder in _runs(protocol, "tune")]
    best = max(tuned, key=lambda training: (training["best_value"], -training["best_val_loss"]))
    assert decision["epochs"] == best["best_epoch"] + 1


def test_the_refit_trains_on_train_and_validation_with_every_seed(protocol: Path) -> None:
    decision = read_json(protocol)["decision"]
    compared = read_json(_runs(protocol, "compare")[0].metrics_file)["data"]
    for folder, seed in zip(_runs(protocol, "refit"), STAGES["seeds"], strict=True):
        metrics = read_json(folder.metrics_file)
        assert metrics["training"]["seed"] == seed
        assert metrics["training"]["epochs"] == decision["epochs"]
        assert metrics["data"]["events"]["train"] == compared["events"]["train"] + compared["events"]["val"]
        assert metrics["data"]["split_hash"] == compared["split_hash"]
        assert metrics["test"]["source_type"]["accuracy"]["n"] == compared["events"]["test"]
        assert "val" not in metrics


SHORT = {"models": ["resnet18", "resnet34"], "tune": {"optimizer.lr": [1.0e-3]}, "seeds": [1]}


def _protocol(data_dir: Path, runs_dir: Path, *overrides: str) -> Path | None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return run_protocol(SHORT, [*TINY, *folders, "trainer.max_epochs=1", *overrides])


def test_a_run_whose_value_is_no_number_is_never_the_best(tmp_path: Path) -> None:
    folders = [RunFolder(tmp_path / str(number)) for number in range(3)]
    for folder, value in zip(folders, (math.nan, 0.2, 0.1), strict=True):
        training = {"monitor": ["val/x", "max"], "best_value": value, "best_val_loss": value}
        folder.path.mkdir()
        write_json(folder.metrics_file, {"training": training})
    assert best_run(folders) == 1


def test_the_launcher_does_the_runs_of_a_stage_side_by_side(data_dir: Path, tmp_path: Path) -> None:
    written = _protocol(data_dir, tmp_path, "launcher=local_parallel", "launcher.n_jobs=2", "system.num_threads=1")
    assert written is not None
    assert all(folder.is_finished() for stage in ("compare", "tune", "refit") for folder in _runs(written, stage))
    pids = {folder.status()["pid"] for folder in _runs(written, "compare")}
    assert len(pids) == 2 and os.getpid() not in pids
    decided = read_json(written)
    assert _protocol(data_dir, tmp_path) == written and read_json(written) == decided, "in this process the same"


def test_a_failed_run_stops_the_protocol_and_not_its_neighbours(data_dir: Path, tmp_path: Path) -> None:
    broken = ["launcher=local_parallel", "launcher.n_jobs=1", "task.monitor=[val/nothing,max]"]
    with pytest.raises(SeisvisionError, match=r"is failed: .*So did 1 of the other 1 runs"):
        _protocol(data_dir, tmp_path, *broken)


def test_a_launcher_that_does_not_wait_leaves_the_protocol_at_its_stage(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("submitit", reason="launcher=slurm is an extra")
    asked = ["launcher=slurm", "launcher.dry_run=true", "trainer.devices=1", "trainer.accelerator=cpu"]
    assert _protocol(data_dir, tmp_path, *asked) is None
    said = capsys.readouterr().out
    assert "#SBATCH" in said and said.count("# /") == 2, "the two architectures of the first stage"
