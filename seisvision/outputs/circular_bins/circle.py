"""Sectors of a circle: which one an angle is in, and what probabilities of sectors say of the angle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from seisvision.base.devices import kept


@dataclass(frozen=True)
class CircleBins:
    """K sectors of equal width; within a sector all angles are equally probable."""

    n_bins: int
    """K."""
    period_deg: float = 360.0
    """360, or 180 where opposite directions are the same."""
    centred: bool = True
    """Whether the middle of the first sector is at 0, so that angles are rounded; else it begins there."""
    legacy: bool = False
    """Whether angles that round up to a whole period stay in the last sector, as in the code of Lomax et al. (2019)."""
    value: str = "mean"
    """What is told: the circular mean, or the middle of the likeliest sector (``mode``)."""

    @property
    def width_deg(self) -> float:
        """Of a sector."""
        return self.period_deg / self.n_bins

    @property
    def centres(self) -> torch.Tensor:
        """Middle of every sector (K,) in degrees."""
        return (torch.arange(self.n_bins, dtype=torch.float64) + (0.0 if self.centred else 0.5)) * self.width_deg

    @property
    def directions(self) -> torch.Tensor:
        """Mean vector of every sector (K, 2); a sector has a width, so it is a little shorter than 1."""
        to_phase = 2 * math.pi / self.period_deg
        half = self.width_deg * to_phase / 2
        phase = self.centres * to_phase
        return torch.stack([phase.cos(), phase.sin()], dim=1) * (math.sin(half) / half)

    def number_of(self, angles: torch.Tensor) -> torch.Tensor:
        """Sectors (N,) of angles (N,) in degrees."""
        position = angles % self.period_deg / self.width_deg
        if self.legacy:
            return position.round().long().clamp_max(self.n_bins - 1)
        return (position + (0.5 if self.centred else 0.0)).floor().long() % self.n_bins

    def apart(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """How many sectors lie from sector to sector, the shorter way round."""
        straight = (a - b).abs()
        return torch.minimum(straight, self.n_bins - straight)

    def decode(self, probability: torch.Tensor) -> torch.Tensor:
        """Angle in [0, period) and its circular standard deviation (B, 2) in degrees of probabilities (B, K)."""
        to_deg = self.period_deg / (2 * math.pi)
        vector = probability @ directions_on(self, probability.device).to(probability)
        length = vector.norm(dim=1)
        sigma = (-2 * length.clamp(1e-12, 1).log()).sqrt() * to_deg
        if self.value == "mode":
            centres = centres_on(self, probability.device).to(probability)
            return torch.stack([centres[probability.argmax(dim=1)], sigma], dim=1)
        angle = torch.atan2(vector[:, 1], vector[:, 0]) * to_deg % self.period_deg
        # The remainder of a tiny negative number rounds to a whole period.
        return torch.stack([torch.where(angle < self.period_deg, angle, 0.0), sigma], dim=1)


@kept
def directions_on(circle: CircleBins, device: torch.device) -> torch.Tensor:
    """Mean vector of every sector (K, 2), float32, on a device."""
    return circle.directions.float().to(device)


@kept
def centres_on(circle: CircleBins, device: torch.device) -> torch.Tensor:
    """Middle of every sector (K,) in degrees, float32, on a device."""
    return circle.centres.float().to(device)
