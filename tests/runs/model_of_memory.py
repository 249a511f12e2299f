"""A network on a device that is said to be small, named by tests as a package of the user's own."""

from __future__ import annotations

from typing import Any

import torch

from seisvision.models.timm_backbone import TimmBackbone

LARGEST = 4
"""Samples that the device has room for."""
tried: list[int] = []
"""Samples of every batch that it was given to train on."""


class SmallDevice(TimmBackbone):
    """A ResNet-18 that runs out of memory where a batch is too large."""

    def __init__(self, in_channels: int, **settings: Any) -> None:
        super().__init__("resnet18", in_channels)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of images (B, C, H, W), of no more than ``LARGEST`` samples."""
        if self.training:
            tried.append(len(image))
        if len(image) > LARGEST:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().forward(image)
