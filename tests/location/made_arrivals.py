"""Simulated arrival times at stations around known hypocentres, by geodesics and straight rays of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from seisvision.earth.geodesics import geodesic
from tests.location.made_events import stations_around

VP, VS = 6.0, 3.5
RADIUS_KM = 6371.0


def straight_s(distance_km: np.ndarray, depth_km: np.ndarray, elevation_km: np.ndarray, velocity: float) -> np.ndarray:
    """Time along the chord of a sphere."""
    source, station, arc = RADIUS_KM - depth_km, RADIUS_KM + elevation_km, distance_km / RADIUS_KM
    return np.hypot(station * np.sin(arc), station * np.cos(arc) - source) / velocity


def arrivals(
    n_events: int = 6,
    n_stations: int = 8,
    *,
    centre_deg: tuple[float, float] = (46.0, 10.0),
    distance_km: tuple[float, float] = (4.0, 50.0),
    azimuth_deg: tuple[float, float] = (0.0, 360.0),
    depth_km: tuple[float, float] = (4.0, 14.0),
    phases: tuple[str, ...] = ("P", "S"),
    sigma_s: tuple[float, ...] = (0.05, 0.1),
    noise: float = 0.0,
    seed: int = 3407,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """True hypocentres (B,) and what `locate_arrivals` takes (B, S)."""
    rng = np.random.default_rng(seed)
    latitude = centre_deg[0] + rng.uniform(-0.1, 0.1, n_events)
    longitude = centre_deg[1] + rng.uniform(-0.1, 0.1, n_events)
    depth, shape = rng.uniform(*depth_km, n_events), (n_events, n_stations)
    # Evenly in azimuth with some jitter, so that no draw of a few events is one-sided by chance.
    turn = (np.arange(n_stations) + rng.uniform(0.2, 0.8, shape)) / n_stations
    azimuth = azimuth_deg[0] + turn * (azimuth_deg[1] - azimuth_deg[0])
    station = stations_around(latitude, longitude, rng.uniform(*distance_km, shape), azimuth)
    elevation = rng.uniform(0.0, 2.0, shape)
    offset_km = geodesic(latitude[:, None], longitude[:, None], *station)[0]
    times, sigmas = [], []
    for phase, sigma in zip(phases, sigma_s, strict=False):
        velocity = VP if phase == "P" else VS
        exact = straight_s(offset_km, depth[:, None], elevation, velocity)
        times.append(1000.0 + exact + noise * sigma * rng.standard_normal(shape))
        sigmas.append(np.full(shape, sigma))
    n = len(phases)
    observed = {
        "station_latitude_deg": np.tile(station[0], n),
        "station_longitude_deg": np.tile(station[1], n),
        "station_elevation_km": np.tile(elevation, n),
        "phase": np.repeat(np.array(phases), n_stations)[None].repeat(n_events, 0),
        "time_s": np.concatenate(times, 1),
        "sigma_s": np.concatenate(sigmas, 1),
    }
    return {"latitude_deg": latitude, "longitude_deg": longitude, "depth_km": depth}, observed
