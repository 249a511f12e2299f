"""Minima of events, from places near them.

Where there is nothing but distances, almost all steps are made in a plane (:mod:`seisvision.location.plane`).
Geodesics, which would take most of the time, are computed twice: where the plane touches the ground, and at its
minimum, for the last step. Back azimuths and common errors take all steps on the ellipsoid
(:mod:`seisvision.location.descent`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from seisvision.earth.constants import EARTH_RADIUS_KM, WGS84_FLATTENING, WGS84_RADIUS_KM
from seisvision.earth.unit_vectors import geodesic
from seisvision.earth.vincenty import LEAST, inverse
from seisvision.location import student
from seisvision.location.arrays import arrays, at_least, columns, library, native, stacked
from seisvision.location.descent import Problem, descend, model
from seisvision.location.descent import residuals as model_residuals
from seisvision.location.plane import (
    FEW_PAIRS,
    SCALE,
    Distances,
    common_growth,
    descent,
    fixed_or_fitted_scale,
    local_model,
    newton_step_km,
    plane_about,
    residuals,
)

ROUGHLY_CONVERGED_RAD, CONVERGED_RAD = 3e-6, 1e-8
"""Of the auxiliary longitude of geodesics: 20 m where a plane touches the ground, 6 cm at minima."""
STUCK_RAD = 1e-5
CONVERGED_KM = 0.01
MAX_ITERATIONS = 100
LAST_STEP_KM = 0.05
"""Longer steps than this are made in a plane about the place from which they start."""
RESTING_KM = 5e-3
ROUNDS = 4
SAME_KM = 0.1
ANTIPODAL_KM = 19_800.0
"""From a station farther than this a minimum is followed on the ellipsoid: planes are wide there."""
SQUARED_ECCENTRICITY = WGS84_FLATTENING * (2 - WGS84_FLATTENING)


class Minima(NamedTuple):
    """Minima of events, each of which has one at least."""

    event: Any
    """int64 (M,) in order."""
    point: Any
    """float64 (3, M) unit vectors."""
    distance_km: Any
    """(S, M) to the stations."""
    toward: Any
    """(2, S, M) direction of the stations at the minimum: cosine and sine of the azimuth."""
    state: Any
    """(10, M), see :data:`~seisvision.location.plane.COST`."""
    fitted: Any
    """(M,) scale that the residuals have."""

    def arrays(self) -> Minima:
        """The same as arrays of numpy."""
        return Minima(*arrays(*self))

    def rows(self, index: Any) -> Minima:
        """Those at ``index``."""
        return Minima(*(columns(values, index) for values in self))


class Network(NamedTuple):
    """Stations of M events, float64 (S, M)."""

    sine: Any
    """Of the reduced latitude."""
    cosine: Any
    longitude_rad: Any
    observed: Distances

    def rows(self, index: Any) -> Network:
        """Those of the events at ``index``, which may repeat."""
        sine, cosine, longitude_rad = (columns(values, index) for values in self[:3])
        return Network(sine, cosine, longitude_rad, self.observed.rows(index))


def minima(problem: Problem, event: np.ndarray, point: np.ndarray) -> Minima:
    """Minima near points (3, M) of events (M,) in order, as arrays of numpy."""
    if not problem.is_plain:
        many = problem.rows(event)
        return evaluated(problem, event, descend(many.tensors(), torch.from_numpy(point.T)).point.numpy().T)
    of = library(problem.offset_km, FEW_PAIRS)
    network = _network(problem, of)
    number, place = native(of, event, point)
    some = network.rows(number)
    place, _, near = _descended(some.observed, place, _ways(some, place, of, ROUGHLY_CONVERGED_RAD), of)
    kept = _distinct(number, place, of)
    if len(kept) < len(number):
        number, place, near, some = number[kept], place[:, kept], near[kept], some.rows(kept)
    found, far = _settled(some, number, place, near, of)
    return _finished(problem, some, found, far, of).arrays()


def minima_again(problem: Problem, known: Minima, event: np.ndarray) -> Minima:
    """The minima that known ones become where the scale of the residuals is free; ``event`` (M,) as above."""
    if not problem.is_plain:
        return minima(problem, event, known.point)
    of = library(problem.offset_km, FEW_PAIRS)
    known = Minima(*native(of, *known._replace(event=event)))
    some = _network(problem, of).rows(known.event)
    place, _, near = _descended(some.observed, known.point, (known.distance_km, known.toward), of)
    found, far = _settled(some, known.event, place, near, of)
    found = _finished(problem, some, found, far, of)
    return found.rows(_distinct(found.event, found.point, of)).arrays()


def evaluated(problem: Problem, event: np.ndarray, point: np.ndarray) -> Minima:
    """Points (3, M) of events (M,) as minima that they are taken to be."""
    many = problem.rows(event).tensors()
    way = geodesic(torch.from_numpy(point.T)[:, None], many.station)
    state, fitted = model(many, way), student.fitted_scale(model_residuals(many, way)[0], many.dof.clamp_min(1))
    rows = torch.stack([state.cost, *state.gradient.T, *state.information.T, *state.curvature.T, state.scale])
    return Minima(event, point, *arrays(way.distance_km.T, torch.stack([way.north.T, way.east.T]), rows, fitted))


def _network(problem: Problem, of: Any) -> Network:
    precision = problem.used / problem.offset_sigma_km
    x, y, z, offset_km, precision = native(of, *problem.station.T, problem.offset_km.T, precision.T)
    growth, dof = native(of, problem.growth, problem.dof)
    known, common = problem.known_scale, common_growth(problem.growth)
    observed = Distances(offset_km, precision, growth, dof, is_known=known, common_growth=common)
    return Network(*_reduced(x, y, z, of), of.arctan2(y, x), observed)


def _descended(observed: Distances, point: Any, way: tuple[Any, Any], of: Any) -> tuple[Any, Any, Any]:
    """Minima (3, M) in planes about points, how far off they are (M,), and scales (M,) of the residuals there."""
    plane = plane_about(*way, of)
    # Not of two rows of it, for there may be one station only.
    start = of.stack([of.zeros_like(plane.cosine[0])] * 2)
    (north, east), ended = descent(plane, observed.single(), start, of, CONVERGED_KM, MAX_ITERATIONS)
    radius = of.hypot(north, east)
    moved_km = 2 * EARTH_RADIUS_KM * of.arctan(radius)
    stretch = moved_km / at_least(radius, LEAST)
    return _moved(point, north * stretch, east * stretch, of), moved_km, ended[SCALE]


def _settled(some: Network, event: Any, point: Any, near: Any, of: Any) -> tuple[Minima, Any]:
    """Minima after a last step on the ellipsoid, and where (M,) it would be too long to be the last."""
    distance_km, toward = _ways(some, point, of)
    observed = some.observed
    there = local_model(observed, distance_km, -toward, of, near)
    step = newton_step_km(there, 0.0, of)
    far = (step * step).sum(0) > LAST_STEP_KM**2
    step *= ~far
    # So short a step changes the ways as it does in a plane.
    toward *= distance_km
    toward -= step[:, None]
    distance_km = of.sqrt((toward * toward).sum(0))
    toward *= 1 / at_least(distance_km, LEAST)
    state = local_model(observed, distance_km, -toward, of, there[SCALE])
    fitted = state[SCALE]
    if observed.is_known:
        fitted = fixed_or_fitted_scale(residuals(observed, distance_km, of)[0], observed.dof, of)
    return Minima(event, _moved(point, step[0], step[1], of), distance_km, toward, state, fitted), far


def _finished(problem: Problem, some: Network, found: Minima, far: Any, of: Any) -> Minima:
    """The minima, with those that are still far followed in planes about where they are."""
    beyond = ((found.distance_km > ANTIPODAL_KM) & (some.observed.precision > 0)).any(0)
    left = of.where(far & ~beyond)[0]
    for _ in range(ROUNDS):
        if not len(left):
            break
        part, network = found.rows(left), some.rows(left)
        point, moved_km, near = _descended(network.observed, part.point, (part.distance_km, part.toward), of)
        part, far = _settled(network, part.event, point, near, of)
        for whole, values in zip(found, part, strict=True):
            whole[..., left] = values
        # In a flat valley the next step is never sure to be short.
        left = left[of.where(far & (moved_km > RESTING_KM))[0]]
    left = of.concatenate([left, of.where(beyond)[0]])
    if len(left):
        # What goes on moving is followed on the ellipsoid.
        number, point = arrays(found.event[left], found.point[:, left])
        ended = descend(problem.rows(number).tensors(), torch.from_numpy(point.T)).point.numpy()
        part, _ = _settled(some.rows(left), found.event[left], native(of, ended.T)[0], None, of)
        for whole, values in zip(found, part, strict=True):
            whole[..., left] = values
    return found


def _distinct(event: Any, point: Any, of: Any) -> Any:
    """Numbers of the points (3, M) that no earlier one of their event (M,) is near."""
    repeated = event != event
    for back in range(1, len(event)):
        same = event[back:] == event[:-back]
        if not bool(same.any()):
            break
        apart = point[:, back:] - point[:, :-back]
        repeated[back:] |= same & ((apart * apart).sum(0) < (SAME_KM / EARTH_RADIUS_KM) ** 2)
    return of.where(~repeated)[0]


def _ways(some: Network, point: Any, of: Any, converged_rad: float = CONVERGED_RAD) -> tuple[Any, Any]:
    """Distances (S, M) and directions (2, S, M) of stations from points (3, M), as of ``unit_vectors.geodesic``."""
    x, y, z = point
    turn_rad = some.longitude_rad - of.arctan2(y, x)
    here, there = _reduced(x, y, z, of), (some.sine, some.cosine)
    way = inverse(here, there, turn_rad, of, converged_rad)
    distance_km, toward = way.distance_km, stacked([way.north, way.east])
    toward /= at_least(of.hypot(way.east, way.north), LEAST)
    stuck = way.last_change_rad > STUCK_RAD
    if bool(stuck.any()):
        # Near the antipode, where a sphere has to do. Its angle is that between vectors of geodetic coordinates.
        angle = _angle(some, turn_rad, point, of)
        distance_km = of.where(stuck, EARTH_RADIUS_KM * angle, distance_km)
    return distance_km, toward


def _angle(some: Network, turn_rad: Any, point: Any, of: Any) -> Any:
    sine, cosine = some.sine, (1 - WGS84_FLATTENING) * some.cosine
    length = of.hypot(sine, cosine)
    sine, cosine = sine / length, cosine / length
    level = of.hypot(point[0], point[1])
    north, east = sine * level - cosine * point[2] * of.cos(turn_rad), cosine * of.sin(turn_rad)
    return of.arctan2(of.hypot(north, east), sine * point[2] + cosine * level * of.cos(turn_rad))


def _reduced(x: Any, y: Any, z: Any, of: Any) -> tuple[Any, Any]:
    """Sine and cosine of the reduced latitude."""
    sine, cosine = (1 - WGS84_FLATTENING) * z, of.hypot(x, y)
    length = of.hypot(sine, cosine)
    return sine / length, cosine / length


def _moved(point: Any, north_km: Any, east_km: Any, of: Any) -> Any:
    """Points (3, M) that far from others on the ellipsoid: to a metre after some ten kilometres."""
    x, y, z = point
    level = of.hypot(x, y)
    at_pole = level == 0
    divisor = of.where(at_pole, 1.0, level)
    along, across = of.where(at_pole, 1.0, x / divisor), y / divisor
    # Radii of curvature along the meridian and across it.
    bulge = 1 - SQUARED_ECCENTRICITY * z * z
    across_km = WGS84_RADIUS_KM / of.sqrt(bulge)
    north, east = north_km * bulge / (across_km * (1 - SQUARED_ECCENTRICITY)), east_km / across_km
    turn = of.hypot(north, east)
    slope = of.sin(turn) / at_least(turn, LEAST)
    north, east, stay = north * slope, east * slope, of.cos(turn)
    there = stacked(
        [
            x * stay - north * z * along - east * across,
            y * stay - north * z * across + east * along,
            z * stay + north * level,
        ]
    )
    return there / of.sqrt((there * there).sum(0))
