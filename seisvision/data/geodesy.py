"""Distances and azimuths on the ellipsoid."""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np

WGS84_RADIUS_KM: Final = 6378.137
WGS84_FLATTENING: Final = 1 / 298.257223563
HALF_MERIDIAN_KM: Final = 20003.931459
"""From pole to pole, and between any two antipodes, on WGS84."""
UNSTABLE_KM: Final = 20004.3145
"""What obspy says where Vincenty's formula does not converge, near the antipode."""


def geodesic(
    latitude1_deg: np.ndarray | float,
    longitude1_deg: np.ndarray | float,
    latitude2_deg: np.ndarray | float,
    longitude2_deg: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance (km), azimuth and back azimuth (degrees) on WGS84, for points less than 170 degrees apart.

    Inverse formula of Vincenty (1975), Survey Review 23, 88-93; good to a millimetre.
    """
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


def within_half_turn(longitude_deg: float) -> float:
    """Longitude in [-180, 180): 185.02 and -174.98 are one place."""
    return longitude_deg if not abs(longitude_deg) >= 180 else (longitude_deg + 180) % 360 - 180


def path(
    latitude1_deg: float, longitude1_deg: float, latitude2_deg: float, longitude2_deg: float
) -> tuple[float, float, float]:
    """Distance (km), azimuth and back azimuth (degrees) on WGS84 of one pair of any two points.

    Angles are NaN where there is no direction: at one point, at a pole (from there), and near the antipode, where the
    distance is that on a sphere with the meridian of WGS84 (0.1 % off).
    """
    from obspy.geodetics import gps2dist_azimuth

    places = (latitude1_deg, within_half_turn(longitude1_deg), latitude2_deg, within_half_turn(longitude2_deg))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of antipodes
        distance_m, azimuth, back_azimuth = gps2dist_azimuth(*places)
    distance_km = distance_m / 1000
    if not np.isfinite(distance_km) or distance_km == UNSTABLE_KM:
        return HALF_MERIDIAN_KM * _angle_rad(*places) / np.pi, np.nan, np.nan
    if distance_km < 1e-3:
        return distance_km, np.nan, np.nan
    azimuth = np.nan if abs(latitude1_deg) == 90 else azimuth % 360
    return distance_km, azimuth, np.nan if abs(latitude2_deg) == 90 else back_azimuth % 360


def _angle_rad(latitude1_deg: float, longitude1_deg: float, latitude2_deg: float, longitude2_deg: float) -> float:
    """Angle between two points of a sphere."""
    phi1, lambda1, phi2, lambda2 = np.radians([latitude1_deg, longitude1_deg, latitude2_deg, longitude2_deg])
    first, second = (
        np.array([np.cos(phi) * np.cos(turn), np.cos(phi) * np.sin(turn), np.sin(phi)])
        for phi, turn in ((phi1, lambda1), (phi2, lambda2))
    )
    return float(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second))
