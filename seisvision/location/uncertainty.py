"""How far a location can be trusted: covariance, confidence ellipses, second solutions, azimuthal gap."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seisvision.earth.unit_vectors import geodesic
from seisvision.location import student
from seisvision.location.descent import Minimum, Problem

MISFIT_P_VALUE = 1e-3
"""Sigmas are believed unless residuals this large would be seen less often than this."""
LARGEST_ELLIPSE_KM = 5000.0
"""A longer axis of the 95 % ellipse says nothing: the ellipse is left out."""
DISTINCT_KM = 0.1
EXACT_KM = 0.1
"""Misfit below which two solutions fit exactly, whatever their ratio."""
TIED_COST, TIED_KM = 1e-3, 0.01
"""Costs that differ by less, as a share of one more than the least, or in km where two distances are all, are equal."""
ANY_DIRECTION = (0.372, 0.571, 0.732)
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
        mean, half = self._axes_km2()
        north, across, east = (self.covariance_km2[:, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
        factor = self._radius(level)
        # Twice the angle of the major axis, as the two ends of an axis are one direction.
        direction = torch.rad2deg(torch.atan2(2 * across, north - east) / 2) % 180
        return Ellipse(factor * (mean + half).sqrt(), factor * (mean - half).clamp_min(0).sqrt(), direction)

    def _axes_km2(self) -> tuple[Tensor, Tensor]:
        """Mean of the squared semi-axes (B,) and half of their difference."""
        north, across, east = (self.covariance_km2[:, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
        return (north + east) / 2, torch.hypot((north - east) / 2, across)

    def _radius(self, level: float) -> Tensor:
        if self.radius95 is None:
            return self.factor2(level).sqrt()
        return self.radius95 if level == 0.95 else torch.full_like(self.scale, math.sqrt(chi_square2(level)))

    def bounded(self) -> Tensor:
        """Bool (B,): there is an ellipse."""
        return self.covariance_km2.isfinite().flatten(1).all(1)

    def limited(self) -> Uncertainty:
        """The same without ellipses that are so long that they say nothing."""
        mean, half = self._axes_km2()
        useless = ~(self._radius(0.95) * (mean + half).sqrt() < LARGEST_ELLIPSE_KM)
        return replace(self, covariance_km2=self.covariance_km2.masked_fill(useless[:, None, None], torch.nan))


def chi_square2(level: float) -> float:
    """Quantile of chi-square with two degrees of freedom."""
    return -2 * math.log(1 - level)


def linearised(problem: Problem, scale: Tensor, information: Tensor, fitted: Tensor) -> Uncertainty:
    """Uncertainty of minima, linearised there.

    With given sigmas these are believed, unless the robust scale of the residuals is so large that chance is no
    explanation (p < 0.001): then they are multiplied by it. Without sigmas the scale of the residuals is taken. Weights
    count in the information, so a station that is far off adds nothing to the certainty.

    Args:
        problem: M problems.
        scale: (M,) of the loss at their minima.
        information: (3, M) there: north-north, north-east and east-east.
        fitted: (M,) scale that the residuals over their sigmas have.
    """
    dof = problem.dof
    fitted = fitted / student.NORMAL_SCALE
    if problem.known_scale:
        tail = torch.special.gammaincc(dof.clamp_min(1) / 2, fitted.square() * dof.clamp_min(1) / 2)
        estimated = (dof >= 1) & (tail < MISFIT_P_VALUE)
        stated = torch.where(estimated, fitted, 1.0)
        # What the robust loss does to normal errors: some efficiency lost, and weights whose mean is not 1.
        unit = student.VARIANCE_KNOWN * student.NORMAL_WEIGHT
        factor = unit * stated.square()
    else:
        estimated = torch.ones_like(dof, dtype=torch.bool)
        stated = torch.where(dof >= 1, fitted, torch.nan)
        factor = student.VARIANCE_FITTED * (stated / scale).square()
    a, b, d = information
    determinant = a * d - b * b
    singular = determinant <= 1e-12 * (a + d).square()
    factor = (factor / determinant).masked_fill(singular, torch.inf)
    covariance = torch.stack([factor * d, factor * -b, factor * -b, factor * a], 1).reshape(-1, 2, 2)
    return Uncertainty(covariance, stated, estimated, dof).limited()


def second_solution(
    problem: Problem, event: Tensor, minimum: Minimum, best: Tensor, certain: Uncertainty
) -> tuple[Tensor, Tensor]:
    """Another minimum that fits as well and that the 95 % ellipse of the best does not cover.

    Fits as well: its likelihood lies inside the 95 % region of the best; with estimated scale, its variance is below
    that of the best times 1 + 2 F / dof.

    Args:
        problem: B problems.
        event: (M,) number of the problem of each minimum.
        minimum: M minima.
        best: (B,) number of the best of every event.
        certain: uncertainty of the best.

    Returns:
        bool (B,), where there is one, and its point (B, 3).
    """
    is_ambiguous, second = torch.zeros_like(certain.estimated), minimum.point[best]
    if len(event) == len(best):
        return is_ambiguous, second
    other = (torch.arange(len(event), device=event.device) != best[event]).nonzero()[:, 0]
    at, first = event[other], best[event[other]]
    way = geodesic(minimum.point[first], minimum.point[other])
    north, east = way.north * way.distance_km, way.east * way.distance_km
    covariance, factor2 = certain.covariance_km2[at], certain.factor2(0.95)[at]
    a, b, d = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    # Without bounds there is no ellipse that could cover anything.
    inside = (d * north.square() - 2 * b * north * east + a * east.square()) / (a * d - b * b) <= factor2
    distinct = (way.distance_km > DISTINCT_KM) & ~inside
    cost, scale = minimum.cost[other], minimum.scale[other]
    excess = cost - minimum.cost[first]
    if problem.known_scale:
        equal = 2 * excess <= factor2 * certain.scale[at].square()
    else:
        ratio = (scale.square() + EXACT_KM**2) / (minimum.scale[first].square() + EXACT_KM**2)
        dof = certain.dof[at]
        # Two distances leave no residual that would say how much misfit is much.
        two_stations = excess * scale.square() <= TWO_STATION_MISFIT_KM**2
        equal = torch.where(dof >= 1, ratio <= 1 + factor2 / dof.clamp_min(1), two_stations)
    rows = (distinct & equal).nonzero()[:, 0]
    rows = rows[least_first(at[rows], cost[rows])]
    at, other = at[rows], other[rows]
    new = torch.ones_like(at, dtype=torch.bool)
    new[1:] = at[1:] != at[:-1]
    is_ambiguous[at[new]] = True
    second[at[new]] = minimum.point[other[new]]
    return is_ambiguous, second


def best_of(event: Tensor, minimum: Minimum, n_events: int, dof: Tensor, *, known_scale: bool) -> Tensor:
    """Numbers (B,) of the best minima of events (M,) in order.

    Of those whose costs are equal but for rounding the one farthest in a direction that no network is symmetric to is
    taken, so that an event alone has the epicentre that it has among others.
    """
    first = torch.searchsorted(event, torch.arange(n_events, device=event.device))
    least = minimum.cost[least_first(event, minimum.cost)[first]][event]
    excess = minimum.cost - least
    tied = excess <= TIED_COST * (1 + least.abs())
    if not known_scale:
        # Two distances leave no scale that costs would be told in.
        tied = torch.where(dof[event] >= 1, tied, excess * minimum.scale.square() <= TIED_KM**2)
    way = minimum.point @ minimum.point.new_tensor(ANY_DIRECTION)
    return least_first(event, torch.where(tied, -way, torch.inf))[first]


def least_first(event: Tensor, cost: Tensor) -> Tensor:
    """Order (M,) by events, and by cost within an event."""
    order = cost.argsort(stable=True)
    return order[event[order].argsort(stable=True)]


def azimuthal_gap_deg(azimuth: Tensor, used: Tensor) -> Tensor:
    """Largest angle (B,) between neighbouring azimuths (B, S) from the epicentre to its stations; 360 for one."""
    ordered = torch.where(used, azimuth, torch.inf).sort(1).values
    count = used.sum(1)
    gaps = torch.where(ordered[:, 1:].isfinite(), ordered[:, 1:] - ordered[:, :-1], 0.0)
    last = ordered.gather(1, (count - 1).clamp_min(0)[:, None])[:, 0]
    around = 360 - last + ordered[:, 0]
    return torch.maximum(gaps.amax(1) if gaps.shape[1] else around, around)
