"""The network of Mousavi and Beroza that finds back azimuths from P waves and their polarisation."""

from __future__ import annotations

import torch
from torch import nn

from seisvision.errors import ConfigurationError
from seisvision.models.waveforms.layers import SameConv1d, WaveformBackbone, check_whole

WIDTHS = (20, 32, 64, 20)
KERNEL = 3
POLARISATION_WIDTH = 20
HIDDEN = 100


class BackAzimuthNet(WaveformBackbone):
    """Convolutions of the P wave, and its covariance, eigenvalues and eigenvectors beside them.

    F is 100. With 150 samples of three components and a linear head for cosine and sine it has the 46,602 parameters of
    the published network.

    Args:
        in_channels: P; exactly three components, the vertical first (``view.components=ZNE``).
        n_samples: T, 150 (1.5 s at 100 samples per second) in the paper.
        p_sample: where P stands in the window, 50 in the paper; ``dataset.traces.window`` with reference onset, a start
            of -p_sample / rate and no jitter brings it there.
        p_length: samples from there on whose polarisation is taken, 20 in the paper.
        dropout: share of channels that is dropped behind each convolution.
        hidden_dropout: share of the features that is dropped.

    Raises:
        ConfigurationError: the view gives other than three channels, or P is not within the window.

    Reference: Mousavi & Beroza (2020), arXiv:1912.01144.
    """

    def __init__(
        self,
        in_channels: int,
        n_samples: int,
        p_sample: int = 50,
        p_length: int = 20,
        dropout: float = 0.1,
        hidden_dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if in_channels != 3:
            raise ConfigurationError(
                f"BackAzimuthNet takes the polarisation of three components and would get {in_channels} channels. Set "
                "view.components=ZNE and view.ps_box=none."
            )
        self.p_wave = slice(p_sample, p_sample + p_length)
        if not 0 <= p_sample < p_sample + check_whole("p_length", p_length, low=3, high=10**6) <= n_samples:
            raise ConfigurationError(
                f"model.p_sample={p_sample} with model.p_length={p_length} does not lie in waveforms of "
                f"view.n_samples={n_samples}; P must stand in the window."
            )
        layers: list[nn.Module] = []
        before, places = in_channels, n_samples
        for width in WIDTHS:
            layers += [SameConv1d(before, width, KERNEL), nn.ReLU(), nn.Dropout1d(dropout)]
            layers.append(nn.MaxPool1d(2, ceil_mode=True))
            before, places = width, -(-places // 2)
        self.layers = nn.Sequential(*layers)
        # Rows: three of the covariance, one of eigenvalues, three of eigenvectors.
        self.of_polarisation = nn.Sequential(nn.Conv1d(3, POLARISATION_WIDTH, 1), nn.ReLU())
        self.hidden = nn.Sequential(
            nn.Linear(before * places + 7 * POLARISATION_WIDTH, HIDDEN), nn.ReLU(), nn.Dropout(hidden_dropout)
        )
        self.num_features = HIDDEN

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of waveforms (B, 3, T)."""
        beside = self.of_polarisation(polarisation(image[..., self.p_wave]))
        return self.hidden(torch.cat([self.layers(image).flatten(1), beside.flatten(1)], 1))


@torch.no_grad()
def polarisation(waves: torch.Tensor) -> torch.Tensor:
    """Covariance, eigenvalues and eigenvectors of waves (B, 3, T), as columns of (B, 3, 7).

    The covariance is divided by its trace; eigenvalues fall, and eigenvector k is row k of the last three columns. Its
    sign is a convention: the first component is not negative, so that with Z first the horizontal part of a P wave
    points away from the source, whichever way the ground moved first. Where nothing moves all is zero.
    """
    with torch.autocast(waves.device.type, enabled=False):
        waves = waves.float()
        waves = waves - waves.mean(-1, keepdim=True)
        # Squares of 1e-20 would be lost in float32.
        waves = waves / waves.abs().amax((1, 2), keepdim=True).clamp_min(1e-30)
        covariance = waves @ waves.transpose(1, 2)
        power = covariance.diagonal(dim1=1, dim2=2).sum(-1)[:, None, None]
        covariance = covariance / power.clamp_min(1e-30)
        values, vectors = torch.linalg.eigh(covariance)
        values, rows = values.flip(-1), vectors.flip(-1).transpose(1, 2)
        rows = rows * torch.where(rows[..., :1] < 0, -1.0, 1.0)
        found = torch.cat([covariance, values[..., None], rows.transpose(1, 2)], 2)
        return torch.where(power > 0, found, 0.0)
