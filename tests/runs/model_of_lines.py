"""A view and a network of one dimension, as a user's own package would bring them; named by tests."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn

from seisvision import keys
from seisvision.models.backbone import Backbone
from seisvision.views.view import View


class Waveforms(View):
    """Single traces as they are, divided by their largest amplitude: (B, P, T).

    Args:
        n_samples: T; longer traces are cut, shorter ones continued by zeros.
        components: such as ``Z``.
    """

    unit = "trace"

    def __init__(self, n_samples: int, components: str = "Z") -> None:
        super().__init__()
        self.n_samples, self.components, self.out_channels = n_samples, components, len(components)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(P, T)."""
        return self.out_channels, self.n_samples

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Waveforms (B, P, T)."""
        self.check_components(batch[keys.WAVEFORM])
        wave = batch[keys.WAVEFORM][:, 0, :, : self.n_samples].float()
        wave = nn.functional.pad(wave, (0, self.n_samples - wave.shape[-1]))
        return wave / wave.abs().amax((1, 2), keepdim=True).clamp_min(1e-20)

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """One row a component: dark where it is large."""
        grey = (255 * (1 - image.abs())).clamp(0, 255).to(torch.uint8)
        return grey.repeat_interleave(8, dim=1)[..., None].expand(-1, -1, -1, 3)

    def describe(self) -> dict[str, str]:
        """What every channel holds."""
        return dict.fromkeys(self.components, "velocity over the largest amplitude")


class ConvNet(Backbone):
    """Three convolutions in time."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        sizes = [in_channels, width, width, 2 * width]
        layers = [[nn.Conv1d(a, b, 7, stride=4), nn.BatchNorm1d(b), nn.ReLU()] for a, b in itertools.pairwise(sizes)]
        self.layers = nn.Sequential(*(layer for some in layers for layer in some))
        self.num_features = 2 * width

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of lines (B, P, T)."""
        return self.layers(image).mean(-1)
