"""The fully convolutional network of Zhang et al. (2020), which turns stations and time into a map of the source."""

from __future__ import annotations

import torch
from torch import nn

from seisvision.models.backbone import MapBackbone
from seisvision.models.networks.blocks import Upsample, check_size, convolution

WIDTHS = (64, 128, 256, 512, 1024)
POOLS = ((1, 4), (1, 4), (2, 4), (3, 4))
DROPPED = 0.5
DOWN = (6, 256)
"""By what rows and columns become fewer, before they become 16 times more."""


class FCNLocator(MapBackbone):
    """Ten convolutions over stations and time, nine back to a map; no skip connections.

    Stations stand in a fixed order, from which the network learns where they are: another order is another network. Of
    S stations and T samples come maps (B, F, 16 (S // 6), 16 (T // 256)); of the paper's 30 and 2,048 samples 80 x 128.
    With three components, a head of 30 depths and full width it has 27,626,558 parameters. What an output without maps
    gets are the means of the maps.

    Args:
        in_channels: P.
        n_stations: S, at least 6.
        n_samples: T, at least 256.
        width: factor on the numbers of filters.
        batch_norm: normalise after every convolution, which the paper does not; trains in fewer epochs.

    Raises:
        ConfigurationError: there are too few stations or samples, or a width that is not above 0.

    Reference: Zhang, Zhang, Yuan, Liu, Chen & Li (2020), Locating induced earthquakes with a network of seismic
    stations in Oklahoma via a deep learning method, Scientific Reports 10, 1941, doi:10.1038/s41598-020-58908-5.
    """

    axes = 2
    fixed_stations = True

    def __init__(
        self, in_channels: int, n_stations: int, n_samples: int, width: float = 1.0, batch_norm: bool = False
    ) -> None:
        super().__init__()
        check_size("FCNLocator", DOWN, n_stations, n_samples, width)
        into, widths = in_channels, [max(1, round(width * one)) for one in WIDTHS]
        down: list[nn.Module] = []
        for number, out in enumerate(widths):
            down += [*convolution(into, out, batch_norm=batch_norm), *convolution(out, out, batch_norm=batch_norm)]
            down += [nn.Dropout(DROPPED)] if number >= len(POOLS) - 1 else []
            down += [nn.MaxPool2d(POOLS[number])] if number < len(POOLS) else []
            into = out
        up: list[nn.Module] = []
        narrow = max(1, round(width * WIDTHS[0]))
        for factor, out, then in ((4, widths[3], widths[3]), (2, widths[2], widths[2]), (2, widths[1], narrow)):
            up += [Upsample(factor, factor), *convolution(into, out, 2, batch_norm)]
            up += [*convolution(out, then, batch_norm=batch_norm), *convolution(then, then, batch_norm=batch_norm)]
            into = then
        self.num_features = max(1, round(width * WIDTHS[0] / 2))
        up += convolution(into, self.num_features, batch_norm=batch_norm)
        self.down, self.up = nn.Sequential(*down), nn.Sequential(*up)

    def maps(self, image: torch.Tensor) -> torch.Tensor:
        """Maps (B, F, Y, X) of pictures (B, P, S, T)."""
        return self.up(self.down(image))
