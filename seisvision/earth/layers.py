"""Rays between two depths of flat layers: bent ones that cross interfaces, and head waves along one.

The curvature of the Earth enters by flattening (Aki & Richards 2002, box 9.2).
"""

from __future__ import annotations

import numpy as np

from seisvision.earth.constants import EARTH_RADIUS_KM

_MOST_STEPS = 80
_CONVERGED_KM = 1e-10
_THINNEST_KM = 1e-6
"""Source and station at one depth have this much of their layer between them."""


def flattened_depth_km(depth_km: np.ndarray | float) -> np.ndarray:
    """Depth in the flat Earth of the depth in the sphere; negative above the datum."""
    return -EARTH_RADIUS_KM * np.log(1 - np.asarray(depth_km, float) / EARTH_RADIUS_KM)


def flattened_velocity_km_s(velocity_km_s: np.ndarray, top_km: np.ndarray, bottom_km: np.ndarray) -> np.ndarray:
    """Velocities of layers in the flat Earth, as at the middle of each."""
    return velocity_km_s * EARTH_RADIUS_KM / (EARTH_RADIUS_KM - (top_km + bottom_km) / 2)


def bent(
    legs_km: np.ndarray, velocity_km_s: np.ndarray, offset_km: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time (s), slowness (s/km) and length (km) of rays that cross layers and travel ``offset_km``, all (..., X).

    The tangent of the angle in the fastest layer crossed is found by Newton's method. The offset is a concave rising
    function of it, so that the steps from zero come from below and never pass the root.

    Args:
        legs_km: (L, ...) thickness that is crossed of each layer; some layer must be crossed.
        velocity_km_s: (L,).
        offset_km: (X,) zero or more.
    """
    crossed = legs_km > 0
    velocity = velocity_km_s.reshape(-1, *[1] * (legs_km.ndim - 1))
    fastest = np.where(crossed, velocity, 0.0).max(axis=0)
    ratio = np.where(crossed, velocity / fastest, 0.0)[..., None]
    some = [bool(used.any()) for used in crossed]
    layers = [(leg[..., None], r, 1 - r * r) for leg, r in zip(legs_km[some], ratio[some], strict=True)]
    tangent = np.zeros(np.broadcast_shapes((*legs_km.shape[1:], 1), offset_km.shape))
    for _ in range(_MOST_STEPS):
        reach, slope = np.zeros_like(tangent), np.zeros_like(tangent)
        for leg, r, slower in layers:
            root = np.sqrt(1 + slower * tangent**2)
            reach += leg * r * tangent / root
            slope += leg * r / root**3
        short = offset_km - reach
        tangent = tangent + short / slope
        if (np.abs(short) <= _CONVERGED_KM + 1e-14 * offset_km).all():
            break
    length, time_s, secant = np.zeros_like(tangent), np.zeros_like(tangent), np.sqrt(1 + tangent**2)
    for (leg, _, slower), v in zip(layers, velocity_km_s[some], strict=True):
        path = leg * secant / np.sqrt(1 + slower * tangent**2)
        length, time_s = length + path, time_s + path / v
    return time_s, tangent / secant / fastest[..., None], length


def head(
    legs_km: np.ndarray, velocity_km_s: np.ndarray, refractor: int, offset_km: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time, slowness and length of the wave that runs along the top of layer ``refractor``; see `bent`.

    Time and length are NaN before the critical distance, and where a layer that is crossed is as fast as the refractor.
    """
    slowness = 1 / velocity_km_s[refractor]
    velocity = velocity_km_s.reshape(-1, *[1] * (legs_km.ndim - 1))
    crossed = legs_km > 0
    possible = ~(crossed & (velocity * slowness >= 1)).any(axis=0)[..., None]
    sine = np.where(crossed & possible[..., 0], velocity * slowness, 0.0)
    cosine = np.sqrt(1 - sine**2)
    along = offset_km - np.sum(legs_km * sine / cosine, axis=0)[..., None]
    time_s = offset_km * slowness + np.sum(legs_km * cosine / velocity, axis=0)[..., None]
    exists = (along >= 0) & possible
    length = along + np.sum(legs_km / cosine, axis=0)[..., None]
    return np.where(exists, time_s, np.nan), np.full(exists.shape, slowness), np.where(exists, length, np.nan)


def first_arrivals(
    top_km: np.ndarray,
    velocity_km_s: np.ndarray,
    depth_km: np.ndarray,
    station_depth_km: float,
    offset_km: np.ndarray,
) -> np.ndarray:
    """Time (D, X) of the first wave from depths (D,) to one station depth: the direct one or a head wave.

    The first layer reaches upwards without end, for what lies above the datum. A layer slower than one above it carries
    direct waves and no head wave.

    Args:
        top_km: (L,) tops in the sphere, the first 0.
        velocity_km_s: (L,).
        depth_km: (D,) of sources, negative above the datum.
        station_depth_km: of the station.
        offset_km: (X,) at the datum.
    """
    deepest_km = max(float(np.max(depth_km)), float(top_km[-1]))
    velocity = flattened_velocity_km_s(velocity_km_s, top_km, np.append(top_km[1:], deepest_km))
    top = flattened_depth_km(top_km)
    bottom, top = np.append(top[1:], np.inf), np.append(-np.inf, top[1:])
    source, station = flattened_depth_km(depth_km), float(flattened_depth_km(station_depth_km))
    upper, lower = np.minimum(source, station), np.maximum(source, station)

    def between(high: np.ndarray, low: np.ndarray | float) -> np.ndarray:
        """Thickness (L, D) of each layer from ``high`` down to ``low``."""
        return np.clip(np.minimum(bottom[:, None], low) - np.maximum(top[:, None], high), 0, None)

    first = bent(between(upper, np.maximum(lower, upper + _THINNEST_KM)), velocity, offset_km)[0]
    for n in range(1, len(top)):
        above = lower <= top[n]
        if above.any():
            legs = between(upper, lower) + 2 * between(lower, top[n])
            first = np.fmin(first, np.where(above[:, None], head(legs, velocity, n, offset_km)[0], np.nan))
    return first
