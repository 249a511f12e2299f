"""Several coordinates at once, by least squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from kind_of_places import KIND
from seisvision.outputs.output import Output


class PlaceOutput(Output):
    """D numbers of one unit.

    Args:
        name: how the output is called.
        target: what the place is called.
        columns: metadata columns of the D numbers.
        scale: about how large values are.
    """

    kind = KIND

    def __init__(self, name: str, target: str, columns: Sequence[str], scale: float = 100.0) -> None:
        super().__init__(name, target, columns=columns)
        self.scale = scale

    def build_head(self, num_features: int) -> None:
        """D numbers."""
        self.head = nn.Linear(num_features, len(self.columns))

    def fit_statistics(self, targets: torch.Tensor) -> None:
        """Nothing is taken, but the shape is seen."""
        assert targets.shape[1] == len(self.columns)

    def loss(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Squared errors of the numbers that are known, over the samples of which any is."""
        errors = torch.where(target.isfinite(), raw * self.scale - target, 0.0) / self.scale
        return errors.square().sum() / self.known_weight(target).clamp_min(1)

    def decode(self, raw: torch.Tensor) -> torch.Tensor:
        """Places (B, D)."""
        return raw.float() * self.scale

    def running_metrics(self, decoded: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Mean distance."""
        known = target.isfinite().all(dim=1)
        return {"distance": (decoded - target)[known].norm(dim=1).mean()} if known.any() else {}

    def describe(self) -> dict[str, Any]:
        """Plain description."""
        return {"kind": self.kind, "name": self.name, "target": self.target, "columns": list(self.columns)}
