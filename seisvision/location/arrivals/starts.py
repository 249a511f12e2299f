"""Where the descent starts: around the station that the wave reached first, and on the other side of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.unit_vectors import moved
from seisvision.location.arrivals.problem import SQUARED_ECCENTRICITY, Problem, geocentric_km, predicted

RADII = (0.15, 0.5, 1.2, 3.0)
"""Of rings around the station, over its distance from the farthest other."""
DIRECTIONS = 8
LEAST_APERTURE_KM = 5.0
START_DEPTH_KM = 10.0
SOFT_SHARE = 0.05
"""Travel times of rough places are good to this share of the span of the arrivals."""


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
    # Single precision is enough for these, the largest arrays of all, once they count from the nearest station.
    middle = foot[rows, nearest][:, None]
    places = (geocentric_km(candidates, torch.zeros_like(candidates[..., 0])) - middle).float()
    ways = torch.cdist(places, (foot - middle).float()).square_()
    ways = ways.add_((depth_km[:, None] + problem.elevation_km).square().float()[:, None]).sqrt_()
    first_s = torch.where(problem.used, problem.time_s, torch.inf).amin(1, keepdim=True)
    delay = torch.addcmul((problem.time_s - first_s).float()[:, None], ratio.float()[:, None], ways, value=-1)
    used = problem.used[:, None].expand_as(delay)
    origin = torch.where(used, delay, torch.nan).nanmedian(2, keepdim=True).values
    squared = delay.sub_(origin).square_()
    soft = soft_s(problem).square().float()[:, None]
    # Bounded misfit of Geman and McClure; a pick that is wrong counts one.
    misfit = torch.where(used, squared / (squared + soft), 0.0).sum(2)
    best = candidates[rows, misfit.argmin(1)]
    apart = torch.linalg.vector_norm(candidates - best[:, None], dim=2) * EARTH_RADIUS_KM
    far = misfit.masked_fill(apart < (0.4 * aperture)[:, None], torch.inf)
    second = candidates[rows, far.argmin(1)]
    return Starts(torch.stack([best, second, _mirrored(problem, best)], 1), depth_km, centre, ratio)


def soft_s(problem: Problem) -> Tensor:
    """Standard deviations (M, S) as wide as the starts are rough."""
    # Of the span of the arrivals, not of each travel time: else far places, whose times are longer, fit anything.
    first_s = torch.where(problem.used, problem.time_s, torch.inf).amin(1)
    last_s = torch.where(problem.used, problem.time_s, -torch.inf).amax(1)
    return torch.hypot(3 * problem.sigma_s, SOFT_SHARE * (last_s - first_s)[:, None])


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
