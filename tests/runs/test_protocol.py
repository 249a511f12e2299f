"""The three stages of the Atlas: only the last one sees the test events, and it trains on all the others."""

from pathlib import Path

import pytest
from hydra import initialize_config_dir
from tiny_runs import ROOT, TINY

from seisvision.runs.folder import RunFolder, read_json
from seisvision.runs.protocol import run_protocol

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
