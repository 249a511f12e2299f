"""Ways on a sphere, where a part of a degree more or less does not matter."""

from __future__ import annotations

import numpy as np

from seisvision.earth.constants import KM_PER_DEG


def destination(
    latitude_deg: np.ndarray | float,
    longitude_deg: np.ndarray | float,
    azimuth_deg: np.ndarray | float,
    distance_deg: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude (degrees, longitude in [-180, 180)) reached on a sphere."""
    lat, azimuth, arc = np.radians(latitude_deg), np.radians(azimuth_deg), np.radians(distance_deg)
    sin_lat = np.sin(lat) * np.cos(arc) + np.cos(lat) * np.sin(arc) * np.cos(azimuth)
    east = np.sin(azimuth) * np.sin(arc) * np.cos(lat)
    turn = np.arctan2(east, np.cos(arc) - np.sin(lat) * sin_lat)
    longitude = (np.asarray(longitude_deg) + np.degrees(turn) + 180) % 360 - 180
    return np.degrees(np.arcsin(np.clip(sin_lat, -1, 1))), longitude


def back_azimuths(source_latitude_deg: np.ndarray, azimuth_deg: np.ndarray, offset_km: np.ndarray) -> np.ndarray:
    """Azimuths (S,) from stations to source in [0, 360), on a sphere: off by less than a degree away from the poles."""
    latitude, azimuth = np.radians(source_latitude_deg), np.radians(azimuth_deg.astype(float))
    distance = np.radians(offset_km / KM_PER_DEG)
    sin_station = np.sin(latitude) * np.cos(distance) + np.cos(latitude) * np.sin(distance) * np.cos(azimuth)
    east = -np.sin(azimuth) * np.cos(latitude) * np.sin(distance)
    north = np.sin(latitude) - sin_station * np.cos(distance)
    # Twice, because a hair west of north becomes 360 itself.
    return np.degrees(np.arctan2(east, north)) % 360 % 360
