"""Weights of another network: whole, in part, and refused with what would fit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from seisvision.errors import ConfigurationError
from seisvision.experiments.waveforms import beginning
from seisvision.models.waveforms.resnet1d import ResNet1d
from seisvision.outputs.classes.output import ClassOutput
from seisvision.tasks.fine_tuning import FineTuning
from seisvision.tasks.supervised import SupervisedTask
from seisvision.views.waveforms.waveform import WaveformView


def network(widths: tuple[int, ...] = (4, 6, 8)) -> SupervisedTask:
    output = ClassOutput("source_type", "source_type", ["a", "b"])
    view = WaveformView(components="Z", n_samples=64)
    return SupervisedTask(ResNet1d(1, 64, widths), view, [output], partial(torch.optim.SGD, lr=0.1))


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(task: SupervisedTask, other: SupervisedTask, **tuning: Any) -> None:
        monkeypatch.setattr(beginning, "checkpoint_hash", lambda _: "known")
        monkeypatch.setattr(beginning.TrainedNetwork, "open", lambda _: SimpleNamespace(task=other))
        beginning.begin_with(task, Path("other.ckpt"), "known", FineTuning(**tuning))

    return run


def test_heads_are_taken_with_the_whole_and_left_with_the_backbone(begin: Any) -> None:
    other, task = network(), network()
    begin(task, other, parts="backbone")
    assert torch.equal(task.model.stem[0].weight, other.model.stem[0].weight)
    assert not torch.equal(task.outputs[0].head.weight, other.outputs[0].head.weight)
    begin(task, other)
    assert torch.equal(task.outputs[0].head.weight, other.outputs[0].head.weight)


def test_another_network_is_refused_and_what_fits_is_told(begin: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"of its 4 blocks stem.0, stages.0, stages.2 fit and stages.4 do not"):
        begin(network((4, 6, 9)), network())
    with pytest.raises(ConfigurationError, match="none fit"):
        begin(network((5, 7, 9)), network(), others="anew")


def test_blocks_that_fit_are_taken_with_their_statistics(begin: Any) -> None:
    other, task = network(), network((4, 6, 9))
    other.model(torch.randn(4, 1, 64))
    last = task.model.stages[4].lines[0].weight.clone()
    begin(task, other, others="anew")
    assert torch.equal(task.model.stem[1].running_mean, other.model.stem[1].running_mean)
    assert torch.equal(task.model.stages[2].gate[0].weight, other.model.stages[2].gate[0].weight)
    assert torch.equal(task.model.stages[4].lines[0].weight, last)
