"""All parameters stepped at once: the same numbers to the last bit, and only where nobody asked otherwise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from seisvision.tasks import at_once
from seisvision.tasks.at_once import step_at_once


def trained(kind: type[torch.optim.Optimizer], is_at_once: bool, **settings: Any) -> torch.Tensor:
    """Weights after some steps with gradients of very different sizes and a rate that changes."""
    generator = torch.Generator().manual_seed(0)
    parameters = [nn.Parameter(torch.randn(size, generator=generator)) for size in ((8, 3, 3), (8,), (40, 7), (7,))]
    optimizer = kind(parameters, lr=1e-3, **settings)
    if is_at_once:
        step_at_once(optimizer)
        assert optimizer.param_groups[0]["foreach"] is True
    for step in range(30):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator) * 10.0 ** -(step % 6)
        optimizer.param_groups[0]["lr"] = 1e-3 * (1 + step % 5)
        optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in parameters])


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (torch.optim.AdamW, {"weight_decay": 1e-2}),
        (torch.optim.Adam, {"weight_decay": 1e-3}),
        (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 1e-4}),
    ],
    ids=["adamw", "adam", "sgd"],
)
def test_numbers_stay_what_they_were(kind: type[torch.optim.Optimizer], settings: dict[str, Any]) -> None:
    assert torch.equal(trained(kind, True, **settings), trained(kind, False, **settings))


def test_what_was_asked_for_stands_and_large_networks_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = [nn.Parameter(torch.zeros(10))]
    for settings in ({"foreach": False}, {"fused": True}):
        optimizer = torch.optim.AdamW(parameters, **settings)
        before = optimizer.param_groups[0]["foreach"]
        step_at_once(optimizer)
        assert optimizer.param_groups[0]["foreach"] == before
    monkeypatch.setattr(at_once, "MOST_PARAMETERS", 9)
    optimizer = torch.optim.AdamW(parameters)
    step_at_once(optimizer)
    assert optimizer.param_groups[0]["foreach"] is None


def test_one_kernel_steps_where_it_is_asked_for_and_on_gpus() -> None:
    on_processor = [nn.Parameter(torch.zeros(10))]
    for asked, expected in ((True, (None, True)), ("auto", (True, None)), (False, (True, None))):
        optimizer = torch.optim.AdamW(on_processor)
        step_at_once(optimizer, asked)
        assert (optimizer.param_groups[0]["foreach"], optimizer.param_groups[0]["fused"]) == expected
    with FakeTensorMode():
        optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(10, device="cuda"))])
        step_at_once(optimizer)
        assert optimizer.param_groups[0]["fused"] is True
        step_at_once(refused := torch.optim.AdamW([nn.Parameter(torch.zeros(10, device="cuda"))]), False)
        assert refused.param_groups[0]["fused"] is None
