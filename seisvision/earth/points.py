"""Points as unit vectors of their geodetic coordinates, arrays of numpy with the three components first.

What :mod:`seisvision.earth.unit_vectors` does with tensors for many points, for the few of single events.
"""

from __future__ import annotations

import numpy as np

from seisvision.earth.geodesics import geodesic


def unit_vectors(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
    """Unit vectors (3, ...) of geodetic coordinates (...)."""
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    level = np.cos(latitude)
    return np.array([level * np.cos(longitude), level * np.sin(longitude), np.sin(latitude)])


def coordinates_deg(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude in [-180, 180] (...) of unit vectors (3, ...)."""
    x, y, z = point
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def axes(point: np.ndarray) -> np.ndarray:
    """Unit vectors (3, 3, ...) to north, to east and to points (3, ...) themselves, components along the second axis.

    At a pole, north and east are those of the meridian of Greenwich.
    """
    x, y, z = point
    level = np.hypot(x, y)
    at_pole = level == 0
    divisor = np.where(at_pole, 1.0, level)
    along, across = np.where(at_pole, 1.0, x / divisor), y / divisor
    return np.array([[-z * along, -z * across, level], [-across, along, np.zeros_like(z)], [x, y, z]])


def way_km(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distances north and east (2, ...) along geodesics from points (3, ...) to others."""
    distance_km, azimuth_deg, _ = geodesic(*coordinates_deg(first), *coordinates_deg(second))
    azimuth = np.radians(azimuth_deg)
    return np.array([distance_km * np.cos(azimuth), distance_km * np.sin(azimuth)])
