"""Where the descent starts: around the station that the wave reached first, and on the other side of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.unit_vectors import moved
from seisvision.location.arrivals.descent import State, descend
from seisvision.location.arrivals.posterior import covariance_km2, is_straight
from seisvision.location.arrivals.problem import SQUARED_ECCENTRICITY, Problem, geocentric_km, predicted
from seisvision.location.arrivals.rough import straight_descent

RADII = (0.15, 0.5, 1.2, 3.0)
"""Of rings around the station, over its distance from the farthest other."""
DIRECTIONS = 8
LEAST_APERTURE_KM = 5.0
START_DEPTH_KM = 10.0
EARLY_ITERATIONS = 8
ROUGH_KM = 0.1
END_SIGMAS = 2.0
FEW_PICKS = 8
ROUGHLY_SAME_KM = 1.0
SAME_KM = 0.3
"""Minima closer than this are one."""
HOPELESS = 12.0
"""Negative log likelihood above the best of an event with which a start is given up. A second solution may have 3."""
FARTHEST, FAR_COST = 4.0, 1e6
"""Minima farther from the nearest station than this many sizes of the network count only where there is no other."""
SOFT_SHARE = 0.05
"""Travel times of the candidates are good to this share."""


@dataclass(frozen=True)
class Minima:
    """The best minimum of M events, and another one where there is one."""

    best: State
    second: State
    has_second: Tensor
    """(M,) bool."""

    def replaced(self, rows: Tensor, part: Minima) -> Minima:
        """With those of ``part`` at ``rows``."""
        best, second = (
            State(*(a.index_copy(0, rows, b) for a, b in zip(vars(old).values(), vars(new).values(), strict=True)))
            for old, new in ((self.best, part.best), (self.second, part.second))
        )
        return Minima(best, second, self.has_second.index_copy(0, rows, part.has_second))


def minima(problem: Problem) -> Minima:
    """The best minima that are reached from the starts.

    The first steps are made with sigmas as wide as the starts are rough: with sharp ones the robust loss takes most
    picks of a rough start for wrong and is at rest anywhere.
    """
    first = starts(problem)
    m = len(first.point)
    first_s = torch.where(problem.used, problem.time_s, torch.inf).amin(1)
    last_s = torch.where(problem.used, problem.time_s, -torch.inf).amax(1)
    soft_s = torch.hypot(3 * problem.sigma_s, SOFT_SHARE * (last_s - first_s)[:, None])
    # Straight rays know neither stations that wait nor what is known beforehand, and with few picks they lose minima.
    slow = problem.waiting.any(1) | problem.prior_sigma_km.isfinite().any(1) | (problem.count <= FEW_PICKS)
    parts = []
    for rows, descent in ((slow.nonzero()[:, 0], _through_table), ((~slow).nonzero()[:, 0], _along_straight_rays)):
        if len(rows):
            some = Starts(*(value[rows] for value in vars(first).values()))
            number, reached = descent(problem.rows(rows), some, soft_s[rows])
            parts.append((rows[number], reached))
    event, found = torch.cat([number for number, _ in parts]), parts[0][1]
    for _, more in parts[1:]:
        found = found.joined(more)
    found = _without_far(problem, event, found)
    row, ends = _ends(problem, found.rows(distinct(event, found, m, SAME_KM, only_best=True)))
    if len(row):
        ends = _without_far(problem, row, ends)
        event, found = torch.cat([event, row]), found.joined(ends)
    kept = distinct(event, found, m, SAME_KM)
    event, found = event[kept], found.rows(kept)
    best = torch.searchsorted(event, torch.arange(m, device=event.device))
    after = (best + 1).clamp_max(len(event) - 1)
    return Minima(found.rows(best), found.rows(after), (after > best) & (event[after] == event[best]))


def _through_table(problem: Problem, first: Starts, soft_s: Tensor) -> tuple[Tensor, State]:
    """Event numbers (N,) and minima (N,), first with wide sigmas (M, S) and then with the real ones."""
    m, k = first.point.shape[:2]
    event = torch.arange(m, device=soft_s.device).repeat_interleave(k)
    rough, depth_km = replace(problem, sigma_s=soft_s), first.depth_km.repeat_interleave(k)
    early = descend(rough.rows(event), first.point.flatten(0, 1), depth_km, None, EARLY_ITERATIONS, ROUGH_KM)
    kept = distinct(event, early, m, ROUGHLY_SAME_KM)
    event, early = event[kept], early.rows(kept)
    return event, descend(problem.rows(event), early.point, early.depth_km, early.origin_s)


def _along_straight_rays(problem: Problem, first: Starts, soft_s: Tensor) -> tuple[Tensor, State]:
    """The same, the first steps along straight rays."""
    depth_km = _two_depths(problem, first.depth_km[:, None].expand(first.point.shape[:2]))
    start = first.point.repeat(1, 2, 1)
    point, depth_km = straight_descent(problem, first.centre, start, depth_km, first.slowness_s_km, soft_s)
    kept = _apart(point, depth_km)
    event = kept.nonzero()[:, 0]
    return event, descend(problem.rows(event), point[kept], depth_km[kept])


def _two_depths(problem: Problem, depth_km: Tensor) -> Tensor:
    """Shallow and deep starts (M, 2 K) in place of depths (M, K): few picks may fit at either."""
    both = torch.cat([depth_km / 4, depth_km * 2], 1)
    return torch.maximum(torch.minimum(both, problem.limits_km[:, 1:]), problem.limits_km[:, :1])


def _without_far(problem: Problem, event: Tensor, found: State) -> State:
    return replace(found, cost=found.cost + FAR_COST * _is_far(problem.rows(event), found).to(found.cost.dtype))


def _ends(problem: Problem, best: State) -> tuple[Tensor, State]:
    """Event numbers (N,) and where the descent ends that starts from both ends of regions in which times are bent.

    There a depth on the other side of an interface may fit as well or better.
    """
    linear_km2 = covariance_km2(problem, best)
    there = predicted(problem, best.point, best.depth_km)
    row = (~is_straight(problem, best, there, linear_km2)).nonzero()[:, 0]
    values, axes = torch.linalg.eigh(linear_km2[row])
    way = END_SIGMAS * values[:, 2, None].sqrt() * axes[:, :, 2]
    row, way = row.repeat(2), torch.cat([way, -way])
    some, start = problem.rows(row), best.rows(row)
    depth_km = torch.clamp(start.depth_km + way[:, 2], some.limits_km[:, 0], some.limits_km[:, 1])
    return row, descend(some, moved(start.point, way[:, 0], way[:, 1]), depth_km, start.origin_s)


def _apart(point: Tensor, depth_km: Tensor) -> Tensor:
    """Bool (M, K): hypocentres that no earlier one of their event repeats."""
    place = geocentric_km(point, -depth_km)
    near = torch.linalg.vector_norm(place[:, :, None] - place[:, None], dim=3) < ROUGHLY_SAME_KM
    return ~near.tril(-1).any(2)


def _is_far(problem: Problem, state: State) -> Tensor:
    """Bool (N,): the place is so far from all stations that only the bounded cost of wrong picks can have led there."""
    surface = geocentric_km(state.point, torch.zeros_like(state.depth_km))
    away = torch.linalg.vector_norm(problem.foot_km - surface[:, None], dim=2)
    apart = torch.linalg.vector_norm(problem.foot_km - problem.foot_km[:, :1], dim=2)
    seen = problem.used | problem.waiting
    return torch.where(seen, away, torch.inf).amin(1) > FARTHEST * torch.where(seen, apart, 0.0).amax(1) + 100


def distinct(event: Tensor, state: State, n_events: int, same_km: float, *, only_best: bool = False) -> Tensor:
    """Row numbers of the best state of each event and of those elsewhere that are not hopeless; the best first."""
    order = state.cost.argsort(stable=True)
    order = order[event[order].argsort(stable=True)]
    event, cost = event[order], state.cost[order]
    place = geocentric_km(state.point[order], -state.depth_km[order])
    first = torch.searchsorted(event, torch.arange(n_events, device=event.device))
    if only_best:
        return order[first]
    rank = torch.arange(len(event), device=event.device) - first[event]
    keep = cost - cost[first[event]] < HOPELESS
    for back in range(1, int(rank.max()) + 1 if len(rank) else 1):
        # Compared with every better one of its event, kept or not: what is near a repetition is one too.
        near = torch.linalg.vector_norm(place[back:] - place[:-back], dim=1) < same_km
        keep[back:] &= ~(near & (event[back:] == event[:-back]))
    return order[keep]


@dataclass(frozen=True)
class Starts:
    """Where the descent starts in M events."""

    point: Tensor
    """(M, 3, 3) unit vectors."""
    depth_km: Tensor
    """(M,)."""
    centre: Tensor
    """(M, 3) the nearest station."""
    slowness_s_km: Tensor
    """(M, S) travel time over straight way below that station."""


def starts(problem: Problem) -> Starts:
    """The starts are the best of the rings, the best far from it, and the mirror image of the best."""
    rows = torch.arange(len(problem.used), device=problem.used.device)
    nearest = torch.where(problem.used, problem.time_s, torch.inf).argmin(1)
    foot = problem.foot_km
    centre = _unit(foot[rows, nearest] * foot.new_tensor([1.0, 1.0, 1 / (1 - SQUARED_ECCENTRICITY)]))
    reach = torch.linalg.vector_norm(foot - foot[rows, nearest][:, None], dim=2)
    aperture = torch.where(problem.used, reach, 0.0).amax(1).clamp_min(LEAST_APERTURE_KM)
    depth_km = torch.minimum(0.3 * aperture, torch.full_like(aperture, START_DEPTH_KM))
    depth_km = torch.minimum(torch.maximum(depth_km, problem.limits_km[:, 0]), problem.limits_km[:, 1])
    candidates = _rings(centre, aperture)
    there = predicted(problem, centre, depth_km)
    ratio = there.travel_s / torch.hypot(there.distance_km, depth_km[:, None] + problem.elevation_km).clamp_min(0.1)
    places = geocentric_km(candidates, torch.zeros_like(candidates[..., 0]))
    away = torch.cdist(places, foot).square() + (depth_km[:, None] + problem.elevation_km).square()[:, None]
    delay = problem.time_s[:, None] - ratio[:, None] * away.sqrt()
    used = problem.used[:, None].expand_as(delay)
    origin = torch.where(used, delay, torch.nan).nanmedian(2, keepdim=True).values
    squared = (delay - origin).square()
    soft = (3 * problem.sigma_s).square()[:, None] + (SOFT_SHARE * ratio[:, None]).square() * away
    # Bounded misfit of Geman and McClure; a pick that is wrong counts one.
    misfit = torch.where(used, squared / (squared + soft), 0.0).sum(2)
    best = candidates[rows, misfit.argmin(1)]
    apart = torch.linalg.vector_norm(candidates - best[:, None], dim=2) * EARTH_RADIUS_KM
    far = misfit.masked_fill(apart < (0.4 * aperture)[:, None], torch.inf)
    second = candidates[rows, far.argmin(1)]
    return Starts(torch.stack([best, second, _mirrored(problem, best)], 1), depth_km, centre, ratio)


def _rings(centre: Tensor, aperture_km: Tensor) -> Tensor:
    """The centre and rings around it: (M, 1 + rings * directions, 3)."""
    radius, turn = torch.meshgrid(
        centre.new_tensor(RADII), torch.arange(DIRECTIONS, dtype=centre.dtype, device=centre.device), indexing="ij"
    )
    # Every other ring is turned, so that directions are closer.
    odd = (torch.arange(len(RADII), device=centre.device) % 2).repeat_interleave(DIRECTIONS)
    angle = (turn.flatten() + 0.5 * odd) * (2 * math.pi / DIRECTIONS)
    north, east = (aperture_km[:, None] * radius.flatten() * part for part in (angle.cos(), angle.sin()))
    ring = moved(centre[:, None].expand(-1, north.shape[1], -1), north, east)
    return torch.cat([centre[:, None], ring], 1)


def _mirrored(problem: Problem, point: Tensor) -> Tensor:
    """Points (M, 3) on the other side of the great circle nearest to the stations."""
    station = _unit(problem.foot_km) * problem.used[..., None]
    normal = torch.linalg.eigh(station.transpose(1, 2) @ station).eigenvectors[:, :, 0]
    return _unit(point - 2 * (point * normal).sum(-1, keepdim=True) * normal)


def _unit(vector: Tensor) -> Tensor:
    return vector / torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
