"""Errors that all distances of an event have in common, as those of a network that misjudges the event."""

from __future__ import annotations

import torch
from torch import Tensor

from seisvision.location import student

ITERATIONS = 4
LEAST_SHARE = 1e-4


def without_common(
    residual: Tensor, used: Tensor, share: Tensor, dof: Tensor, *, known_scale: bool
) -> tuple[Tensor, Tensor]:
    """Residuals from which the likeliest common error is taken, and that error as one more residual.

    A part of the variance is common: z = c + e, with variances ``share`` and 1 - ``share``. For a given epicentre c is
    the weighted mean of the residuals, pulled towards zero by its own variance (the best linear unbiased predictor of
    a random effect; Henderson 1975, Biometrics 31, 423-447), here with the weights of the robust loss.

    Args:
        residual: (M, S) over their sigmas; zero where not used.
        used: (M, S) bool.
        share: (M,) from 0 to below 1.
        dof: (M,) observations minus two.
        known_scale: residuals have variance 1; otherwise their scale is estimated.

    Returns:
        Residuals (M, S + 1) of equal variance, the last of the common error itself, and weights (M, S) with which the
        common error follows the residuals.
    """
    own = residual / (1 - share).sqrt()[:, None]
    stiff = stiffness(share)
    common = torch.zeros_like(share)
    weight = used.to(own.dtype)
    for _ in range(ITERATIONS):
        both = torch.cat([torch.where(used, own - common[:, None], 0.0), (stiff * common)[:, None]], 1)
        scale = torch.ones_like(share) if known_scale else student.fitted_scale(both, dof.clamp_min(1))
        weight = student.weight(both, scale) * torch.cat([used, torch.ones_like(used[:, :1])], 1)
        total = weight[:, :-1].sum(1) + weight[:, -1] * stiff.square()
        common = (weight[:, :-1] * own).sum(1) / total
    both = torch.cat([torch.where(used, own - common[:, None], 0.0), (stiff * common)[:, None]], 1)
    return both, weight[:, :-1] / total[:, None]


def stiffness(share: Tensor) -> Tensor:
    """Standard deviation (M,) of a station's own error over that of the common error."""
    share = share.clamp_min(LEAST_SHARE)
    return ((1 - share) / share).sqrt()


def design_without_common(design: Tensor, used: Tensor, share: Tensor, weight: Tensor) -> Tensor:
    """Derivatives (M, S + 1, 2) of the predictions where the common error follows the epicentre.

    Args:
        design: (M, S, 2) derivatives of the predicted distances over their sigmas.
        used: (M, S) bool.
        share: (M,).
        weight: (M, S) of `without_common`.
    """
    own = design / (1 - share).sqrt()[:, None, None]
    mean = (weight[..., None] * own).sum(1, keepdim=True)
    apart = torch.where(used[..., None], own - mean, 0.0)
    return torch.cat([apart, stiffness(share)[:, None, None] * mean], 1)
