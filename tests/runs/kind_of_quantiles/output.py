"""Quantiles, learnt with the pinball loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from kind_of_quantiles import KIND
from seisvision.outputs.output import Output

LEVELS = (0.5, 0.1, 0.9)


class QuantileOutput(Output):
    """Median, 10 % and 90 % quantile of a number (Koenker and Bassett 1978).

    Args:
        name: how the output is called.
        target: metadata column of the true value.
        unit: of the value.
        scale: about how large values are.
    """

    kind = KIND

    def __init__(self, name: str, target: str, unit: str, scale: float = 1000.0) -> None:
        super().__init__(name, target)
        self.unit, self.scale = unit, scale

    def build_head(self, num_features: int) -> None:
        """Three numbers."""
        self.head = nn.Linear(num_features, len(LEVELS))

    def fit_statistics(self, targets: torch.Tensor) -> None:
        """Nothing has to be known."""

    def loss(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Pinball loss of raw values (B, 3)."""
        known = target.isfinite()
        error = target[known, None] / self.scale - raw[known]
        levels = error.new_tensor(LEVELS)
        return torch.maximum(levels * error, (levels - 1) * error).sum() / known.sum().clamp_min(1)

    def decode(self, raw: torch.Tensor) -> torch.Tensor:
        """Quantiles (B, 3) in ``unit``."""
        return raw.float() * self.scale

    def running_metrics(self, decoded: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Median absolute error."""
        known = target.isfinite()
        return {f"median_ae_{self.unit}": (decoded[known, 0] - target[known]).abs().median()} if known.any() else {}

    def describe(self) -> dict[str, Any]:
        """Plain description."""
        return {"kind": self.kind, "name": self.name, "target": self.target, "unit": self.unit}
