"""Places on a plane: Lambert's azimuthal equal-area projection of the sphere (Snyder 1987, USGS PP 1395).

Areas are true. Distances from the centre are short by r²/24R² (0.03 % at 500 km), those across long by r²/8R².
The flattening of the Earth is left out, which is 0.3 % of a distance at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seisvision.earth.constants import EARTH_RADIUS_KM

FARTHEST_DEG = 150.0
"""From the centre; beyond it the plane is torn apart, and places have no coordinates."""


@dataclass(frozen=True)
class Projection:
    """A plane that touches the Earth at a centre: x to the east, y to the north, in km."""

    latitude_deg: float
    longitude_deg: float

    @classmethod
    def about(cls, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> Projection:
        """Plane about the middle of places (N,), whichever side of the date line or of a pole they lie on."""
        lat, lon = np.radians(latitude_deg), np.radians(longitude_deg)
        east, north, up = (np.cos(lat) * np.cos(lon)).mean(), (np.cos(lat) * np.sin(lon)).mean(), np.sin(lat).mean()
        return cls(float(np.degrees(np.arctan2(up, np.hypot(east, north)))), float(np.degrees(np.arctan2(north, east))))

    def to_km(self, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates x, y (N,) in km; NaN farther than :data:`FARTHEST_DEG`."""
        lat, turn = np.radians(latitude_deg), np.radians(np.asarray(longitude_deg) - self.longitude_deg)
        lat0 = np.radians(self.latitude_deg)
        cosine = np.sin(lat0) * np.sin(lat) + np.cos(lat0) * np.cos(lat) * np.cos(turn)
        near = cosine > np.cos(np.radians(FARTHEST_DEG))
        scale = EARTH_RADIUS_KM * np.sqrt(2 / (1 + np.where(near, cosine, np.nan)))
        north = np.cos(lat0) * np.sin(lat) - np.sin(lat0) * np.cos(lat) * np.cos(turn)
        return scale * np.cos(lat) * np.sin(turn), scale * north

    def to_vectors(self, x_km: np.ndarray, y_km: np.ndarray) -> np.ndarray:
        """Unit vectors (N, 3) from the centre of the Earth, as :func:`vectors_of` gives them for the same places."""
        x, y = x_km / EARTH_RADIUS_KM, y_km / EARTH_RADIUS_KM
        # Half of the square of the chord is one less the cosine of the arc.
        lower = np.minimum(0.5 * (x * x + y * y), 2.0)
        level = np.sqrt(1 - 0.5 * lower)
        return np.asarray(np.stack([1 - lower, level * x, level * y], axis=-1) @ self._axes)

    @cached_property
    def _axes(self) -> np.ndarray:
        """Unit vectors (3, 3) up, to the east and to the north of the centre."""
        up, turn = vectors_of(np.array(self.latitude_deg), np.array(self.longitude_deg)), np.radians(self.longitude_deg)
        east = np.array([-np.sin(turn), np.cos(turn), 0.0])
        return np.stack([up, east, np.cross(up, east)])

    def to_degrees(self, x_km: np.ndarray, y_km: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude (N,), longitude in [-180, 180)."""
        radius = np.hypot(x_km, y_km)
        arc = 2 * np.arcsin(np.clip(radius / (2 * EARTH_RADIUS_KM), 0, 1))
        lat0, safe = np.radians(self.latitude_deg), np.where(radius > 0, radius, 1.0)
        sine = np.cos(arc) * np.sin(lat0) + y_km * np.sin(arc) * np.cos(lat0) / safe
        turn = np.arctan2(x_km * np.sin(arc), safe * np.cos(lat0) * np.cos(arc) - y_km * np.sin(lat0) * np.sin(arc))
        longitude = (self.longitude_deg + np.degrees(turn) + 180) % 360 - 180
        return np.degrees(np.arcsin(np.clip(sine, -1, 1))), longitude


def vectors_of(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
    """Unit vectors (..., 3) from the centre of the Earth: towards 0 N 0 E, 0 N 90 E, and the pole."""
    lat, lon = np.radians(latitude_deg), np.radians(longitude_deg)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
