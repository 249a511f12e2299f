"""What networks of convolutions over stations and time are made of."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from seisvision.errors import ConfigurationError


class SamePad2d(nn.Module):
    """Zeros behind rows and columns, so that a convolution of two by two keeps their number, as TensorFlow pads."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, F, Y, X) to (B, F, Y + 1, X + 1)."""
        return functional.pad(maps, (0, 1, 0, 1))


def convolution(into: int, out: int, kernel: int = 3, batch_norm: bool = False) -> list[nn.Module]:
    """A convolution that keeps the size of maps, He's beginning, and a ReLU."""
    padding = [] if kernel % 2 else [SamePad2d()]
    layer = nn.Conv2d(into, out, kernel, padding=kernel // 2 if kernel % 2 else 0)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return [*padding, layer, *([nn.BatchNorm2d(out)] if batch_norm else []), nn.ReLU(inplace=True)]


def check_size(network: str, least: tuple[int, int], n_stations: int, n_samples: int, width: float) -> None:
    """Refuse fewer stations or samples than a network folds together, and a factor on its widths that is none.

    Raises:
        ConfigurationError: names the network, the setting and what to do.
    """
    if n_stations < least[0] or n_samples < least[1]:
        raise ConfigurationError(
            f"{network} needs {least[0]} stations and {least[1]} samples and gets {n_stations} and {n_samples}; use "
            "model=station_transformer, or set view.n_samples (and a window as long)."
        )
    if not 0 < width <= 4:
        raise ConfigurationError(f"model.width={width} is not allowed; give a factor above 0 and at most 4.")


class CountedBatchNorm1d(nn.BatchNorm1d):
    """Batch norm that can be told which lines have a say in its statistics; it normalises all of them."""

    def forward(self, input: torch.Tensor, counted: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise lines (N, F, T) by what of them is ``counted``, bool (N,), in training; None: all."""
        if counted is None or not self.training:
            return super().forward(input)
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        values, share = input.float(), counted.to(torch.float32)[:, None, None]
        n_values = (share.sum() * input.shape[-1]).clamp_min(1)
        mean = (values * share).sum((0, 2)) / n_values
        variance = ((values - mean[:, None]).square() * share).sum((0, 2)) / n_values
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            # As torch has it: normalised with the biased variance, remembered with the unbiased one.
            unbiased = variance * (n_values / (n_values - 1).clamp_min(1))
            momentum = self.num_batches_tracked.float().reciprocal() if self.momentum is None else self.momentum
            momentum = counted.any() * momentum
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(unbiased, momentum)
        scale = (variance + self.eps).rsqrt() * self.weight
        return ((values - mean[:, None]) * scale[:, None] + self.bias[:, None]).to(input.dtype)


class Upsample(nn.Module):
    """Repeats rows and columns; with a gradient that is the same each time, also on GPUs."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, F, Y, X) to (B, F, rows Y, columns X)."""
        b, f, y, x = maps.shape
        repeated = maps[:, :, :, None, :, None].expand(b, f, y, self.rows, x, self.columns)
        return repeated.reshape(b, f, y * self.rows, x * self.columns)
