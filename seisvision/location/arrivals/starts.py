"""Where the descent starts: around the station that the wave reached first, and on the other side of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.unit_vectors import moved
from seisvision.location.arrivals.descent import State, descend
from seisvision.location.arrivals.problem import SQUARED_ECCENTRICITY, Problem, geocentric_km, predicted

RADII = (0.15, 0.5, 1.2, 3.0)
"""Of rings around the station, over its distance from the farthest other."""
DIRECTIONS = 8
LEAST_APERTURE_KM = 5.0
START_DEPTH_KM = 10.0
EARLY_ITERATIONS = 8
ROUGH_KM = 0.1
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
    point, depth_km = starts(problem)
    m, k = point.shape[:2]
    event = torch.arange(m, device=point.device).repeat_interleave(k)
    first_s = torch.where(problem.used, problem.time_s, torch.inf).amin(1)
    last_s = torch.where(problem.used, problem.time_s, -torch.inf).amax(1)
    rough = replace(problem, sigma_s=torch.hypot(3 * problem.sigma_s, SOFT_SHARE * (last_s - first_s)[:, None]))
    early = descend(
        rough.rows(event), point.flatten(0, 1), depth_km.repeat_interleave(k), None, EARLY_ITERATIONS, ROUGH_KM
    )
    kept = distinct(event, early, m, ROUGHLY_SAME_KM)
    event, early = event[kept], early.rows(kept)
    found = descend(problem.rows(event), early.point, early.depth_km, early.origin_s)
    found = replace(found, cost=found.cost + FAR_COST * _is_far(problem.rows(event), found).to(found.cost.dtype))
    kept = distinct(event, found, m, SAME_KM)
    event, found = event[kept], found.rows(kept)
    best = torch.searchsorted(event, torch.arange(m, device=event.device))
    after = (best + 1).clamp_max(len(event) - 1)
    return Minima(found.rows(best), found.rows(after), (after > best) & (event[after] == event[best]))


def _is_far(problem: Problem, state: State) -> Tensor:
    """Bool (N,): the place is so far from all stations that only the bounded cost of wrong picks can have led there."""
    surface = geocentric_km(state.point, torch.zeros_like(state.depth_km))
    away = torch.linalg.vector_norm(problem.foot_km - surface[:, None], dim=2)
    apart = torch.linalg.vector_norm(problem.foot_km - problem.foot_km[:, :1], dim=2)
    seen = problem.used | problem.waiting
    return torch.where(seen, away, torch.inf).amin(1) > FARTHEST * torch.where(seen, apart, 0.0).amax(1) + 100


def distinct(event: Tensor, state: State, n_events: int, same_km: float) -> Tensor:
    """Row numbers of the best state of each event and of those elsewhere that are not hopeless; the best first."""
    order = state.cost.argsort(stable=True)
    order = order[event[order].argsort(stable=True)]
    event, cost = event[order], state.cost[order]
    place = geocentric_km(state.point[order], -state.depth_km[order])
    first = torch.searchsorted(event, torch.arange(n_events, device=event.device))
    rank = torch.arange(len(event), device=event.device) - first[event]
    keep = cost - cost[first[event]] < HOPELESS
    for back in range(1, int(rank.max()) + 1 if len(rank) else 1):
        # Compared with every better one of its event, kept or not: what is near a repetition is one too.
        near = torch.linalg.vector_norm(place[back:] - place[:-back], dim=1) < same_km
        keep[back:] &= ~(near & (event[back:] == event[:-back]))
    return order[keep]


def starts(problem: Problem) -> tuple[Tensor, Tensor]:
    """Starts (M, 3, 3) and their depths (M,).

    They are the best of the rings, the best far from it, and the mirror image of the best.
    """
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
    return torch.stack([best, second, _mirrored(problem, best)], 1), depth_km


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
