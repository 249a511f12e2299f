"""Rays in a crust of flat layers: direct waves, head waves of every deeper layer and the Moho reflection.

Vp/Vs is one number for the whole crust, so S waves take the paths of P waves and only their times differ.
The curvature of the Earth enters by flattening (Aki & Richards 2002, box 9.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seisvision.earth.constants import EARTH_RADIUS_KM

_BISECTIONS = 60


@dataclass(frozen=True)
class Rays:
    """P rays from one source to S stations, J phases.

    Attributes:
        phases: (J,) ``direct``, ``reflected`` and ``head1``, ``head2``, ... by the layer they run in.
        time_s: (J, S) travel time; NaN where the phase does not exist.
        slowness_s_km: (J, S) horizontal slowness.
        length_km: (J, S) length of the ray.
        upgoing: (J,) whether it leaves the source upwards.
    """

    phases: list[str]
    time_s: np.ndarray
    slowness_s_km: np.ndarray
    length_km: np.ndarray
    upgoing: np.ndarray


class Crust:
    """Flat layers over a half-space.

    Args:
        top_km: (L,) tops of the layers, the first 0, the last that of the half-space.
        velocity_km_s: (L,) P velocities, rising.
    """

    def __init__(self, top_km: Sequence[float], velocity_km_s: Sequence[float]) -> None:
        top, velocity = np.asarray(top_km, float), np.asarray(velocity_km_s, float)
        self._source_top_km = top
        bottom = np.append(top[1:], top[-1])
        middle_radius = EARTH_RADIUS_KM - (top + bottom) / 2
        self.top_km = -EARTH_RADIUS_KM * np.log(1 - top / EARTH_RADIUS_KM)
        self.velocity_km_s = velocity * EARTH_RADIUS_KM / middle_radius

    def layer(self, depth_km: float) -> int:
        """Number of the layer that holds ``depth_km``."""
        return int(np.searchsorted(self._source_top_km, depth_km, side="right")) - 1

    def rays(self, depth_km: float, offset_km: np.ndarray) -> Rays:
        """Trace P rays from a source at ``depth_km`` to epicentral distances ``offset_km`` (S,)."""
        depth_km = -EARTH_RADIUS_KM * np.log(1 - depth_km / EARTH_RADIUS_KM)
        # Thickness of each layer above the source, and between the source and each deeper layer.
        bottom = np.append(self.top_km[1:], np.inf)
        above = np.clip(np.minimum(bottom, depth_km) - self.top_km, 0, None)
        found = {"direct": self._bent(above, offset_km)}
        below = [n for n in range(1, len(self.top_km)) if self.top_km[n] > depth_km]
        for n in below:
            legs = above + 2 * np.clip(np.minimum(bottom, self.top_km[n]) - np.maximum(self.top_km, depth_km), 0, None)
            found[f"head{n}"] = self._head(legs, n, offset_km)
            if n == below[-1]:
                found["reflected"] = self._bent(legs, offset_km)
        time_s, slowness, length = (np.stack([ray[i] for ray in found.values()]) for i in range(3))
        return Rays(list(found), time_s, slowness, length, np.array([name == "direct" for name in found]))

    def _bent(self, legs_km: np.ndarray, offset_km: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Time, slowness and length of the ray that crosses ``legs_km`` (L,) of each layer and travels ``offset_km``.

        The tangent of its angle in the fastest layer is found by bisection: distance rises with it without bound.
        """
        crossed = legs_km > 0
        legs, velocity = legs_km[crossed][:, None], self.velocity_km_s[crossed][:, None]
        fastest = int(np.argmax(velocity))
        ratio = velocity / velocity[fastest]

        def sines(tangent: np.ndarray) -> np.ndarray:
            return ratio * tangent / np.sqrt(1 + tangent**2)

        low, high = np.zeros_like(offset_km), offset_km / legs[fastest]
        for _ in range(_BISECTIONS):
            tangent = (low + high) / 2
            sine = sines(tangent)
            short = np.sum(legs * sine / np.sqrt(1 - sine**2), axis=0) < offset_km
            low, high = np.where(short, tangent, low), np.where(short, high, tangent)
        sine = sines((low + high) / 2)
        path = legs / np.sqrt(1 - sine**2)
        return np.sum(path / velocity, axis=0), sine[fastest] / velocity[fastest], np.sum(path, axis=0)

    def _head(
        self, legs_km: np.ndarray, refractor: int, offset_km: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Time, slowness and length of the wave that runs along the top of layer ``refractor``."""
        crossed = legs_km > 0
        legs, velocity = legs_km[crossed], self.velocity_km_s[crossed]
        slowness = 1 / self.velocity_km_s[refractor]
        cosine = np.sqrt(1 - (velocity * slowness) ** 2)
        along = offset_km - np.sum(legs * velocity * slowness / cosine)
        time_s = offset_km * slowness + np.sum(legs * cosine / velocity)
        exists = along >= 0
        return (
            np.where(exists, time_s, np.nan),
            np.full_like(offset_km, slowness),
            np.where(exists, along + np.sum(legs / cosine), np.nan),
        )
