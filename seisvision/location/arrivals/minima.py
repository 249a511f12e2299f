"""The best minimum of each event, and the next best one, from several starts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seisvision.earth.unit_vectors import moved
from seisvision.location.arrivals.descent import State, descend
from seisvision.location.arrivals.local import (
    HOPELESS,
    LocalProblem,
    LocalState,
    distinct_places,
    fall_km,
    local_descent,
)
from seisvision.location.arrivals.posterior import covariance_km2, is_straight
from seisvision.location.arrivals.problem import Prediction, Problem, geocentric_km, predicted
from seisvision.location.arrivals.starts import soft_s, starts

EARLY_ITERATIONS, STRAIGHT_ITERATIONS = 8, 12
ROUGH_KM, ROUGH_GAIN, ROUGHLY_HOPELESS = 0.1, 1e-2, 60.0
END_SIGMAS = 2.0
FEW_PICKS = 8
"""With so few picks straight rays lose minima."""
LAST_ITERATIONS, LAST_DAMPING = 4, 1e-4
"""Of steps from places that are good to some ten metres."""
ROUGHLY_SAME_KM = 1.0
SAME_KM = 0.3
"""Minima closer than this are one."""
FARTHEST, FAR_COST = 4.0, 1e6
"""Minima farther from the nearest station than this many sizes of the network count only where there is no other."""


@dataclass(frozen=True)
class Minima:
    """The best minimum of M events, and another one where there is one."""

    best: State
    there: Prediction
    """Of the best."""
    is_straight: Tensor
    """(M,) bool: the times are straight lines around the best."""
    second: State
    has_second: Tensor
    """(M,) bool."""

    def rows(self, index: Tensor) -> Minima:
        """Those at ``index``."""
        there = Prediction(*(value[index] for value in vars(self.there).values()))
        best, second = self.best.rows(index), self.second.rows(index)
        return Minima(best, there, self.is_straight[index], second, self.has_second[index])

    def replaced(self, rows: Tensor, part: Minima) -> Minima:
        """With those of ``part`` at ``rows``."""

        def placed(whole: Tensor, values: Tensor) -> Tensor:
            return whole.index_copy(0, rows, values)

        def each(whole: State | Prediction, values: State | Prediction) -> list[Tensor]:
            return [placed(a, b) for a, b in zip(vars(whole).values(), vars(values).values(), strict=True)]

        return Minima(
            State(*each(self.best, part.best)),
            Prediction(*each(self.there, part.there)),
            placed(self.is_straight, part.is_straight),
            State(*each(self.second, part.second)),
            placed(self.has_second, part.has_second),
        )


def minima(problem: Problem) -> Minima:
    """The best minima that are reached from the starts.

    The first steps are made with sigmas as wide as the starts are rough: with sharp ones the robust loss takes most
    picks of a rough start for wrong and is at rest anywhere.
    """
    # The plane knows neither stations that wait nor what is known beforehand, and robust errors only.
    slow = problem.waiting.any(1) | problem.prior_sigma_km.isfinite().any(1) | (not problem.robust)
    if not slow.any():
        return _in_plane(problem)
    if slow.all():
        return _on_the_ellipsoid(problem)
    rows, others = slow.nonzero()[:, 0], (~slow).nonzero()[:, 0]
    first, more = _on_the_ellipsoid(problem.rows(rows)), _in_plane(problem.rows(others))
    order = torch.cat([rows, others]).argsort()
    both = [
        State(*(torch.cat(pair)[order] for pair in zip(vars(a).values(), vars(b).values(), strict=True)))
        for a, b in ((first.best, more.best), (first.second, more.second))
    ]
    there = Prediction(
        *(torch.cat(pair)[order] for pair in zip(vars(first.there).values(), vars(more.there).values(), strict=True))
    )
    straight = torch.cat([first.is_straight, more.is_straight])[order]
    return Minima(both[0], there, straight, both[1], torch.cat([first.has_second, more.has_second])[order])


def again(problem: Problem, known: Minima) -> Minima:
    """The minima that the known ones become where sigmas have changed a little."""
    m = len(problem.used)
    second = known.has_second.nonzero()[:, 0]
    event = torch.cat([torch.arange(m, device=second.device), second])
    first = known.best.joined(known.second.rows(second))
    found = descend(problem.rows(event), first.point, first.depth_km, first.origin_s)
    return _described(problem, event, _without_far(problem, event, found))


def _in_plane(problem: Problem) -> Minima:
    """By steps in a plane in single precision, the first ones along straight rays, and last ones on the ellipsoid."""
    first = starts(problem)
    m, k = first.point.shape[:2]
    local = LocalProblem.of(problem, first.centre)
    event = torch.arange(m, device=first.point.device).repeat_interleave(2 * k)
    depth_km = _two_depths(problem, first.depth_km[:, None].expand(m, k))
    start = local.rows(event).places(first.point.repeat(1, 2, 1).flatten(0, 1), depth_km.flatten())
    soft = replace(local, precision=((local.precision > 0) / soft_s(problem)).float())
    few = (problem.count <= FEW_PICKS)[event]
    parts = []
    for chosen, slowness in ((~few, first.slowness_s_km.float()), (few, None)):
        if chosen.any():
            rough = replace(soft, slowness_s_km=slowness)
            number, reached = local_descent(
                rough,
                event[chosen],
                start[chosen],
                ROUGHLY_SAME_KM,
                STRAIGHT_ITERATIONS,
                ROUGH_GAIN,
                ROUGHLY_HOPELESS,
            )
            parts.append((number, reached.place[:, :3]))
    event, order = torch.cat([number for number, _ in parts]).sort(stable=True)
    start = torch.cat([place for _, place in parts])[order]
    event, found = _worthwhile(problem, local, *local_descent(local, event, start, SAME_KM))
    polished = _polished(problem, local, event, found)
    best = distinct(event, polished, m, SAME_KM, only_best=True)
    there = predicted(problem, polished.point[best], polished.depth_km[best])
    straight = is_straight(problem, polished.rows(best), there, covariance_km2(problem, polished.rows(best)))
    row = (~straight).nonzero()[:, 0]
    if len(row):
        number, ends = _ends(problem, local, row, polished.rows(best[row]))
        if len(number):
            event, polished = torch.cat([event, number]), polished.joined(ends)
            return _described(problem, event, polished)
    return _described(problem, event, polished, there, straight)


def _worthwhile(problem: Problem, local: LocalProblem, event: Tensor, found: LocalState) -> tuple[Tensor, LocalState]:
    """Those (N,) that are neither repetitions nor hopeless, with a cost that says so of far ones."""
    flat = found.place[:, :2]
    ground = torch.cat([flat, fall_km(flat.square().sum(1))[:, None]], 1)
    away = torch.linalg.vector_norm(local.foot_km[event] - ground[:, :, None], dim=1)
    near = torch.where(problem.used[event], away, torch.inf).amin(1)
    cost = found.cost + FAR_COST * (near > _reach_km(problem)[event])
    kept = distinct_places(event, found.place[:, :3], cost, len(problem.used), SAME_KM, HOPELESS)
    return event[kept], found.rows(kept)


def _polished(problem: Problem, local: LocalProblem, event: Tensor, found: LocalState) -> State:
    """States (N,) on the ellipsoid, at the minima."""
    some = local.rows(event)
    depth_km, origin_s = found.place[:, 2].double(), some.first_s + found.place[:, 3].double()
    many = problem.rows(event)
    state = descend(
        many, some.points(found.place[:, :3]), depth_km, origin_s, LAST_ITERATIONS, first_damping=LAST_DAMPING
    )
    return _without_far(problem, event, state)


def _ends(problem: Problem, local: LocalProblem, row: Tensor, best: State) -> tuple[Tensor, State]:
    """Event numbers (N,) and minima elsewhere to which both ends of regions lead in which times are bent.

    There a depth on the other side of an interface may fit as well or better.
    """
    some = local.rows(row)
    here = some.places(best.point, best.depth_km)
    depth_km, point = _both_ends(problem.rows(row), best)
    two = local.rows(row.repeat(2)).places(point, depth_km)
    event = torch.arange(len(row), device=row.device)
    # The minimum that is known is one of the starts, so that descents which come back to it end there.
    start = torch.stack([here, *two.chunk(2)], 1).flatten(0, 1)
    number, found = local_descent(some, event.repeat_interleave(3), start, SAME_KM)
    elsewhere = torch.linalg.vector_norm(found.place[:, :3] - here[number], dim=1) > SAME_KM
    worth = found.cost < best.cost[number] + HOPELESS
    kept = (elsewhere & worth).nonzero()[:, 0]
    event = row[number[kept]]
    return event, _polished(problem, local, event, found.rows(kept))


def _both_ends(problem: Problem, best: State) -> tuple[Tensor, Tensor]:
    """Depths (2 M,) and unit vectors (2 M, 3) of both ends of the regions along their longest axis."""
    values, axes = torch.linalg.eigh(covariance_km2(problem, best))
    way = END_SIGMAS * values[:, 2, None].sqrt() * axes[:, :, 2]
    way = torch.cat([way, -way])
    low, high = problem.limits_km.repeat(2, 1).unbind(1)
    depth_km = torch.clamp(best.depth_km.repeat(2) + way[:, 2], low, high)
    return depth_km, moved(best.point.repeat(2, 1), way[:, 0], way[:, 1])


def _on_the_ellipsoid(problem: Problem) -> Minima:
    """By steps on the ellipsoid in double precision, first with wide sigmas and then with the real ones."""
    first = starts(problem)
    m, k = first.point.shape[:2]
    event = torch.arange(m, device=first.point.device).repeat_interleave(k)
    rough, depth_km = replace(problem, sigma_s=soft_s(problem)), first.depth_km.repeat_interleave(k)
    early = descend(rough.rows(event), first.point.flatten(0, 1), depth_km, None, EARLY_ITERATIONS, ROUGH_KM)
    kept = distinct(event, early, m, ROUGHLY_SAME_KM)
    event, early = event[kept], early.rows(kept)
    found = descend(problem.rows(event), early.point, early.depth_km, early.origin_s)
    found = _without_far(problem, event, found)
    best = distinct(event, found, m, SAME_KM, only_best=True)
    there = predicted(problem, found.point[best], found.depth_km[best])
    straight = is_straight(problem, found.rows(best), there, covariance_km2(problem, found.rows(best)))
    row = (~straight).nonzero()[:, 0]
    if not len(row):
        return _described(problem, event, found, there, straight)
    depth_km, point = _both_ends(problem.rows(row), found.rows(best[row]))
    row = row.repeat(2)
    ends = descend(problem.rows(row), point, depth_km, found.origin_s[best[row]])
    ends = _without_far(problem, row, ends)
    return _described(problem, torch.cat([event, row]), found.joined(ends))


def _described(
    problem: Problem,
    event: Tensor,
    found: State,
    there: Prediction | None = None,
    straight: Tensor | None = None,
) -> Minima:
    """The best and the next best of minima (N,); what is known of the best is given or comes from the problem."""
    m = len(problem.used)
    kept = distinct(event, found, m, SAME_KM)
    event, found = event[kept], found.rows(kept)
    first = torch.searchsorted(event, torch.arange(m, device=event.device))
    after = (first + 1).clamp_max(len(event) - 1)
    best = found.rows(first)
    if there is None or straight is None:
        there = predicted(problem, best.point, best.depth_km)
        straight = is_straight(problem, best, there, covariance_km2(problem, best))
    return Minima(best, there, straight, found.rows(after), (after > first) & (event[after] == event[first]))


def _two_depths(problem: Problem, depth_km: Tensor) -> Tensor:
    """Shallow and deep starts (M, 2 K) in place of depths (M, K): few picks may fit at either."""
    both = torch.cat([depth_km / 4, depth_km * 2], 1)
    return torch.maximum(torch.minimum(both, problem.limits_km[:, 1:]), problem.limits_km[:, :1])


def _without_far(problem: Problem, event: Tensor, found: State) -> State:
    """With a cost that says of states (N,) that only the bounded cost of wrong picks can have led there."""
    surface = geocentric_km(found.point, torch.zeros_like(found.depth_km))
    away = torch.linalg.vector_norm(problem.foot_km[event] - surface[:, None], dim=2)
    seen = (problem.used | problem.waiting)[event]
    far = torch.where(seen, away, torch.inf).amin(1) > _reach_km(problem)[event]
    return replace(found, cost=found.cost + FAR_COST * far)


def _reach_km(problem: Problem) -> Tensor:
    """How far (M,) from the nearest station a hypocentre may lie."""
    apart = torch.linalg.vector_norm(problem.foot_km - problem.foot_km[:, :1], dim=2)
    return FARTHEST * torch.where(problem.used | problem.waiting, apart, 0.0).amax(1) + 100


def distinct(event: Tensor, state: State, n_events: int, same_km: float, *, only_best: bool = False) -> Tensor:
    """Row numbers of the best state of each event and of those elsewhere that are not hopeless; the best first."""
    place = geocentric_km(state.point, -state.depth_km)
    return distinct_places(event, place, state.cost, n_events, same_km, HOPELESS, only_best=only_best)
