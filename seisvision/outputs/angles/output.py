"""A direction: force azimuth, back azimuth."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from seisvision.angles import wrapped_difference_deg
from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.angles import KIND, WORDS
from seisvision.outputs.output import Output


class AngleOutput(Output):
    """One angle in degrees, learnt on the circle.

    Args:
        name: how the output is called in metrics and files.
        target: metadata column of the true angle, degrees clockwise from north.
        period_deg: 360, or 180 where opposite directions are the same (axial data).
        loss: ``cosine`` (1 - cos of the error, on a vector of any length) or ``von_mises`` (negative log-likelihood
            whose concentration is the length of the vector, so that every prediction has an uncertainty);
            ``scalar_mse`` regresses the bare number of degrees, as the Seismic Atlas did (A-41, W5): 359 and 1 are
            then far apart.
        tolerance_deg: a prediction counts as right within this.
        weight: see :class:`~seisvision.outputs.output.Output`.

    Raises:
        ConfigurationError: an unknown loss, or a period or tolerance that is not allowed.
    """

    kind = KIND
    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(
        self,
        name: str,
        target: str,
        period_deg: float = 360.0,
        loss: str = "cosine",
        tolerance_deg: float = 15.0,
        weight: float = 1.0,
    ) -> None:
        super().__init__(name, target, weight)
        self.period_deg, self.loss_name, self.tolerance_deg = float(period_deg), loss, float(tolerance_deg)
        self.check_words(WORDS, loss=loss)
        if self.period_deg not in (180.0, 360.0):
            raise ConfigurationError(f"period_deg={period_deg} of '{name}' must be 360, or 180 for axial data")
        if not 0 < self.tolerance_deg <= self.period_deg / 2:
            raise ConfigurationError(
                f"tolerance_deg={tolerance_deg} of '{name}' must be above 0, at most half a period"
            )
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def build_head(self, num_features: int) -> None:
        """Create the head for features (B, ``num_features``): a vector in the plane, or one number."""
        self.head = nn.Linear(num_features, 1 if self.loss_name == "scalar_mse" else 2)

    def fit_statistics(self, targets: torch.Tensor) -> None:
        """Take mean and deviation of the angles (N,) of the training split, which only ``scalar_mse`` uses.

        Raises:
            DataError: there is no angle at all.
        """
        known = targets[targets.isfinite()].double() % self.period_deg
        if not len(known):
            raise DataError(f"no training sample has a value in '{self.target}', so '{self.name}' cannot be learnt")
        self.mean.fill_(float(known.mean()))
        self.deviation.fill_(max(float(known.std(correction=0)), 1e-6))

    def loss(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean loss of raw values (B, 1 or 2) against angles (B,) in degrees; NaN does not count."""
        known, raw = target.isfinite(), raw.float()
        # Choosing the known ones would make the processor wait for an accelerator.
        each = self._loss_of_each(raw, torch.where(known, target, 0.0))
        return (each * known).sum() / known.sum().clamp_min(1)

    def _loss_of_each(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Losses (B,) of raw values (B, 1 or 2) against angles (B,) in degrees."""
        if self.loss_name == "scalar_mse":
            return (raw[:, 0] - (target % self.period_deg - self.mean) / self.deviation).square()
        phase = target * (2 * math.pi / self.period_deg)
        direction = torch.stack([phase.cos(), phase.sin()], dim=1)
        if self.loss_name == "cosine":
            return 1 - functional.cosine_similarity(raw, direction)
        concentration = raw.norm(dim=1)
        log_bessel = concentration + torch.special.i0e(concentration).log()
        return log_bessel - (raw * direction).sum(dim=1) + math.log(2 * math.pi)

    def decode(self, raw: torch.Tensor) -> torch.Tensor:
        """Angle in [0, period) and its circular standard deviation, (B, 2) in degrees; NaN where none is learnt."""
        raw = raw.float()
        unknown = torch.full_like(raw[:, 0], torch.nan)
        if self.loss_name == "scalar_mse":
            angle = raw[:, 0] * self.deviation + self.mean
            return torch.stack([self._wrapped(angle), unknown], dim=1)
        to_deg = self.period_deg / (2 * math.pi)
        angle = self._wrapped(torch.atan2(raw[:, 1], raw[:, 0]) * to_deg)
        if self.loss_name == "cosine":
            return torch.stack([angle, unknown], dim=1)
        concentration = raw.norm(dim=1)
        resultant = torch.special.i1e(concentration) / torch.special.i0e(concentration)
        sigma = (-2 * resultant.clamp(1e-12, 1).log()).sqrt() * to_deg
        return torch.stack([angle, sigma], dim=1)

    def _wrapped(self, angle: torch.Tensor) -> torch.Tensor:
        """Angle in [0, period); the remainder of a tiny negative number rounds to a whole period."""
        angle = angle % self.period_deg
        return torch.where(angle < self.period_deg, angle, 0.0)

    def explained(self, raw: torch.Tensor) -> torch.Tensor:
        """The angle itself (B, 1), which grows clockwise; the length of the raw vector says nothing of it.

        Only its gradient is that of the angle: an angle that jumps from 360 to 0 degrees has none there.
        """
        if raw.shape[1] != 2:
            return raw
        fixed = raw.detach()
        across = torch.stack([-fixed[:, 1], fixed[:, 0]], dim=1) / fixed.square().sum(1, keepdim=True).clamp_min(1e-12)
        return (raw * across).sum(1, keepdim=True)

    def information(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Of the vector (B, 2), the natural parameter of the von Mises distribution: the covariance of the direction.

        Along the vector it is 1 - A / kappa - A^2, across it A / kappa, with A the mean resultant length.
        """
        if self.loss_name != "von_mises":
            return super().information(raw, target)
        raw = raw.float()
        kappa = raw.norm(dim=1).clamp_min(1e-6)
        length = torch.special.i1e(kappa) / torch.special.i0e(kappa)
        along = raw / kappa[:, None]
        outer = along[:, :, None] * along[:, None, :]
        across = torch.eye(2, device=raw.device) - outer
        of_along, of_across = 1 - length / kappa - length.square(), length / kappa
        information = outer * of_along.clamp_min(0)[:, None, None] + across * of_across[:, None, None]
        return information * target.isfinite()[:, None, None]

    def running_metrics(self, decoded: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Median and mean absolute error of decoded angles (N, 2) against true angles (N,)."""
        known = target.isfinite()
        error = wrapped_difference_deg(decoded[known, 0], target[known], self.period_deg).abs()
        if not len(error):
            return {}
        return {"median_ae_deg": error.median(), "mae_deg": error.mean()}

    def describe(self) -> dict[str, Any]:
        """Plain description stored in checkpoints."""
        return {
            "kind": self.kind,
            "name": self.name,
            "target": self.target,
            "period_deg": self.period_deg,
            "loss": self.loss_name,
            "mean": float(self.mean),
            "deviation": float(self.deviation),
            "tolerance_deg": self.tolerance_deg,
        }
