"""What learns, how fast and from when on, of a network that begins with the weights of another."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from seisvision.errors import ConfigurationError
from seisvision.models.waveforms.resnet1d import ResNet1d
from seisvision.tasks.fine_tuning import FineTuning, blocks_of, free, rated_groups


class Task(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = ResNet1d(1, 64, widths=(4, 6, 8))
        self.heads = nn.ModuleList([nn.Linear(self.model.num_features, 2)])


def test_blocks_go_from_the_picture_to_the_heads_and_hold_every_parameter_once() -> None:
    task = Task()
    blocks = blocks_of(task)
    assert list(blocks) == ["model.stem.0", "model.stages.0", "model.stages.2", "model.stages.4", "heads"]
    assert "model.stem.1.weight" in blocks["model.stem.0"]
    assert sorted(one for block in blocks.values() for one in block) == sorted(dict(task.named_parameters()))


def test_a_linear_probe_moves_heads_alone_and_keeps_statistics() -> None:
    task = Task()
    free(task, FineTuning(frozen="backbone").learning(task, 0))
    before = {name: value.clone() for name, value in task.state_dict().items()}
    optimizer = torch.optim.AdamW(task.parameters(), lr=0.1, weight_decay=0.1)
    task.heads[0](task.model(torch.randn(8, 1, 64))).sum().backward()
    optimizer.step()
    moved = {name for name, value in task.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"heads.0.weight", "heads.0.bias"}


def test_blocks_are_freed_from_the_heads_and_by_the_epoch_alone() -> None:
    task, tuning = Task(), FineTuning(unfreeze_every=2, frozen=["model.stages.4.*"])
    blocks = blocks_of(task)
    assert tuning.learning(task, 1) == set(blocks["heads"])
    assert tuning.learning(task, 4) == {*blocks["heads"], *blocks["model.stages.2"]}
    assert tuning.learning(task, 99) == {name for name, _ in task.named_parameters()} - set(blocks["model.stages.4"])


def test_rates_fall_towards_the_picture() -> None:
    task = Task()
    groups = rated_groups([{"params": list(task.parameters())}], task, FineTuning(layer_decay=0.5).rates(task))
    optimizer = partial(torch.optim.SGD, lr=1.0)(groups)
    rate_of = {id(one): group["rate"] for group in optimizer.param_groups for one in group["params"]}
    assert rate_of[id(task.heads[0].weight)] == 1
    assert rate_of[id(task.model.stem[0].weight)] == rate_of[id(task.model.stem[1].weight)] == 0.5**4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"parts": "head"}, "fine_tune.parts=head"),
        ({"layer_decay": 0}, "above 0"),
        ({"unfreeze_every": 0}, "whole epochs"),
        ({"frozen": "model"}, "give backbone"),
    ],
)
def test_what_is_not_allowed_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        FineTuning(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("frozen", [["model.layer1.*"], ["*"]])
def test_patterns_that_fit_nothing_or_leave_nothing_are_refused(frozen: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"fits no parameter|nothing to learn"):
        FineTuning(frozen=frozen).check(Task())


def test_freezing_what_gradual_unfreezing_begins_with_is_refused() -> None:
    FineTuning(frozen=["heads.*"]).check(Task())
    FineTuning(frozen=["model.*"], unfreeze_every=1).check(Task())
    with pytest.raises(ConfigurationError, match=r"in the first epochs.*frees heads alone"):
        FineTuning(frozen=["heads.*"], unfreeze_every=1).check(Task())
