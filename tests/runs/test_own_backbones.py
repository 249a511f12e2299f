"""Checkpoints of every backbone can be rebuilt: evaluated, explained, and asked for distances."""

from __future__ import annotations

import json
from pathlib import Path

import model_of_ones_own
import pytest
from omegaconf import OmegaConf
from tiny_runs import plain_config, tiny_config

from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.errors import CheckpointError, ConfigurationError
from seisvision.experiments.supervised.explain_stored import explain_stored
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.offsets import trace_config
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.configuration import ALLOWED_TARGETS_VARIABLE
from seisvision.records.finding import checkpoints_of
from seisvision.records.folder import read_json
from seisvision.runs.ensure import ensure_run

OWN = "model_of_ones_own."
BACKBONES = {
    "resnet": ["model=resnet18"],
    "alexnet": ["model=alexnet", "view.height=64", "view.width=64"],
    "alexnet_bn": ["model=alexnet_bn", "view.height=64", "view.width=64"],
    "no arguments": ["model={_target_: model_of_ones_own.NoArguments}"],
    "required arguments": ["model={_target_: model_of_ones_own.RequiredArguments, width: 7}"],
    "any arguments": ["model={_target_: model_of_ones_own.AnyArguments, width: 4}"],
    "published weights": ["model={_target_: model_of_ones_own.PublishedWeights}"],
}


@pytest.fixture(autouse=True)
def own_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED_TARGETS_VARIABLE, OWN)
    model_of_ones_own.PublishedWeights.asked.clear()


def _overrides(words: list[str]) -> list[str]:
    """Hydra replaces a group by a mapping only where the group is named as none first."""
    if not words[0].startswith("model={"):
        return words
    settings = dict(pair.split(": ") for pair in words[0][len("model={") : -1].split(", "))
    return ["~model", *[f"+model.{key}={value}" for key, value in settings.items()]]


@pytest.mark.parametrize("name", ["alexnet_bn", "no arguments", "any arguments", "published weights"])
def test_a_checkpoint_is_evaluated_and_explained(name: str, data_dir: Path, tmp_path: Path) -> None:
    config = tiny_config(data_dir, tmp_path, "trainer.max_epochs=1", *_overrides(BACKBONES[name]))
    folder = ensure_run(config, [])
    trained = len(model_of_ones_own.PublishedWeights.asked)
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", "accelerator=cpu", "system.num_workers=0"]
    with_config = plain_config([f"ckpt={folder.path}", *folders], "evaluate")
    again = read_json(evaluate_checkpoint(OmegaConf.create(with_config)) / "metrics.json")
    stored = read_json(folder.metrics_file)
    assert again["test"]["source_type"]["accuracy"] == stored["test"]["source_type"]["accuracy"]
    explain_stored(folder, {"method": "gradcam", "samples": 2, "layer": None}, "test", data_dir)
    assert json.loads((folder.explain / "source_type_test.json").read_text())["samples"]
    assert not any(model_of_ones_own.PublishedWeights.asked[trained:]), "weights were fetched to be overwritten"


@pytest.mark.parametrize("words", BACKBONES.values(), ids=BACKBONES)
def test_a_network_of_distances_is_rebuilt(words: list[str]) -> None:
    view = ["view.channels=[{component: Z, band_hz: null},{component: N, band_hz: null},{component: E, band_hz: null}]"]
    view.append("view.components=ZNE")
    config = plain_config(["task=offset", "dataset=synthetic_traces", "view=trace", *view, *_overrides(words)])
    rebuilt = trace_config(config)
    again, before = (build_task(Settings.of(one), build_view(one["view"])) for one in (rebuilt, config))
    again.load_state_dict(before.state_dict())


def test_a_network_that_hides_its_number_of_features_is_refused() -> None:
    config = plain_config(["~model", f"+model._target_={OWN}NoFeatures"])
    with pytest.raises(ConfigurationError, match=r"NoFeatures does not say how many features.*Set num_features"):
        build_task(Settings.of(config), build_view(config["view"]))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"hello\n", "no checkpoint at all"), (b"", "no checkpoint at all"), (b"x", "no checkpoint at all")],
)
def test_what_is_no_checkpoint_is_told_in_one_message(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"notes\.txt is damaged or {said}.*Give a run folder"):
        load_checkpoint(path)


def test_no_checkpoint_named_is_told() -> None:
    with pytest.raises(CheckpointError, match="ckpt names no checkpoint"):
        checkpoints_of(None)  # type: ignore[arg-type]
