"""A picker of this project: a residual U-Net with low-pass filters before subsampling, and attention at its bottom."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from seisvision.errors import ConfigurationError
from seisvision.models.backbone import MapBackbone
from seisvision.models.waveforms.layers import check_whole, too_short

STEM_KERNEL, KERNEL = 15, 7
STEM_STRIDE, STRIDE = 2, 4
HEADS = 4


class PickNet(MapBackbone):
    """Lines (B, P, T) to maps (B, ``widths[0]``, T).

    All is symmetrical about the samples that are kept, so that a pick is late by nothing whatever T is, and what lies
    above the new Nyquist frequency is filtered out before samples are left out, so that a shift of the waveform shifts
    the curves. The lowest level stands for 1.3 s a place at 100 Hz; there attention sees the whole window: whether an
    arrival is P or S is told by the other one.

    Args:
        in_channels: P.
        n_samples: T.
        widths: channels of each level; the first works at half the rate, each further one at a quarter of that above.
        attention: layers of attention at the lowest level.
        dropout: within them.

    Raises:
        ConfigurationError: a setting is not allowed, or the waveforms are too short.

    References: U-Net, Ronneberger et al. (2015), arXiv:1505.04597; filters before subsampling, Zhang (2019),
    arXiv:1904.11486; attention, Vaswani et al. (2017), arXiv:1706.03762, with places told by a convolution, Chu et al.
    (2021), arXiv:2102.10882.
    """

    axes = 1

    def __init__(
        self,
        in_channels: int,
        n_samples: int,
        widths: Sequence[int] = (12, 24, 48, 96),
        attention: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_whole("number of widths", len(widths), low=2, high=8)
        if widths[-1] % HEADS:
            raise ConfigurationError(
                f"model.widths={list(widths)} is not allowed; the last must be divisible by {HEADS}."
            )
        least = STEM_STRIDE * STRIDE ** (len(widths) - 1)
        if n_samples < least:
            raise too_short(self, n_samples, least)
        first = widths[0]
        self.num_features = first
        self.stem = nn.Sequential(
            nn.Conv1d(in_channels, first, STEM_KERNEL, STEM_STRIDE, STEM_KERNEL // 2, bias=False),
            nn.BatchNorm1d(first),
            nn.GELU(),
        )
        self.down = nn.ModuleList(Block(before, width) for before, width in pairwise((first, *widths)))
        self.fewer, self.more = LowPass(STRIDE), Stretched(STRIDE)
        self.place = nn.Conv1d(widths[-1], widths[-1], KERNEL, padding=KERNEL // 2, groups=widths[-1])
        self.attention = nn.ModuleList(
            nn.TransformerEncoderLayer(
                widths[-1], HEADS, 2 * widths[-1], dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(check_whole("attention", attention, low=0, high=16))
        )
        self.up = nn.ModuleList(Block(below + width, width) for below, width in pairwise(reversed(widths)))
        self.whole = Stretched(STEM_STRIDE)
        self.last = nn.Sequential(
            nn.Conv1d(first, first, KERNEL, padding=KERNEL // 2, bias=False), nn.BatchNorm1d(first), nn.GELU()
        )

    def maps(self, image: torch.Tensor) -> torch.Tensor:
        """Maps (B, F, T) of waveforms (B, P, T)."""
        lines, skips = self.stem(image), []
        for number, block in enumerate(self.down):
            lines = block(self.fewer(lines) if number else lines)
            skips.append(lines)
        lines = lines + self.place(lines)
        tokens = lines.transpose(1, 2)
        for layer in self.attention:
            tokens = layer(tokens)
        lines = tokens.transpose(1, 2)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            lines = block(torch.cat([self.more(lines, skip.shape[-1]), skip], 1))
        return self.last(self.whole(lines, image.shape[-1]))


class Block(nn.Module):
    """Two convolutions added to what comes in: (B, P, T) to (B, K, T)."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.lines = nn.Sequential(
            nn.Conv1d(before, width, KERNEL, padding=KERNEL // 2, bias=False),
            nn.BatchNorm1d(width),
            nn.GELU(),
            nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, bias=False),
            nn.BatchNorm1d(width),
        )
        self.skip = nn.Conv1d(before, width, 1, bias=False) if before != width else nn.Identity()

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, K, T)."""
        return functional.gelu(self.skip(maps) + self.lines(maps))


class LowPass(nn.Module):
    """Every ``stride``-th sample, the first among them, of lines behind a raised cosine of twice that length."""

    taps: torch.Tensor

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        taps = torch.hann_window(2 * stride + 1, periodic=False)
        self.register_buffer("taps", taps / taps.sum(), persistent=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, K, T) to (B, K, ceil(T / stride))."""
        n_lines = maps.shape[1]
        taps = self.taps.to(maps).expand(n_lines, 1, -1)
        return functional.conv1d(maps, taps, None, self.stride, self.stride, groups=n_lines)


class Stretched(nn.Module):
    """``stride`` times as many samples, on straight lines between those there are."""

    taps: torch.Tensor

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        rising = torch.arange(1, stride + 1) / stride
        self.register_buffer("taps", torch.cat([rising, rising.flip(0)[1:]]), persistent=False)

    def forward(self, maps: torch.Tensor, n_samples: int) -> torch.Tensor:
        """Maps (B, K, T) to (B, K, n_samples); the last value holds to the end."""
        n_lines = maps.shape[1]
        # One more place behind the last, so that the line does not fall to nothing.
        maps = torch.cat([maps, maps[..., -1:]], -1)
        taps = self.taps.to(maps).expand(n_lines, 1, -1)
        # Not interpolate, whose gradient has no deterministic implementation on GPUs.
        longer = functional.conv_transpose1d(maps, taps, None, self.stride, self.stride - 1, groups=n_lines)
        return longer[..., :n_samples]
