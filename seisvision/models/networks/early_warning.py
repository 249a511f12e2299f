"""A smaller fully convolutional network with features beside its maps, for early warning from few stations."""

from __future__ import annotations

import torch
from torch import nn

from seisvision.models.backbone import MapBackbone
from seisvision.models.networks.blocks import Upsample, check_size, convolution

WIDTHS = (32, 64, 128, 256, 256)
POOLS = ((1, 4), (1, 4), (2, 4), (3, 4))
UPS = ((4, 4, 128), (4, 2, 64), (2, 2, 32))
LEAST = (6, 256)


class EarlyWarningFCN(MapBackbone):
    """Place from maps, detection and magnitude from features, as Zhang et al. (2021) have it for 12 stations.

    Of S stations and T samples come maps (B, 32, 32 (S // 6), 16 (T // 256)), of 12 stations and 1,024 samples 64 x 64,
    and 256 features: the means over what the convolutions make of the recordings, before they become a map.

    The layers of the paper are not published; these are of this project. With three components and a head of 16 depths
    2,934,000 parameters tell the place; detection and magnitude have heads of their own behind the features.

    Args:
        in_channels: P.
        n_stations: S, at least 6.
        n_samples: T, at least 256.
        width: factor on the numbers of filters.
        batch_norm: normalise after every convolution.

    Raises:
        ConfigurationError: there are too few stations or samples, or a width that is not above 0.

    Reference: Zhang, Zhang, Tian, Zhang & Liu (2021), Real-time earthquake early warning with deep learning:
    application to the 2016 M 6.0 Central Apennines, Italy earthquake, Geophysical Research Letters 48, e2020GL089394.
    """

    axes = 2
    fixed_stations = True

    def __init__(
        self, in_channels: int, n_stations: int, n_samples: int, width: float = 1.0, batch_norm: bool = False
    ) -> None:
        super().__init__()
        check_size("EarlyWarningFCN", LEAST, n_stations, n_samples, width)
        into, down = in_channels, []
        for number, wide in enumerate(WIDTHS):
            out = max(1, round(width * wide))
            down += [*convolution(into, out, batch_norm=batch_norm), *convolution(out, out, batch_norm=batch_norm)]
            down += [nn.MaxPool2d(POOLS[number])] if number < len(POOLS) else []
            into = out
        self.num_features = into
        up: list[nn.Module] = []
        for rows, columns, wide in UPS:
            out = max(1, round(width * wide))
            up += [Upsample(rows, columns), *convolution(into, out, batch_norm=batch_norm)]
            up += convolution(out, out, batch_norm=batch_norm)
            into = out
        self.map_features = into
        self.down, self.up = nn.Sequential(*down), nn.Sequential(*up)

    def maps(self, image: torch.Tensor) -> torch.Tensor:
        """Maps (B, F, Y, X) of pictures (B, P, S, T)."""
        return self.up(self.down(image))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F)."""
        return self.down(image).flatten(2).mean(-1)
