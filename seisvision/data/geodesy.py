"""Distances and azimuths on the ellipsoid."""

from __future__ import annotations

from typing import Final

import numpy as np

WGS84_RADIUS_KM: Final = 6378.137
WGS84_FLATTENING: Final = 1 / 298.257223563
OPPOSITE: Final = np.cos(np.radians(179))
"""Cosine of the arc from which points count as opposite."""


def geodesic(
    latitude1_deg: np.ndarray | float,
    longitude1_deg: np.ndarray | float,
    latitude2_deg: np.ndarray | float,
    longitude2_deg: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance (km), azimuth and back azimuth (degrees) on WGS84.

    Inverse formula of Vincenty (1975), Survey Review 23, 88-93; good to a millimetre. Nearly opposite points, for which
    it does not converge, are good to 10 m; between a point and itself, or its antipode, any azimuth is right.
    """
    points = (latitude1_deg, longitude1_deg, latitude2_deg, longitude2_deg)
    found = _vincenty(*points)
    opposite = np.argwhere(_cosine_of_arc(*points) < OPPOSITE)
    if not len(opposite):
        return found
    distance_km, azimuth, back = (np.array(values) for values in found)
    spread = np.broadcast_arrays(*points)
    for place in map(tuple, opposite):
        shortest = _around_the_globe(*(float(values[place]) for values in spread))
        distance_km[place], azimuth[place], back[place] = shortest
    return distance_km[()], azimuth[()] % 360, back[()] % 360


def _cosine_of_arc(
    latitude1_deg: np.ndarray | float,
    longitude1_deg: np.ndarray | float,
    latitude2_deg: np.ndarray | float,
    longitude2_deg: np.ndarray | float,
) -> np.ndarray:
    latitude1, latitude2 = np.radians(latitude1_deg), np.radians(latitude2_deg)
    turn = np.cos(np.radians(np.subtract(longitude2_deg, longitude1_deg)))
    return np.sin(latitude1) * np.sin(latitude2) + np.cos(latitude1) * np.cos(latitude2) * turn


def _around_the_globe(
    latitude1_deg: float, longitude1_deg: float, latitude2_deg: float, longitude2_deg: float
) -> tuple[float, float, float]:
    """Shortest way through a point 90 degrees away: the geodesic crosses that circle, and both halves converge."""
    reach = np.linspace(-180, 180, 721)
    best, step = 0.0, 180.0
    while True:
        turn = np.radians(best + reach * step / 180)
        latitude = np.degrees(np.arcsin(np.cos(np.radians(latitude1_deg)) * np.cos(turn)))
        east = np.sin(turn) * np.cos(np.radians(latitude1_deg))
        ahead = -np.sin(np.radians(latitude1_deg)) * np.sin(np.radians(latitude))
        longitude = longitude1_deg + np.degrees(np.arctan2(east, ahead))
        out_km, azimuth, _ = _vincenty(latitude1_deg, longitude1_deg, latitude, longitude)
        home_km, _, back = _vincenty(latitude, longitude, latitude2_deg, longitude2_deg)
        chosen = int(np.argmin(out_km + home_km))
        if step < 0.01:
            return float(out_km[chosen] + home_km[chosen]), float(azimuth[chosen]), float(back[chosen])
        best, step = float(np.degrees(turn[chosen])), step / 100


def _vincenty(
    latitude1_deg: np.ndarray | float,
    longitude1_deg: np.ndarray | float,
    latitude2_deg: np.ndarray | float,
    longitude2_deg: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    f = WGS84_FLATTENING
    reduced1 = np.arctan((1 - f) * np.tan(np.radians(latitude1_deg)))
    reduced2 = np.arctan((1 - f) * np.tan(np.radians(latitude2_deg)))
    sin1, cos1, sin2, cos2 = np.sin(reduced1), np.cos(reduced1), np.sin(reduced2), np.cos(reduced2)
    difference = np.radians(np.asarray(longitude2_deg) - np.asarray(longitude1_deg))
    auxiliary = difference
    # Longitude difference on the auxiliary sphere; converges in some five steps away from antipodes.
    for _ in range(20):
        east, north = cos2 * np.sin(auxiliary), cos1 * sin2 - sin1 * cos2 * np.cos(auxiliary)
        sin_arc, cos_arc = np.hypot(east, north), sin1 * sin2 + cos1 * cos2 * np.cos(auxiliary)
        arc = np.arctan2(sin_arc, cos_arc)
        sin_equator = cos1 * cos2 * np.sin(auxiliary) / np.maximum(sin_arc, 1e-15)
        cos2_equator = 1 - sin_equator**2
        middle = cos_arc - 2 * sin1 * sin2 / np.maximum(cos2_equator, 1e-15)
        c = f / 16 * cos2_equator * (4 + f * (4 - 3 * cos2_equator))
        bend = arc + c * sin_arc * (middle + c * cos_arc * (2 * middle**2 - 1))
        previous, auxiliary = auxiliary, difference + (1 - c) * f * sin_equator * bend
        if np.max(np.abs(auxiliary - previous)) < 1e-13:
            break
    # Series in the squared eccentricity for the length along the geodesic.
    u2 = cos2_equator * ((1 / (1 - f)) ** 2 - 1)
    a = 1 + u2 / 16384 * (4096 + u2 * (u2 * (320 - 175 * u2) - 768))
    b = u2 / 1024 * (256 + u2 * (u2 * (74 - 47 * u2) - 128))
    last = b / 6 * middle * (4 * sin_arc**2 - 3) * (4 * middle**2 - 3)
    correction = b * sin_arc * (middle + b / 4 * (cos_arc * (2 * middle**2 - 1) - last))
    distance_km = WGS84_RADIUS_KM * (1 - f) * a * (arc - correction)
    azimuth = np.arctan2(east, north)
    back = np.arctan2(-cos1 * np.sin(auxiliary), cos2 * sin1 - sin2 * cos1 * np.cos(auxiliary))
    return distance_km, np.degrees(azimuth) % 360, np.degrees(back) % 360
