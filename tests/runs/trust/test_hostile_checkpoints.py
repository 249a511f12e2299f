"""Checkpoints that a stranger may have written end in one clear line, and do nothing on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hostile_checkpoints import GOOD, attack, tiny_checkpoint

from seisvision.errors import CheckpointError, ConfigurationError
from seisvision.experiments.supervised.explain_stored import explain_stored
from seisvision.experiments.waveforms.asked import ask_network
from seisvision.records.folder import RunFolder
from seisvision.records.settings import EvaluateSettings


@pytest.fixture(scope="module")
def tiny(data_dir: Path, tmp_path_factory: pytest.TempPathFactory):
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny"), data_dir)


def test_sixty_hostile_checkpoints(tiny, tmp_path: Path) -> None:
    faults: list[str] = []
    counts = attack(*tiny, 60, 3, tmp_path / "hostile", faults.append)
    assert not set(counts) - GOOD, faults
    assert counts["refused"] > 40


def test_the_way_in_that_stood_open_is_shut(tiny, tmp_path: Path) -> None:
    checkpoint, asked = tiny
    config = dict(checkpoint["seisvision"]["config"])
    for place in ("view", "model", "augment"):
        evil = {"_target_": "seisvision.data.importing.rejections.write_rejections", "path": str(tmp_path / "e.pth")}
        content = {**checkpoint["seisvision"], "config": {**config, place: {**evil, "rejections": []}}}
        torch.save({**checkpoint, "seisvision": content}, tmp_path / "evil.ckpt")
        with pytest.raises(CheckpointError, match=rf"evil\.ckpt is refused: {place}\._target_=.* is not allowed"):
            ask_network(tmp_path / "evil.ckpt", EvaluateSettings.of(asked))
    assert not (tmp_path / "e.pth").exists()


def test_explaining_a_strangers_run_writes_to_no_folder_that_it_names(tiny, tmp_path: Path) -> None:
    checkpoint, _ = tiny
    elsewhere = tmp_path / "elsewhere"
    config = {**checkpoint["seisvision"]["config"]}
    config["system"] = {**config["system"], "data_dir": str(elsewhere), "scratch": str(elsewhere / "scratch")}
    folder = RunFolder(tmp_path / "run")
    folder.prepare(config, [])
    torch.save(checkpoint, folder.best_checkpoint)
    with pytest.raises(ConfigurationError, match=r"holds no waveform set here\. Name yours with --data-dir"):
        explain_stored(folder, {"method": "gradcam", "samples": 1, "layer": None}, "test")
    assert not elsewhere.exists()
