"""The U-Net of PhaseNet, whose published weights give their published picks here."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from seisvision.models.backbone import MapBackbone
from seisvision.models.waveforms.layers import SameConv1d, SameConvTranspose1d, check_whole, check_word, too_short

KERNEL = 7
STRIDE = 4
SEISBENCH_SAMPLES = 3001
"""Length with which SeisBench asks its PhaseNet."""
EPSILON = 1e-3
"""Added to variances in batch norms, as TensorFlow does."""
PADDINGS = ("same", "centred")


class UNet1d(MapBackbone):
    """Five levels, each a quarter as long as the one above it: lines (B, P, T) to maps (B, ``width``, T).

    With three components and a head of three curves it has 268,443 parameters. Its parts are called as SeisBench calls
    those of its PhaseNet, so that weights go both ways.

    Args:
        in_channels: P.
        n_samples: T. The published weights were trained with 3000; with 3001, as SeisBench asks them, zeros stand
            elsewhere and picks come 30 ms late.
        width: channels of the first level, doubled at each.
        levels: how many.
        frozen: keep weights and statistics of batch norms as they are: to begin with published ones (``init_from``) and
            train the head alone, or, with a learning rate of next to nothing, to ask them as a run among others.
        padding: ``same`` as TensorFlow does; ``centred``, by which every level is symmetrical about the same samples
            whatever T is, and a pick is late by nothing.

    Raises:
        ConfigurationError: a setting is not allowed, or the waveforms are too short.

    Reference: Zhu & Beroza (2019), PhaseNet, doi:10.1093/gji/ggy423; parts not in the paper after its published code.
    """

    axes = 1

    def __init__(
        self,
        in_channels: int,
        n_samples: int,
        width: int = 8,
        levels: int = 5,
        padding: str = "same",
        frozen: bool = False,
    ) -> None:
        super().__init__()
        check_whole("levels", levels, low=2, high=8)
        is_same = check_word("padding", padding, PADDINGS) == "same"
        if n_samples < STRIDE ** (levels - 1):
            raise too_short(self, n_samples, STRIDE ** (levels - 1))
        widths = [check_whole("width", width, high=256) * 2**level for level in range(levels)]
        self.num_features, self.levels, self.padding = width, levels, padding
        self.inc = _convolution(in_channels, width, 1, is_same, bias=True)
        self.in_bn = _norm(width)
        self.down_branch, self.up_branch = nn.ModuleList(), nn.ModuleList()
        for before, here in pairwise([width, *widths]):
            level = [_convolution(before, here, 1, is_same), _norm(here)]
            if len(self.down_branch) < levels - 1:
                level += [_convolution(here, here, STRIDE, is_same), _norm(here)]
            self.down_branch.append(nn.ModuleList(level))
        for below, here in pairwise(reversed(widths)):
            self.up_branch.append(
                nn.ModuleList(
                    [_upward(below, here, is_same), _norm(here), _convolution(2 * here, here, 1, is_same), _norm(here)]
                )
            )

        self.frozen = frozen
        # Nobody else says so: Lightning leaves modules as they are when a training begins.
        self.requires_grad_(not frozen).train()

    def train(self, mode: bool = True) -> UNet1d:
        """As of any module, but statistics of a frozen network stay."""
        return super().train(mode and not self.frozen)

    def maps(self, image: torch.Tensor) -> torch.Tensor:
        """Maps (B, F, T) of waveforms (B, P, T)."""
        lines = torch.relu(self.in_bn(self.inc(image)))
        skips = []
        for level in self.down_branch:
            across, across_norm, *down = level.children()
            lines = torch.relu(across_norm(across(lines)))
            if down:
                skips.append(lines)
                lines = torch.relu(down[1](down[0](lines)))
        for level, skip in zip(self.up_branch, reversed(skips), strict=True):
            up, up_norm, across, across_norm = level.children()
            lines = torch.relu(up_norm(up(lines)))
            # What is longer than the level is cut evenly at both ends.
            first = (lines.shape[-1] - skip.shape[-1]) // 2 if isinstance(up, SameConvTranspose1d) else 0
            lines = torch.cat([skip, lines[..., first : first + skip.shape[-1]]], 1)
            lines = torch.relu(across_norm(across(lines)))
        return lines


def _convolution(before: int, width: int, stride: int, is_same: bool, bias: bool = False) -> nn.Conv1d:
    if is_same:
        return SameConv1d(before, width, KERNEL, stride, bias=bias)
    return nn.Conv1d(before, width, KERNEL, stride, padding=KERNEL // 2, bias=bias)


def _upward(below: int, width: int, is_same: bool) -> nn.ConvTranspose1d:
    if is_same:
        return SameConvTranspose1d(below, width, KERNEL, STRIDE, bias=False)
    # Place i of the short line stands over sample 4 i of the long one, as it did on the way down.
    return nn.ConvTranspose1d(below, width, KERNEL, STRIDE, padding=KERNEL // 2, output_padding=STRIDE - 1, bias=False)


def _norm(width: int) -> nn.BatchNorm1d:
    return nn.BatchNorm1d(width, eps=EPSILON)
