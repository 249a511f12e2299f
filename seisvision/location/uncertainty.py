"""How far a location can be trusted: covariance, confidence ellipses, second solutions, azimuthal gap."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from seisvision.earth.points import way_km
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

    covariance_km2: np.ndarray
    """(B, 2, 2) north and east; NaN where it is not defined. The normal distribution with it has the 68 % ellipse."""
    scale: np.ndarray
    """(B,) standard deviation of the residuals (km) where no sigmas were given, else the factor on the sigmas (1 where
    the residuals agree with them)."""
    estimated: np.ndarray
    """(B,) bool: the scale comes from the residuals."""
    dof: np.ndarray
    """(B,) observations minus two."""
    radius95: np.ndarray | None = None
    """(B,) size of the 95 % ellipse in standard deviations; None where it is that of the linearised region."""

    def factor2(self, level: float) -> np.ndarray:
        """Squared factor (B,) from standard deviation to the confidence region of a linear problem.

        Chi-square with two degrees of freedom, or 2 F(2, dof) where the scale is estimated; both have closed forms.
        """
        free = np.maximum(self.dof, 1)
        return np.where(self.estimated, free * ((1 - level) ** (-2 / free) - 1), chi_square2(level))

    def ellipse(self, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The arrays of an `Ellipse` at ``level``: 0.68 or 0.95."""
        mean, half = self._axes_km2()
        north, across, east = self.covariance_km2[:, 0, 0], self.covariance_km2[:, 0, 1], self.covariance_km2[:, 1, 1]
        factor = self._radius(level)
        # Twice the angle of the major axis, as the two ends of an axis are one direction.
        direction = np.degrees(np.arctan2(2 * across, north - east) / 2) % 180
        return factor * np.sqrt(mean + half), factor * np.sqrt(np.maximum(mean - half, 0)), direction

    def _axes_km2(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean of the squared semi-axes (B,) and half of their difference."""
        north, across, east = self.covariance_km2[:, 0, 0], self.covariance_km2[:, 0, 1], self.covariance_km2[:, 1, 1]
        return (north + east) / 2, np.hypot((north - east) / 2, across)

    def _radius(self, level: float) -> np.ndarray:
        if self.radius95 is None:
            return np.sqrt(self.factor2(level))
        return self.radius95 if level == 0.95 else np.full_like(self.scale, math.sqrt(chi_square2(level)))

    def bounded(self) -> np.ndarray:
        """Bool (B,): there is an ellipse."""
        return np.isfinite(self.covariance_km2).all((1, 2))

    def limited(self) -> Uncertainty:
        """The same without ellipses that are so long that they say nothing."""
        mean, half = self._axes_km2()
        useful = self._radius(0.95) * np.sqrt(mean + half) < LARGEST_ELLIPSE_KM
        return replace(self, covariance_km2=np.where(useful[:, None, None], self.covariance_km2, np.nan))


def chi_square2(level: float) -> float:
    """Quantile of chi-square with two degrees of freedom."""
    return -2 * math.log(1 - level)


def linearised(problem: Problem, scale: np.ndarray, information: np.ndarray, fitted: np.ndarray) -> Uncertainty:
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
        half = np.maximum(dof, 1) / 2
        tail = torch.special.gammaincc(torch.from_numpy(half), torch.from_numpy(half * fitted * fitted)).numpy()
        estimated = (dof >= 1) & (tail < MISFIT_P_VALUE)
        stated = np.where(estimated, fitted, 1.0)
        # What the robust loss does to normal errors: some efficiency lost, and weights whose mean is not 1.
        factor = student.VARIANCE_KNOWN * student.NORMAL_WEIGHT * stated * stated
    else:
        estimated = np.ones(len(dof), dtype=bool)
        stated = np.where(dof >= 1, fitted, np.nan)
        factor = student.VARIANCE_FITTED * (stated / scale) ** 2
    a, b, d = information
    determinant = a * d - b * b
    singular = determinant <= 1e-12 * (a + d) ** 2
    factor = np.where(singular, np.inf, factor / np.where(singular, 1.0, determinant))
    covariance = np.array([factor * d, factor * -b, factor * -b, factor * a]).T.reshape(-1, 2, 2)
    return Uncertainty(covariance, stated, estimated, dof).limited()


def second_solution(
    problem: Problem, event: np.ndarray, minimum: Minimum, best: np.ndarray, certain: Uncertainty
) -> tuple[np.ndarray, np.ndarray]:
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
        bool (B,), where there is one, and its point (3, B).
    """
    is_ambiguous, second = np.zeros(len(best), dtype=bool), minimum.point[:, best]
    if len(event) == len(best):
        return is_ambiguous, second
    other = np.flatnonzero(np.arange(len(event)) != best[event])
    at, first = event[other], best[event[other]]
    north, east = way_km(minimum.point[:, first], minimum.point[:, other])
    covariance, factor2 = certain.covariance_km2[at], certain.factor2(0.95)[at]
    a, b, d = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    # Without bounds there is no ellipse that could cover anything.
    inside = (d * north * north - 2 * b * north * east + a * east * east) / (a * d - b * b) <= factor2
    distinct = (np.hypot(north, east) > DISTINCT_KM) & ~inside
    cost, scale = minimum.cost[other], minimum.scale[other]
    excess = cost - minimum.cost[first]
    if problem.known_scale:
        equal = 2 * excess <= factor2 * certain.scale[at] ** 2
    else:
        ratio = (scale * scale + EXACT_KM**2) / (minimum.scale[first] ** 2 + EXACT_KM**2)
        dof = certain.dof[at]
        # Two distances leave no residual that would say how much misfit is much.
        two_stations = excess * scale * scale <= TWO_STATION_MISFIT_KM**2
        equal = np.where(dof >= 1, ratio <= 1 + factor2 / np.maximum(dof, 1), two_stations)
    rows = np.flatnonzero(distinct & equal)
    rows = rows[least_first(at[rows], cost[rows])]
    ambiguous, least = np.unique(at[rows], return_index=True)
    is_ambiguous[ambiguous] = True
    second[:, ambiguous] = minimum.point[:, other[rows[least]]]
    return is_ambiguous, second


def best_of(event: np.ndarray, minimum: Minimum, n_events: int, dof: np.ndarray, *, known_scale: bool) -> np.ndarray:
    """Numbers (B,) of the best minima of events (M,) in order.

    Of those whose costs are equal but for rounding the one farthest in a direction that no network is symmetric to is
    taken, so that an event alone has the epicentre that it has among others.
    """
    if len(event) == n_events:
        return np.arange(n_events)
    first = np.searchsorted(event, np.arange(n_events))
    least = minimum.cost[least_first(event, minimum.cost)[first]][event]
    excess = minimum.cost - least
    tied = excess <= TIED_COST * (1 + np.abs(least))
    if not known_scale:
        # Two distances leave no scale that costs would be told in.
        tied = np.where(dof[event] >= 1, tied, excess * minimum.scale**2 <= TIED_KM**2)
    way = np.array(ANY_DIRECTION) @ minimum.point
    return least_first(event, np.where(tied, -way, np.inf))[first]


def least_first(event: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Order (M,) by events, and by cost within an event."""
    return np.lexsort((cost, event))


def azimuthal_gap_deg(azimuth: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Largest angle (B,) between neighbouring azimuths (B, S) from the epicentre to its stations; 360 for one."""
    # Those that are not used stand at the last one, where they make no gap.
    last = np.fmax.reduce(np.where(used, azimuth, np.nan), 1)
    ordered = np.sort(np.where(used, azimuth, last[:, None]), 1)
    return np.maximum(360 - last + ordered[:, 0], np.diff(ordered).max(1, initial=0.0))
