"""A fixed front end that shows a network what a picture looks like, not how bright it is."""

from __future__ import annotations

import torch
from torch import nn

QUANTILE = 0.99
SMALLEST = 0.13
"""Pictures whose bright parts stay below this are not raised further: 8 dB where 1 is 60 dB."""


class Contrast(nn.Module):
    """Divide every picture by its own brightest parts, all channels by the same value.

    Where brightness is decibels above noise, it says how large the event was and how near the stations; k-means finds
    that first. Divided by it, pictures of large and small events of one kind look alike.

    Args:
        in_channels: picture channels P.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.in_channels = self.out_channels = in_channels

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Pictures (B, P, H, W) or lines (B, P, T) whose 99 % quantile is 1; less where there is next to nothing."""
        values = image.flatten(1)
        rank = max(1, round(QUANTILE * values.shape[1]))
        brightest = values.float().kthvalue(rank, dim=1).values.clamp_min(SMALLEST)
        return image / brightest.to(image).view(-1, *[1] * (image.dim() - 1))
