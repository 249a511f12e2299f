"""Optimisers that step all parameters of a small network at once."""

from __future__ import annotations

import torch

MOST_PARAMETERS = 1_000_000
"""Beyond this the arithmetic takes longer than its many calls, and temporaries of all parameters take memory."""


def step_at_once(optimizer: torch.optim.Optimizer, fused: bool | str = "auto") -> None:
    """Have an optimiser step in one kernel on GPUs, and in one operation for all of a small network elsewhere.

    By itself torch takes some ten kernels an operation on GPUs and loops over the parameters on the processor. There,
    each parameter sees the same operations in the same order, so that numbers stay what they are to the last bit; of
    fused ones they do not. What a user has set stands.

    Args:
        optimizer: with parameters that are where they will be trained.
        fused: whether one kernel does everything; ``auto``: on GPUs.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    are_on_gpu = all(parameter.device.type == "cuda" for parameter in parameters)
    is_small = sum(parameter.numel() for parameter in parameters) <= MOST_PARAMETERS
    for group in optimizer.param_groups:
        said = (group.get("foreach"), group.get("fused"))
        if said != (None, None) or group.get("capturable") or group.get("differentiable"):
            continue
        if "fused" in group and (fused is True or (fused == "auto" and are_on_gpu)):
            group["fused"] = True
        elif "foreach" in group and is_small and not are_on_gpu:
            group["foreach"] = True
