"""Convolutions one after the other: most networks of single stations are one of these."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from seisvision.errors import ConfigurationError
from seisvision.models.waveforms.layers import (
    ACTIVATIONS,
    MOST_LAYERS,
    MeanOfParts,
    SameConv1d,
    WaveformBackbone,
    check_whole,
    check_word,
    too_short,
)

PADDINGS = ("same", "centred", "none")


class ConvStack1d(WaveformBackbone):
    """Convolution, normalisation, activation and pooling, over and over: waveforms (B, P, T) to features (B, F).

    Args:
        in_channels: P, components and whatever the view adds.
        n_samples: T.
        widths: channels of each layer.
        kernels, strides, pools: of each layer, or one for all; a pool of 1 is none.
        padding: ``same`` pads as TensorFlow does, so that a layer gives ceil(T / stride) places; ``centred`` pads
            kernel // 2 zeros at both ends; ``none`` none.
        activation: ``relu``, ``leaky_relu`` (slope 0.01), ``elu`` or ``gelu``.
        batch_norm: between convolution and activation.
        parts: the last maps are averaged over this many equal parts of the window, which stand side by side in the
            features; 1: over all of it; None: every place is a feature.
        hidden: units of fully connected layers behind them, each with the activation.
        dropout: share of the features of the maps that is dropped.

    Raises:
        ConfigurationError: a setting is not allowed, or the waveforms are too short for the layers.
    """

    def __init__(
        self,
        in_channels: int,
        n_samples: int,
        widths: Sequence[int] = (32, 32, 32, 32),
        kernels: int | Sequence[int] = 3,
        strides: int | Sequence[int] = 2,
        pools: int | Sequence[int] = 1,
        padding: str = "same",
        activation: str = "relu",
        batch_norm: bool = False,
        parts: int | None = None,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_whole("number of widths", len(widths))
        check_word("padding", padding, PADDINGS)
        self.padding = padding
        active = ACTIVATIONS[check_word("activation", activation, ACTIVATIONS)]
        sizes = [_of_each(name, values, len(widths)) for name, values in _named(kernels, strides, pools)]
        layers: list[nn.Module] = []
        for number, (before, width) in enumerate(pairwise((in_channels, *widths))):
            kernel, stride, pool = (values[number] for values in sizes)
            layers.append(_convolution(before, check_whole("widths", width, high=10**5), kernel, stride, padding))
            layers += [nn.BatchNorm1d(width)] if batch_norm else []
            layers.append(active())
            layers += [nn.MaxPool1d(pool)] if pool > 1 else []
        self.layers = nn.Sequential(*layers)
        places = self._places(n_samples, list(zip(*sizes, strict=True)))
        self.mean: nn.Module = nn.Identity()
        if parts is not None:
            self.mean = MeanOfParts(places, check_whole("parts", parts, high=10**4))
            places = parts
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        dense: list[nn.Module] = []
        self.num_features = places * widths[-1]
        for units in hidden:
            dense += [nn.Linear(self.num_features, check_whole("hidden", units, high=10**5)), active()]
            self.num_features = units
        self.hidden = nn.Sequential(*dense)

    def _places(self, n_samples: int, layers: Sequence[tuple[int, ...]]) -> int:
        """Places of the last maps; waveforms that some layer makes nothing of are refused."""
        places = _after(n_samples, layers, self.padding)
        if places < 1:
            least = bisect_left(range(2**40), 1, key=lambda n: _after(n, layers, self.padding))
            raise too_short(self, n_samples, least)
        return places

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of waveforms (B, P, T)."""
        maps = self.mean(self.layers(image))
        return self.hidden(self.dropout(maps.flatten(1)))


def _named(*values: int | Sequence[int]) -> zip[tuple[str, int | Sequence[int]]]:
    return zip(("kernels", "strides", "pools"), values, strict=True)


def _of_each(name: str, values: int | Sequence[int], layers: int) -> list[int]:
    """A size for every layer."""
    sizes = [values] * layers if isinstance(values, int) else list(values)
    if len(sizes) != layers:
        raise ConfigurationError(
            f"model.{name}={list(sizes)} has {len(sizes)} values for the {layers} layers of model.widths; give one "
            f"number for all, or {layers} (at most {MOST_LAYERS})."
        )
    return [check_whole(name, size, high=10**4) for size in sizes]


def _convolution(before: int, width: int, kernel: int, stride: int, padding: str) -> nn.Conv1d:
    if padding == "same":
        return SameConv1d(before, width, kernel, stride)
    return nn.Conv1d(before, width, kernel, stride, kernel // 2 if padding == "centred" else 0)


def _after(length: int, layers: Sequence[tuple[int, ...]], padding: str) -> int:
    """Places that are left of a line behind all layers (kernel, stride, pool); 0 where there is none."""
    for kernel, stride, pool in layers:
        zeros = {"same": None, "centred": kernel // 2 * 2, "none": 0}[padding]
        length = -(-length // stride) if zeros is None else (length + zeros - kernel) // stride + 1
        length //= pool
        if length < 1:
            return 0
    return length
