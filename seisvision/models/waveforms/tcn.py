"""The temporal convolutional network of Mousavi and Beroza for distances and travel times."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from seisvision.models.waveforms.layers import WaveformBackbone, check_whole


class CausalConv1d(nn.Conv1d):
    """A convolution that sees no later samples; as many places as it is given."""

    def forward(self, lines: torch.Tensor) -> torch.Tensor:
        """Lines (B, P, T) to (B, K, T)."""
        return super().forward(functional.pad(lines, (self.dilation[0] * (self.kernel_size[0] - 1), 0)))


class TCN(WaveformBackbone):
    """Dilated causal convolutions in residual blocks; the sum of all blocks at the last sample is the features.

    F is 20. With four channels and two heads of two numbers (mean and logarithm of the variance) it has the 58,924
    parameters of the published network, if ``keep_last_residual``; 420 of them never reach the output.

    Args:
        in_channels: P: three components and the box from P to S, ``view.ps_box``.
        channels: of every layer, F.
        kernel: samples.
        levels: blocks; dilations are 1, 2, 4, ..., so eleven see 20,471 samples.
        dropout: share of channels that is dropped behind each convolution, whole.
        keep_last_residual: also the last 1 x 1 convolution, whose sum nobody reads. Weights without a gradient stop
            training on several devices (``trainer=ddp``) unless they are looked for (``trainer=ddp_find_unused``).

    Reference: Mousavi & Beroza (2020), Bayesian-deep-learning estimation of earthquake location from single-station
    observations, IEEE Transactions on Geoscience and Remote Sensing 58, 8211-8224, arXiv:1912.01144.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 20,
        kernel: int = 6,
        levels: int = 11,
        dropout: float = 0.1,
        keep_last_residual: bool = False,
    ) -> None:
        super().__init__()
        self.first = nn.Conv1d(in_channels, channels, 1)
        dilations = [2**level for level in range(check_whole("levels", levels, high=20))]
        self.branches = nn.ModuleList(_branch(channels, kernel, dilation, dropout) for dilation in dilations)
        n_residuals = levels if keep_last_residual else levels - 1
        self.residuals = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in range(n_residuals))
        self.num_features = channels

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of waveforms (B, P, T)."""
        lines = self.first(image)
        total = torch.zeros_like(lines[..., -1])
        for number, branch in enumerate(self.branches):
            found = branch(lines)
            total = total + found[..., -1]
            if number < len(self.branches) - 1:
                # As in the authors' code: no activation behind the sum.
                lines = self.residuals[number](lines) + found
        return total


def _branch(channels: int, kernel: int, dilation: int, dropout: float) -> nn.Sequential:
    """Two times convolution, normalisation, activation and dropout of whole channels."""
    layers: list[nn.Module] = []
    for _ in range(2):
        layers += [
            CausalConv1d(channels, channels, kernel, dilation=dilation),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Dropout1d(dropout),
        ]
    return nn.Sequential(*layers)
