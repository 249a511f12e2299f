"""Optimisers that step all parameters of a small network at once."""

from __future__ import annotations

import torch

MOST_PARAMETERS = 1_000_000
"""Beyond this the arithmetic takes longer than its many calls, and temporaries of all parameters take memory."""


def step_at_once(optimizer: torch.optim.Optimizer) -> None:
    """Have the optimiser of a small network on the processor do one operation for all of its parameters.

    torch does so by itself on accelerators only. Each parameter sees the same operations in the same order, so that
    numbers stay what they are to the last bit (of ``fused`` ones they do not). What a user has set stands.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if sum(parameter.numel() for parameter in parameters) > MOST_PARAMETERS:
        return
    for group in optimizer.param_groups:
        is_asked = group.get("fused") or group.get("capturable") or group.get("differentiable")
        if "foreach" in group and group["foreach"] is None and not is_asked:
            group["foreach"] = True
