"""What every backbone promises."""

from __future__ import annotations

from torch import nn


class Backbone(nn.Module):
    """A network without its last layer: picture (B, P, H, W) to features (B, F)."""

    num_features: int
    """F: length of the feature vector."""
