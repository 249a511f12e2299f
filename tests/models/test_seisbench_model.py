"""Networks of SeisBench as backbones; what needs SeisBench itself is skipped where it is not installed."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from seisvision.errors import ConfigurationError, DataError
from seisvision.models.waveforms.seisbench_model import SeisBenchModel
from seisvision.outputs.picks.output import PickOutput
from seisvision.views.waveforms.waveform import WaveformView


class WaveformModel(nn.Module):
    """Stands for the base class of SeisBench's networks."""


class Curves(WaveformModel):
    """As a network of SeisBench looks from outside: P, S and noise in an order of its own."""

    def __init__(self, in_channels: int = 3, phases: str = "PSN") -> None:
        super().__init__()
        self.labels, self.sampling_rate, self.in_samples, self.component_order = phases, 100, 300, "ZNE"
        self.layer = nn.Conv1d(in_channels, 3, 1)
        self.default_args: dict[str, Any] = {}

    def annotate_batch_pre(self, batch: torch.Tensor, argdict: dict[str, Any]) -> torch.Tensor:
        return batch / (batch.std(-1, keepdim=True) + 1e-10)

    def forward(self, batch: torch.Tensor, logits: bool = False) -> torch.Tensor:
        return self.layer(batch) if logits else self.layer(batch).softmax(1)


class Several(Curves):
    """As EQTransformer: several curves by themselves, without logits."""

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__(in_channels)
        self.labels = ["Detection", "P", "S"]

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:  # type: ignore[override]
        return self.layer(batch).sigmoid().unbind(1)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    models = ModuleType("seisbench.models")
    models.WaveformModel, models.Curves, models.Several = WaveformModel, Curves, Several  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "seisbench", ModuleType("seisbench"))
    monkeypatch.setitem(sys.modules, "seisbench.models", models)


@pytest.mark.usefixtures("stand_in")
def test_curves_are_put_in_the_order_of_the_output() -> None:
    model = SeisBenchModel(3, 300, "Curves").eval()
    assert model.curves == ("P", "S", "noise")
    output, view = PickOutput("picks"), WaveformView(300, "ZNE", normalise="none")
    output.build_for(model, view)
    lines = torch.randn(2, 3, 300)
    said = output.probabilities(output(model.maps(lines)))
    prepared = model.network.annotate_batch_pre(lines, {})
    assert torch.allclose(said, model.network(prepared)[:, [0, 1, 2]], atol=1e-5)
    other = SeisBenchModel(3, 300, "Curves", {"phases": "NPS"})
    output.build_for(other, view)
    assert output.head.numbers == [1, 2, 0]


@pytest.mark.usefixtures("stand_in")
def test_weak_motion_gives_the_curves_of_strong() -> None:
    model = SeisBenchModel(3, 300, "Curves").eval()
    lines = torch.randn(1, 3, 300)
    assert torch.allclose(model.maps(lines), model.maps(lines * 1e-11), atol=1e-4)


@pytest.mark.usefixtures("stand_in")
def test_curves_that_stand_by_themselves_come_back_as_they_were() -> None:
    model = SeisBenchModel(3, 300, "Several").eval()
    output = PickOutput("picks", loss="bce", detection=True)
    output.build_for(model, WaveformView(300, "ZNE", normalise="none"))
    lines = torch.randn(2, 3, 300)
    told = torch.stack(model.network(model.network.annotate_batch_pre(lines, {})), 1)
    assert torch.allclose(output.probabilities(output(model.maps(lines))), told[:, [1, 2, 0]], atol=1e-4)
    with pytest.raises(ConfigurationError, match="noise"):
        PickOutput("picks").build_for(model, WaveformView(300, "ZNE", normalise="none"))


@pytest.mark.usefixtures("stand_in")
def test_another_order_rate_or_length_is_refused() -> None:
    model = SeisBenchModel(3, 300, "Curves")
    with pytest.raises(ConfigurationError, match=r"view\.components=ZNE"):
        PickOutput("picks").build_for(model, WaveformView(300, "ENZ"))
    output = PickOutput("picks")
    output.build_for(model, WaveformView(300, "ZNE"))
    with pytest.raises(DataError, match="sampling_rate_hz=100"):
        output.meet(50.0)
    with pytest.raises(ConfigurationError, match="Curves"):
        SeisBenchModel(3, 300, "Curvs")


def test_what_tells_no_picks_is_refused_before_it_is_made() -> None:
    with pytest.raises(ConfigurationError, match="depths, not picks"):
        SeisBenchModel(3, 3001, "DepthPhaseNet")


def test_without_seisbench_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "seisbench", None)
    monkeypatch.setitem(sys.modules, "seisbench.models", None)
    with pytest.raises(ConfigurationError, match=r"seisvision\[seisbench\]"):
        SeisBenchModel(3, 3001, "PhaseNet")


@pytest.mark.parametrize(
    ("name", "n_samples", "parameters"), [("PhaseNet", 3001, 268_443), ("EQTransformer", 6000, 376_935)]
)
def test_networks_of_seisbench_have_their_size(name: str, n_samples: int, parameters: int) -> None:
    pytest.importorskip("seisbench", reason="SeisBench is not installed")
    model = SeisBenchModel(3, n_samples, name)
    assert sum(one.numel() for one in model.parameters()) == parameters
