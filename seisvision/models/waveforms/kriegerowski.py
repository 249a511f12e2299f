"""The convolutions of Kriegerowski and others over the components of one or several stations."""

from __future__ import annotations

import torch
from torch import nn

from seisvision.errors import ConfigurationError
from seisvision.models.waveforms.layers import WaveformBackbone, too_short

COMPONENTS = 3
KERNEL = 15
POOL = 4
HIDDEN = 128
SHORTEST = POOL**3


class KriegerowskiCNN(WaveformBackbone):
    """Two convolutions along time, one that joins the three components of a station, and a fully connected layer.

    F is 128. With 27 rows (9 stations x 3 components) of 500 samples and a linear head of three numbers it has 186,949
    parameters.

    Args:
        in_channels: P: three components for every station, a multiple of 3.
        n_samples: T, at least 64.
        dropout: share of values that is dropped behind each convolution.

    Raises:
        ConfigurationError: the rows are not three for each station, or the waveforms are too short.

    Reference: Kriegerowski, Petersen, Vasyura-Bathke & Ohrnberger (2019), A deep convolutional neural network for
    localization of clustered earthquakes based on multistation full waveforms, Seismological Research Letters 90,
    510-516. The authors' toolbox pools with stride 1, and the paper does not give numbers of filters: both are of this
    project.
    """

    def __init__(self, in_channels: int, n_samples: int, dropout: float = 0.1) -> None:
        super().__init__()
        if in_channels % COMPONENTS:
            raise ConfigurationError(
                f"KriegerowskiCNN joins the {COMPONENTS} components of every station and would get {in_channels} "
                f"channels. Set view.components=ZNE and view.ps_box=none."
            )
        if n_samples < SHORTEST:
            raise too_short(self, n_samples, SHORTEST)
        stations = in_channels // COMPONENTS
        joined = min(stations, COMPONENTS)
        along, padding = (1, KERNEL), (0, KERNEL // 2)
        self.norm = nn.BatchNorm2d(1)
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, along, padding=padding),
            *_behind(16, (1, POOL), dropout),
            nn.Conv2d(16, 32, along, padding=padding),
            *_behind(32, (1, POOL), dropout),
            nn.Conv2d(32, 64, (COMPONENTS, 1), stride=(COMPONENTS, 1)),
            *_behind(64, (joined, POOL), dropout),
        )
        places = stations // joined * (n_samples // SHORTEST)
        self.hidden = nn.Sequential(nn.Linear(64 * places, HIDDEN), nn.LeakyReLU())
        self.num_features = HIDDEN

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of waveforms (B, P, T)."""
        return self.hidden(self.layers(self.norm(image[:, None])).flatten(1))


def _behind(width: int, pool: tuple[int, int], dropout: float) -> list[nn.Module]:
    """What follows a convolution."""
    return [nn.LeakyReLU(), nn.Dropout(dropout), nn.BatchNorm2d(width), nn.MaxPool2d(pool)]
