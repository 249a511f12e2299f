"""The finders print and write a setting that makes sense, and say so where there is none to find."""

from __future__ import annotations

import shutil
from pathlib import Path

import model_of_memory
import pytest
import torch
from hydra import compose, initialize_config_dir
from tiny_runs import SMALL as OWN_SMALL
from tiny_runs import TINY, tiny_config

from seisvision.cli import main
from seisvision.commands import tune
from seisvision.commands.tune import find_batch_size
from seisvision.errors import ConfigurationError
from seisvision.records.configuration import ALLOWED_TARGETS_VARIABLE
from seisvision.runs import mixed_precision
from seisvision.runs.mixed_precision import StepSeconds, faster_precision

SMALL = ["view.height=16", "view.width=16", "trainer.accelerator=cpu"]


@pytest.fixture
def own_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configurations that a command may write into."""
    folder = tmp_path / "conf"
    shutil.copytree(tune.CONF, folder)
    monkeypatch.setattr(tune, "CONF", folder)
    return folder


def test_a_rate_is_printed_and_written_as_train_takes_it(
    data_dir: Path, tmp_path: Path, own_conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = tmp_path / "figures" / "lr.png"
    experiment = [*TINY, *SMALL, f"system.data_dir={data_dir}"]
    assert main(["tune", "lr", *experiment, "--steps", "40", "--figure", str(figure)]) == 0
    (setting,) = capsys.readouterr().out.splitlines()
    config = tiny_config(data_dir, tmp_path, *SMALL, setting)
    assert setting.startswith("optimizer.lr=") and 1e-6 < config["optimizer"]["lr"] < 1
    assert figure.exists()
    with initialize_config_dir(str(own_conf), version_base="1.3"):
        tuned = compose("train", overrides=["tuned=lr", "experiment=cluster", "optimizer.weight_decay=0.5"])
        assert tuned.optimizer.lr == config["optimizer"]["lr"], "it wins over the experiment"
        assert compose("train", overrides=["tuned=lr", "protocol=paper_offset"]).optimizer.lr == tuned.optimizer.lr
        assert compose("train", overrides=["tuned=lr", "optimizer.lr=0.25"]).optimizer.lr == 0.25, "but what is typed"


def test_every_batch_up_to_the_printed_one_was_tried(
    data_dir: Path, own_conf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ALLOWED_TARGETS_VARIABLE, "model_of_memory.")
    monkeypatch.setattr(model_of_memory, "LARGEST", 64)
    monkeypatch.setattr(model_of_memory, "tried", [])
    experiment = [*TINY, *SMALL, f"system.data_dir={data_dir}", "model._target_=model_of_memory.SmallDevice"]
    assert main(["tune", "batch", *experiment]) == 0
    # Sixteen training events: the largest batch is all of them.
    assert capsys.readouterr().out.splitlines() == ["trainer.batch_size=16"]
    assert set(model_of_memory.tried) == {2, 4, 8, 16}
    with initialize_config_dir(str(own_conf), version_base="1.3"):
        assert compose("train", overrides=["tuned=batch", "experiment=cluster"]).trainer.batch_size == 16


def test_mixed_precision_is_chosen_where_it_was_measured_to_be_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"32-true": 1.0, "bf16-mixed": 0.5}
    trained: list[str] = []

    def train(precision: str, clock: StepSeconds) -> None:
        trained.append(precision)
        clock.seconds += [seconds[precision]] * 3

    device = torch.device("cpu")
    monkeypatch.setattr(mixed_precision, "lacks_units", lambda device: None)
    assert faster_precision(device, train) == "bf16-mixed"
    seconds["bf16-mixed"] = 0.99
    assert faster_precision(device, train) == "32-true" and trained == ["32-true", "bf16-mixed"] * 2
    monkeypatch.setattr(mixed_precision, "lacks_units", lambda device: "no units")
    assert faster_precision(device, train) == "32-true" and len(trained) == 4, "where there are none none is tried"


def test_a_precision_is_measured_printed_and_written(
    data_dir: Path, own_conf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ALLOWED_TARGETS_VARIABLE, "model_of_ones_own.")
    monkeypatch.setattr(mixed_precision, "lacks_units", lambda device: None)
    monkeypatch.setattr(mixed_precision, "WORTH", 1e6)
    assert main(["tune", "precision", *TINY, *SMALL, *OWN_SMALL, f"system.data_dir={data_dir}"]) == 0
    assert capsys.readouterr().out.splitlines() == ["trainer.precision=32-true"]
    with initialize_config_dir(str(own_conf), version_base="1.3"):
        assert compose("train", overrides=["tuned=precision"]).trainer.precision == "32-true"


@pytest.mark.parametrize(("n_devices", "largest", "batch"), [(1, 4, 4), (2, 4, 8), (3, 64, 12), (3, 2, 6)])
def test_the_batch_is_that_of_all_devices(
    n_devices: int, largest: int, batch: int, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED_TARGETS_VARIABLE, "model_of_memory.")
    monkeypatch.setattr(model_of_memory, "LARGEST", largest)
    target = "model._target_=model_of_memory.SmallDevice"
    # Of sixteen training events five fall to each of three devices; batches of 8, as configured, none could share.
    config = tiny_config(data_dir, tmp_path, *SMALL, f"trainer.devices={n_devices}", target)
    assert find_batch_size(config) == batch


def test_what_cannot_be_tuned_is_refused(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", "lr", "--steps", "3"]) == ConfigurationError.exit_code
    for what in ("lr", "batch"):
        assert main(["tune", what, "experiment=cluster"]) == ConfigurationError.exit_code
    monkeypatch.setenv(ALLOWED_TARGETS_VARIABLE, "model_of_memory.")
    monkeypatch.setattr(model_of_memory, "LARGEST", 1)
    target = "model._target_=model_of_memory.SmallDevice"
    with pytest.raises(ConfigurationError, match="Not even two samples"):
        find_batch_size(tiny_config(data_dir, tmp_path, *SMALL, target))
    with pytest.raises(ConfigurationError, match="16 training samples are too few for batches on 9 devices"):
        find_batch_size(tiny_config(data_dir, tmp_path, *SMALL, target, "trainer.devices=9"))
