"""Rays in a crust of flat layers: direct waves, head waves of every deeper layer and the Moho reflection.

Vp/Vs is one number for the whole crust, so S waves take the paths of P waves and only their times differ.
The curvature of the Earth enters by flattening (Aki & Richards 2002, box 9.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seisvision.earth.layers import bent, flattened_depth_km, flattened_velocity_km_s, head


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
        self.top_km = flattened_depth_km(top)
        self.velocity_km_s = flattened_velocity_km_s(velocity, top, bottom)

    def layer(self, depth_km: float) -> int:
        """Number of the layer that holds ``depth_km``."""
        return int(np.searchsorted(self._source_top_km, depth_km, side="right")) - 1

    def rays(self, depth_km: float, offset_km: np.ndarray) -> Rays:
        """Trace P rays from a source at ``depth_km`` to epicentral distances ``offset_km`` (S,)."""
        depth_km = float(flattened_depth_km(depth_km))
        # Thickness of each layer above the source, and between the source and each deeper layer.
        bottom = np.append(self.top_km[1:], np.inf)
        above = np.clip(np.minimum(bottom, depth_km) - self.top_km, 0, None)
        found = {"direct": bent(above, self.velocity_km_s, offset_km)}
        below = [n for n in range(1, len(self.top_km)) if self.top_km[n] > depth_km]
        for n in below:
            legs = above + 2 * np.clip(np.minimum(bottom, self.top_km[n]) - np.maximum(self.top_km, depth_km), 0, None)
            found[f"head{n}"] = head(legs, self.velocity_km_s, n, offset_km)
            if n == below[-1]:
                found["reflected"] = bent(legs, self.velocity_km_s, offset_km)
        time_s, slowness, length = (np.stack([ray[i] for ray in found.values()]) for i in range(3))
        return Rays(list(found), time_s, slowness, length, np.array([name == "direct" for name in found]))
