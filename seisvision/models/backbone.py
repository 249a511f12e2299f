"""What every backbone promises."""

from __future__ import annotations

import torch
from torch import nn


class Backbone(nn.Module):
    """A network without its last layer: picture (B, P, H, W) to features (B, F)."""

    num_features: int
    """F: length of the feature vector."""

    def unrectified(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) before the last ReLU, where the network ends in one: what DeepCluster clusters."""
        return self(image)
