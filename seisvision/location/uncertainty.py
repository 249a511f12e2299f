"""How far a location can be trusted: covariance, confidence ellipses, second solutions, azimuthal gap."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seisvision.earth.unit_vectors import geodesic
from seisvision.location import student
from seisvision.location.descent import Minimum, Problem, State

MISFIT_P_VALUE = 1e-3
"""Sigmas are believed unless residuals this large would be seen less often than this."""
LARGEST_ELLIPSE_KM = 5000.0
"""A longer axis of the 95 % ellipse says nothing: the ellipse is left out."""
DISTINCT_KM = 0.1
EXACT_KM = 0.1
"""Misfit below which two solutions fit exactly, whatever their ratio."""
TWO_STATION_MISFIT_KM = 10.0


@dataclass(frozen=True)
class Ellipse:
    """Confidence ellipses of B epicentres, NaN where there is none; tensors (B,)."""

    major_km: Tensor
    """Semi-major axis."""
    minor_km: Tensor
    """Semi-minor axis."""
    azimuth_deg: Tensor
    """Direction of the major axis clockwise from north, in [0, 180)."""


@dataclass(frozen=True)
class Uncertainty:
    """Covariance of B epicentres and what the size of their ellipses depends on."""

    covariance_km2: Tensor
    """(B, 2, 2) north and east; NaN where it is not defined. The normal distribution with it has the 68 % ellipse."""
    scale: Tensor
    """(B,) standard deviation of the residuals (km) where no sigmas were given, else the factor on the sigmas (1 where
    the residuals agree with them)."""
    estimated: Tensor
    """(B,) bool: the scale comes from the residuals."""
    dof: Tensor
    """(B,) observations minus two."""
    radius95: Tensor | None = None
    """(B,) size of the 95 % ellipse in standard deviations; None where it is that of the linearised region."""

    def factor2(self, level: float) -> Tensor:
        """Squared factor (B,) from standard deviation to the confidence region of a linear problem.

        Chi-square with two degrees of freedom, or 2 F(2, dof) where the scale is estimated; both have closed forms.
        """
        free = self.dof.clamp_min(1)
        return torch.where(self.estimated, free * ((1 - level) ** (-2 / free) - 1), chi_square2(level))

    def ellipse(self, level: float) -> Ellipse:
        """Confidence ellipse at ``level``: 0.68 or 0.95."""
        north, across, east = (self.covariance_km2[:, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
        mean, half = (north + east) / 2, torch.hypot((north - east) / 2, across)
        if self.radius95 is None:
            factor = self.factor2(level).sqrt()
        else:
            factor = self.radius95 if level == 0.95 else torch.full_like(mean, math.sqrt(chi_square2(level)))
        # Twice the angle of the major axis, as the two ends of an axis are one direction.
        direction = torch.rad2deg(torch.atan2(2 * across, north - east) / 2) % 180
        return Ellipse(factor * (mean + half).sqrt(), factor * (mean - half).clamp_min(0).sqrt(), direction)

    def bounded(self) -> Tensor:
        """Bool (B,): there is an ellipse."""
        return self.covariance_km2.isfinite().flatten(1).all(1)

    def limited(self) -> Uncertainty:
        """The same without ellipses that are so long that they say nothing."""
        useless = ~(self.ellipse(0.95).major_km < LARGEST_ELLIPSE_KM)
        return replace(self, covariance_km2=self.covariance_km2.masked_fill(useless[:, None, None], torch.nan))


def chi_square2(level: float) -> float:
    """Quantile of chi-square with two degrees of freedom."""
    return -2 * math.log(1 - level)


def linearised(problem: Problem, state: State, residual: Tensor) -> Uncertainty:
    """Uncertainty of minima, linearised at ``state``.

    With given sigmas these are believed, unless the robust scale of the residuals is so large that chance is no
    explanation (p < 0.001): then they are multiplied by it. Without sigmas the scale of the residuals is taken. Weights
    count in the information, so a station that is far off adds nothing to the certainty.

    Args:
        problem: M problems.
        state: at their minima.
        residual: (M, O) over the sigmas, at the minima.
    """
    dof = problem.dof
    fitted = student.fitted_scale(residual, dof.clamp_min(1)) / student.NORMAL_SCALE
    if problem.known_scale:
        tail = torch.special.gammaincc(dof.clamp_min(1) / 2, fitted.square() * dof.clamp_min(1) / 2)
        estimated = (dof >= 1) & (tail < MISFIT_P_VALUE)
        scale = torch.where(estimated, fitted, 1.0)
        # What the robust loss does to normal errors: some efficiency lost, and weights whose mean is not 1.
        unit = student.VARIANCE_KNOWN * student.NORMAL_WEIGHT
        factor = unit * scale.square()
    else:
        estimated = torch.ones_like(dof, dtype=torch.bool)
        scale = torch.where(dof >= 1, fitted, torch.nan)
        factor = student.VARIANCE_FITTED * (scale / state.scale).square()
    covariance = factor[:, None, None] * _inverse(state.information)
    return Uncertainty(covariance, scale, estimated, dof).limited()


def _inverse(information: Tensor) -> Tensor:
    """Inverse (M, 2, 2) of symmetric matrices given as (M, 3); infinite where singular."""
    a, b, d = information.unbind(1)
    determinant = a * d - b * b
    singular = determinant <= 1e-12 * (a + d).square()
    adjugate = torch.stack([torch.stack([d, -b], 1), torch.stack([-b, a], 1)], 1)
    return (adjugate / determinant[:, None, None]).masked_fill(singular[:, None, None], torch.inf)


def second_solution(problem: Problem, minima: Minimum, best: Tensor, certain: Uncertainty) -> tuple[Tensor, Tensor]:
    """Another minimum that fits as well and that the 95 % ellipse of the best does not cover.

    Fits as well: its likelihood lies inside the 95 % region of the best; with estimated scale, its variance is below
    that of the best times 1 + 2 F / dof.

    Args:
        problem: B problems.
        minima: K of every event, tensors (B, K, ...); infinite cost where an event has fewer.
        best: (B,) number of the best of the K.
        certain: uncertainty of the best.

    Returns:
        bool (B,), where there is one, and its point (B, 3).
    """
    n = len(best)
    point, cost, scale = minima.point, minima.cost, minima.scale
    row = torch.arange(n, device=best.device)
    way = geodesic(point[row, best][:, None], point)
    step = torch.stack([way.north, way.east], -1) * way.distance_km[..., None]
    # Without bounds there is no covariance: zeros keep the numbers finite, and `unbounded` decides instead.
    inverse = torch.linalg.pinv(certain.covariance_km2.nan_to_num(0.0, 0.0, 0.0))
    outside = torch.einsum("bki,bij,bkj->bk", step, inverse, step) > certain.factor2(0.95)[:, None]
    unbounded = ~certain.bounded()[:, None]
    distinct = (way.distance_km > DISTINCT_KM) & (outside | unbounded)
    excess = cost - cost[row, best][:, None]
    factor2 = certain.factor2(0.95)[:, None]
    if problem.known_scale:
        equal = 2 * excess <= factor2 * certain.scale[:, None].square()
    else:
        ratio = (scale.square() + EXACT_KM**2) / (scale[row, best].square() + EXACT_KM**2)[:, None]
        dof = certain.dof[:, None]
        # Two distances leave no residual that would say how much misfit is much.
        two_stations = excess * scale.square() <= TWO_STATION_MISFIT_KM**2
        equal = torch.where(dof >= 1, ratio <= 1 + factor2 / dof.clamp_min(1), two_stations)
    cost = cost.masked_fill(~(distinct & equal), torch.inf)
    second = cost.argmin(1)
    return cost[row, second].isfinite(), point[row, second]


def azimuthal_gap_deg(azimuth: Tensor, used: Tensor) -> Tensor:
    """Largest angle (B,) between neighbouring azimuths (B, S) from the epicentre to its stations; 360 for one."""
    ordered = torch.where(used, azimuth, torch.inf).sort(1).values
    count = used.sum(1)
    gaps = torch.where(ordered[:, 1:].isfinite(), ordered[:, 1:] - ordered[:, :-1], 0.0)
    last = ordered.gather(1, (count - 1).clamp_min(0)[:, None])[:, 0]
    around = 360 - last + ordered[:, 0]
    return torch.maximum(gaps.amax(1) if gaps.shape[1] else around, around)
