"""Learning-rate schedules that know the length of the training."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(
    optimizer: Optimizer, total_steps: int, warmup_fraction: float = 0.1, final_fraction: float = 0.0
) -> LambdaLR:
    """Rise linearly over the first share of the steps, then fall along half a cosine.

    Args:
        optimizer: its learning rate is the highest one reached.
        total_steps: optimiser steps of the whole training.
        warmup_fraction: share of the steps spent rising.
        final_fraction: share of the highest rate that is left at the end.

    Reference: Loshchilov & Hutter (2017), arXiv:1608.03983, without restarts.
    """
    warmup_steps = max(1, round(warmup_fraction * total_steps))

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return final_fraction + (1 - final_fraction) * 0.5 * (1 + math.cos(math.pi * progress))

    return LambdaLR(optimizer, factor)


def constant(optimizer: Optimizer, total_steps: int) -> LambdaLR:
    """Keep the learning rate, whatever the number of steps."""
    return LambdaLR(optimizer, lambda step: 1.0)
