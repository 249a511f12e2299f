"""A residual network of waveforms, to be measured against the published ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from seisvision.models.waveforms.layers import SameConv1d, WaveformBackbone, check_whole, split_peak, too_short

STEM_KERNEL = 15
KERNELS = (5, 3)
SQUEEZE = 4
"""By how much the gate of a block is narrower than the block."""


class ResNet1d(WaveformBackbone):
    """Residual blocks with channel gates; every halving of the rate is preceded by a low-pass filter.

    The stem brings lines to a quarter of their samples, each further stage to half, and the features are mean and
    maximum of the last maps over time: what is in the window, and the clearest of it, wherever it stands.

    Args:
        in_channels: P.
        n_samples: T, at least 4 x 2^(stages - 1).
        widths: channels of each stage.
        blocks: residual blocks of each stage.
        dropout: share of the features that is dropped.
        peak: divide waveforms by their peak here, and add its logarithm to the features. With
            ``view.normalise=none`` the network then knows how large the motion was, as magnitudes need.

    Raises:
        ConfigurationError: a setting is not allowed, or the waveforms are too short.

    References: He et al. (2016), arXiv:1512.03385; squeeze and excitation, Hu et al. (2018), arXiv:1709.01507; filters
    before subsampling, Zhang (2019), arXiv:1904.11486.
    """

    def __init__(
        self,
        in_channels: int,
        n_samples: int,
        widths: Sequence[int] = (24, 32, 48, 64, 96, 128),
        blocks: int = 1,
        dropout: float = 0.1,
        peak: bool = False,
    ) -> None:
        super().__init__()
        least = 4 * 2 ** (check_whole("number of widths", len(widths), high=16) - 1)
        if n_samples < least:
            raise too_short(self, n_samples, least)
        first, last = widths[0], widths[-1]
        self.peak = peak
        self.stem = nn.Sequential(
            SameConv1d(in_channels, first, STEM_KERNEL, 2, bias=False), nn.BatchNorm1d(first), nn.ReLU(), _halved()
        )
        stages: list[nn.Module] = []
        for number, (before, width) in enumerate(pairwise((first, *widths))):
            stages += [_halved()] if number else []
            sizes = [before, *[width] * check_whole("blocks", blocks)]
            stages += [Block(one, other) for one, other in pairwise(sizes)]
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.num_features = 2 * last + peak

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of waveforms (B, P, T)."""
        told = []
        if self.peak:
            image, log_peak = split_peak(image)
            told = [log_peak]
        maps = self.stages(self.stem(image))
        return torch.cat([self.dropout(torch.cat([maps.mean(-1), maps.amax(-1)], 1)), *told], 1)


class Block(nn.Module):
    """Two convolutions and a gate for every channel, added to what comes in: (B, P, T) to (B, K, T)."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.lines = nn.Sequential(
            SameConv1d(before, width, KERNELS[0], bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            SameConv1d(width, width, KERNELS[1], bias=False),
            nn.BatchNorm1d(width),
        )
        narrow = max(1, width // SQUEEZE)
        self.gate = nn.Sequential(nn.Linear(width, narrow), nn.ReLU(), nn.Linear(narrow, width), nn.Sigmoid())
        self.skip = nn.Conv1d(before, width, 1, bias=False) if before != width else nn.Identity()

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, K, T)."""
        found = self.lines(maps)
        return torch.relu(self.skip(maps) + found * self.gate(found.mean(-1))[..., None])


def _halved() -> nn.AvgPool1d:
    """Half the samples behind a mean over four, which is zero at the new and at the old Nyquist frequency."""
    return nn.AvgPool1d(4, 2, padding=1, count_include_pad=False)
