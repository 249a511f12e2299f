"""The auto-encoder with a recurrent layer after Janbakhsh and others."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from seisvision.errors import ConfigurationError
from seisvision.models.waveforms.layers import WaveformBackbone

ENCODER = ((16, 7, 4), (32, 7, 4), (64, 5, 2))
"""Width, kernel and stride of the convolutions."""
DECODER = ((32, 6, 2), (16, 8, 4), (0, 8, 4))
"""The same of the transposed ones, whose kernels are even so that strides double exactly; 0: the input's channels."""
STEP = 32
"""Samples that become one place of the code."""


class JanbakhshNet(WaveformBackbone):
    """An encoder of three convolutions, read in both directions by a gated recurrent layer.

    F is 128: the last states of both directions. The encoder of three components has 14,272 parameters, the recurrent
    layer 49,920, the decoder 16,819.

    Args:
        in_channels: P.
        units: of the recurrent layer, in each direction.
        decoder: also have what :meth:`reconstruct` needs. Its weights have no gradient unless a loss asks for the
            reconstruction, which several devices (``trainer=ddp``) do not allow.

    Reference: Janbakhsh and others (2019), AGU Fall Meeting, S43E-0696. The abstract names an auto-encoder,
    convolutions and a recurrent layer but gives no size, data or figure: all sizes are of this project, and no figure
    is comparable.
    """

    def __init__(self, in_channels: int, units: int = 64, decoder: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = in_channels
        for width, kernel, stride in ENCODER:
            layers += [nn.Conv1d(before, width, kernel, stride, kernel // 2), nn.ReLU()]
            before = width
        self.encoder = nn.Sequential(*layers)
        self.memory = nn.GRU(before, units, batch_first=True, bidirectional=True)
        self.decoder = _decoder(before, in_channels) if decoder else None
        self.num_features = 2 * units

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """The code (B, 64, ceil(T / 32)) of waveforms (B, P, T), which are continued by zeros to whole steps."""
        return self.encoder(functional.pad(image, (0, -image.shape[-1] % STEP)))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of waveforms (B, P, T)."""
        _, last = self.memory(self.encode(image).transpose(1, 2))
        return last.transpose(0, 1).flatten(1)

    def reconstruct(self, image: torch.Tensor) -> torch.Tensor:
        """Waveforms (B, P, T) as they come back from their code.

        Raises:
            ConfigurationError: there is no decoder.
        """
        if self.decoder is None:
            raise ConfigurationError("JanbakhshNet has no decoder to reconstruct waveforms. Set model.decoder=true.")
        return self.decoder(self.encode(image))[..., : image.shape[-1]]


def _decoder(before: int, out_channels: int) -> nn.Sequential:
    """The encoder mirrored; nothing behind its last layer, since waveforms have both signs."""
    layers: list[nn.Module] = []
    for width, kernel, stride in DECODER:
        layers += [nn.ConvTranspose1d(before, width or out_channels, kernel, stride, (kernel - stride) // 2)]
        layers += [nn.ReLU()] if width else []
        before = width
    return nn.Sequential(*layers)
