"""Distances within a network."""

from __future__ import annotations

import numpy as np

from seisvision.cataloguing.association.protocol import Network
from seisvision.earth.constants import EARTH_RADIUS_KM


def aperture_km(network: Network) -> float:
    """Largest distance between two stations."""
    latitude, longitude = network.latitude_deg, network.longitude_deg
    return float(sphere_distance_km(latitude[:, None], longitude[:, None], latitude, longitude).max())


def sphere_distance_km(
    latitude1: np.ndarray, longitude1: np.ndarray, latitude2: np.ndarray, longitude2: np.ndarray
) -> np.ndarray:
    """Distances on a sphere, good to half a percent: enough to tell which picks belong together."""
    a, b = np.radians(latitude1), np.radians(latitude2)
    across = np.radians(longitude2 - longitude1)
    half = np.sin((b - a) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(across / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


def arc_km(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distances (N, M) on the same sphere between unit vectors (N, 3) and (M, 3)."""
    apart = first[:, None, :] - second
    chord = np.sqrt(np.einsum("nmk,nmk->nm", apart, apart))
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(0.5 * chord, 1)))
