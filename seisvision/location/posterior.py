"""Ellipses that hold their share of the posterior probability, where a linearised covariance does not.

With errors of a tenth of the distances, and with a station that is much nearer than the others, the region of good
fit is not an ellipse but a bent band, part of a circle around the nearest station. Points are drawn where it may lie,
in the polar coordinates of that station, and weighed by likelihood over density of drawing (importance sampling;
Kong, Liu and Wong 1994, J. Am. Stat. Assoc. 89, 278-288). All places on the map are equally likely beforehand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seisvision.angles import wrapped_difference_deg
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.unit_vectors import Geodesic, angle, azimuth_deg, frame, geodesic, moved
from seisvision.location import student
from seisvision.location.common import without_common
from seisvision.location.descent import Problem, distance_residuals
from seisvision.location.uncertainty import Uncertainty, chi_square2

FEW_POINTS = 48
MANY_POINTS = 384
NEARLY_LINEAR = 0.15
"""Standard deviation over distance of the nearest station up to which a few points around the solution do."""
FEWEST_KNOWN = 4
"""Distances that an ellipse needs with sigmas,"""
FEWEST_ESTIMATED = 5
"""and without."""
PAIRS_AT_ONCE = 2_000_000
PAIRS_IN_CACHE = 60_000
TAIL_DOF = 5.0
WIDER = 1.2
SHAPE_LEVEL = 0.95
FEWEST_EFFECTIVE = 6.0
"""With fewer points that count (1 / sum of squared weights; Kong 1992) the region is not seen: there is no ellipse."""
SHRINKING_POWER = -0.75
SHRINKING = {True: (0.13, 0.28), False: (0.37, 0.40)}
"""With known and with estimated scale, what the axes of the 68 and 95 % ellipses are shortened by, times the number of
observations to that power.

The robust loss expects wild stations, so with few stations its posterior has heavier tails than normal errors give.
Fitted once to simulations with 4 to 20 stations (``benchmarks/ellipses.py``)."""
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Draws:
    """K points around each of M solutions."""

    north_km: Tensor
    """(M, K) way from the solution."""
    east_km: Tensor
    """(M, K)."""
    log_density: Tensor
    """(M, K) of drawing, per area; infinite where a point does not count."""


@dataclass(frozen=True)
class Region:
    """Ellipses of M solutions: a radius times the square root of ``shape_km2``."""

    shape_km2: Tensor
    """(M, 2, 2) north and east."""
    radius68: Tensor
    """(M,)."""
    radius95: Tensor
    """(M,)."""


def calibrated(problem: Problem, point: Tensor, way: Geodesic, linear: Uncertainty, other: Tensor) -> Uncertainty:
    """Uncertainty whose ellipses hold 68 and 95 % of the posterior of B solutions.

    Args:
        problem: B problems.
        point: (B, 3) solutions.
        way: from them to the stations (B, S).
        linear: uncertainty linearised at the solutions; where it has no ellipse, there is none, and where it estimates
            a scale that ``problem`` knows it is left as it is.
        other: (B, 3) second solutions, NaN where there is none: points nearer to these do not count.
    """
    bounded = linear.bounded() & enough(problem, linear.estimated)
    linear = replace(linear, covariance_km2=linear.covariance_km2.masked_fill(~bounded[:, None, None], torch.nan))
    rows = (bounded & (linear.estimated != problem.known_scale)).nonzero()[:, 0]
    some, there = problem.rows(rows), Geodesic(*(value[rows] for value in way))
    # A fitted scale is told as the standard deviation of normal errors; the loss has its own.
    scale = linear.scale[rows] * (1.0 if problem.known_scale else student.NORMAL_SCALE)
    region = _region(some, point[rows], there, linear.covariance_km2[rows], scale, other[rows])
    shrink68, shrink95 = (1 - share * (some.dof + 2) ** SHRINKING_POWER for share in SHRINKING[problem.known_scale])
    normal2 = chi_square2(0.68)
    covariance_km2, radius95 = linear.covariance_km2.clone(), torch.full_like(linear.scale, torch.nan)
    covariance_km2[rows] = region.shape_km2 * ((region.radius68 * shrink68).square() / normal2)[:, None, None]
    radius95[rows] = math.sqrt(normal2) * region.radius95 * shrink95 / (region.radius68 * shrink68)
    return replace(linear, covariance_km2=covariance_km2, radius95=radius95).limited()


def enough(problem: Problem, estimated: Tensor) -> Tensor:
    """Bool (B,): there are as many observations as ellipses need to hold what they say, in simulations.

    A back azimuth with a sigma makes up for any number of distances.
    """
    count = problem.dof + 2
    fewest = torch.where(estimated, FEWEST_ESTIMATED, FEWEST_KNOWN)
    directed = torch.zeros_like(estimated) if problem.azimuth_used is None else problem.azimuth_used.any(1)
    return (count >= fewest) | (directed & ~estimated)


def _region(
    problem: Problem, point: Tensor, way: Geodesic, covariance_km2: Tensor, scale: Tensor, other: Tensor
) -> Region:
    """Regions of M solutions with finite linearised covariance (M, 2, 2) and scale (M,) of the loss."""
    nearest_km = torch.where(problem.used, way.distance_km, torch.inf).amin(1)
    bent = torch.linalg.eigvalsh(covariance_km2)[:, 1] > (NEARLY_LINEAR * nearest_km).square()
    found = Region(torch.zeros_like(covariance_km2), torch.zeros_like(scale), torch.zeros_like(scale))
    to_other = _offset_km(point, other)
    # Most regions are nearly ellipses, which few points around the solution describe; only bent ones pay for a ring.
    for chosen, count in ((~bent, FEW_POINTS), (bent, MANY_POINTS)):
        at_once = max(1, PAIRS_AT_ONCE // (count * problem.used.shape[1]))
        for part in chosen.nonzero()[:, 0].split(at_once):
            some, there = problem.rows(part), Geodesic(*(value[part] for value in way))
            draws = drawn(some, there, covariance_km2[part], scale[part], count, ring=count == MANY_POINTS)
            log_likelihood = _temper(some)[:, None] * _log_likelihood(some, point[part], there, scale[part], draws)
            log_weight = (log_likelihood - draws.log_density).masked_fill(_nearer(draws, to_other[part]), -torch.inf)
            for whole, values in zip(
                vars(found).values(), vars(_summary(draws, log_weight, log_likelihood)).values(), strict=True
            ):
                whole[part] = values
    return found


def _temper(problem: Problem) -> Tensor:
    """Power (M,) of the likelihood that makes the robust loss as certain of normal errors as its estimates are.

    It is E psi' / E psi^2. With estimated scale, the profile over it falls with the power of dof where the marginal
    likelihood falls with that of all observations.
    """
    if problem.known_scale:
        return torch.full_like(problem.dof, student.TEMPER_KNOWN)
    return (problem.dof + 2) / problem.dof.clamp_min(1) / student.VARIANCE_FITTED


def _offset_km(point: Tensor, other: Tensor) -> Tensor:
    """Way (M, 2) north and east to other points (M, 3), NaN where these are."""
    offset_km = torch.full_like(point[:, :2], torch.nan)
    rows = other.isfinite().all(1).nonzero()[:, 0]
    way = geodesic(point[rows], other[rows])
    offset_km[rows] = torch.stack([way.north, way.east], -1) * way.distance_km[:, None]
    return offset_km


def _nearer(draws: Draws, to_other_km: Tensor) -> Tensor:
    """Bool (M, K): points nearer to the other solution than to this one."""
    along = draws.north_km * to_other_km[:, :1] + draws.east_km * to_other_km[:, 1:]
    return along > to_other_km.square().sum(1, keepdim=True) / 2


def drawn(problem: Problem, way: Geodesic, covariance_km2: Tensor, scale: Tensor, count: int, *, ring: bool) -> Draws:
    """Points around solutions in the polar coordinates of the nearest station.

    Half of them, or all, follow a Student distribution of the linearised covariance, with the radial direction along
    the way from the station and the transverse one bent around it. With ``ring`` the other half lie all around the
    station at its observed distance.
    """
    rows = torch.arange(len(scale), device=scale.device)
    nearest = torch.where(problem.used, way.distance_km, torch.inf).argmin(1)
    distance_km = way.distance_km[rows, nearest].clamp_min(1e-3)[:, None]
    # The ways lead to the stations; seen from the station, outward is the other way. Along it and across it a bent
    # region is straight.
    outward = -torch.stack([way.north, way.east], -1)[rows, nearest]
    axes = torch.stack([outward, torch.stack([-outward[:, 1], outward[:, 0]], 1)], 1)
    local = axes @ covariance_km2 @ axes.transpose(1, 2)
    observed_km = problem.offset_km[rows, nearest][:, None]
    sigma_km = WIDER * (scale * problem.offset_sigma_km[rows, nearest])[:, None]
    tail = problem.dof.clamp(1, TAIL_DOF)[:, None] if not problem.known_scale else torch.full_like(sigma_km, TAIL_DOF)
    root = WIDER * torch.linalg.cholesky(local)
    # A golden spiral covers the distribution more evenly than random numbers, and is the same wherever it is drawn.
    node = torch.arange(count, dtype=scale.dtype, device=scale.device)
    share, turn = (node + 0.5) / count, 2 * math.pi * ((node * GOLDEN) % 1)
    # The radius within which a Student distribution of the plane has this share, in closed form.
    far = (tail * ((1 - share) ** (-2 / tail) - 1)).sqrt()
    unit = torch.stack([far * turn.cos(), far * turn.sin()], -1)
    radial, across = (unit @ root.transpose(1, 2)).unbind(-1)
    range_km, turned = distance_km + radial, across / distance_km
    if ring:
        odd = node.long() % 2 == 1
        around = 2 * math.pi * ((node * GOLDEN) % 1) - math.pi
        range_km = torch.where(odd, observed_km + sigma_km * torch.special.ndtri(share), range_km)
        turned = torch.where(odd, around.expand_as(turned), turned)
    inverse = torch.linalg.inv(root @ root.transpose(1, 2))
    offset = torch.stack([range_km - distance_km, distance_km * turned], -1)
    squared = torch.einsum("mki,mij,mkj->mk", offset, inverse, offset)
    log_density = -(tail / 2 + 1) * torch.log1p(squared / tail) - root.diagonal(dim1=1, dim2=2).log().sum(1)[:, None]
    # From km across, on which the covariance stands, to radians: the ring is drawn in these.
    log_density = log_density - math.log(2 * math.pi) + distance_km.log()
    if ring:
        z = (range_km - observed_km) / sigma_km
        log_ring = -z.square() / 2 - sigma_km.log() - 1.5 * math.log(2 * math.pi)
        log_density = torch.logaddexp(log_density, log_ring) - math.log(2)
    impossible = (range_km <= 0) | (turned.abs() > math.pi)
    # An area is range times radians times km. What was drawn behind the station, or twice, is no place of its own.
    log_density = (log_density - range_km.clamp_min(1e-6).log()).masked_fill(impossible, torch.inf)
    sideways, outwards_km = range_km * turned.sin(), range_km * turned.cos() - distance_km
    north_km, east_km = (outwards_km * axes[:, 0, i, None] + sideways * axes[:, 1, i, None] for i in (0, 1))
    return Draws(north_km, east_km, log_density)


def _log_likelihood(problem: Problem, point: Tensor, way: Geodesic, scale: Tensor, draws: Draws) -> Tensor:
    """Log likelihood (M, K) at the points, without constants; the scale follows the residuals where it is estimated."""
    m, k = draws.north_km.shape
    there = moved(point[:, None].expand(m, k, 3), draws.north_km, draws.east_km)
    # The sphere is right about differences: the ratio at the solution makes up for the flattening.
    ratio = way.distance_km / (EARTH_RADIUS_KM * angle(point[:, None], problem.station)).clamp_min(1e-6)
    parts = torch.arange(m, device=point.device).split(max(1, PAIRS_IN_CACHE // (k * problem.used.shape[1])))
    costs = [_costs(problem.rows(some), point[some], there[some], ratio[some], scale[some]) for some in parts]
    return -torch.cat(costs).double()


def _costs(problem: Problem, point: Tensor, there: Tensor, ratio: Tensor, scale: Tensor) -> Tensor:
    """Costs (M, K) at points (M, K, 3) around solutions (M, 3); distances are (M, S) times those on the sphere."""
    m, k = there.shape[:2]
    # Single precision after the differences, as for the grid of starts.
    way, step = ((end - point[:, None]).float().permute(2, 0, 1).contiguous() for end in (problem.station, there))
    squared = torch.zeros(m, k, way.shape[2], device=way.device)
    for to_station, to_draw in zip(way, step, strict=True):
        apart = to_station[:, None] - to_draw[:, :, None]
        squared.addcmul_(apart, apart)
    distance_km = squared.sqrt_().div_(2).clamp_(max=1).asin_().mul_((2 * EARTH_RADIUS_KM * ratio).float()[:, None])
    residual = _residuals(problem, there, distance_km).flatten(0, 1)
    if problem.known_scale:
        cost = student.cost(residual, scale.float().repeat_interleave(k), torch.zeros_like(residual[:, 0]))
    else:
        dof = problem.dof.clamp_min(1).float().repeat_interleave(k)
        near = scale.float().repeat_interleave(k)
        cost = student.cost(residual, student.fitted_scale(residual, dof, near), dof)
    return cost.reshape(m, k)


def _residuals(problem: Problem, point: Tensor, distance_km: Tensor) -> Tensor:
    """Residuals (M, K, O) over their sigmas at points (M, K, 3) that far (M, K, S) from the stations."""
    offset_km, sigma_km = (values.float()[:, None] for values in (problem.offset_km, problem.offset_sigma_km))
    residual = distance_residuals(offset_km, sigma_km, problem.growth.float()[:, None, None], distance_km)
    residual = residual * problem.used[:, None]
    if problem.common_share is not None:
        k = residual.shape[1]
        many = (
            values.repeat_interleave(k, 0)
            for values in (problem.used, problem.common_share.float(), problem.dof.float())
        )
        both, _ = without_common(residual.flatten(0, 1), *many, known_scale=problem.known_scale)
        residual = both.reshape(-1, k, both.shape[1])
    if problem.back_azimuth_deg is None or problem.azimuth_sigma_deg is None or problem.azimuth_used is None:
        return residual
    north, east = (axis @ point.transpose(1, 2) for axis in frame(problem.station))
    predicted_deg = azimuth_deg(north, east).transpose(1, 2)
    turn = wrapped_difference_deg(problem.back_azimuth_deg[:, None], predicted_deg)
    turn = (turn / problem.azimuth_sigma_deg[:, None]).float() * problem.azimuth_used[:, None]
    return torch.cat([residual, turn], 2)


def _summary(draws: Draws, log_weight: Tensor, log_likelihood: Tensor) -> Region:
    """Ellipses of weighted points: the shape from those of highest likelihood, the radii from all."""
    weight = (log_weight - log_weight.amax(1, keepdim=True)).exp()
    weight = weight / weight.sum(1, keepdim=True)
    seen = weight.square().sum(1) < 1 / FEWEST_EFFECTIVE
    offset = torch.stack([draws.north_km, draws.east_km], -1)
    order = log_likelihood.argsort(1, descending=True)
    mass = weight.gather(1, order).cumsum(1)
    # Few far points of great weight would otherwise turn the axes; the radii, taken from all, still count them.
    likely = torch.zeros_like(weight).scatter(1, order, (mass <= SHAPE_LEVEL).to(weight.dtype)) * weight
    shape = torch.einsum("mk,mki,mkj->mij", likely, offset, offset) / likely.sum(1)[:, None, None].clamp_min(1e-12)
    squared = torch.einsum("mki,mij,mkj->mk", offset, torch.linalg.pinv(shape), offset)
    squared, order = squared.sort(1)
    held = weight.gather(1, order)
    # Half of a point's own weight lies inside of it.
    held = held.cumsum(1) - held / 2
    radii = [interpolated(held, squared, level).sqrt() for level in (0.68, 0.95)]
    return Region(shape.masked_fill(~seen[:, None, None], torch.nan), *radii)


def interpolated(held: Tensor, squared: Tensor, level: float) -> Tensor:
    """Value (M,) of rising ``squared`` (M, K) where rising ``held`` (M, K) reaches ``level``."""
    last = held.shape[1] - 1
    after = (held < level).sum(1).clamp(1, last)[:, None]
    low, high = held.gather(1, after - 1)[:, 0], held.gather(1, after)[:, 0]
    share = ((level - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
    return torch.lerp(squared.gather(1, after - 1)[:, 0], squared.gather(1, after)[:, 0], share)
