"""A small network for every second after the first trigger, as PreSEIS has it."""

from __future__ import annotations

import torch
from torch import nn

from seisvision.errors import ConfigurationError
from seisvision.models.waveforms.layers import WaveformBackbone, check_whole

UNIT_S = 10.0
"""Seconds that 1 stands for in what the view gives."""


class PreSEIS(WaveformBackbone):
    """K networks with one hidden layer, of which the one answers whose second it is.

    It reads numbers of ``view=station_triggers``, the last of which is the time since the first trigger. The features
    (B, K x (hidden + 1)) hold the hidden layer of that network and a one, and zeros for all others, so that the head
    behind them has weights and a bias of its own for each second. For 15 stations and three numbers each of them has
    703 parameters; a head of this program adds one bias for all.

    Args:
        in_channels: 1.
        n_samples: 2 S + 1.
        seconds: K; later than that the last network answers.
        hidden: numbers of the hidden layer.

    Raises:
        ConfigurationError: the numbers are no triggers, or a setting is not allowed.

    Reference: Boese, Wenzel & Erdik (2008), BSSA 98, 366-382, with a network each half a second up to 15 s, whose
    hidden sizes are not published.
    """

    fixed_stations = True

    def __init__(self, in_channels: int, n_samples: int, seconds: int = 15, hidden: int = 20) -> None:
        super().__init__()
        if in_channels != 1 or n_samples < 3 or n_samples % 2 == 0:
            raise ConfigurationError(
                f"PreSEIS reads triggers of stations and gets {in_channels} x {n_samples} values; set "
                "view=station_triggers."
            )
        self.seconds = check_whole("seconds", seconds)
        self.hidden = check_whole("hidden", hidden, high=1024)
        self.weight = nn.Parameter(torch.empty(seconds, n_samples, hidden))
        self.bias = nn.Parameter(torch.zeros(seconds, hidden))
        for one in self.weight:
            nn.init.xavier_uniform_(one)
        self.num_features = seconds * (hidden + 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of numbers (B, 1, 2 S + 1)."""
        numbers = image[:, 0]
        second = (numbers[:, -1] * UNIT_S).ceil().long().clamp(1, self.seconds) - 1
        hidden = (torch.einsum("bi,bih->bh", numbers, self.weight[second]) + self.bias[second]).tanh()
        told = torch.cat([hidden, hidden.new_ones(len(hidden), 1)], 1)
        features = told.new_zeros(len(told), self.seconds, self.hidden + 1)
        return features.index_put((torch.arange(len(told), device=told.device), second), told).flatten(1)
