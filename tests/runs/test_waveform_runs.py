"""Every network of waveforms is configuration: built, trained, explained or refused by name, and joined by one more."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from tiny_runs import ROOT, TINY, plain_config

from seisvision import keys
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.samples.window import Window
from seisvision.data.serving.collate import collate_events
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.errors import CheckpointError, ConfigurationError
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.network import build_model, build_task, build_view, network_input
from seisvision.experiments.waveforms.settings import Settings
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.models.backbone import Backbone
from seisvision.public import find_public
from seisvision.records.configuration import to_plain
from seisvision.records.folder import read_json
from seisvision.runs.ensure import ensure_run

MODELS = [
    path.stem
    for path in sorted((ROOT / "conf" / "model").glob("*.yaml"))
    if find_public(yaml.safe_load(path.read_text())["_target_"]).axes == 1
    # An extra, with normalisation and curves of its own: tests/models/test_seisbench_model.py; and one that reads
    # triggers: tests/models/test_station_networks.py.
    and path.stem not in ("seisbench_model", "preseis")
]
WAVEFORMS = [
    *(word for word in TINY if not word.startswith("view.")),
    "dataset=synthetic_traces",
    "task=offset",
    "view=waveform",
    "view.n_samples=601",
    "dataset.source.lead_s=300",
    "dataset.source.length_s=2200",
    "dataset.traces.window.length_s=300",
    "dataset.traces.window.start_s=-60",
    "dataset.traces.window.jitter_s=30",
    "dataset.traces.max_traces_per_event=2",
    "trainer.max_epochs=1",
]
ONE_MORE = '''
"""A network of one's own."""

import torch
from torch import nn

from seisvision.models.waveforms.layers import WaveformBackbone


class OneMore(WaveformBackbone):
    """Means over twelve parts of the waveforms."""

    def __init__(self, in_channels: int, n_samples: int, width: int) -> None:
        super().__init__()
        self.length = n_samples // 12
        self.layer = nn.Linear(12 * in_channels, width)
        self.num_features = width

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of waveforms (B, P, T)."""
        parts = image[..., : 12 * self.length].unflatten(-1, (12, self.length))
        return self.layer(parts.square().mean(-1).flatten(1)).relu()
'''


def config(data_dir: Path, runs_dir: Path, *overrides: str) -> dict[str, Any]:
    return plain_config([*WAVEFORMS, f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}", *overrides])


@pytest.fixture(scope="module")
def batch(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A training batch of the set that all networks here learn from."""
    settings = Settings.of(config(data_dir, tmp_path_factory.mktemp("runs"), "model=convnetquake"))
    return next(iter(build_data(settings, build_view(settings.view)).train_dataloader()))


@pytest.mark.parametrize("model", MODELS)
def test_every_network_of_waveforms_learns(model: str, batch: dict[str, Any], data_dir: Path, tmp_path: Path) -> None:
    settings = Settings.of(config(data_dir, tmp_path, f"model={model}"))
    task, again = (build_task(settings, build_view(settings.view)) for _ in range(2))
    (output,) = task.outputs
    output.fit_statistics(output.truth(batch))
    optimizer = torch.optim.AdamW(task.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = output.loss(task(batch)[output.name], output.truth(batch))
        optimizer.zero_grad()
        loss.backward()
        still = [name for name, one in task.named_parameters() if one.grad is None or not one.grad.isfinite().all()]
        assert still == [], "every weight reaches the output"
        optimizer.step()
        losses.append(float(loss))
    assert min(losses[4:]) < losses[0] and sum(one.numel() for one in task.parameters()) > 1000
    again.load_state_dict(task.state_dict())
    said, said_again = (one.eval()(batch)[output.name] for one in (task, again))
    assert torch.equal(said, said_again) and output.decode(said).isfinite()[:, 0].all()


@pytest.mark.parametrize("model", ["lstm", "janbakhsh"])
def test_networks_that_are_no_stacks_of_convolutions_go_through_a_whole_run(
    model: str, data_dir: Path, tmp_path: Path
) -> None:
    folder = ensure_run(config(data_dir, tmp_path, f"model={model}"), [])
    metrics = read_json(folder.metrics_file)
    assert np.isfinite(metrics["test"]["offset"]["median_ae_km"]["value"]) and metrics["training"]["parameters"] > 1000
    assert {path.name for path in folder.figures.glob("*.png")} >= {"offset_seen.png", "learning_curves.png"}


def test_a_run_with_levels_of_the_stream_is_evaluated_again_from_its_checkpoint(data_dir: Path, tmp_path: Path) -> None:
    levels = ["model=convnetquake", "view.level_of=stream", "view.ps_box=picker"]
    folder = ensure_run(config(data_dir, tmp_path, *levels), [])
    settings = [f"ckpt={folder.path}", f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        again = evaluate_checkpoint(compose("evaluate", overrides=[*settings, "system.num_workers=0"]))
    pd.testing.assert_frame_equal(pd.read_csv(again / "predictions.csv"), pd.read_csv(folder.predictions_file))


def test_one_more_network_takes_one_file_and_one_yaml(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "conf" / "model" / "one_more.yaml").write_text("_target_: my_networks.OneMore\nwidth: 9\n")
    (tmp_path / "my_networks.py").write_text(ONE_MORE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", "my_networks.")
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path / 'runs'}"]
    with initialize_config_dir(str(tmp_path / "conf"), version_base="1.3"):
        found = to_plain(compose("train", overrides=[*WAVEFORMS, *folders, "model=one_more"]))
    training = read_json(ensure_run(found, []).metrics_file)["training"]
    assert training["model"] == "OneMore" and training["parameters"] == 9 * (12 * 3 + 1) + 9 + 1


def wavelet_set(path: Path) -> WaveformSet:
    """One event at one station, where only the vertical moves."""
    waveform = np.zeros((1, 3, 700), np.float32)
    waveform[0, keys.COMPONENTS.index("Z"), 300:340] = np.sin(np.arange(40) * 0.4)
    row = {
        "source_id": "one",
        "station_code": "S",
        "station_network_code": "NA",
        "trace_start_time": "2020-01-01T00:00:00.000Z",
        "trace_sampling_rate_hz": 50.0,
    }
    with WaveformSetWriter(path, card={"name": "wavelet"}) as writer:
        writer.add_event([row], waveform)
    return WaveformSet(path)


def first_seen(network: Backbone, image: torch.Tensor) -> torch.Tensor:
    """What the first layer with weights that reads whole lines is given."""
    seen: list[torch.Tensor] = []
    layers = [one for one in network.modules() if isinstance(one, torch.nn.Conv1d | torch.nn.Conv2d | torch.nn.LSTM)]
    handles = [one.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])) for one in layers]
    with torch.no_grad():
        network.eval()(image)
    for handle in handles:
        handle.remove()
    return next(values for values in seen if image.shape[-1] in values.shape)


@pytest.mark.parametrize("order", ["ZNE", "ENZ"])
def test_a_wavelet_on_the_vertical_arrives_in_its_channel_of_every_network(order: str, tmp_path: Path) -> None:
    samples = TraceSamples(
        wavelet_set(tmp_path / "set"),
        [0],
        window=Window(reference="trace", start_s=0.0, length_s=12.8),
        components=order,
    )
    batch = collate_events(samples.__getitems__([0]))
    expected = [letter == "Z" for letter in order]
    for model in MODELS:
        words = ["dataset=synthetic_local", "view=waveform", f"view.components={order}", "view.n_samples=640"]
        chosen = plain_config([*words, f"model={model}"])
        view = build_view(chosen["view"])
        network = build_model(chosen["model"], **network_input(Settings.of(chosen), view))
        seen = first_seen(network, view(batch))
        (channels,) = [axis for axis in range(1, seen.dim()) if seen.shape[axis] == 3]
        moves = (seen != 0).any(tuple(axis for axis in range(seen.dim()) if axis != channels))
        assert moves.tolist() == expected, f"{model} sees Z elsewhere"


def test_a_network_without_maps_is_not_explained_and_told_so_before_training(data_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("captum", reason="explain=gradcam is an extra")
    with pytest.raises(ConfigurationError, match="LSTM has no convolution, so Grad-CAM has no map"):
        ensure_run(config(data_dir, tmp_path, "model=lstm", "explain=gradcam"), [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["model=convnetquake", "view=spectrogram"],
            r"ConvNetQuake reads waveforms, but SpectrogramView draws pictures",
        ),
        (["model=resnet18", "view=waveform"], r"TimmBackbone reads pictures, but WaveformView gives .*3 x 600 values"),
        (["model=alexnet", "view=waveform"], r"AlexNet reads pictures, .* model=resnet1d"),
        (["model=alexnet_bn", "view=waveform"], r"AlexNetBN reads pictures"),
        (["model=shandong_cnn", "view=waveform", "view.n_samples=100"], r"needs waveforms of at least 512 samples"),
    ],
)
def test_networks_and_views_that_do_not_fit_are_refused_by_name(words: list[str], said: str) -> None:
    chosen = plain_config(["dataset=synthetic_local", *words])
    with pytest.raises(ConfigurationError, match=said):
        build_task(Settings.of(chosen), build_view(chosen["view"]))


def test_a_network_of_no_stated_axes_goes_with_any_view(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_lines.")
    own = ["~model", "+model={_target_: model_of_lines.ConvNet, width: 4}"]
    chosen = plain_config([*WAVEFORMS, *own])
    view = build_view(chosen["view"])
    assert network_input(Settings.of(chosen), view) == {"in_channels": 3, "n_samples": 601}
    assert isinstance(build_task(Settings.of(chosen), view).model, Backbone)


def test_weights_of_another_length_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    config = plain_config(["dataset=synthetic_local", "view=waveform", "model=convnetquake_ingv"])
    weights = build_task(Settings.of(config), build_view(config["view"])).state_dict()
    about = {"version": "0", "outputs": [], "run_id": "0123456789", "split": {}, "split_unit": "trace", "git": {}}
    about |= {"data_fingerprint": "f", "split_hash": "h", "config": config}
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": weights, "seisvision": about}, path)
    assert TrainedNetwork.open(path).task.model.num_features == 65
    longer = {**config, "view": {**config["view"], "n_samples": 9_000_000}}
    torch.save({"state_dict": weights, "seisvision": {**about, "config": longer}}, path)
    with pytest.raises(CheckpointError, match=r"not those of .*ConvNetQuakeINGV', whose 'hidden\.weight'"):
        TrainedNetwork.open(path)
