"""AlexNet, the backbone of the Seismic Atlas for offset regression."""

from __future__ import annotations

import torch
from torch import nn

from seisvision.errors import ConfigurationError
from seisvision.models.backbone import Backbone

SMALLEST_PX = 63


class AlexNet(Backbone):
    """torchvision's single-tower AlexNet up to its last hidden layer: (B, P, H, W) to (B, 4096).

    With a one-output head it has the 57,007,937 parameters of the published network. Any picture size of
    at least 63 x 63 pixels works: the convolution maps are pooled to 6 x 6.

    Args:
        in_channels: picture channels P. Anything but 3 replaces the first convolution.
        pretrained: start from ImageNet weights (needs a network or a filled cache, and P = 3).
        dropout: share of hidden units dropped in the two fully connected layers.

    Raises:
        ConfigurationError: the pretrained weights do not fit P or cannot be had.

    Reference: Krizhevsky, Sutskever & Hinton (2012); single tower after Krizhevsky (2014), arXiv:1404.5997.
    """

    num_features = 4096
    axes = 2

    def __init__(self, in_channels: int, pretrained: bool = False, dropout: float = 0.5) -> None:
        super().__init__()
        from torchvision.models import AlexNet_Weights, alexnet

        if pretrained and in_channels != 3:
            raise ConfigurationError(
                f"model.pretrained=true needs pictures of 3 channels, but the view draws {in_channels}. "
                "Choose a view of three channels or model.pretrained=false."
            )
        try:
            network = alexnet(weights=AlexNet_Weights.IMAGENET1K_V1 if pretrained else None, dropout=dropout)
        except Exception as error:
            if not pretrained:
                raise
            raise ConfigurationError(
                f"The pretrained weights of AlexNet cannot be had ({type(error).__name__}: {error}). "
                "Set model.pretrained=false to train from random weights."
            ) from error
        if in_channels != 3:
            network.features[0] = nn.Conv2d(in_channels, 64, kernel_size=11, stride=4, padding=2)
        network.classifier = network.classifier[:-1]
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map pictures (B, P, H, W) to features (B, 4096).

        Raises:
            ConfigurationError: the pictures are too small for the three poolings.
        """
        return torch.relu(self.unrectified(image))

    def unrectified(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, 4096) before the last ReLU; raises as :meth:`forward`."""
        check_size(image)
        maps = self.network.avgpool(self.network.features(image))
        return self.network.classifier[:-1](maps.flatten(1))


def check_size(image: torch.Tensor) -> None:
    """Refuse pictures (B, P, H, W) that three poolings would reduce to nothing.

    Raises:
        ConfigurationError: a side is shorter than 63 pixels.
    """
    if min(image.shape[-2:]) < SMALLEST_PX:
        raise ConfigurationError(
            f"AlexNet needs pictures of at least {SMALLEST_PX} x {SMALLEST_PX} pixels and got {image.shape[-2]} x "
            f"{image.shape[-1]}; set view.height and view.width, or choose a ResNet"
        )
