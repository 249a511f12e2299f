"""Small networks of a user's own, of several signatures, named by tests as a package beside this one."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn

from seisvision.models.backbone import Backbone


class NoArguments(Backbone):
    """Three channels, and nothing to choose."""

    num_features = 8

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, 8) of pictures (B, 3, H, W)."""
        return self.maps(image).mean((-2, -1))


class RequiredArguments(Backbone):
    """A width that has to be given."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.num_features = width
        self.maps = nn.Conv2d(in_channels, width, 5, stride=2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of pictures (B, P, H, W)."""
        return self.maps(image).relu().mean((-2, -1))


class WithDropout(NoArguments):
    """Draws at random in training, and normalises by the batch."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, 8) of pictures (B, 3, H, W)."""
        return nn.functional.dropout(super().forward(image), 0.5, self.training)


class AnyArguments(RequiredArguments):
    """Whatever is given, which is refused where it is not known."""

    def __init__(self, **settings: Any) -> None:
        if "pretrained" in settings:
            raise TypeError("there are no published weights")
        super().__init__(settings["in_channels"], settings.get("width", 6))


class PublishedWeights(RequiredArguments):
    """Fetches weights unless it is told not to, as the configuration does not."""

    asked: ClassVar[list[bool]] = []
    """What every network of the kind was told."""

    def __init__(self, in_channels: int, pretrained: bool = True) -> None:
        self.asked.append(pretrained)
        super().__init__(in_channels, 5)


class NoFeatures(nn.Module):
    """Does not say how many features it gives."""

    def __init__(self) -> None:
        super().__init__()
