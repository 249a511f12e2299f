"""Simulated distances at stations around known epicentres."""

from __future__ import annotations

import numpy as np

from seisvision.earth.geodesics import geodesic

KM_PER_DEG = 111.19


def stations_around(
    latitude_deg: np.ndarray, longitude_deg: np.ndarray, distance_km: np.ndarray, azimuth_deg: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Stations (B, S) about that far from epicentres (B,), on a sphere: their distances have to be computed."""
    arc, azimuth = np.radians(distance_km / KM_PER_DEG), np.radians(azimuth_deg)
    latitude, longitude = np.radians(latitude_deg)[:, None], np.radians(longitude_deg)[:, None]
    sine = np.sin(latitude) * np.cos(arc) + np.cos(latitude) * np.sin(arc) * np.cos(azimuth)
    east = np.sin(azimuth) * np.sin(arc) * np.cos(latitude)
    turned = longitude + np.arctan2(east, np.cos(arc) - np.sin(latitude) * sine)
    return np.degrees(np.arcsin(sine)), (np.degrees(turned) + 180) % 360 - 180


def random_events(
    n_events: int,
    n_stations: int,
    *,
    centre_deg: tuple[float, float] = (64.5, -18.0),
    spread_deg: float = 1.0,
    distance_km: tuple[float, float] = (20.0, 300.0),
    azimuth_deg: tuple[float, float] = (0.0, 360.0),
    seed: int = 3407,
) -> dict[str, np.ndarray]:
    """True epicentres (B,), stations (B, S) and exact distances and back azimuths (B, S) on WGS84."""
    rng = np.random.default_rng(seed)
    latitude = centre_deg[0] + rng.uniform(-spread_deg, spread_deg, n_events)
    longitude = (centre_deg[1] + rng.uniform(-spread_deg, spread_deg, n_events) + 180) % 360 - 180
    shape = (n_events, n_stations)
    stations = stations_around(latitude, longitude, rng.uniform(*distance_km, shape), rng.uniform(*azimuth_deg, shape))
    offset_km, _, back_azimuth_deg = geodesic(latitude[:, None], longitude[:, None], *stations)
    return {
        "latitude_deg": latitude,
        "longitude_deg": longitude,
        "station_latitude_deg": stations[0],
        "station_longitude_deg": stations[1],
        "offset_km": offset_km,
        "back_azimuth_deg": back_azimuth_deg,
    }


def errors_km(latitude_deg: np.ndarray, longitude_deg: np.ndarray, events: dict[str, np.ndarray]) -> np.ndarray:
    """Distance (B,) between places and true epicentres."""
    places = np.asarray(latitude_deg), np.asarray(longitude_deg)
    return geodesic(*places, events["latitude_deg"], events["longitude_deg"])[0]
