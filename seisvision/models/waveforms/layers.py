"""What several networks of waveforms are made of."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.models.backbone import Backbone

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "gelu": nn.GELU}
MOST_LAYERS = 64
SMALLEST_PEAK = 1e-15
"""Ground motion below this, in whatever unit, is taken for none: a millionth of a nanometre per second."""


class WaveformBackbone(Backbone):
    """A network without its last layer that reads lines: (B, P, T) to (B, F)."""

    axes = 1


class SameConv1d(nn.Conv1d):
    """A convolution whose output has ceil(T / stride) places, padded as TensorFlow pads with ``SAME``.

    Where the zeros that this needs are odd in number, one more stands behind the line than before it. PyTorch's
    ``padding=kernel // 2`` gives as many places, but with a stride and a line of even length each a sample earlier.
    """

    def forward(self, lines: torch.Tensor) -> torch.Tensor:
        """Lines (B, P, T) to (B, K, ceil(T / stride))."""
        before, behind = same_padding(lines.shape[-1], self.kernel_size[0], self.stride[0], self.dilation[0])
        if before == behind:
            return functional.conv1d(lines, self.weight, self.bias, self.stride, before, self.dilation)
        padded = functional.pad(lines, (before, behind))
        return functional.conv1d(padded, self.weight, self.bias, self.stride, 0, self.dilation)


class SameConvTranspose1d(nn.ConvTranspose1d):
    """A transposed convolution with stride x T places: the gradient of :class:`SameConv1d`, as TensorFlow has it."""

    def forward(self, lines: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        """Lines (B, P, T) to (B, K, stride x T)."""
        whole = super().forward(lines, output_size)
        length = lines.shape[-1] * self.stride[0]
        before = max(0, self.kernel_size[0] - self.stride[0]) // 2
        return whole[..., before : before + length]


def same_padding(length: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and behind a line of ``length`` samples under TensorFlow's ``SAME``."""
    places = -(-length // stride)
    zeros = max(0, (places - 1) * stride + (kernel - 1) * dilation + 1 - length)
    return zeros // 2, zeros - zeros // 2


class MeanOfParts(nn.Module):
    """Maps (B, K, T) averaged over equal parts of the line: (B, K, parts).

    As ``nn.AdaptiveAvgPool1d``, whose gradient has no deterministic implementation on GPUs.

    Args:
        length: T.
        parts: how many; a part of a line with fewer places repeats the nearest.
    """

    weight: torch.Tensor

    def __init__(self, length: int, parts: int) -> None:
        super().__init__()
        weight = torch.zeros(length, parts)
        for part in range(parts):
            begin, end = part * length // parts, -(-(part + 1) * length // parts)
            weight[begin:end, part] = 1.0 / (end - begin)
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Means (B, K, parts)."""
        return maps @ self.weight.to(maps)


def split_peak(lines: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Lines (B, P, T) over their largest magnitude of all channels, and its logarithm to base 10 (B, 1).

    A line in which nothing moves stays zero.
    """
    peak = lines.abs().amax((1, 2), keepdim=True)
    moves = peak > SMALLEST_PEAK
    scaled = lines / torch.where(moves, peak, 1.0)
    return torch.where(moves, scaled, 0.0), peak[:, :, 0].clamp_min(SMALLEST_PEAK).log10()


def check_whole(name: str, value: int, low: int = 1, high: int = MOST_LAYERS) -> int:
    """Return ``value``, or raise ConfigurationError unless it is a whole number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigurationError(f"model.{name}={value} is not allowed; give a whole number from {low} to {high}.")
    return value


def check_word(name: str, value: str, allowed: dict[str, type[nn.Module]] | tuple[str, ...]) -> str:
    """Return ``value``, or raise ConfigurationError unless it is one of ``allowed``."""
    if value not in allowed:
        raise ConfigurationError(f"model.{name}='{value}' is not allowed. {did_you_mean(str(value), list(allowed))}")
    return value


def too_short(network: nn.Module, n_samples: int, least: int) -> ConfigurationError:
    """The error that says how long waveforms must be."""
    return ConfigurationError(
        f"{type(network).__name__} needs waveforms of at least {least} samples and gets view.n_samples={n_samples}; "
        "set view.n_samples (and a window as long), or choose a network that makes them shorter less often."
    )
