"""Distances and directions on WGS84 in torch, between unit vectors.

A point is the unit vector of its geodetic latitude and longitude, (cos lat cos lon, cos lat sin lon, sin lat): neither
the poles nor the date line are special then.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from seisvision.earth.constants import EARTH_RADIUS_KM, WGS84_FLATTENING
from seisvision.earth.vincenty import LEAST, inverse

CONVERGED_RAD = 1e-9
STUCK_RAD = 1e-7
"""Ways whose last step was larger than this have not converged."""


class Geodesic(NamedTuple):
    """Shortest way from a first to a second point; tensors of the broadcast shape of both."""

    distance_km: Tensor
    north: Tensor
    """Direction at the first point: cosine of the azimuth to the second."""
    east: Tensor
    """Sine of that azimuth."""
    back_north: Tensor
    """Direction at the second point: cosine of the azimuth to the first."""
    back_east: Tensor
    """Sine of that azimuth."""


def geodesic(first: Tensor, second: Tensor) -> Geodesic:
    """Geodesic between points (..., 3) on WGS84, exact to a millimetre.

    By :func:`seisvision.earth.vincenty.inverse`. It does not converge within about a degree of the antipode; there the
    distance is that on a sphere (up to 0.6 % off). The directions of coinciding points are zero.
    """
    turn_rad = torch.atan2(
        first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0],
        first[..., 0] * second[..., 0] + first[..., 1] * second[..., 1],
    )
    way = inverse(_reduced(first), _reduced(second), turn_rad, torch, CONVERGED_RAD)
    is_stuck = way.last_change_rad > STUCK_RAD
    distance_km = torch.where(is_stuck, EARTH_RADIUS_KM * angle(first, second), way.distance_km)
    length = torch.hypot(way.east, way.north).clamp_min(LEAST)
    back_length = torch.hypot(way.back_east, way.back_north).clamp_min(LEAST)
    return Geodesic(
        distance_km, way.north / length, way.east / length, way.back_north / back_length, way.back_east / back_length
    )


def _reduced(point: Tensor) -> tuple[Tensor, Tensor]:
    """Sine and cosine of the reduced latitude."""
    sine, cosine = (1 - WGS84_FLATTENING) * point[..., 2], torch.hypot(point[..., 0], point[..., 1])
    length = torch.hypot(sine, cosine)
    return sine / length, cosine / length


def angle(first: Tensor, second: Tensor) -> Tensor:
    """Angle in radians between unit vectors (..., 3)."""
    cross = torch.linalg.cross(*torch.broadcast_tensors(first, second))
    return torch.atan2(torch.linalg.vector_norm(cross, dim=-1), (first * second).sum(-1))


def unit_vectors(latitude_deg: Tensor, longitude_deg: Tensor) -> Tensor:
    """Unit vectors (..., 3) of geodetic coordinates (...)."""
    latitude, longitude = torch.deg2rad(latitude_deg), torch.deg2rad(longitude_deg)
    return torch.stack(
        [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()],
        dim=-1,
    )


def coordinates_deg(point: Tensor) -> tuple[Tensor, Tensor]:
    """Latitude and longitude in [-180, 180] of unit vectors (..., 3)."""
    latitude = torch.atan2(point[..., 2], torch.hypot(point[..., 0], point[..., 1]))
    return torch.rad2deg(latitude), torch.rad2deg(torch.atan2(point[..., 1], point[..., 0]))


def azimuth_deg(north: Tensor, east: Tensor) -> Tensor:
    """Azimuth clockwise from north in [0, 360) of a direction."""
    # Twice, because a hair west of north becomes 360 itself.
    return torch.rad2deg(torch.atan2(east, north)) % 360 % 360


def moved(point: Tensor, north_km: Tensor, east_km: Tensor) -> Tensor:
    """Points (..., 3) moved along the great circle of the sphere that starts as (north_km, east_km).

    Exact to 0.7 % of the step, the flattening of the ellipsoid: enough for steps and starts, which are then refined.
    """
    north, east = frame(point)
    step_rad = torch.hypot(north_km, east_km)[..., None] / EARTH_RADIUS_KM
    tangent = (north_km[..., None] * north + east_km[..., None] * east) / EARTH_RADIUS_KM
    there = point * step_rad.cos() + tangent * torch.sinc(step_rad / torch.pi)
    return there / torch.linalg.vector_norm(there, dim=-1, keepdim=True)


def frame(point: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors (..., 3) to north and east; at a pole, those of its longitude (zero where it has none)."""
    x, y, z = point.unbind(-1)
    horizontal = torch.hypot(x, y)
    at_pole = horizontal == 0
    cosine, sine = (
        torch.where(at_pole, torch.ones_like(x), x / horizontal),
        torch.where(at_pole, torch.zeros_like(y), y / horizontal),
    )
    return torch.stack([-z * cosine, -z * sine, horizontal], -1), torch.stack([-sine, cosine, torch.zeros_like(z)], -1)
