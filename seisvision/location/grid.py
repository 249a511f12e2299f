"""The paper's location by grid halving."""

from __future__ import annotations

import torch
from torch import Tensor

from seisvision.earth.unit_vectors import geodesic, moved
from seisvision.location.descent import Problem

PAPER_STEP_KM = 0.01
PAPER_ITERATIONS = 100
PAPER_HALF_WIDTH = 3
PAIRS_AT_ONCE = 2_000_000


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


def _typical_offset_km(problem: Problem) -> Tensor:
    return torch.where(problem.used, problem.offset_km, torch.nan).nanmedian(1).values.nan_to_num(1.0).clamp_min(1e-3)
