"""A number in physical units: offset, depth, magnitude."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from seisvision.errors import ConfigurationError, DataError
from seisvision.outputs.numbers import KIND, WORDS
from seisvision.outputs.output import Output

Function = Callable[[torch.Tensor], torch.Tensor]


def _unchanged(values: torch.Tensor) -> torch.Tensor:
    return values


TRANSFORMS: dict[str, tuple[Function, Function]] = {
    "none": (_unchanged, _unchanged),
    "log1p": (torch.log1p, torch.expm1),
    "log": (torch.log, torch.exp),
}
"""Name of each transform, the function and its inverse."""
POINT_LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "huber": functional.huber_loss,
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
}
SPREAD_LOSSES = ("gaussian", "laplace")
EVIDENTIAL = "evidential"
WRONG_EVIDENCE = 0.01
"""Weight of the evidence of wrong answers in the evidential loss, as in the experiments of its paper."""
LEAST = 1e-6
LOG_SCALE_LIMITS = (-6.0, 4.0)
"""Limits of the natural logarithm of a predicted scale, in standard deviations of the training values."""
LEVELS = (0.68, 0.95)


class ScalarOutput(Output):
    """One number, learnt on a standardised scale and decoded to its unit.

    Args:
        name: how the output is called in metrics and files.
        target: metadata column of the true value, in ``unit``.
        unit: unit of the value, as it stands in names of metrics, such as ``km``.
        transform: what is standardised: ``log1p`` (log(1 + value), so that far events do not rule the loss, W14 of the
            Seismic Atlas), ``log`` (positive values only) or ``none``.
        loss: ``huber``, ``mse`` or ``l1`` on the standardised value; ``gaussian`` or ``laplace``: the negative
            log-likelihood of that distribution with a predicted scale (Nix and Weigend 1994), which gives every
            prediction an uncertainty of its own; ``evidential``: see :func:`evidential_loss`.
        tolerance_relative, tolerance_absolute: a prediction counts as right within the larger of this share of the true
            value and this amount; fixed before the test events are looked at.
        weight, hides_origin: see :class:`~seisvision.outputs.output.Output`.

    Raises:
        ConfigurationError: an unknown transform or loss, or a negative tolerance.
    """

    kind = KIND
    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(
        self,
        name: str,
        target: str,
        unit: str,
        transform: str = "log1p",
        loss: str = "huber",
        tolerance_relative: float = 0.1,
        tolerance_absolute: float = 10.0,
        weight: float = 1.0,
        hides_origin: bool = False,
    ) -> None:
        super().__init__(name, target, weight, hides_origin)
        self.unit, self.transform, self.loss_name = unit, transform, loss
        self.tolerance_relative, self.tolerance_absolute = float(tolerance_relative), float(tolerance_absolute)
        self.check_words(WORDS, transform=transform, loss=loss)
        tolerances = (self.tolerance_relative, self.tolerance_absolute)
        if min(tolerances) < 0 or max(tolerances) == 0:
            raise ConfigurationError(f"tolerances {tolerances} of output '{name}' must be at least 0, and not both 0")
        self.has_spread = loss in SPREAD_LOSSES
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def build_head(self, num_features: int) -> None:
        """Create the head for features (B, ``num_features``): the value and, where it is learnt, its log scale."""
        n_values = 4 if self.loss_name == EVIDENTIAL else 2 if self.has_spread else 1
        self.head = nn.Linear(num_features, n_values)

    def fit_statistics(self, targets: torch.Tensor) -> None:
        """Take mean and standard deviation of the transformed values (N,) of the training split.

        Raises:
            DataError: no value, or one that the transform does not allow.
        """
        known = targets[targets.isfinite()].double()
        if not len(known):
            raise DataError(f"no training sample has a value in '{self.target}', so '{self.name}' cannot be learnt")
        lowest = {"log": 0.0, "log1p": -1.0}.get(self.transform, -math.inf)
        if known.min() <= lowest:
            raise DataError(
                f"'{self.target}' holds {float(known.min()):g} {self.unit}, but transform={self.transform} needs more "
                f"than {lowest:g}; choose another transform, or leave these samples out with dataset.select"
            )
        values = TRANSFORMS[self.transform][0](known)
        self.mean.fill_(float(values.mean()))
        self.deviation.fill_(max(float(values.std(correction=0)), 1e-6))

    def loss(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean loss of raw values (B, 1 or 2) against true values (B,) in ``unit``; NaN does not count."""
        known, raw = target.isfinite(), raw.float()
        # A value that every transform allows, in place of those that are not known: choosing the known ones would make
        # the processor wait for an accelerator.
        wanted = (TRANSFORMS[self.transform][0](torch.where(known, target, 1.0)) - self.mean) / self.deviation
        each = self._loss_of_each(raw, wanted)
        return (each * known).sum() / known.sum().clamp_min(1)

    def _loss_of_each(self, raw: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Losses (B,) of raw values (B, R) against standardised values (B,)."""
        if self.loss_name == EVIDENTIAL:
            return evidential_loss(raw, wanted)
        if not self.has_spread:
            return POINT_LOSSES[self.loss_name](raw[:, 0], wanted, reduction="none")
        log_scale = raw[:, 1].clamp(*LOG_SCALE_LIMITS)
        residual = (raw[:, 0] - wanted) / log_scale.exp()
        penalty = residual.abs() if self.loss_name == "laplace" else residual.square() / 2
        return penalty + log_scale

    def decode(self, raw: torch.Tensor) -> torch.Tensor:
        """Value, sigma and the ends of its 68 % and 95 % intervals, (B, 6) in ``unit``.

        Sigma is half the width of the 68 % interval. All but the value are NaN where no spread is learnt.
        """
        raw = raw.float()
        inverse = TRANSFORMS[self.transform][1]
        centre = raw[:, 0] * self.deviation + self.mean
        value = inverse(centre)
        if self.transform == "log1p":
            value = value.clamp_min(0.0)
        if self.loss_name == EVIDENTIAL:
            aleatoric, epistemic = evidential_variances(raw)
            scale = (aleatoric + epistemic).sqrt() * self.deviation
        elif self.has_spread:
            scale = raw[:, 1].clamp(*LOG_SCALE_LIMITS).exp() * self.deviation
        else:
            unknown = torch.full_like(value, torch.nan)
            return torch.stack([value, *[unknown] * 5], dim=1)
        lowest = 0.0 if self.transform == "log1p" else -math.inf
        ends = [
            inverse(centre + sign * self._half_width(level) * scale).clamp_min(lowest)
            for level in LEVELS
            for sign in (-1, 1)
        ]
        return torch.stack([value, (ends[1] - ends[0]) / 2, *ends], dim=1)

    def apart(self, raw: torch.Tensor) -> dict[str, torch.Tensor]:
        """``sigma_aleatoric`` and ``sigma_epistemic`` (B,) in ``unit`` of an evidential output."""
        if self.loss_name != EVIDENTIAL:
            return {}
        centre = raw.float()[:, 0] * self.deviation + self.mean
        inverse, half = TRANSFORMS[self.transform][1], self._half_width(LEVELS[0])
        deviations = [variance.sqrt() * self.deviation * half for variance in evidential_variances(raw.float())]
        sigmas = [(inverse(centre + one) - inverse(centre - one)) / 2 for one in deviations]
        return dict(zip(("sigma_aleatoric", "sigma_epistemic"), sigmas, strict=True))

    def information(self, raw: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Of value and log scale (B, 2) on the standardised scale: 1 / scale^2 and 2 of a normal distribution, 1 /
        scale^2 and 1 of a Laplace distribution."""
        if self.loss_name not in SPREAD_LOSSES:
            return super().information(raw, target)
        of_value = (-2 * raw.float()[:, 1].clamp(*LOG_SCALE_LIMITS)).exp()
        of_scale = torch.full_like(of_value, 2.0 if self.loss_name == "gaussian" else 1.0)
        return torch.diag_embed(torch.stack([of_value, of_scale], 1)) * target.isfinite()[:, None, None]

    def _half_width(self, level: float) -> float:
        """Half the width of the central interval of that probability, in scales of the distribution."""
        if self.loss_name == "laplace":
            return -math.log(1 - level)
        return float(torch.special.ndtri(torch.tensor(0.5 + level / 2, dtype=torch.float64)))

    def running_metrics(self, decoded: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Median and mean absolute error of decoded values (N, 6) against true values (N,)."""
        known = target.isfinite()
        error = (decoded[known, 0] - target[known]).abs()
        if not len(error):
            return {}
        return {f"median_ae_{self.unit}": error.median(), f"mae_{self.unit}": error.mean()}

    def describe(self) -> dict[str, Any]:
        """Plain description stored in checkpoints."""
        return {
            "kind": self.kind,
            "name": self.name,
            "target": self.target,
            "unit": self.unit,
            "transform": self.transform,
            "loss": self.loss_name,
            "mean": float(self.mean),
            "deviation": float(self.deviation),
            "tolerance_relative": self.tolerance_relative,
            "tolerance_absolute": self.tolerance_absolute,
        }


def evidence(raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Nu, alpha and beta (B,) of the normal-inverse-gamma distribution of raw values (B, 4); alpha is above 1."""
    nu, alpha, beta = (functional.softplus(raw[:, column]) + LEAST for column in (1, 2, 3))
    return nu, alpha + 1, beta


def evidential_variances(raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Variance of the noise and variance of the mean (B,), on the standardised scale."""
    nu, alpha, beta = evidence(raw)
    noise = beta / (alpha - 1)
    return noise, noise / nu


def evidential_loss(raw: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Losses (B,) of evidential regression of raw values (B, 4) against standardised values (B,).

    The negative logarithm of the likelihood under a normal-inverse-gamma distribution of mean and variance, a Student
    distribution, and the evidence of wrong answers (Amini et al. 2020, equations 8 to 10). Its second variance need not
    be what the network does not know (Meinert et al. 2023).
    """
    nu, alpha, beta = evidence(raw)
    error = wanted - raw[:, 0]
    omega = 2 * beta * (1 + nu)
    likelihood = (
        0.5 * (math.pi / nu).log()
        - alpha * omega.log()
        + (alpha + 0.5) * (error.square() * nu + omega).log()
        + torch.lgamma(alpha)
        - torch.lgamma(alpha + 0.5)
    )
    return likelihood + WRONG_EVIDENCE * error.abs() * (2 * nu + alpha)
