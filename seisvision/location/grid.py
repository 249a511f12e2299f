"""Grids: starts on the circles around the stations, and the paper's location by grid halving."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.unit_vectors import angle, geodesic, great_circle, moved
from seisvision.location.descent import Problem, descend

RINGS = 4
RING_POINTS = 24
SEPARATE_STARTS = 3
GRID_PRECISION = 0.07
"""Points of the grid are up to 7.5 degrees along the circle off, some 0.07 of its radius in distance on average."""
ROUGH_STEP_KM = 1.0
ROUGH_ITERATIONS = 10
HOPELESS = 10.0
"""Negative log likelihood with widened sigmas above the best of the event. A second solution may have 3."""
EVENTS_AT_ONCE = 64
"""Whose grids fit the cache."""
PAPER_STEP_KM = 0.01
PAPER_ITERATIONS = 100
PAPER_HALF_WIDTH = 3
PAIRS_AT_ONCE = 2_000_000


def starts(problem: Problem) -> Tensor:
    """Starts (M, 4, 3): the best points of the grid, far from one another, and the mirror image of the best.

    The grid lies on the circles of the observed distances around four stations, from the nearest to the farthest: it
    is as wide as the distances demand, one wrong station cannot spoil it, and some point of it is near every minimum.
    The mirror is the great circle that the stations lie closest to, because distances say least about the side of it.
    """
    candidates = _rings(problem)
    softened = _softened(problem).offset_sigma_km
    parts = torch.arange(len(candidates), device=candidates.device).split(EVENTS_AT_ONCE)
    cost = torch.cat([_bounded_misfit(problem.rows(some), candidates[some], softened[some]) for some in parts])
    chosen = _separate(candidates, cost, 0.5 * _typical_offset_km(problem) / EARTH_RADIUS_KM)
    return torch.cat([chosen, _mirrored(problem, chosen[:, :1])], 1)


def _bounded_misfit(problem: Problem, candidates: Tensor, sigma_km: Tensor) -> Tensor:
    """Misfit of Geman and McClure (M, K) at points (M, K, 3); a station that is wrong counts one."""
    # Single precision is enough for chords from differences, and these are the largest arrays of all.
    chord = torch.cdist(candidates.float(), problem.station.float(), compute_mode="donot_use_mm_for_euclid_dist")
    offset = (problem.offset_km / EARTH_RADIUS_KM).float()[:, None]
    squared = chord.div_(2).clamp_(max=1).asin_().mul_(2).sub_(offset).square_()
    softened = (sigma_km / EARTH_RADIUS_KM).float().square()[:, None]
    return squared.div_(squared + softened).mul_(problem.used[:, None]).sum(2)


def approach(problem: Problem) -> tuple[Tensor, Tensor]:
    """Points near the distinct minima: event numbers (M,) and points (M, 3), one to four an event.

    From each start a few quick steps are made on the sphere, with sigmas widened to what the sphere is worth. Of those
    that arrive at one place the best is kept; one that fits far worse than another of its event is given up.
    """
    first = starts(problem)
    n, k = first.shape[:2]
    event = torch.arange(n, device=first.device).repeat_interleave(k)
    rough = _softened(problem).single()
    minima = descend(rough.rows(event), first.flatten(0, 1).float(), great_circle, ROUGH_STEP_KM, ROUGH_ITERATIONS)
    point, cost = _normalised(minima.point.double()).reshape(n, k, 3), minima.cost.reshape(n, k)
    # The best first: of those that arrive at one place it is the one that no earlier one repeats.
    order = cost.argsort(1)
    cost = cost.gather(1, order)
    point = point.gather(1, order[..., None].expand(-1, -1, 3))
    apart_rad = angle(point[:, :, None], point[:, None])
    same = apart_rad < (0.02 * _typical_offset_km(problem) / EARTH_RADIUS_KM)[:, None, None]
    repeated = same.tril(-1).any(2)
    kept = ~repeated & (cost - cost[:, :1] < HOPELESS)
    return kept.nonzero()[:, 0], point[kept]


def _softened(problem: Problem) -> Problem:
    """The distances alone, with sigmas no smaller than the grid is fine."""
    typical_km = GRID_PRECISION * _typical_offset_km(problem)[:, None]
    sigma_km = problem.offset_sigma_km if problem.known_scale else torch.zeros_like(problem.offset_km)
    return replace(
        problem,
        offset_sigma_km=torch.hypot(sigma_km, typical_km),
        back_azimuth_deg=None,
        azimuth_sigma_deg=None,
        azimuth_used=None,
        known_scale=True,
        growth=torch.zeros_like(problem.growth),
        common_share=None,
    )


def _rings(problem: Problem) -> Tensor:
    """Points (M, RINGS * RING_POINTS, 3) at the observed distance around stations, the first at the back azimuth."""
    count = problem.used.sum(1)
    order = torch.where(problem.used, problem.offset_km, torch.inf).argsort(1)
    share = torch.linspace(0, 1, RINGS, dtype=problem.offset_km.dtype, device=count.device)
    rank = ((count[:, None] - 1).clamp_min(0) * share).round().long()
    station = order.gather(1, rank)
    centre = problem.station.gather(1, station[..., None].expand(-1, -1, 3))
    radius_km = problem.offset_km.gather(1, station)
    angles = torch.arange(RING_POINTS, dtype=share.dtype, device=share.device) * (2 * math.pi / RING_POINTS)
    direction = angles.expand(*station.shape, -1)
    if problem.back_azimuth_deg is not None:
        direction = direction + torch.deg2rad(problem.back_azimuth_deg.gather(1, station))[..., None]
    north_km, east_km = radius_km[..., None] * direction.cos(), radius_km[..., None] * direction.sin()
    return moved(centre[:, :, None].expand(-1, -1, RING_POINTS, -1), north_km, east_km).flatten(1, 2)


def _typical_offset_km(problem: Problem) -> Tensor:
    return torch.where(problem.used, problem.offset_km, torch.nan).nanmedian(1).values.nan_to_num(1.0).clamp_min(1e-3)


def _separate(candidates: Tensor, cost: Tensor, apart_rad: Tensor) -> Tensor:
    """The best candidate, then the best of those far from it, and so on: (M, SEPARATE_STARTS, 3)."""
    chosen = []
    for _ in range(SEPARATE_STARTS):
        best = cost.argmin(1)
        chosen.append(candidates[torch.arange(len(best), device=best.device), best])
        versine = 1 - (candidates @ chosen[-1][:, :, None])[..., 0]
        cost = cost.masked_fill(versine < 2 * (apart_rad / 2).sin().square()[:, None], torch.inf)
    return torch.stack(chosen, 1)


def _mirrored(problem: Problem, point: Tensor) -> Tensor:
    """Points (M, K, 3) on the other side of the great circle nearest to the stations."""
    station = problem.station * problem.used[..., None]
    # The direction in which the stations reach least, through the centre of the Earth, is normal to that circle.
    normal = torch.linalg.eigh(station.transpose(1, 2) @ station).eigenvectors[:, None, :, 0]
    mirrored = point - 2 * (point * normal).sum(-1, keepdim=True) * normal
    return _normalised(mirrored)


def _normalised(vector: Tensor) -> Tensor:
    return vector / torch.linalg.vector_norm(vector, dim=-1, keepdim=True)


def halve_grid(problem: Problem, start: Tensor) -> tuple[Tensor, Tensor]:
    """Points (M, 3) of the smallest sum of absolute residuals, and that sum (M,) in km; all weights are 1.

    A grid of seven by seven points is moved to its best point; where that is the middle, its step is halved, until it
    is shorter than 0.01 km or after 100 iterations. The first step is a third of the median distance over seven.
    """
    grid = torch.arange(-PAPER_HALF_WIDTH, PAPER_HALF_WIDTH + 1, dtype=start.dtype, device=start.device)
    north, east = (axis.flatten() for axis in torch.meshgrid(grid, grid, indexing="ij"))
    middle = len(north) // 2
    point, step_km = start.clone(), _typical_offset_km(problem) / 10
    for _ in range(PAPER_ITERATIONS):
        rows = torch.nonzero(step_km >= PAPER_STEP_KM)[:, 0]
        if not len(rows):
            break
        around = moved(
            point[rows, None].expand(-1, len(north), -1), north * step_km[rows, None], east * step_km[rows, None]
        )
        best = _absolute_misfit(problem.rows(rows), around).argmin(1)
        point[rows] = around[torch.arange(len(rows), device=rows.device), best]
        step_km[rows] = torch.where(best == middle, step_km[rows] / 2, step_km[rows])
    return point, _absolute_misfit(problem, point[:, None])[:, 0]


def _absolute_misfit(problem: Problem, point: Tensor) -> Tensor:
    """Sum of absolute residuals (M, G) in km at points (M, G, 3)."""
    pairs = problem.used.shape[1] * point.shape[1]
    parts = []
    for rows in torch.arange(len(point), device=point.device).split(max(1, PAIRS_AT_ONCE // pairs)):
        distance_km = geodesic(point[rows, :, None], problem.station[rows, None]).distance_km
        misfit = (problem.offset_km[rows, None] - distance_km).abs()
        parts.append(torch.where(problem.used[rows, None], misfit, 0.0).sum(2))
    return torch.cat(parts)
