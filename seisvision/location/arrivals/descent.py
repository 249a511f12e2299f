"""Damped Gauss-Newton steps to the hypocentre, for many problems at once, with the origin time eliminated.

Geiger (1912), Bull. St. Louis Univ. 8, 60-71, with the damping of Marquardt (1963), J. SIAM 11, 431-441, and weights of
Student-t errors. At every place the origin time is the likeliest one, so that steps are made in space only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seisvision.earth.unit_vectors import moved
from seisvision.location.arrivals.problem import LEAST, Prediction, Problem, origin_s, predicted, prior_cost, terms

MAX_ITERATIONS = 30
CONVERGED_KM = 2e-3
LONGEST_STEP_KM = 300.0
FIRST_DAMPING = 1e-2
FREE_DAMPING = 0.1
MOST_DAMPING = 1e7
START_ROUNDS = 6
ROUNDS = 3
LEAST_PRECISION = 1e-8
"""Per square km: what is added where nothing bounds a coordinate."""


@dataclass(frozen=True)
class State:
    """Hypocentres (M,), their cost and its local model."""

    point: Tensor
    """(M, 3)."""
    depth_km: Tensor
    origin_s: Tensor
    cost: Tensor
    downhill: Tensor
    """(M, 3) by km north, east and down."""
    information: Tensor
    """(M, 3, 3) with the origin time eliminated."""
    pull: Tensor
    """(M, 3) how the origin time follows a step (s/km)."""

    def rows(self, index: Tensor) -> State:
        """The states at ``index``."""
        return State(*(value[index] for value in vars(self).values()))

    def joined(self, more: State) -> State:
        """These states and, after them, ``more``."""
        return State(*(torch.cat(pair) for pair in zip(vars(self).values(), vars(more).values(), strict=True)))


def evaluated(
    problem: Problem, point: Tensor, depth_km: Tensor, start_s: Tensor | None, rounds: int = ROUNDS
) -> tuple[State, Prediction]:
    """State at places (M, 3) and depths (M,), with origin times from ``start_s`` on, and what it predicts."""
    there = predicted(problem, point, depth_km)
    delay_s = problem.time_s - there.travel_s
    origin = origin_s(problem, delay_s, start_s, rounds)
    waiting = problem.waiting if bool(problem.waiting.any()) else None
    precision = 1 / problem.sigma_s
    found = terms((delay_s - origin[:, None]) * precision, problem.used, waiting, robust=problem.robust)
    weight = found.stiffness * precision.square()
    total = weight.sum(1).clamp_min(LEAST)
    weighted = weight[..., None] * there.slowness
    pull = weighted.sum(1) / total[:, None]
    information = weighted.transpose(1, 2) @ there.slowness - total[:, None, None] * pull[:, :, None] * pull[:, None]
    push = found.slope * precision
    downhill = (push[:, None] @ there.slowness)[:, 0] - push.sum(1, keepdim=True) * pull
    cost = found.cost
    if bool(problem.prior_sigma_km.isfinite().any()):
        extra, toward, stiff = prior_cost(problem, point, depth_km)
        cost, downhill, information = cost + extra, downhill + toward, information + torch.diag_embed(stiff)
    return State(point, depth_km, origin, cost, downhill, information, -pull), there


def descend(
    problem: Problem,
    point: Tensor,
    depth_km: Tensor,
    start_s: Tensor | None = None,
    max_iterations: int = MAX_ITERATIONS,
    converged_km: float = CONVERGED_KM,
    first_damping: float = FIRST_DAMPING,
) -> State:
    """Nearest minimum from places (M, 3) and depths (M,), within the limits of the depth.

    A step that does not lower the cost is refused and repeated shorter; finished problems leave the batch.
    """
    rounds = START_ROUNDS if start_s is None else ROUNDS
    state, _ = evaluated(problem, point, depth_km, start_s, rounds)
    final = State(*(value.clone() for value in vars(state).values()))
    rows = torch.arange(len(point), device=point.device)
    damping, active = torch.full_like(depth_km, first_damping), problem
    for _ in range(max_iterations):
        step = _step(state, damping, active.limits_km)
        depth = (state.depth_km + step[:, 2]).clamp(active.limits_km[:, 0], active.limits_km[:, 1])
        trial = moved(state.point, step[:, 0], step[:, 1])
        there, _ = evaluated(active, trial, depth, state.origin_s + (state.pull * step).sum(1))
        better = there.cost <= state.cost
        state = State(*(_choose(better, a, b) for a, b in zip(vars(there).values(), vars(state).values(), strict=True)))
        short = (torch.linalg.vector_norm(step, dim=1) < converged_km) & (damping < FREE_DAMPING)
        damping = torch.where(better, damping / 10, damping * 10)
        going = ~short & (damping < MOST_DAMPING)
        for whole, part in zip(vars(final).values(), vars(state).values(), strict=True):
            whole[rows] = part
        if not going.any():
            break
        if not going.all():
            rows, damping, active, state = rows[going], damping[going], active.rows(going), state.rows(going)
    return final


def _step(state: State, damping: Tensor, limits_km: Tensor) -> Tensor:
    """Damped steps (M, 3) north, east and down; a depth at its limit stays where the cost falls beyond it."""
    low = (state.depth_km <= limits_km[:, 0]) & (state.downhill[:, 2] <= 0)
    high = (state.depth_km >= limits_km[:, 1]) & (state.downhill[:, 2] >= 0)
    free = torch.ones_like(state.downhill)
    free[:, 2] = (~(low | high)).to(free.dtype)
    information = state.information * free[:, :, None] * free[:, None]
    size = information.diagonal(dim1=1, dim2=2)
    ridge = damping[:, None] * torch.maximum(size, size.mean(1, keepdim=True)) + LEAST_PRECISION
    step = torch.linalg.solve(information + torch.diag_embed(ridge + 1 - free), state.downhill * free)
    length = torch.linalg.vector_norm(step, dim=1, keepdim=True)
    return step * (LONGEST_STEP_KM / length.clamp_min(LONGEST_STEP_KM))


def _choose(condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(condition.reshape(-1, *[1] * (yes.ndim - 1)), yes, no)
