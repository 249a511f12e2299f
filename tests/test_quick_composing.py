"""Compositions of the tests, whose groups are composed once, are those of Hydra."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import quick_composing
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf


@pytest.fixture()
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what is composed."""
    folder = tmp_path / "composed"
    folder.mkdir()
    quick_composing.compose_once()
    monkeypatch.setenv(quick_composing.FOLDER, str(folder))
    return folder


def composed(words: list[str]) -> str:
    with initialize_config_dir(str(quick_composing.CONF), version_base="1.3"):
        return OmegaConf.to_yaml(compose("train", overrides=words, return_hydra_config=True))


@pytest.mark.parametrize(
    "words",
    [["seed=7"], ["experiment=atlas/locate"], ["~model", "+model._target_=any.Class", "sweep=kfold"]],
    ids=lambda words: words[0],
)
def test_what_is_stored_gives_what_hydra_gives(words: list[str], stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, again, other = (composed([*words, f"optimizer.lr={rate}"]) for rate in (0.1, 0.1, 0.2))
    assert len(list(stored.iterdir())) == 1
    monkeypatch.delenv(quick_composing.FOLDER)
    assert first == again == composed([*words, "optimizer.lr=0.1"])
    assert other == composed([*words, "optimizer.lr=0.2"]) != first


def test_what_was_edited_is_composed_anew_and_what_is_refused_stays_so(
    stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_composing, "CONF", shutil.copytree(quick_composing.CONF, tmp_path / "conf"))
    assert "name: default" in composed([]) and composed([]) == composed([])
    file = quick_composing.CONF / "train.yaml"
    file.write_text(file.read_text().replace("name: default ", "name: edited "))
    assert "name: edited" in composed([])
    assert len(list(stored.iterdir())) == 2
    for words in (["model=nothing"], ["nothing=1"], ["optimizer.lr=1", "~nothing"]):
        for _ in range(2):
            with pytest.raises(HydraException):
                composed(words)
