"""A fixed front end that shows a network edges in place of brightness."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from seisvision.errors import ConfigurationError


class Sobel(nn.Module):
    """Horizontal and vertical gradient of every picture channel: (B, P, H, W) to (B, 2P, H, W).

    The original turns colours into grey first; the channels of our pictures are frequency bands, which say more apart.

    Args:
        in_channels: picture channels P.

    Reference: Bojanowski & Joulin (2017), arXiv:1704.05310, whose front end Caron et al. (2018) use.
    """

    weight: torch.Tensor

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        across = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
        kernels = torch.stack([across, across.T])[:, None]
        self.in_channels, self.out_channels = in_channels, 2 * in_channels
        self.register_buffer("weight", kernels.repeat(in_channels, 1, 1, 1), persistent=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Gradients (B, 2P, H, W) of pictures (B, P, H, W).

        Raises:
            ConfigurationError: what comes has one dimension.
        """
        if image.dim() != 4:
            raise ConfigurationError(
                f"task.front=sobel takes gradients of pictures, but the view gives values of shape "
                f"{tuple(image.shape[1:])}. Set task.front=none."
            )
        return functional.conv2d(image, self.weight, padding=1, groups=self.in_channels)
