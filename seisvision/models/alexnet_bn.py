"""The AlexNet of DeepCluster: wider, with batch normalisation."""

from __future__ import annotations

import torch
from torch import nn

from seisvision.models.alexnet import check_size
from seisvision.models.backbone import Backbone

HIDDEN = 4096
POOLED = 6
LAYERS = (
    (96, 11, 4, 2, True),
    (256, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)
"""Width, kernel, stride and padding of the convolutions, and whether a 3 x 3 pooling with stride 2 follows."""


class AlexNetBN(Backbone):
    """AlexNet of widths 96/256/384/384/256 with batch normalisation: (B, P, H, W) to (B, 4096).

    Its convolution maps of a 224 x 224 picture have 6 x 6 pixels; those of other sizes are pooled to as many.

    Args:
        in_channels: picture channels P; the original sees the two gradients of a Sobel front end.
        dropout: share of hidden units dropped in the two fully connected layers.

    Reference: Caron et al. (2018), arXiv:1807.05520, section 3.4, after Krizhevsky, Sutskever & Hinton (2012).
    """

    num_features = HIDDEN
    axes = 2

    def __init__(self, in_channels: int, dropout: float = 0.5) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for width, kernel, stride, padding, is_pooled in LAYERS:
            layers += [
                nn.Conv2d(channels, width, kernel, stride, padding),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            layers += [nn.MaxPool2d(3, stride=2)] if is_pooled else []
            channels = width
        self.maps = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(POOLED)
        self.hidden = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(channels * POOLED**2, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(HIDDEN, HIDDEN),
        )
        self.apply(_initialise)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map pictures (B, P, H, W) to features (B, 4096).

        Raises:
            ConfigurationError: the pictures are too small for the three poolings.
        """
        return torch.relu(self.unrectified(image))

    def unrectified(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, 4096) before the last ReLU; raises as :meth:`forward`."""
        check_size(image)
        return self.hidden(self.pool(self.maps(image)).flatten(1))


def _initialise(module: nn.Module) -> None:
    """He's initialisation of convolutions, N(0, 0.01) of fully connected layers, as in the original."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.01)
    else:
        return
    assert module.bias is not None
    nn.init.zeros_(module.bias)
