"""Ellipses, ellipsoids and intervals of depth that hold their share of the posterior probability.

Places are drawn around the solution and weighed by likelihood over density of drawing (see
:mod:`seisvision.location.posterior`, which does this for distances), all places and all depths within the limits being
equally likely beforehand. Where the times change in straight lines over the region, which is most of the time, the
derivatives at the solution give the times of the draws; elsewhere they come from the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.unit_vectors import frame, moved
from seisvision.location import student
from seisvision.location.arrivals.descent import State
from seisvision.location.arrivals.problem import (
    LEAST,
    Prediction,
    Problem,
    geocentric_km,
    prior_cost,
    terms,
)
from seisvision.location.posterior import FEWEST_EFFECTIVE, SHAPE_LEVEL, interpolated

LEVELS = (0.68, 0.95)
FEW_DRAWS = 96
MANY_DRAWS = 256
TAIL_DOF = 5
WIDER = {FEW_DRAWS: 1.25, MANY_DRAWS: 2.0}
"""Draws lie this many times wider than the linearised region, which may be too small where times bend."""
PAIRS_AT_ONCE = 100_000
NEARLY_LINEAR = 0.2
"""Sigmas (rms over the picks) by which times two standard deviations away may leave the straight line."""
SHALLOW_SIGMAS = 2.5
"""A limit of the depth this close, in standard deviations, cuts the region."""
ROUNDS = 2
WIDENED = {"horizontal": (1.04, 1.03), "spatial": (1.07, 1.01)}
"""What the radii of 68 and 95 % are multiplied by: few draws see a little less than there is. Fitted once to
simulations such as those of ``benchmarks/arrival_coverage.py``."""


@dataclass(frozen=True)
class Regions:
    """What holds 68 and 95 % around M solutions: radii times the square roots of the shapes."""

    shape_km2: Tensor
    """(M, 3, 3) north, east and down: mean squares of the draws about the solution."""
    horizontal: Tensor
    """(M, 2) radii of the ellipse, by level."""
    spatial: Tensor
    """(M, 2) radii of the ellipsoid."""
    depth_km: Tensor
    """(M, 2) half-widths of the interval of depth."""
    depth_spread_km: Tensor
    """(M,) standard deviation of the depth about its mean."""
    seen: Tensor
    """(M,) bool: enough draws count."""


@cache
def unit_draws(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws (K, 3) of a Student distribution of unit scale and their log densities (K,), the same ones always."""
    from scipy.stats import f, qmc

    points = qmc.Sobol(3, scramble=True, rng=3407).random(1 << (count - 1).bit_length())[:count]
    radius = np.sqrt(3 * f.ppf((np.arange(count) + 0.5) / count, 3, TAIL_DOF))[np.argsort(np.argsort(points[:, 0]))]
    height, turn = 2 * points[:, 1] - 1, 2 * np.pi * points[:, 2]
    across = np.sqrt(1 - height**2)
    direction = np.stack([across * np.cos(turn), across * np.sin(turn), height], 1)
    return radius[:, None] * direction, -(TAIL_DOF + 3) / 2 * np.log1p(radius**2 / TAIL_DOF)


def covariance_km2(problem: Problem, state: State) -> Tensor:
    """Linearised covariance (M, 3, 3); a depth that nothing bounds has that of its limits."""
    span = (problem.limits_km[:, 1] - problem.limits_km[:, 0]).clamp_min(1e-3)
    unit = student.VARIANCE_KNOWN * student.NORMAL_WEIGHT if problem.robust else 1.0
    information = state.information / unit
    bound = torch.zeros_like(information)
    bound[:, 2, 2] = 12 / span.square()
    bound[:, 0, 0] = bound[:, 1, 1] = 1e-8
    return torch.linalg.inv(information + bound)


def regions(
    problem: Problem, state: State, there: Prediction, linear_km2: Tensor, other_km: Tensor, straight: Tensor
) -> Regions:
    """Regions of M solutions.

    Args:
        problem: M problems.
        state: their solutions.
        there: what these predict.
        linear_km2: (M, 3, 3) linearised covariance.
        other_km: (M, 3) way to a second solution, NaN where there is none; what is nearer to it does not count.
        straight: bool (M,) of `is_straight`.
    """
    parts, rows = [], []
    for chosen, count in ((straight, FEW_DRAWS), (~straight, MANY_DRAWS)):
        row = chosen.nonzero()[:, 0]
        if len(row):
            rows.append(row)
            parts.append(_regions(problem.rows(row), state.rows(row), there, row, linear_km2, other_km, count))
    order = torch.cat(rows).argsort()
    return Regions(*(torch.cat(values)[order] for values in zip(*(vars(part).values() for part in parts), strict=True)))


def _regions(
    problem: Problem,
    state: State,
    there: Prediction,
    row: Tensor,
    linear_km2: Tensor,
    other_km: Tensor,
    count: int,
) -> Regions:
    """Regions of the solutions at ``row``, which problem and state are of already, by so many draws."""
    draws, log_density = _draws(linear_km2[row], count)
    costs = []
    at_once = max(1, PAIRS_AT_ONCE // (count * max(1, problem.used.shape[1])))
    for part in torch.arange(len(row), device=row.device).split(at_once):
        prediction = Prediction(*(value[row[part]] for value in vars(there).values()))
        costs.append(_costs(problem.rows(part), state.rows(part), prediction, draws[part], straight=count == FEW_DRAWS))
    other = other_km[row]
    along = torch.einsum("mki,mi->mk", draws, other.nan_to_num(0.0))
    nearer = along > other.square().sum(1, keepdim=True).nan_to_num(torch.inf) / 2
    tempered = -torch.cat(costs) * (student.TEMPER_KNOWN if problem.robust else 1.0)
    depth = state.depth_km[:, None] + draws[..., 2]
    outside = (depth < problem.limits_km[:, :1]) | (depth > problem.limits_km[:, 1:]) | nearer
    return _summary(draws, (tempered - log_density).masked_fill(outside, -torch.inf), tempered)


def is_straight(problem: Problem, state: State, there: Prediction, linear_km2: Tensor) -> Tensor:
    """Bool (M,): the times are straight lines over the region, and the limits of the depth do not cut it."""
    sigma_depth = linear_km2[:, 2, 2].sqrt()
    room = torch.minimum(state.depth_km - problem.limits_km[:, 0], problem.limits_km[:, 1] - state.depth_km)
    straight = room > SHALLOW_SIGMAS * sigma_depth
    rows = straight.nonzero()[:, 0]
    some, here = problem.rows(rows), state.rows(rows)
    values, axes = torch.linalg.eigh(linear_km2[rows])
    weight = some.used / some.sigma_s.square()
    step = 2 * axes * values.clamp_min(0).sqrt()[:, None]
    steps = torch.stack([step[:, :, 2], -step[:, :, 2], step[:, :, 1], -step[:, :, 1]], 1)
    prediction = Prediction(*(value[rows] for value in vars(there).values()))
    off = _later_s(some, here, prediction, steps) - (steps @ prediction.slowness.transpose(1, 2)).float()
    weight = (weight / weight.sum(1, keepdim=True)).float()[:, None]
    off = off - (weight * off).sum(2, keepdim=True)
    mean_square = (some.used / some.sigma_s.square()).float()[:, None].mul(off.square()).sum(2)
    straight[rows] = (mean_square < NEARLY_LINEAR**2 * some.count[:, None]).all(1)
    return straight


def _draws(linear_km2: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Steps (M, K, 3) from the solutions and their log density (M, K)."""
    unit, log_unit = (torch.as_tensor(values).to(linear_km2) for values in unit_draws(count))
    root = WIDER[count] * torch.linalg.cholesky(linear_km2)
    return unit @ root.transpose(1, 2), log_unit[None].expand(len(root), -1)


def _costs(problem: Problem, state: State, there: Prediction, draws: Tensor, *, straight: bool) -> Tensor:
    """Negative log likelihood (M, K) of the draws, with the origin time that suits each best."""
    delay = (problem.time_s - state.origin_s[:, None] - there.travel_s).float()[:, None]
    # Single precision after the difference: these are the largest arrays of all.
    if straight:
        later = draws.float() @ there.slowness.float().transpose(1, 2)
    else:
        later = _later_s(problem, state, there, draws)
    cost = _cost_at_best_origin(problem, delay - later).double()
    if not bool(problem.prior_sigma_km.isfinite().any()):
        return cost
    m, k = draws.shape[:2]
    many, step = torch.arange(m, device=draws.device).repeat_interleave(k), draws.flatten(0, 1)
    point, depth = moved(state.point[many], step[:, 0], step[:, 1]), state.depth_km[many] + step[:, 2]
    return cost + prior_cost(problem.rows(many), point, depth)[0].reshape(m, k)


def _later_s(problem: Problem, state: State, there: Prediction, draws: Tensor) -> Tensor:
    """How much later (M, K, S) waves from the draws arrive than from the solution; single precision.

    The table is read at the four nodes around each draw and at the nearest level of elevations. What this is off at the
    solution is taken off everywhere.
    """
    surface = geocentric_km(state.point, torch.zeros_like(state.depth_km))
    axes = torch.stack([*frame(state.point), -state.point], -1)
    foot, station = (((place - surface[:, None]) @ axes).float() for place in (problem.foot_km, problem.station_km))
    draws = torch.cat([torch.zeros_like(draws[:, :1]), draws], 1).float()
    # The ground falls away from the plane in which north and east are counted.
    fall = draws[..., :2].square().sum(2) / (2 * EARTH_RADIUS_KM)
    depth = state.depth_km.float()[:, None] + draws[..., 2]
    above = torch.stack([draws[..., 0], draws[..., 1], fall], 2)
    below = torch.stack([draws[..., 0], draws[..., 1], fall + depth], 2)
    distance = _apart(above, foot) * (there.distance_km / _apart(above[:, :1], foot)[:, 0]).float()[:, None]
    ratio = problem.travel_times.nearest_ratio(problem.phase, depth, distance, problem.elevation_km)
    travel = ratio.mul_(_apart(below, station))
    return travel[:, 1:] - travel[:, :1]


def _apart(first: Tensor, second: Tensor) -> Tensor:
    """Distances (M, K, S) between places (M, K, 3) and (M, S, 3)."""
    squares = first.square().sum(2)[:, :, None] + second.square().sum(2)[:, None]
    return torch.baddbmm(squares, first, second.transpose(1, 2), alpha=-2).clamp_min_(LEAST).sqrt_()


def _cost_at_best_origin(problem: Problem, late: Tensor) -> Tensor:
    """Cost (M, K) of delays (M, K, S) about the likeliest origin time."""
    waiting = problem.waiting[:, None] if bool(problem.waiting.any()) else None
    used = problem.used[:, None]
    precision = (1 / problem.sigma_s).float()[:, None]
    origin = torch.zeros_like(late[..., 0])
    if waiting is None and problem.robust:
        # The same as below in fewer sweeps through memory; a pick that is not used has no precision.
        precision = precision * used
        squared = precision.square()
        for _ in range(ROUNDS):
            off = late - origin[..., None]
            weight = squared / (off * precision).square_().add_(student.DEGREES_OF_FREEDOM)
            origin = origin + (weight * off).sum(-1) / weight.sum(-1).clamp_min(LEAST)
        off = ((late - origin[..., None]) * precision).square_()
        return (student.DEGREES_OF_FREEDOM + 1) / 2 * off.div_(student.DEGREES_OF_FREEDOM).log1p_().sum(-1)
    for _ in range(ROUNDS):
        found = terms((late - origin[..., None]) * precision, used, waiting, robust=problem.robust)
        push = (found.slope * precision).sum(-1)
        origin = origin + push / (found.stiffness * precision.square()).sum(-1).clamp_min(LEAST)
    return terms((late - origin[..., None]) * precision, used, waiting, robust=problem.robust).cost


def _summary(draws: Tensor, log_weight: Tensor, log_likelihood: Tensor) -> Regions:
    weight = (log_weight - log_weight.amax(1, keepdim=True)).exp().nan_to_num(0.0)
    weight = weight / weight.sum(1, keepdim=True).clamp_min(LEAST)
    seen = (weight.square().sum(1) < 1 / FEWEST_EFFECTIVE) & (weight.sum(1) > 0.5)
    order = log_likelihood.argsort(1, descending=True)
    mass = weight.gather(1, order).cumsum(1)
    # Few far draws of great weight would otherwise turn the axes; the radii, taken from all, still count them.
    likely = torch.zeros_like(weight).scatter(1, order, (mass <= SHAPE_LEVEL).to(weight.dtype)) * weight
    likely = likely / likely.sum(1, keepdim=True).clamp_min(LEAST)
    shape = torch.einsum("mk,mki,mkj->mij", likely, draws, draws)
    shape = shape + 1e-8 * torch.eye(3, dtype=shape.dtype, device=shape.device)
    mean = (weight * draws[..., 2]).sum(1)
    spread = (weight * (draws[..., 2] - mean[:, None]).square()).sum(1).sqrt()
    plane = _radii(draws[..., :2], shape[:, :2, :2], weight) * shape.new_tensor(WIDENED["horizontal"])
    space = _radii(draws, shape, weight) * shape.new_tensor(WIDENED["spatial"])
    return Regions(shape, plane, space, _depths(draws[..., 2], weight), spread, seen)


def _radii(draws: Tensor, shape: Tensor, weight: Tensor) -> Tensor:
    """Radii (M, 2) within which 68 and 95 % of the weight lie."""
    squared = (draws @ torch.linalg.inv(shape) * draws).sum(-1)
    squared, order = squared.sort(1)
    held = weight.gather(1, order)
    held = held.cumsum(1) - held / 2
    return torch.stack([interpolated(held, squared, level) for level in LEVELS], 1).sqrt()


def _depths(down: Tensor, weight: Tensor) -> Tensor:
    away, order = down.abs().sort(1)
    held = weight.gather(1, order)
    held = held.cumsum(1) - held / 2
    return torch.stack([interpolated(held, away, level) for level in LEVELS], 1)
