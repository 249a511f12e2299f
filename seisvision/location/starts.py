"""Starts: the best of many points on the circles around stations, and quick steps from them to distinct minima."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from seisvision.angles import wrapped_difference_deg
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.points import axes
from seisvision.location.arrays import arrays, at_least, double, library, native, numbers, single, stacked
from seisvision.location.descent import Problem
from seisvision.location.plane import COST, FEW_PAIRS, Distances, Plane, descent, plane_about

RINGS = 4
RING_POINTS = 24
SEPARATE_STARTS = 3
GRID_PRECISION = 0.07
"""Points of the grid are up to 7.5 degrees along the circle off, some 0.07 of its radius in distance on average."""
ROUGH_STEP = 0.02
"""Of the typical distance, below which a step is the last one."""
ROUGH_STAGES = ((3, 0.05, 50.0), (7, 0.02, 10.0))
"""Steps, the share of the typical distance up to which two places are one afterwards, and the negative log likelihood
with widened sigmas above the best of the event with which a descent is given up. A second solution may have 3."""
PAIRS_IN_CACHE = 100_000
"""Of points and stations, whose distances fit the cache."""
NO_PRECISION = 1e-12
TAKEN = 1e6
"""What is added to the misfit of a point that is too near to another start."""


class Surroundings(NamedTuple):
    """M events in planes of their own, arrays of numpy or tensors."""

    of: Any
    """The library."""
    plane: Plane
    """About the centres."""
    frame: Any
    """float64 (3, 3, M): unit vectors to north, to east and to the centre, components along the second axis."""
    observed: Distances
    """With sigmas no smaller than the grid is fine, equal whatever the distance."""
    ring: Any
    """int64 (RINGS, M) stations from the nearest to the farthest by observed distance."""
    half: Any
    """(S, M) half of the observed distances, in radians."""
    typical_km: Any
    """(M,) middle observed distance."""
    first_rad: Any
    """(RINGS, M) direction of the first point of a ring, or (1, 1) zero."""


def approach(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Points near the distinct minima: event numbers (M,) in order and points (3, M), one to four an event.

    From each start a few quick steps are made on the sphere, with sigmas widened to what the sphere is worth. Of those
    that arrive at one place the best is kept; one that fits far worse than another of its event is given up.
    """
    around = _surroundings(problem)
    of, plane, observed = around.of, around.plane, around.observed
    place, state = _starts(around), None
    kept = of.ones_like(place[0]) > 0
    # Those that will meet, or lead nowhere, are mostly known after the first steps.
    for iterations, same, hopeless in ROUGH_STAGES:
        rank, event = of.where(kept)
        some, start, short_km = observed.rows(event), place[:, rank, event], ROUGH_STEP * around.typical_km[event]
        known = None if state is None else state[:, rank, event]
        reached, ended = descent(plane.rows(event), some, start, of, short_km, iterations, known)
        state = of.full((len(ended), *kept.shape), TAKEN, dtype=ended.dtype)
        place[:, rank, event], state[:, rank, event] = reached, ended
        place, state, kept = _distinct(place, state, of.sin(same / (2 * EARTH_RADIUS_KM) * around.typical_km) ** 2)
        kept &= state[COST] - state[COST][:1] < hopeless
    event, rank = of.where(kept.T)
    event, points = arrays(event, _points(around.frame[:, :, event], place[:, rank, event], of))
    return event, points


def _distinct(place: Any, state: Any, reach: Any) -> tuple[Any, Any, Any]:
    """Places (2, K, M) and their states, the least cost first, and those (K, M) that no better one is near."""
    order, number = state[COST].argsort(0), numbers(state.shape[2], state)
    place, state = place[:, order, number], state[:, order, number]
    near = _half_chord2(place[:, :, None], place[:, None]) < reach
    rank = numbers(len(order), order)
    better = (rank[:, None] > rank)[..., None]
    return place, state, (state[COST] < TAKEN) & ~(near & better).any(1)


def _surroundings(problem: Problem) -> Surroundings:
    of = library(problem.offset_km, FEW_PAIRS)
    used, offset_km = problem.used, problem.offset_km
    rows = np.arange(len(used))
    order = np.where(used, offset_km, np.inf).argsort(1, kind="stable")
    last = used.sum(1) - 1
    typical_km = np.maximum(offset_km[rows, order[rows, last // 2]], 1e-3)
    nearest = order[:, 0]
    # Near the antipode of its centre the plane is crowded: no epicentre is to lie there.
    far = offset_km[rows, nearest] > math.pi / 2 * EARTH_RADIUS_KM
    centre = problem.station[rows, nearest] * np.where(far, -1.0, 1.0)[:, None]
    soft_km = GRID_PRECISION * typical_km[:, None]
    soft_km = np.hypot(problem.offset_sigma_km, soft_km) if problem.known_scale else soft_km
    ring = order[rows, np.rint(np.linspace(0, 1, RINGS)[:, None] * last).astype(np.int64)]
    station, frame, offset_km, precision, ring, typical_km = native(
        of, problem.station.transpose(1, 2, 0), axes(centre.T), offset_km.T, (used / soft_km).T, ring, typical_km
    )
    toward = (station * frame[:2, None]).sum(2)
    sine, cosine = of.hypot(toward[0], toward[1]), (station * frame[2]).sum(1)
    distance_km = EARTH_RADIUS_KM * of.arctan2(sine, cosine)
    toward = toward / at_least(sine, 1e-15)
    first = native(of, np.zeros((1, 1)))[0]
    if problem.back_azimuth_deg is not None:
        first = native(of, _directions(problem, *arrays(distance_km, toward, ring)))[0]
    nothing = of.zeros_like(typical_km)
    observed = Distances(offset_km, precision, nothing, nothing, True, 0.0).single()
    half = observed.offset_km / (2 * EARTH_RADIUS_KM)
    plane = plane_about(distance_km, toward, of)
    return Surroundings(of, plane, frame, observed, ring, half, single(typical_km), first)


def _directions(problem: Problem, distance_km: np.ndarray, toward: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Directions (RINGS, M) of back azimuths, clockwise from the north of the centre carried to the stations."""
    assert problem.back_azimuth_deg is not None
    rows = np.arange(ring.shape[1])
    station = problem.station[rows, ring]
    outward_rad = np.arctan2(toward[1, ring, rows], toward[0, ring, rows])
    north, east, _ = axes(station.transpose(2, 0, 1))
    centre = station[0].T[:, None]
    to_centre_rad = np.arctan2((east * centre).sum(0), (north * centre).sum(0))
    turn_rad = wrapped_difference_deg(outward_rad + math.pi, to_centre_rad, 2 * math.pi)
    turn_rad = np.where(distance_km[ring, rows] < 1e-3, 0.0, turn_rad)
    return np.radians(problem.back_azimuth_deg[rows, ring]) + turn_rad


def _starts(around: Surroundings) -> Any:
    """Starts (2, SEPARATE_STARTS + 1, M) in the planes: the best of the grid, far from one another, and a mirror image.

    The grid lies on the circles of the observed distances around four stations, from the nearest to the farthest: it
    is as wide as the distances demand, one wrong station cannot spoil it, and some point of it is near every minimum.
    The mirror is the great circle that the stations lie closest to, because distances say least about the side of it.
    """
    of = around.of
    points = _rings(around)
    misfit = _bounded_misfits(around, points)
    chosen = _separate(points, misfit, of.sin(around.typical_km / (4 * EARTH_RADIUS_KM)) ** 2, of)
    return of.concatenate([chosen, _mirrored(around, chosen[:, 0])[:, None]], 1)


def _rings(around: Surroundings) -> Any:
    """Points (2, M, RINGS * RING_POINTS) at the observed distance around stations.

    In complex numbers turning the sphere from one centre to another is a quotient of two linear terms.
    """
    of, ring = around.of, around.ring
    number = numbers(ring.shape[1], ring)
    every = around.plane.cosine, *around.plane.toward, around.half
    cosine, north, east, half = (values[ring, number].T[..., None] for values in every)
    far, near = of.sin(half), of.cos(half)
    angle = single(around.first_rad.T)[..., None] + numbers(RING_POINTS, ring) * (2 * math.pi / RING_POINTS)
    to_north, to_east = far * single(of.cos(angle)), far * single(of.sin(angle))
    up_north, up_east = to_north * cosine, to_east * cosine
    up_north += near * north
    up_east += near * east
    down_north, down_east = north * to_north, east * to_north
    down_north += east * to_east
    down_east -= north * to_east
    down_north = near * cosine - down_north
    inverse = at_least(down_north * down_north + down_east * down_east, 1e-12) ** -1.0
    points = stacked([up_north * down_north + up_east * down_east, up_east * down_north - up_north * down_east])
    points *= inverse
    return points.reshape(2, len(number), RINGS * RING_POINTS)


def _bounded_misfits(around: Surroundings, points: Any) -> Any:
    """Misfits (M, K) at points (2, M, K), of which a station that is wrong counts one (Geman and McClure).

    With h for half a distance, sin^2 h - sin^2 h' = sin(h - h') sin(h + h'), and the left side is a product of four
    numbers of a station and four of a point: one multiplication of matrices makes all residuals, in which the last
    factor is taken at the observed distance. Where they are small this is exact, and where they are large they count
    one.
    """
    of, half = around.of, around.half
    cosine, (to_north, to_east) = around.plane
    sigma = 1 / (at_least(around.observed.precision, NO_PRECISION) * (2 * EARTH_RADIUS_KM))
    # Not below what a sigma makes of it, near the station and near its antipode.
    factor = (of.sin(2 * half) ** 2 + of.sin(of.clip(sigma, 0, 1)) ** 2) ** -0.5 / sigma
    aim = of.sin(half) ** 2
    squares = cosine**2 - aim, to_north**2 + to_east**2 - aim, -2 * cosine * to_north, -2 * cosine * to_east
    station = of.stack([(values * factor).T for values in squares], -1)
    north, east = points
    squared = north * north + east * east
    inverse = (1 + squared) ** -1.0
    point = of.stack([squared * inverse, inverse, north * inverse, east * inverse], 1)
    at_once = max(1, PAIRS_IN_CACHE // (point.shape[2] * len(half)))
    misfits = []
    for some in (slice(i, i + at_once) for i in range(0, max(1, len(point)), at_once)):
        good = station[some] @ point[some]
        good *= good
        good += 1
        good **= -1.0
        misfits.append(-good.sum(1))
    return of.concatenate(misfits)


def _separate(points: Any, misfit: Any, apart: Any, of: Any) -> Any:
    """The best point, then the best of those far from it, and so on: (2, SEPARATE_STARTS, M).

    ``apart`` (M,) is the squared sine of a quarter of the angle that they are to be apart.
    """
    number, chosen = numbers(len(misfit), misfit), []
    for i in range(SEPARATE_STARTS):
        chosen.append(points[:, number, misfit.argmin(1)])
        if i < SEPARATE_STARTS - 1:
            near = _half_chord2(points, chosen[-1][..., None]) < apart[:, None]
            misfit = misfit + TAKEN * single(near)
    return of.stack(chosen, 1)


def _half_chord2(first: Any, second: Any) -> Any:
    """Squared sine of half the angle between points (2, ...) of the same planes."""
    north, east = first[0] - second[0], first[1] - second[1]
    far = (1 + first[0] ** 2 + first[1] ** 2) * (1 + second[0] ** 2 + second[1] ** 2)
    return (north * north + east * east) / far


def _mirrored(around: Surroundings, point: Any) -> Any:
    """Points (2, M) on the other side of the great circle nearest to the stations."""
    of, plane = around.of, around.plane
    used = around.observed.precision > 0
    twice = 2 * plane.cosine
    station = stacked([*(twice * plane.toward), twice * plane.cosine - 1]) * used
    station = double(station).swapaxes(0, 2)
    # The direction in which the stations reach least, through the centre of the Earth, is normal to that circle.
    normal = of.linalg.eigh(station.swapaxes(1, 2) @ station)[1][:, :, 0].T
    north, east = point
    squared = north * north + east * east
    place = stacked([2 * north, 2 * east, 1 - squared]) / (1 + squared)
    place = place - 2 * (place * normal).sum(0) * normal
    return single(place[:2] / at_least(1 + place[2], 1e-6))


def _points(frame: Any, place: Any, of: Any) -> Any:
    """float64 unit vectors (3, M) of places (2, M) in planes with axes ``frame`` (3, 3, M)."""
    place = double(place)
    squared = place[0] ** 2 + place[1] ** 2
    point = (2 * place[0] * frame[0] + 2 * place[1] * frame[1] + (1 - squared) * frame[2]) / (1 + squared)
    return point / of.sqrt((point * point).sum(0))
