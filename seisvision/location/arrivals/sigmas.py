"""What residuals say of the sigmas: whether they are too small, or a pick is wrong altogether."""

from __future__ import annotations

import torch
from torch import Tensor

from seisvision.location import student
from seisvision.location.arrivals.minima import Minima
from seisvision.location.arrivals.problem import Problem
from seisvision.location.uncertainty import MISFIT_P_VALUE

FEWEST_KNOWN = 6
"""Picks that an ellipse needs with sigmas,"""
FEWEST_ESTIMATED = 7
"""and where their size is estimated."""
WILD = 15.0
"""Residual of a pick, over the size of the others, from which it is wrong altogether."""
MISFIT_OF_OTHERS = 0.1
"""Probability of residuals of the others as large, above which they fit."""


def fitted_scale(problem: Problem, found: Minima) -> tuple[Tensor, Tensor]:
    """Factor (M,) on the sigmas that the residuals ask for, and whether chance is no explanation (p < 0.001).

    Of few picks a single wrong one asks for sigmas with which any place fits. So it is asked what the others say: where
    one pick is wild and they are not, it is that pick which is wrong.
    """
    residual = (problem.time_s - found.there.travel_s - found.best.origin_s[:, None]) / problem.sigma_s
    residual = torch.where(problem.used, residual, 0.0)
    fitted, chance = _scale_and_chance(residual, problem.count - 4)
    size, worst = residual.abs().max(1, keepdim=True)
    others, chance_of_others = _scale_and_chance(residual.scatter(1, worst, 0.0), problem.count - 5)
    enough = problem.count >= FEWEST_KNOWN
    fits = (size[:, 0] > WILD) & (chance_of_others > MISFIT_P_VALUE) & enough
    fits = fits | ((chance_of_others > MISFIT_OF_OTHERS) & (problem.count >= FEWEST_ESTIMATED))
    unlikely = (problem.count > 4) & (chance < MISFIT_P_VALUE)
    return torch.where(enough & (size[:, 0] > WILD * others), others, fitted), unlikely & ~fits


def _scale_and_chance(residual: Tensor, dof: Tensor) -> tuple[Tensor, Tensor]:
    """Factor (M,) on the sigmas that residuals (M, S) over them ask for, and the probability of a larger one."""
    dof = dof.clamp_min(1)
    fitted = student.fitted_scale(residual, dof) / student.NORMAL_SCALE
    return fitted, torch.special.gammaincc(dof / 2, fitted.square() * dof / 2)
