"""The finders write a yaml that composes, with a value that makes sense."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tiny_runs import TINY

from seisvision.cli import main
from seisvision.errors import ConfigurationError


def test_finders_write_what_train_takes(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    experiment = [*TINY, f"system.data_dir={data_dir}", "view.height=16", "view.width=16", "trainer.accelerator=cpu"]
    lr_file, batch_file = tmp_path / "lr.yaml", tmp_path / "batch.yaml"
    assert main(["tune", "lr", *experiment, "--steps", "40", "--out", str(lr_file)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(lr_file)
    assert 1e-6 < yaml.safe_load(lr_file.read_text())["optimizer"]["lr"] < 1
    assert lr_file.read_text().startswith("# @package _global_\n") and lr_file.with_suffix(".png").exists()
    assert main(["tune", "batch", *experiment, "--out", str(batch_file)]) == 0
    # Sixteen training events fit into any memory.
    assert yaml.safe_load(batch_file.read_text())["trainer"]["batch_size"] == 16


def test_too_few_steps_are_refused(capsys: pytest.CaptureFixture) -> None:
    assert main(["tune", "lr", "--steps", "3"]) == ConfigurationError.exit_code
