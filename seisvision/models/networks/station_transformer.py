"""A transformer over stations: any number of them, in any order, some of them absent."""

from __future__ import annotations

import math

import torch
from torch import nn

from seisvision.errors import ConfigurationError
from seisvision.models.backbone import Backbone
from seisvision.models.networks.blocks import CountedBatchNorm1d
from seisvision.models.waveforms.layers import check_whole

COMPONENTS = 3
COORDINATES = 3
SHRINKS = 5
"""Halvings of a recording before it becomes one vector."""
SHORTEST = 2**SHRINKS
WAVELENGTHS_KM = (2.0, 500.0)
"""Shortest and longest wave in which coordinates are told."""
COORDINATE_KM = 100.0
"""What 1 stands for in the channels of coordinates."""
SMALLEST_PEAK = 1e-9
MOST_QUIET = -9.0


class StationTransformer(Backbone):
    """Recordings become vectors, station by station; attention joins them; a token of its own collects the answer.

    A recording is divided by its own peak, whose logarithm against that of the event goes beside it, and is reduced by
    convolutions that are the same for all stations, after which the place in time is still told by the place in the
    line. Where a station stands is added as sines and cosines of its coordinates. Absent stations, which are zero in
    every channel of the picture, are left out of the attention: they change nothing, and neither does the order.

    Pictures need ``view.coordinates=true``; with ``view.tells_scale=true`` the scale of the event goes into the token.

    Args:
        in_channels: P: three components, three coordinates, and perhaps the scale.
        n_samples: T, at least 32.
        width: length of the vectors, a multiple of ``heads``.
        depth: layers of attention.
        heads: of each.
        filters: of the convolutions.
        dropout: within the layers of attention.

    Raises:
        ConfigurationError: the channels are others, waveforms too short, or a setting is not allowed.

    Reference: Muenchmeyer, Bindi, Leser & Tilmann (2021), Earthquake magnitude and location estimation from real time
    seismic waveforms with a transformer network, Geophysical Journal International 226, 1086-1104. Its numbers of
    layers are others, it has a mixture of normal distributions, and its coordinates are told without a middle.
    """

    axes = 2

    def __init__(
        self,
        in_channels: int,
        n_samples: int,
        width: int = 128,
        depth: int = 4,
        heads: int = 8,
        filters: int = 32,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if in_channels not in (COMPONENTS + COORDINATES, COMPONENTS + COORDINATES + 1):
            raise ConfigurationError(
                f"StationTransformer needs three components and the coordinates of stations and gets {in_channels} "
                "channels; set view.components=ZNE and view.coordinates=true."
            )
        if n_samples < SHORTEST:
            raise ConfigurationError(
                f"StationTransformer needs at least {SHORTEST} samples and gets view.n_samples={n_samples}."
            )
        check_whole("depth", depth)
        check_whole("heads", heads)
        check_whole("filters", filters, high=1024)
        check_whole("width", width, low=heads, high=4096)
        # Sines and cosines of three coordinates fill the vector.
        if width % heads or width < 6:
            raise ConfigurationError(f"model.width={width} must be a multiple of model.heads={heads}, and at least 6.")
        self.num_features = width
        lines: list[nn.Module] = []
        into = COMPONENTS
        for number in range(SHRINKS):
            out = filters * (2 if number >= 2 else 1)
            lines += [nn.Conv1d(into, out, 7, stride=2, padding=3), CountedBatchNorm1d(out), nn.ReLU(inplace=True)]
            into = out
        self.lines = nn.Sequential(*lines)
        places = -(-n_samples // SHORTEST)
        self.joined = nn.Sequential(nn.Linear(into * places + 1, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.place = nn.Linear(COORDINATES, width)
        self.token = nn.Parameter(torch.zeros(width))
        self.scale = nn.Linear(1, width) if in_channels > COMPONENTS + COORDINATES else None
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.attention = nn.TransformerEncoder(layer, depth, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        n_waves = width // (2 * COORDINATES)
        longest, shortest = WAVELENGTHS_KM[1], WAVELENGTHS_KM[0]
        lengths_km = longest * (shortest / longest) ** torch.linspace(0, 1, n_waves)
        self.waves: torch.Tensor
        self.register_buffer("waves", 2 * math.pi * COORDINATE_KM / lengths_km, persistent=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of pictures (B, P, S, T)."""
        recorded = image[:, :COMPONENTS].transpose(1, 2)
        b = len(recorded)
        peak = recorded.abs().amax((2, 3))
        is_there = peak > 0
        place = image[:, COMPONENTS : COMPONENTS + COORDINATES, :, 0].transpose(1, 2)
        tokens = self._tokens(recorded, peak, place, is_there)
        first = self.token.expand(b, 1, -1)
        if self.scale is not None:
            scale = image[:, -1, :, 0].sum(1) / is_there.sum(1).clamp_min(1)
            first = first + self.scale(scale[:, None])[:, None]
        absent = torch.cat([is_there.new_zeros(b, 1), ~is_there], 1)
        return self.attention(torch.cat([first.to(tokens), tokens], 1), src_key_padding_mask=absent)[:, 0]

    def _tokens(
        self, recorded: torch.Tensor, peak: torch.Tensor, place: torch.Tensor, is_there: torch.Tensor
    ) -> torch.Tensor:
        """Vectors (B, S, F) of recordings (B, S, C, T), their peaks (B, S) and places (B, S, 3), zero where none is.

        Absent stations would spoil the statistics of batch norm. On a processor they are left out, which saves time; an
        accelerator would have to be waited for to be told how many are left, so that there they do not count.
        """
        if recorded.device.type != "cpu":
            told = self._vectors(recorded.flatten(0, 1), peak.flatten(), is_there.flatten())
            told = told + self._placed(place.flatten(0, 1)).to(told)
            return told.unflatten(0, is_there.shape) * is_there[..., None]
        tokens = self.token.new_zeros(*is_there.shape, self.num_features)
        if is_there.any():
            found = self._vectors(recorded[is_there], peak[is_there]).to(tokens)
            tokens[is_there] = found + self._placed(place[is_there]).to(tokens)
        return tokens

    def _vectors(self, recorded: torch.Tensor, peak: torch.Tensor, counted: torch.Tensor | None = None) -> torch.Tensor:
        """Vectors (M, F) of recordings (M, C, T) with their peaks (M,); only those ``counted`` (M,) move batch norm."""
        reduced = recorded / peak.clamp_min(SMALLEST_PEAK)[:, None, None]
        for layer in self.lines:
            is_norm = isinstance(layer, nn.modules.batchnorm._BatchNorm)
            reduced = layer(reduced, counted) if is_norm and counted is not None else layer(reduced)
        reduced = reduced.flatten(1)
        loudness = peak.clamp_min(SMALLEST_PEAK).log10().clamp_min(MOST_QUIET)
        return self.joined(torch.cat([reduced, loudness[:, None].to(reduced)], 1))

    def _placed(self, place: torch.Tensor) -> torch.Tensor:
        """Vectors (M, F) of coordinates (M, 3) in 100 km."""
        turns = (place[:, :, None] * self.waves).flatten(1)
        waves = torch.cat([turns.sin(), turns.cos()], 1)
        rest = place.new_zeros(len(place), self.num_features - waves.shape[1])
        return torch.cat([waves, rest], 1) + self.place(place)
