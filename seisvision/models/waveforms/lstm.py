"""A recurrent baseline."""

from __future__ import annotations

import torch
from torch import nn

from seisvision.models.waveforms.layers import WaveformBackbone, check_whole


class LSTM(WaveformBackbone):
    """Layers of long short-term memory that read waveforms sample by sample; the last state is the features.

    Args:
        in_channels: P.
        units: of each layer, F.
        layers: how many.
    """

    def __init__(self, in_channels: int, units: int = 50, layers: int = 3) -> None:
        super().__init__()
        # Two biases where Keras has one: 4 x units parameters more a layer, and the same network.
        self.memory = nn.LSTM(in_channels, units, check_whole("layers", layers, high=16), batch_first=True)
        self.num_features = units

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of waveforms (B, P, T)."""
        states, _ = self.memory(image.transpose(1, 2))
        return states[:, -1]
