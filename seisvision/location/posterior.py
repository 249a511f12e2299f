"""Ellipses that hold their share of the posterior probability, where a linearised covariance does not.

With errors of a tenth of the distances, and with a station that is much nearer than the others, the region of good
fit is not an ellipse but a bent band, part of a circle around the nearest station. Points are drawn where it may lie,
in the polar coordinates of that station, and weighed by likelihood over density of drawing (importance sampling;
Kong, Liu and Wong 1994, J. Am. Stat. Assoc. 89, 278-288). All places on the map are equally likely beforehand.
"""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seisvision.angles import wrapped_difference_deg
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.points import way_km
from seisvision.earth.unit_vectors import azimuth_deg, frame, moved
from seisvision.location import student
from seisvision.location.arrays import along, arrays, at_least, bound, library, native, numbers, order, single
from seisvision.location.common import without_common
from seisvision.location.descent import Problem
from seisvision.location.plane import Distances, common_growth, plane_about, residuals
from seisvision.location.uncertainty import Uncertainty, chi_square2

FEW_POINTS = 48
MANY_POINTS = 384
NEARLY_LINEAR = 0.15
"""Standard deviation over distance of the nearest station up to which a few points around the solution do."""
LIKE_NORMAL = (38.0, 42.0)
"""Of a few straight draws with known scale some 40 count where the region is an ellipse. With as many the radii are as
near to those of 6,000 points as with many draws, which with fewer and with more they are not."""
FAR_KM = 1e6
"""About a point as far as this nothing is bent."""
FEWEST_KNOWN = 4
"""Distances that an ellipse needs with sigmas,"""
FEWEST_ESTIMATED = 5
"""and without."""
PAIRS_IN_CACHE = 100_000
FEW_PAIRS = 200
"""Events times stations up to which arrays of numpy are quicker, as each pair is computed for many points."""
LEAST = 1e-30
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


Drawing = Literal["straight", "bent", "ring"]


class Draws(NamedTuple):
    """K points around each of M solutions, arrays of numpy or tensors (M, K) in single precision."""

    north_km: Any
    """Way from the solution."""
    east_km: Any
    log_density: Any
    """Of drawing, per area; infinite where a point does not count."""


class Region(NamedTuple):
    """Ellipses of M solutions: radii times the square root of ``shape_km2``."""

    shape_km2: np.ndarray
    """(M, 2, 2) north and east."""
    radius68: np.ndarray
    """(M,)."""
    radius95: np.ndarray
    """(M,)."""


def calibrated(
    problem: Problem,
    point: np.ndarray,
    distance_km: np.ndarray,
    toward: np.ndarray,
    linear: Uncertainty,
    other: np.ndarray,
) -> Uncertainty:
    """Uncertainty whose ellipses hold 68 and 95 % of the posterior of B solutions.

    Args:
        problem: B problems.
        point: (3, B) solutions.
        distance_km: (S, B) from them to the stations.
        toward: (2, S, B) in that direction, north and east.
        linear: uncertainty linearised at the solutions; where it has no ellipse, there is none, and where it estimates
            a scale that ``problem`` knows it is left as it is.
        other: (3, B) second solutions, NaN where there is none: points nearer to these do not count.
    """
    bounded = linear.bounded() & enough(problem, linear.estimated)
    covariance_km2 = np.where(bounded[:, None, None], linear.covariance_km2, np.nan)
    radius95 = np.full_like(linear.scale, np.nan)
    rows = np.flatnonzero(bounded & (linear.estimated != problem.known_scale))
    some = problem.rows(rows)
    # A fitted scale is told as the standard deviation of normal errors; the loss has its own.
    scale = linear.scale[rows] * (1.0 if problem.known_scale else student.NORMAL_SCALE)
    observed = Observed(
        some.used.T,
        some.offset_km.T,
        some.offset_sigma_km.T,
        distance_km[:, rows],
        toward[:, :, rows],
    )
    region = _region(some, point[:, rows], observed, covariance_km2[rows], scale, other[:, rows])
    shrink68, shrink95 = (1 - share * (some.dof + 2) ** SHRINKING_POWER for share in SHRINKING[problem.known_scale])
    normal2 = chi_square2(0.68)
    covariance_km2[rows] = region.shape_km2 * ((region.radius68 * shrink68) ** 2 / normal2)[:, None, None]
    radius95[rows] = math.sqrt(normal2) * region.radius95 * shrink95 / (region.radius68 * shrink68)
    return replace(linear, covariance_km2=covariance_km2, radius95=radius95).limited()


def enough(problem: Problem, estimated: np.ndarray) -> np.ndarray:
    """Bool (B,): there are as many observations as ellipses need to hold what they say, in simulations.

    A back azimuth with a sigma makes up for any number of distances.
    """
    sufficient = problem.dof + 2 >= np.where(estimated, FEWEST_ESTIMATED, FEWEST_KNOWN)
    if problem.azimuth_used is None:
        return sufficient
    return sufficient | (problem.azimuth_used.any(1) & ~estimated)


class Observed(NamedTuple):
    """What was observed of M events at S stations, and where these are from the solutions, arrays (S, M)."""

    used: Any
    offset_km: Any
    sigma_km: Any
    distance_km: Any
    toward: Any
    """(2, S, M) directions: cosine and sine of the azimuth."""

    def rows(self, index: np.ndarray) -> Observed:
        """Those of the events at ``index``."""
        return Observed(*(values[..., index] for values in self))


def _region(
    problem: Problem,
    point: np.ndarray,
    observed: Observed,
    covariance_km2: np.ndarray,
    scale: np.ndarray,
    other: np.ndarray,
) -> Region:
    """Regions of M solutions (3, M) with finite linearised covariance (M, 2, 2) and scale (M,) of the loss."""
    nearest_km = np.where(observed.used, observed.distance_km, np.inf).min(0, initial=np.inf)
    north, across, east = covariance_km2[:, 0, 0], covariance_km2[:, 0, 1], covariance_km2[:, 1, 1]
    largest_km2 = (north + east) / 2 + np.hypot((north - east) / 2, across)
    bent = largest_km2 > (NEARLY_LINEAR * nearest_km) ** 2
    found = Region(np.zeros_like(covariance_km2), np.zeros_like(scale), np.zeros_like(scale))
    effective = np.zeros_like(scale)

    def weigh(part: np.ndarray, count: int, drawing: Drawing) -> None:
        if not len(part):
            return
        some = problem.rows(part)
        of = library(some.offset_km, FEW_PAIRS) if problem.is_plain else torch
        here = Observed(*native(of, *observed.rows(part)))
        shape_km2, size = native(of, covariance_km2[part], scale[part])
        draws = drawn(some, here, shape_km2, size, count, of, drawing)
        log_likelihood = _costs(some, point[:, part], here, size, draws, of)
        log_likelihood *= native(of, -_temper(some).astype(np.float32)[:, None])[0]
        log_weight = log_likelihood - draws.log_density
        _leave_out_nearer(log_weight, draws, point[:, part], other[:, part], of)
        summary = _summary(draws, log_weight, log_likelihood, of)
        for whole, values in zip((*found, effective), summary, strict=True):
            whole[part] = arrays(values)[0]

    # Most regions are nearly ellipses, which few points around the solution describe; only bent ones pay for a ring.
    weigh(np.flatnonzero(~bent), FEW_POINTS, "bent")
    wide = np.flatnonzero(bent)
    if problem.known_scale:
        # Beside a station that says no more than the others, regions are ellipses too.
        weigh(wide[problem.growth[wide] == 0], FEW_POINTS, "straight")
        wide = wide[(effective[wide] < LIKE_NORMAL[0]) | (effective[wide] > LIKE_NORMAL[1])]
    weigh(wide, MANY_POINTS, "ring")
    return found


def _temper(problem: Problem) -> np.ndarray:
    """Power (M,) of the likelihood that makes the robust loss as certain of normal errors as its estimates are.

    It is E psi' / E psi^2. With estimated scale, the profile over it falls with the power of dof where the marginal
    likelihood falls with that of all observations.
    """
    if problem.known_scale:
        return np.full_like(problem.dof, student.TEMPER_KNOWN)
    return (problem.dof + 2) / np.maximum(problem.dof, 1) / student.VARIANCE_FITTED


def _leave_out_nearer(log_weight: Any, draws: Draws, point: np.ndarray, other: np.ndarray, of: Any) -> None:
    """Draws that are nearer to other solutions (3, M), where there are such, than to these (3, M) do not count."""
    rows = np.flatnonzero(np.isfinite(other[0]))
    if not len(rows):
        return
    to_other_km = way_km(point[:, rows], other[:, rows])
    north, east, half_km2 = native(of, *to_other_km[..., None], (to_other_km**2).sum(0)[:, None] / 2)
    some = native(of, rows)[0]
    weight = log_weight[some]
    weight[draws.north_km[some] * north + draws.east_km[some] * east > half_km2] = -math.inf
    log_weight[some] = weight


def drawn(
    problem: Problem, observed: Observed, covariance_km2: Any, scale: Any, count: int, of: Any, drawing: Drawing
) -> Draws:
    """Points around solutions, ``bent`` in the polar coordinates of the nearest station, or ``straight``.

    Half of them, or all, follow a Student distribution of the linearised covariance, with the radial direction along
    the way from the station and the transverse one bent around it. With ``ring`` the other half lie all around the
    station at its observed distance.
    """
    ring = drawing == "ring"
    number = numbers(len(scale), scale)
    nearest = of.where(observed.used, observed.distance_km, math.inf).argmin(0)

    def there(values: Any) -> Any:
        return single(values[nearest, number])[:, None]

    # The ways lead to the stations; seen from the station, outward is the other way. Along it and across it a bent
    # region is straight.
    out_north, out_east = (-there(values) for values in observed.toward)
    distance_km = at_least(there(observed.distance_km), FAR_KM if drawing == "straight" else 1e-3)
    root = _root(out_north, out_east, single(covariance_km2))
    tail = TAIL_DOF
    if not problem.known_scale:
        tail = native(of, np.clip(problem.dof, 1, TAIL_DOF)[:, None].astype(np.float32))[0]
    share, cosine, sine, around, deviate = native(of, *_spiral(count))
    # The radius within which a Student distribution of the plane has this share, in closed form.
    squared = tail * ((1 - share) ** (-2 / tail) - 1)
    far = of.sqrt(squared)
    first, second = far * cosine, far * sine
    radial_km, turned = root[0] * first, (root[1] * first + root[2] * second) / distance_km
    if ring:
        observed_km = there(observed.offset_km)
        sigma_km = WIDER * (single(scale)[:, None] * there(observed.sigma_km))
        odd = numbers(count, share) % 2 == 1
        radial_km = of.where(odd, observed_km - distance_km + sigma_km * deviate, radial_km)
        turned = of.where(odd, around, turned)
        first = radial_km / root[0]
        second = (distance_km * turned - root[1] * first) / root[2]
        squared = first * first + second * second
    # From km across, on which the covariance stands, to radians: the ring is drawn in these.
    log_density = -(tail / 2 + 1) * of.log1p(squared / tail) - of.log(2 * math.pi * root[0] * root[2] / distance_km)
    range_km = distance_km + radial_km
    if ring:
        z = (range_km - observed_km) / sigma_km
        log_density = of.logaddexp(log_density, -z * z / 2 - of.log(sigma_km) - 1.5 * math.log(2 * math.pi))
        log_density = log_density - math.log(2)
    # An area is range times radians times km. What was drawn behind the station, or twice, is no place of its own.
    log_density = log_density - of.log(at_least(range_km, 1e-6))
    log_density[of.where((range_km <= 0) | (abs(turned) > math.pi))] = math.inf
    # Not the difference of two long ways, which single precision would not have.
    outwards_km, sideways_km = radial_km - 2 * range_km * of.sin(turned / 2) ** 2, range_km * of.sin(turned)
    return Draws(
        outwards_km * out_north - sideways_km * out_east, outwards_km * out_east + sideways_km * out_north, log_density
    )


def _root(cosine: Any, sine: Any, covariance_km2: Any) -> tuple[Any, Any, Any]:
    """Cholesky's factors (M, 1), widened, of covariances (M, 2, 2) along a direction and across it."""
    north, both, east = (covariance_km2[:, i, j, None] for i, j in ((0, 0), (0, 1), (1, 1)))
    length2 = north * cosine * cosine + 2 * both * cosine * sine + east * sine * sine
    mixed = (east - north) * cosine * sine + both * (cosine * cosine - sine * sine)
    first = length2**0.5
    # The determinant stays what it is when axes are turned.
    last = at_least((north * east - both * both) / length2, LEAST) ** 0.5
    return WIDER * first, WIDER * mixed / first, WIDER * last


@functools.cache
def _spiral(count: int) -> tuple[np.ndarray, ...]:
    """Of K points: share of the distribution within them, two directions, an angle from -pi to pi, a deviate.

    A golden spiral covers the distribution more evenly than random numbers, and is the same wherever it is drawn.
    """
    node = torch.arange(count, dtype=torch.float64)
    turn, share = 2 * math.pi * ((node * GOLDEN) % 1), (node + 0.5) / count
    every = share, turn.cos(), turn.sin(), turn - math.pi, torch.special.ndtri(share)
    return tuple(values.float().numpy() for values in every)


def _costs(problem: Problem, point: np.ndarray, observed: Observed, scale: Any, draws: Draws, of: Any) -> Any:
    """Costs (M, K), without constants, at draws around solutions (3, M); scales follow residuals where estimated."""
    # A plane about the solution, where the stations are as far and in the same direction as on the ellipsoid: the
    # sphere is right about differences. Squared sines of half a distance are products of four numbers of a station
    # and four of a place.
    cosine, toward = plane_about(observed.distance_km, observed.toward, of)
    station = of.stack([cosine * cosine, (toward * toward).sum(0), *(-2 * cosine * toward)]).swapaxes(0, 2)
    range_km = of.hypot(draws.north_km, draws.east_km)
    stretch = of.tan(range_km / (2 * EARTH_RADIUS_KM)) / at_least(range_km, 1e-9)
    north, east = draws.north_km * stretch, draws.east_km * stretch
    radius2 = north * north + east * east
    inverse = (1 + radius2) ** -1.0
    place = of.stack([radius2 * inverse, inverse, north * inverse, east * inverse], 1)
    distances = Distances(
        offset_km=single(observed.offset_km).T[..., None],
        precision=single(observed.used / observed.sigma_km).T[..., None],
        growth=native(of, problem.growth[:, None, None].astype(np.float32))[0],
        dof=native(of, np.maximum(problem.dof, 1)[:, None].astype(np.float32))[0],
        is_known=problem.known_scale,
        common_growth=common_growth(problem.growth),
    )
    at_once = max(1, PAIRS_IN_CACHE // (place.shape[2] * station.shape[1]))
    costs = []
    for some in (slice(i, i + at_once) for i in range(0, len(station), at_once)):
        distance_km = station[some] @ place[some]
        bound(distance_km, 0, 1)
        of.sqrt(distance_km, out=distance_km)
        of.arcsin(distance_km, out=distance_km)
        distance_km *= 2 * EARTH_RADIUS_KM
        here = distances.events(some)
        residual = residuals(here, distance_km, of)[0]
        if not problem.is_plain:
            solution = torch.from_numpy(point[:, some].T)
            residual = _with_others(problem.rows(some).tensors(), solution, draws, some, residual)
        likely = single(scale[some])[:, None]
        if problem.known_scale:
            costs.append(student.summed_cost(residual, likely, of))
        else:
            fitted = student.fitted_scale(residual, here.dof, likely)
            costs.append(student.summed_cost(residual, fitted, of) + here.dof * of.log(fitted))
    return of.concatenate(costs)


def _with_others(problem: Problem, point: Tensor, draws: Draws, some: slice, residual: Tensor) -> Tensor:
    """Residuals (M, O, K) over their sigmas, of common errors and back azimuths too, from those of distances."""
    k = residual.shape[2]
    if problem.common_share is not None:
        many = (
            values.repeat_interleave(k, 0)
            for values in (problem.used, problem.common_share.float(), problem.dof.float())
        )
        both, _ = without_common(residual.transpose(1, 2).flatten(0, 1), *many, known_scale=problem.known_scale)
        residual = both.reshape(-1, k, both.shape[1]).transpose(1, 2).contiguous()
    if problem.back_azimuth_deg is None or problem.azimuth_sigma_deg is None or problem.azimuth_used is None:
        return residual
    steps = draws.north_km[some].double(), draws.east_km[some].double()
    there = moved(point[:, None].expand(-1, k, 3), *steps)
    north, east = (axis @ there.transpose(1, 2) for axis in frame(problem.station))
    turn = wrapped_difference_deg(problem.back_azimuth_deg[..., None], azimuth_deg(north, east))
    turn = (turn / problem.azimuth_sigma_deg[..., None]).float() * problem.azimuth_used[..., None]
    return torch.cat([residual, turn], 1)


def _summary(draws: Draws, log_weight: Any, log_likelihood: Any, of: Any) -> tuple[Any, Any, Any, Any]:
    """Shapes (M, 2, 2) and two radii (M,) of weighted points, and how many of these count.

    The shape is that of the likeliest, the radii are those of all.
    """
    weight = of.exp(log_weight - of.amax(log_weight, 1)[:, None])
    weight = weight / weight.sum(1)[:, None]
    effective = (weight * weight).sum(1) ** -1.0
    # Few far points of great weight would otherwise turn the axes; the radii, taken from all, still count them.
    likeliest = order(-log_likelihood)
    count, every = (along(weight, likeliest).cumsum(1) <= SHAPE_LEVEL).sum(1)[:, None], weight.shape[1]
    bound = along(log_likelihood, along(likeliest, count.clip(0, every - 1)))
    likely = weight * ((log_likelihood > bound) | (count == every))
    north, east = draws.north_km, draws.east_km
    total = at_least(likely.sum(1), 1e-12)
    a, b, d = ((likely * product).sum(1) / total for product in (north * north, north * east, east * east))
    squared = d[:, None] * north * north - 2 * b[:, None] * north * east + a[:, None] * east * east
    squared = squared / at_least(a * d - b * b, LEAST)[:, None]
    outwards = order(squared)
    squared, held = along(squared, outwards), along(weight, outwards)
    # Half of a point's own weight lies inside of it.
    held = held.cumsum(1) - held / 2
    shape = of.where(effective > FEWEST_EFFECTIVE, of.stack([a, b, b, d]), math.nan).T.reshape(-1, 2, 2)
    radius68, radius95 = (interpolated(held, squared, level) ** 0.5 for level in (0.68, 0.95))
    return shape, radius68, radius95, effective


def interpolated(held: Any, squared: Any, level: float) -> Any:
    """Value (M,) of rising ``squared`` (M, K) where rising ``held`` (M, K) reaches ``level``."""
    after = (held < level).sum(1).clip(1, held.shape[1] - 1)[:, None]
    (low, first), (high, second) = ((along(held, n)[:, 0], along(squared, n)[:, 0]) for n in (after - 1, after))
    return first + ((level - low) / at_least(high - low, 1e-12)).clip(0, 1) * (second - first)
