"""Networks that pick, whole: from tasks, from weights of SeisBench, and back to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from seisvision.commands import export
from seisvision.errors import CheckpointError, ConfigurationError
from seisvision.experiments.waveforms.pickers import export_to_seisbench, open_picker
from seisvision.models.waveforms.pick_net import PickNet
from seisvision.models.waveforms.unet1d import UNet1d
from seisvision.outputs.picks.output import PickOutput
from seisvision.tasks.pick_network import PickNetwork, phasenet_of, seisbench_weights
from seisvision.tasks.supervised import SupervisedTask
from seisvision.views.waveforms.waveform import WaveformView


def network(n_samples: int = 3001, **settings: object) -> PickNetwork:
    view = WaveformView(n_samples, "ZNE", normalise="std", across="component")
    output = PickOutput("picks", **settings)  # type: ignore[arg-type]
    model = UNet1d(3, n_samples)
    output.build_for(model, view)
    return PickNetwork(view, model, output, 100.0)


def test_a_trained_task_gives_its_curves_for_raw_windows_of_any_unit() -> None:
    view, output, model = WaveformView(600, "ZNE", normalise="std"), PickOutput("picks"), PickNet(3, 600)
    task = SupervisedTask(model, view, [output], torch.optim.Adam)
    with pytest.raises(ConfigurationError, match="not known"):
        PickNetwork.of_task(task)
    output.meet(50.0)
    found = PickNetwork.of_task(task)
    assert (found.sampling_rate_hz, found.n_samples, found.components, found.phases) == (50.0, 600, "ZNE", ("P", "S"))
    windows = torch.randn(2, 3, 600)
    assert found.curves(windows).shape == (2, 3, 600)
    assert torch.allclose(found.curves(windows), found.curves(windows * 1e-9), atol=1e-4)


def test_what_is_exported_opens_again_with_the_same_curves(tmp_path: Path) -> None:
    sent = network(phases=["S", "P"])
    torch.save(seisbench_weights(sent), tmp_path / "bare.pt")
    windows = torch.randn(2, 3, 3001)
    again = phasenet_of(torch.load(tmp_path / "bare.pt"), "NPS", "ZNE", 3001)
    assert torch.allclose(again.curves(windows)[:, [1, 0, 2]], sent.curves(windows), atol=1e-6)


def test_export_writes_weights_and_the_description_that_opens_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(seisbench_weights(network()), tmp_path / "bare.pt")
    weights, description = export_to_seisbench(tmp_path / "bare.pt", tmp_path / "out" / "mine")
    said = json.loads(description.read_text())["model_args"]
    assert (said["phases"], said["component_order"], said["norm"], said["classes"]) == ("NPS", "ENZ", "std", 3)
    assert torch.load(weights, weights_only=True)["out.weight"].shape == (3, 8, 1)
    opened = open_picker(weights)
    assert (opened.n_samples, opened.components) == (3001, "ENZ")
    windows = torch.randn(1, 3, 3001)
    assert torch.allclose(opened.curves(windows), open_picker_at(tmp_path / "bare.pt", 3001).curves(windows))
    description.write_text("{}")
    with pytest.raises(CheckpointError, match="no description"):
        open_picker(weights)
    parsed = export.argparse.Namespace(run=tmp_path / "bare.pt", to="seisbench", out=tmp_path / "again")
    assert export.run(parsed) == 0
    assert "again.json.v1" in capsys.readouterr().out


def open_picker_at(path: Path, n_samples: int) -> PickNetwork:
    return phasenet_of(torch.load(path, weights_only=True), "NPS", "ENZ", n_samples)


def test_networks_that_seisbench_does_not_know_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="detection=false"):
        seisbench_weights(network(loss="bce"))
    view, output, model = WaveformView(600, "ZNE"), PickOutput("picks"), PickNet(3, 600)
    output.build_for(model, view)
    with pytest.raises(ConfigurationError, match="model=unet1d"):
        seisbench_weights(PickNetwork(view, model, output, 100.0))


def test_seisbench_gives_the_same_curves(tmp_path: Path) -> None:
    models = pytest.importorskip("seisbench.models", reason="SeisBench is not installed")
    sent = network()
    torch.save(seisbench_weights(sent), tmp_path / "bare.pt")
    export_to_seisbench(tmp_path / "bare.pt", tmp_path / "mine")
    theirs = models.PhaseNet.load(tmp_path / "mine", version_str="1").eval()
    windows = torch.randn(2, 3, 3001)
    with torch.no_grad():
        curves = theirs(theirs.annotate_batch_pre(windows, {}))
    ours = open_picker(tmp_path / "mine.pt.v1").curves(windows)
    assert torch.allclose(ours[:, [2, 0, 1]], curves, atol=1e-4)
