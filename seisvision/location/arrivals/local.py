"""Descents to hypocentres in the plane that touches the ground at a centre, in single precision.

These steps are what locating takes most of its time for. Here they read half as many bytes, turn no coordinates and
take the origin time as a fourth unknown. The ground is that of a sphere; what comes of it is good to some ten metres,
from where a step on the ellipsoid in double precision (:mod:`seisvision.location.arrivals.descent`) ends at the
minimum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.travel_time_table import Columns, TravelTimes
from seisvision.earth.unit_vectors import frame
from seisvision.location.arrivals.problem import LEAST, SQUARED_ECCENTRICITY, Problem, geocentric_km
from seisvision.location.student import DEGREES_OF_FREEDOM

MAX_ITERATIONS = 20
CONVERGED_KM = 2e-3
CONVERGED_GAIN = 2e-5
"""Of the cost by the next step, below which a descent has ended; twice this is the square of standard deviations."""
FIRST_DAMPING, LEAST_DAMPING, REFUSED_DAMPING, FREE_DAMPING, MOST_DAMPING = 1e-2, 1e-6, 1e-3, 0.1, 1e6
LONGEST_STEP_KM = 300.0
START_ROUNDS, ORIGIN_ROUNDS = 5, 2
ROUNDING = 2e-6
"""Of a cost, by which single precision may be wrong."""
LEAST_PRECISION = 1e-8
LEAVING = 0.7
"""Problems that are still going leave the finished ones behind when they are fewer than this share."""
HOPELESS = 12.0
"""Negative log likelihood above the best of an event with which a descent is given up. A second solution may have 3."""
MERGED_EVERY = 3
"""Steps after which descents that have met go on as one."""
NEAR_GAIN, LEAST_BEND = 0.5, 0.05
WELL = 0.25
"""Share of what a step promised from which on the next one is damped less."""
PROMISES = 20.0
"""What the next step promises, times this, is what a descent may still gain."""


@dataclass(frozen=True)
class LocalProblem:
    """M problems of S picks without waiting stations and priors, in kilometres north, east and down of centres."""

    station_km: Tensor
    """(M, 3, S)."""
    foot_km: Tensor
    """(M, 3, S) the same at elevation zero."""
    time_s: Tensor
    """(M, S) since the first pick."""
    precision: Tensor
    """(M, S) one over sigma, zero where there is no pick."""
    columns: Columns
    limits_km: Tensor
    """(M, 2)."""
    origin_km: Tensor
    """float64 (M, 3) geocentric places of the centres."""
    axes: Tensor
    """float64 (M, 3, 3) north, east and down in columns."""
    first_s: Tensor
    """float64 (M,) the first pick."""
    travel_times: TravelTimes
    slowness_s_km: Tensor | None = None
    """(M, S) of straight rays, which stand for the table where they are given."""

    @classmethod
    def of(cls, problem: Problem, centre: Tensor) -> LocalProblem:
        """About unit vectors (M, 3)."""
        origin_km = geocentric_km(centre, torch.zeros_like(centre[:, 0]))
        axes = torch.stack([*frame(centre), -centre], -1)
        turned = axes.transpose(1, 2)
        station, foot = (
            (turned @ (place - origin_km[:, None]).transpose(1, 2)).float()
            for place in (problem.station_km, problem.foot_km)
        )
        first_s = torch.where(problem.used, problem.time_s, torch.inf).amin(1)
        time_s = torch.where(problem.used, problem.time_s - first_s[:, None], 0.0).float()
        precision = (problem.used / problem.sigma_s).float()
        columns = problem.travel_times.columns(problem.phase, problem.elevation_km)
        limits = problem.limits_km.float()
        return cls(station, foot, time_s, precision, columns, limits, origin_km, axes, first_s, problem.travel_times)

    def rows(self, index: Tensor) -> LocalProblem:
        """The problems at ``index``, which may repeat."""
        tensors = {name: value[index] for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, columns=Columns(*(value[index] for value in self.columns)), **tensors)  # type: ignore[arg-type]

    def places(self, point: Tensor, depth_km: Tensor) -> Tensor:
        """float32 (M, 3) north, east and depth of unit vectors (M, 3) of the ground and depths (M,)."""
        ground = geocentric_km(point, torch.zeros_like(depth_km)) - self.origin_km
        flat = (ground[:, None] @ self.axes)[:, 0, :2]
        return torch.cat([flat, depth_km[:, None]], 1).float()

    def points(self, place: Tensor) -> Tensor:
        """Unit vectors (M, 3) of geodetic coordinates of the ground above places (M, 3)."""
        place = place.double()
        ground = torch.cat([place[:, :2], fall_km(place[:, :2].square().sum(1))[:, None]], 1)
        geocentric = self.origin_km + (self.axes @ ground[:, :, None])[..., 0]
        normal = geocentric * geocentric.new_tensor([1.0, 1.0, 1 / (1 - SQUARED_ECCENTRICITY)])
        return normal / torch.linalg.vector_norm(normal, dim=1, keepdim=True)


class LocalState(NamedTuple):
    """Hypocentres of N problems with their cost and its local model."""

    place: Tensor
    """(N, 4) north, east, depth and origin time since the first pick."""
    cost: Tensor
    """(N,)."""
    downhill: Tensor
    """(N, 4)."""
    information: Tensor
    """(N, 4, 4)."""

    def rows(self, index: Tensor) -> LocalState:
        """The states at ``index``."""
        return LocalState(*(value[index] for value in self))

    def place_rows(self, index: Tensor, part: LocalState) -> None:
        """Put those of ``part`` at ``index``."""
        for whole, values in zip(self, part, strict=True):
            whole[index] = values


def local_descent(
    problem: LocalProblem,
    event: Tensor,
    start: Tensor,
    same_km: float,
    max_iterations: int = MAX_ITERATIONS,
    least_gain: float = CONVERGED_GAIN,
    hopeless: float = HOPELESS,
) -> tuple[Tensor, LocalState]:
    """Near the minima that places lead to, within the limits of the depth, and the numbers of their events.

    Of descents of one event that come closer than ``same_km`` the best goes on.

    Args:
        problem: of M events.
        event: int64 (N,), rising.
        start: (N, 3); origin times are the likeliest ones.
        same_km: see above.
        max_iterations: of each.
        least_gain: of the cost, which a further step has to promise.
        hopeless: cost above the best of an event with which a descent is given up.
    """
    active = problem.rows(event)
    state = _evaluated(active, torch.cat([start, _origin_s(active, start)[:, None]], 1))
    final = LocalState(*(value.clone() for value in state))
    alive = torch.ones_like(event, dtype=torch.bool)
    going, rows = alive.clone(), torch.arange(len(event), device=event.device)
    damping, expected = torch.full_like(state.cost, FIRST_DAMPING), state.cost.clone()
    for iteration in range(1, max_iterations + 1):
        step, promised = _step(state, damping, active.limits_km)
        low, high = active.limits_km.unbind(1)
        trial = state.place + step
        trial[:, 2] = torch.clamp(trial[:, 2], low, high)
        there = _evaluated(active, trial, (promised < NEAR_GAIN) & (damping < FREE_DAMPING))
        better = there.cost <= state.cost * (1 + ROUNDING)
        well = state.cost - there.cost > WELL * promised
        state = LocalState(
            *(torch.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(there, state, strict=True))
        )
        short = torch.linalg.vector_norm(step[:, :3], dim=1) < CONVERGED_KM
        going &= ~(short | ((promised < least_gain) & (damping < FREE_DAMPING))) & (damping < MOST_DAMPING)
        easier = torch.where(well, damping / 10, damping * 2).clamp_min(LEAST_DAMPING)
        damping = torch.where(better, easier, (damping * 10).clamp_min(REFUSED_DAMPING))
        merging = iteration % MERGED_EVERY == 0
        if merging:
            final.place_rows(rows, state)
            expected[rows] = state.cost - PROMISES * promised
            alive &= _goes_on(final, event, alive, same_km)
            least = torch.full_like(problem.first_s, torch.inf, dtype=final.cost.dtype)
            alive &= expected < least.scatter_reduce(0, event, final.cost, "amin")[event] + hopeless
            going &= alive[rows]
        left = int(going.sum())
        if not left:
            break
        if left < LEAVING * len(rows):
            if not merging:
                final.place_rows(rows, state)
            some = going.nonzero()[:, 0]
            rows, damping, going = rows[some], damping[some], going[some]
            active, state = active.rows(some), state.rows(some)
    final.place_rows(rows, state)
    kept = _goes_on(final, event, alive, same_km).nonzero()[:, 0]
    return event[kept], final.rows(kept)


def _goes_on(state: LocalState, event: Tensor, alive: Tensor, same_km: float) -> Tensor:
    """Bool (N,): those of the living that no better one of their event is near."""
    here = alive.nonzero()[:, 0]
    n_events = int(event[-1]) + 1 if len(event) else 0
    kept = distinct_places(event[here], state.place[here, :3], state.cost[here], n_events, same_km)
    return torch.zeros_like(alive).index_fill(0, here[kept], True)


def _evaluated(problem: LocalProblem, place: Tensor, near: Tensor | None = None) -> LocalState:
    """State at places (N, 4), of which some (N,) are near the minimum."""
    nu = DEGREES_OF_FREEDOM
    travel, design = _predicted(problem, place)
    late = (problem.time_s - place[:, 3:]).sub_(travel)
    squared = problem.precision.square()
    for _ in range(ORIGIN_ROUNDS):
        weight = squared / (squared * late.square()).add_(nu)
        more = (weight * late).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp_min_(LEAST)
        late -= more
        place = torch.cat([place[:, :3], place[:, 3:] + more], 1)
    ratio = (late * problem.precision).square_().div_(nu)
    cost = (nu + 1) / 2 * torch.log1p(ratio).sum(1)
    share = ratio.add_(1).reciprocal_()
    weight = squared.mul_(share).mul_((nu + 1) / nu)
    downhill = (design @ (weight * late)[..., None])[..., 0]
    curvature = weight
    if near is not None:
        # Near the minimum the second derivative of the loss, kept from turning negative, makes steps that do not have
        # to be repeated; far from it only the reweighted parabola is sure not to lie below the loss.
        bend = share.mul_(2).sub_(1).clamp_min_(LEAST_BEND).mul_(weight)
        curvature = torch.where(near[:, None], bend, weight)
    return LocalState(place, cost, downhill, (design * curvature[:, None]) @ design.transpose(1, 2))


def _origin_s(problem: LocalProblem, place: Tensor) -> Tensor:
    """Likeliest origin times (N,) at places (N, 3), by reweighting from the median on."""
    delay_s = problem.time_s - _predicted(problem, place)[0]
    origin_s = torch.where(problem.precision > 0, delay_s, torch.nan).nanmedian(1).values
    squared = problem.precision.square()
    for _ in range(START_ROUNDS):
        late = delay_s - origin_s[:, None]
        weight = squared / (squared * late.square()).add_(DEGREES_OF_FREEDOM)
        origin_s = origin_s + (weight * late).sum(1) / weight.sum(1).clamp_min(LEAST)
    return origin_s


def _predicted(problem: LocalProblem, place: Tensor) -> tuple[Tensor, Tensor]:
    """Travel times (N, S) and derivatives (N, 4, S) of arrivals by north, east, depth and origin time."""
    north, east, depth = (place[:, i, None] for i in range(3))
    fall = fall_km(north.square() + east.square())
    station = problem.station_km
    shrunk = 1 - depth / EARTH_RADIUS_KM
    way_north, way_east = station[:, 0] - north * shrunk, station[:, 1] - east * shrunk
    way_down = station[:, 2] - (fall + depth - depth * fall / EARTH_RADIUS_KM)
    straight = _length(way_north, way_east, way_down)
    # Where the ground falls away, a step along it leads down, too.
    by_north, by_east = north / (EARTH_RADIUS_KM - fall), east / (EARTH_RADIUS_KM - fall)
    design = torch.empty((len(place), 4, straight.shape[1]), dtype=place.dtype, device=place.device)
    if problem.slowness_s_km is not None:
        ratio = problem.slowness_s_km
        along = ratio / straight
        torch.mul(along, torch.addcmul(way_north, by_north, way_down).mul_(-shrunk), out=design[:, 0])
        torch.mul(along, torch.addcmul(way_east, by_east, way_down).mul_(-shrunk), out=design[:, 1])
        torch.mul(along, way_down, out=design[:, 2]).neg_()
    else:
        foot = problem.foot_km
        to_north, to_east, to_down = foot[:, 0] - north, foot[:, 1] - east, foot[:, 2] - fall
        length = _length(to_north, to_east, to_down)
        half = (length / (2 * EARTH_RADIUS_KM)).clamp_max_(1)
        stretch = (1 - half.square()).clamp_min_(0.01).rsqrt_()
        ratio, by_depth, by_distance = problem.travel_times.single_ratio(
            problem.columns, depth, half.asin_().mul_(2 * EARTH_RADIUS_KM)
        )
        along, across = -ratio / straight, by_distance.mul_(straight).mul_(stretch).div_(length).neg_()
        along_down = along * shrunk
        torch.mul(along_down, torch.addcmul(way_north, by_north, way_down), out=design[:, 0])
        torch.mul(along_down, torch.addcmul(way_east, by_east, way_down), out=design[:, 1])
        design[:, 0].addcmul_(across, torch.addcmul(to_north, by_north, to_down))
        design[:, 1].addcmul_(across, torch.addcmul(to_east, by_east, to_down))
        torch.addcmul(along * way_down, by_depth, straight, out=design[:, 2])
    design[:, 3] = 1
    return ratio * straight, design


def _length(north: Tensor, east: Tensor, down: Tensor) -> Tensor:
    return torch.addcmul(north.square(), east, east).addcmul_(down, down).clamp_min_(1e-6).sqrt_()


def fall_km(squared_km2: Tensor) -> Tensor:
    """How far the ground lies below the plane that touches it, at squared distances from the centre."""
    # Not the difference of two large numbers, which single precision would not have.
    return squared_km2 / ((EARTH_RADIUS_KM**2 - squared_km2).clamp_min(1.0).sqrt() + EARTH_RADIUS_KM)


def _step(state: LocalState, damping: Tensor, limits_km: Tensor) -> tuple[Tensor, Tensor]:
    """Damped steps (N, 4) and what they promise to gain (N,); a depth at its limit stays where that is lower."""
    whole = state.information
    total = whole[:, 3, 3].clamp_min(LEAST)
    pull = whole[:, :3, 3] / total[:, None]
    information = torch.baddbmm(whole[:, :3, :3], (total[:, None] * pull)[:, :, None], pull[:, None], alpha=-1)
    downhill = torch.addcmul(state.downhill[:, :3], state.downhill[:, 3:], pull, value=-1)
    depth, down = state.place[:, 2], downhill[:, 2]
    kept = ((depth <= limits_km[:, 0]) & (down <= 0)) | ((depth >= limits_km[:, 1]) & (down >= 0))
    size = information.diagonal(dim1=1, dim2=2)
    ridge = damping[:, None] * torch.maximum(size, size.mean(1, keepdim=True)) + LEAST_PRECISION
    ridge[:, 2] = torch.where(kept, 1e9 * size.amax(1).clamp_min(1e-6), ridge[:, 2])
    step = solved(information, ridge, downhill)
    length = torch.linalg.vector_norm(step, dim=1, keepdim=True)
    step = step * (LONGEST_STEP_KM / length.clamp_min(LONGEST_STEP_KM))
    origin = state.downhill[:, 3] / total - (pull * step).sum(1)
    # Half of the gradient along the step: what a parabola gains, and a little less than a damped step does.
    promised = ((downhill * step).sum(1) + state.downhill[:, 3].square() / total) / 2
    return torch.cat([step, origin[:, None]], 1), promised


def solved(information: Tensor, ridge: Tensor, downhill: Tensor) -> Tensor:
    """Solutions (..., 3) of symmetric equations of three unknowns, by Cholesky's factors written out."""
    # Matrices this small are slow to factor in a library.
    a = (information[..., 0, 0] + ridge[..., 0]).rsqrt()
    b, c = information[..., 1, 0] * a, information[..., 2, 0] * a
    d = (information[..., 1, 1] + ridge[..., 1] - b * b).clamp_min(1e-12).rsqrt()
    e = (information[..., 2, 1] - b * c) * d
    f = (information[..., 2, 2] + ridge[..., 2] - c * c - e * e).clamp_min(1e-12).rsqrt()
    x, y, z = downhill.unbind(-1)
    x = x * a
    y = (y - b * x) * d
    z = (z - c * x - e * y) * f
    z = z * f
    y = (y - e * z) * d
    return torch.stack([(x - b * y - c * z) * a, y, z], -1)


def distinct_places(
    event: Tensor,
    place: Tensor,
    cost: Tensor,
    n_events: int,
    same_km: float,
    hopeless: float = torch.inf,
    *,
    only_best: bool = False,
) -> Tensor:
    """Numbers of the best of the places (N, 3) of each event and of those elsewhere that are not hopeless.

    They come by event, the best first.
    """
    order = cost.argsort(stable=True)
    order = order[event[order].argsort(stable=True)]
    event, cost, place = event[order], cost[order], place[order]
    first = torch.searchsorted(event, torch.arange(n_events, device=event.device))
    if only_best:
        return order[first]
    rank = torch.arange(len(event), device=event.device) - first[event]
    keep = cost - cost[first[event]] < hopeless
    for back in range(1, int(rank.max()) + 1 if len(rank) else 1):
        # Compared with every better one of its event, kept or not: what is near a repetition is one too.
        near = torch.linalg.vector_norm(place[back:] - place[:-back], dim=1) < same_km
        keep[back:] &= ~(near & (event[back:] == event[:-back]))
    return order[keep]
