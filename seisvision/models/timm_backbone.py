"""Image backbones from timm: ResNet18 to ResNet152 and any other network timm names."""

from __future__ import annotations

import re
from typing import Any

import torch

from seisvision.base.imports import without
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.models.backbone import Backbone

STRIDE = 32
"""By how much residual networks make a picture coarser."""


class TimmBackbone(Backbone):
    """A timm network without its classifier: picture (B, P, H, W) to features (B, F).

    Args:
        name: timm model name, such as ``resnet18``.
        in_channels: picture channels P; timm adapts pretrained first layers to any P.
        pretrained: start from published weights. They come from a hub, so this needs a network or a filled cache.

    Raises:
        ConfigurationError: timm has no such model, or the pretrained weights cannot be had.
    """

    axes = 2

    def __init__(self, name: str, in_channels: int, pretrained: bool = False) -> None:
        super().__init__()
        with without("wandb"):
            # timm would import it for summaries of its own training script: two thirds of the time that timm takes.
            import timm

        # Other forms, such as hf-hub:owner/name and local-dir:PATH, name files that somebody else may have written.
        if not re.fullmatch(r"\w+(\.\w+)?", name) or not timm.is_model(name):
            similar = timm.list_models(f"*{re.sub(r'[^a-z_]', '', name[:40])}*")[:20]
            raise ConfigurationError(f"model.name='{name}' is not a timm model. {did_you_mean(name, similar)}")
        try:
            network: Any = timm.create_model(name, in_chans=in_channels, num_classes=0, pretrained=pretrained)
        except Exception as error:
            if not pretrained:
                raise
            raise ConfigurationError(
                f"The pretrained weights of '{name}' cannot be had ({type(error).__name__}: {error}). "
                "Set model.pretrained=false to train from random weights, or run once where there is a network, "
                "so that they are cached."
            ) from error
        # Convolutions in channels-last order are 10 to 25 % faster on processors and GPUs alike.
        self.network: Any = network.to(memory_format=torch.channels_last)
        self.num_features = self.network.num_features

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map pictures (B, P, H, W) to features (B, F)."""
        image = image.contiguous(memory_format=torch.channels_last)
        if image.device.type == "cpu" and torch.is_autocast_enabled("cpu") and _ends_in_one_column(image):
            with torch.autocast("cpu", enabled=False):
                return self.network(image.float())
        return self.network(image)


def _ends_in_one_column(image: torch.Tensor) -> bool:
    """Whether the last maps have several rows and one column.

    On them the bfloat16 convolutions of torch 2.14 on processors give NaN after a few steps, in any memory layout;
    single precision does not.
    """
    height, width = image.shape[-2:]
    return width <= STRIDE < height
