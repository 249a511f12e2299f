"""Distances and azimuths on the ellipsoid between coordinates in degrees."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from seisvision.earth.constants import WGS84_FLATTENING
from seisvision.earth.vincenty import NUMBERS, inverse

CONVERGED_RAD: Final = 1e-13
OPPOSITE: Final = np.cos(np.radians(179))
"""Cosine of the arc from which points count as opposite."""
SAME_DEG: Final = 1e-6
"""A tenth of a metre: what is as close as that to the antipode is there."""


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
    return distance_km[()], azimuth[()] % 360 % 360, back[()] % 360 % 360


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
    turn_rad = np.radians(np.asarray(longitude2_deg) - np.asarray(longitude1_deg))
    way = inverse(_reduced(latitude1_deg), _reduced(latitude2_deg), turn_rad, np, CONVERGED_RAD)
    azimuth, back = np.arctan2(way.east, way.north), np.arctan2(way.back_east, way.back_north)
    # Twice, because a hair west of north becomes 360 itself.
    return way.distance_km, np.degrees(azimuth) % 360 % 360, np.degrees(back) % 360 % 360


def _reduced(latitude_deg: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Sine and cosine of the reduced latitude."""
    reduced = np.arctan((1 - WGS84_FLATTENING) * np.tan(np.radians(latitude_deg)))
    return np.sin(reduced), np.cos(reduced)


def within_half_turn(longitude_deg: float) -> float:
    """Longitude in [-180, 180): 185.02 and -174.98 are one place."""
    if not abs(longitude_deg) >= 180:
        return longitude_deg
    # A tenth of a millimetre: 185.02 - 360 is not -174.98 to the last digit.
    return round((longitude_deg + 180) % 360 - 180, 9)


def path(
    latitude1_deg: float, longitude1_deg: float, latitude2_deg: float, longitude2_deg: float
) -> tuple[float, float, float]:
    """Distance (km), azimuth and back azimuth (degrees) on WGS84 of one pair of any two points.

    Angles are NaN where there is no direction: at one point, at a pole (from there), and at the antipode.
    """
    places = (latitude1_deg, within_half_turn(longitude1_deg), latitude2_deg, within_half_turn(longitude2_deg))
    distance_km, azimuth, back_azimuth = _of_one_pair(*places)
    if distance_km < 1e-3 or _are_antipodes(*places):
        return distance_km, np.nan, np.nan
    azimuth = np.nan if abs(latitude1_deg) == 90 else azimuth
    return distance_km, azimuth, np.nan if abs(latitude2_deg) == 90 else back_azimuth


def _of_one_pair(
    latitude1_deg: float, longitude1_deg: float, latitude2_deg: float, longitude2_deg: float
) -> tuple[float, float, float]:
    """:func:`geodesic` of plain numbers, which is what an importer asks for station by station."""
    latitude1, latitude2 = math.radians(latitude1_deg), math.radians(latitude2_deg)
    turn = math.radians(longitude2_deg - longitude1_deg)
    cosine = math.sin(latitude1) * math.sin(latitude2) + math.cos(latitude1) * math.cos(latitude2) * math.cos(turn)
    if cosine < OPPOSITE:
        distance_km, azimuth, back = geodesic(latitude1_deg, longitude1_deg, latitude2_deg, longitude2_deg)
        return float(distance_km), float(azimuth), float(back)
    reduced = [math.atan((1 - WGS84_FLATTENING) * math.tan(latitude)) for latitude in (latitude1, latitude2)]
    first, second = ((math.sin(latitude), math.cos(latitude)) for latitude in reduced)
    way = inverse(first, second, turn, NUMBERS, CONVERGED_RAD)
    azimuth_deg = math.degrees(math.atan2(way.east, way.north)) % 360
    back_deg = math.degrees(math.atan2(way.back_east, way.back_north)) % 360
    # The remainder of a tiny negative number rounds to a whole turn.
    return way.distance_km, azimuth_deg % 360, back_deg % 360


def _are_antipodes(latitude1_deg: float, longitude1_deg: float, latitude2_deg: float, longitude2_deg: float) -> bool:
    if abs(latitude1_deg + latitude2_deg) > SAME_DEG:
        return False
    turn = abs((longitude2_deg - longitude1_deg) % 360 - 180)
    return bool(turn * np.cos(np.radians(latitude1_deg)) <= SAME_DEG)
