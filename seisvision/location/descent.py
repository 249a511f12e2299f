"""Damped Newton steps on the ellipsoid, for many problems at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from seisvision.angles import wrapped_difference_deg
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.unit_vectors import Geodesic, azimuth_deg, geodesic, moved
from seisvision.location import student
from seisvision.location.common import design_without_common, without_common
from seisvision.location.plane import (
    FIRST_DAMPING,
    FREE_DAMPING,
    LEAST_EXPONENT,
    LONGEST_STEP_KM,
    MIN_CONVEXITY,
    MOST_DAMPING,
    SOFTENING_KM,
)

MAX_ITERATIONS = 100
CONVERGED_KM = 5e-3
NEAREST_RAD = 1e-4
"""Below this distance (0.6 km) the back azimuth of a station says no more about the direction to move in."""


@dataclass(frozen=True)
class Problem:
    """Observations of M location problems; values of unused observations are finite and do not count.

    Arrays of numpy, or tensors where all of it is computed with torch.
    """

    station: Any
    """(M, S, 3) unit vectors."""
    offset_km: Any
    """(M, S)."""
    offset_sigma_km: Any
    """(M, S) at the observed distances; where the scale is estimated, only their proportions count."""
    used: Any
    """(M, S) bool."""
    back_azimuth_deg: Any | None
    """(M, S) or None."""
    azimuth_sigma_deg: Any | None
    """(M, S) or None."""
    azimuth_used: Any | None
    """(M, S) bool or None."""
    known_scale: bool
    growth: Any
    """(M,) power of the distance that the sigmas grow with: 0 for equal errors, 1 for relative ones."""
    dof: Any
    """(M,) float: observations minus the two coordinates."""
    common_share: Any | None = None
    """(M,) share of the variance that the errors of an event's distances have in common; None where they have none."""

    @property
    def is_plain(self) -> bool:
        """There is nothing but distances with errors of their own."""
        return self.azimuth_used is None and self.common_share is None

    def rows(self, index: Any) -> Problem:
        """The problems at ``index``, an array of row numbers, which may repeat."""
        return self._each(lambda values: values[index])

    def tensors(self) -> Problem:
        """The same as tensors, which share the memory of arrays."""
        return self._each(torch.as_tensor)

    def _each(self, turned: Callable[[Any], Any]) -> Problem:
        return replace(self, **{name: turned(value) for name, value in vars(self).items() if hasattr(value, "ndim")})

    def fixed_scale(self) -> Tensor:
        """(M,) scale of the residuals where it is not estimated.

        It is 1 with known standard deviations. Two distances leave no residual to estimate it from; a scale that is
        large against all of them makes the loss that of least squares, which is right for them.
        """
        one = torch.ones_like(self.offset_km[:, 0])
        return one if self.known_scale else 10 * one * EARTH_RADIUS_KM


@dataclass(frozen=True)
class Minimum:
    """Where the descent ended, tensors or arrays."""

    point: Any
    """Unit vectors: tensors (M, 3), or arrays (3, M)."""
    cost: Any
    """(M,) negative log likelihood."""
    scale: Any
    """(M,) scale of the residuals: of the loss where it is estimated, else 1."""


def residuals(problem: Problem, way: Geodesic) -> tuple[Tensor, Tensor]:
    """Residuals (M, O) over their sigmas, and derivatives (M, O, 2) of the predictions by north and east km.

    The distance shrinks by the cosine of the angle between the step and the way to the station; the back azimuth
    turns by the step across that way over the radius of the circle of equal distance.
    """
    growth = problem.growth[:, None]
    residual = distance_residuals(problem.offset_km, problem.offset_sigma_km, growth, way.distance_km)
    design = -torch.stack([way.north, way.east], -1) * _steepness(problem, way.distance_km)[..., None]
    residual = torch.where(problem.used, residual, 0.0)
    design = torch.where(problem.used[..., None], design, 0.0)
    if problem.common_share is not None:
        used, share = problem.used, problem.common_share
        residual, weight = without_common(residual, used, share, problem.dof, known_scale=problem.known_scale)
        design = design_without_common(design, used, share, weight)
    if problem.back_azimuth_deg is None or problem.azimuth_sigma_deg is None or problem.azimuth_used is None:
        return residual, design
    predicted_deg = azimuth_deg(way.back_north, way.back_east)
    turn = wrapped_difference_deg(problem.back_azimuth_deg, predicted_deg) / problem.azimuth_sigma_deg
    radius_km = EARTH_RADIUS_KM * torch.sin(way.distance_km / EARTH_RADIUS_KM).clamp_min(NEAREST_RAD)
    turning = torch.rad2deg(torch.stack([way.east, -way.north], -1) / radius_km[..., None])
    turning = turning / problem.azimuth_sigma_deg[..., None]
    residual = torch.cat([residual, torch.where(problem.azimuth_used, turn, 0.0)], 1)
    return residual, torch.cat([design, torch.where(problem.azimuth_used[..., None], turning, 0.0)], 1)


def distance_residuals(offset_km: Tensor, sigma_km: Tensor, growth: Tensor, distance_km: Tensor) -> Tensor:
    """Residuals over their sigmas, of the broadcast shape of all.

    The sigma of a distance belongs to the true one, not to the observed: a distance read too short has not become a
    better one. On a scale where the errors are equal everywhere this takes care of itself (Box and Cox 1964, J. R.
    Stat. Soc. B 26, 211-252): the logarithm for relative errors, the distance itself for equal ones.
    """
    if bool((growth == 0).all()):
        return (offset_km - distance_km) / sigma_km
    observed = offset_km + SOFTENING_KM
    stretch = ((distance_km + SOFTENING_KM) / observed).log()
    if bool((growth < 1).any()):
        exponent = (1 - growth).clamp_min(LEAST_EXPONENT)
        stretch = torch.expm1(exponent * stretch) / exponent
    return -observed / sigma_km * stretch


def _steepness(problem: Problem, distance_km: Tensor) -> Tensor:
    """How fast `distance_residuals` fall (M, S) per km of predicted distance."""
    if bool((problem.growth == 0).all()):
        return 1 / problem.offset_sigma_km
    ratio = (problem.offset_km + SOFTENING_KM) / (distance_km + SOFTENING_KM)
    return ratio ** problem.growth[:, None] / problem.offset_sigma_km


@dataclass(frozen=True)
class State:
    """Cost and its local model at one point of every problem."""

    cost: Tensor
    scale: Tensor
    gradient: Tensor
    """(M, 2): downhill direction, sum of weight * derivative * residual."""
    information: Tensor
    """(M, 3): north-north, north-east and east-east of sum of weight * derivative * derivative."""
    curvature: Tensor
    """(M, 3): the same with second derivatives of the loss, where the scale is known and these are convex."""


def model(problem: Problem, way: Geodesic) -> State:
    """Cost, scale and local model where the ways (M, S) to the stations are these."""
    residual, design = residuals(problem, way)
    dof = problem.dof
    scale, free_dof = problem.fixed_scale(), torch.zeros_like(dof)
    if not problem.known_scale:
        free_dof = dof.clamp_min(0)
        scale = torch.where(dof > 0, student.fitted_scale(residual, dof.clamp_min(1)), scale)
    north, east = design.unbind(-1)
    variance = scale.square()[:, None]
    weight = student.weight(residual, scale) / variance
    pull = weight * residual
    # Sums of products: matrices as small as these take several times as long to multiply.
    gradient = torch.stack([(pull * north).sum(1), (pull * east).sum(1)], 1)
    squares = north * north, north * east, east * east
    information = torch.stack([(weight * square).sum(1) for square in squares], 1)
    curvature = information
    # Where the scale follows the residuals, the reweighted information is the better model: it is that of an EM step.
    if problem.known_scale:
        bend = student.curvature(residual, scale) / variance
        second = torch.stack([(bend * square).sum(1) for square in squares], 1)
        convex = (_determinant(second) > MIN_CONVEXITY * _determinant(information)) & (second[:, 0] > 0)
        curvature = torch.where(convex[:, None], second, information)
    return State(student.cost(residual, scale, free_dof), scale, gradient, information, curvature)


def _determinant(symmetric: Tensor) -> Tensor:
    return symmetric[:, 0] * symmetric[:, 2] - symmetric[:, 1].square()


def descend(problem: Problem, start: Tensor) -> Minimum:
    """Nearest minimum from starts (M, 3), until a step is shorter than ``CONVERGED_KM``.

    A step that does not lower the cost is refused and repeated shorter (Marquardt 1963, J. SIAM 11, 431-441); finished
    problems leave the batch.
    """
    point = start.clone()
    first = model(problem, geodesic(point[:, None], problem.station))
    cost, scale = first.cost.clone(), first.scale.clone()
    rows = torch.arange(len(point), device=point.device)
    state, active, damping = first, problem, torch.full_like(cost, FIRST_DAMPING)
    for _ in range(MAX_ITERATIONS):
        step_km = _step_km(state, damping)
        trial = moved(point[rows], step_km[:, 0], step_km[:, 1])
        there = model(active, geodesic(trial[:, None], active.station))
        # Equal costs too: near the minimum rounding hides the gain, and a refused step would only raise the damping.
        better = there.cost <= state.cost
        state = State(*(_choose(better, a, b) for a, b in zip(vars(there).values(), vars(state).values(), strict=True)))
        point[rows] = _choose(better, trial, point[rows])
        cost[rows], scale[rows] = state.cost, state.scale
        # A step that damping has made short says nothing about convergence.
        short = (torch.linalg.vector_norm(step_km, dim=1) < CONVERGED_KM) & (damping < FREE_DAMPING)
        damping = torch.where(better, damping / 10, damping * 10)
        going = ~short & (damping < MOST_DAMPING)
        if not going.any():
            break
        if not going.all():
            rows, damping, active = rows[going], damping[going], active.rows(going)
            state = State(*(value[going] for value in vars(state).values()))
    return Minimum(point, cost, scale)


def _step_km(state: State, damping: Tensor) -> Tensor:
    """Damped Newton steps (M, 2) north and east, at most ``LONGEST_STEP_KM`` long."""
    a, b, d = state.curvature.unbind(1)
    # In units of the mean curvature, so that the damping has none and suits kilometres of any size.
    ridge = damping * (a + d) / 2
    a, d = a + ridge, d + ridge
    determinant = (a * d - b * b).clamp_min(torch.finfo(a.dtype).tiny)
    north, east = state.gradient.unbind(1)
    step = torch.stack([(d * north - b * east) / determinant, (a * east - b * north) / determinant], 1)
    length = torch.linalg.vector_norm(step, dim=1, keepdim=True)
    return step * (LONGEST_STEP_KM / length.clamp_min(LONGEST_STEP_KM))


def _choose(condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(condition.reshape(-1, *[1] * (yes.ndim - 1)), yes, no)
