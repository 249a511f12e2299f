"""Radial Earth: elastic profile of a bundled reference model and the shear attenuation of PREM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

DEEPEST_KM: Final = 2700.0

_COLUMNS = (
    "top_depth",
    "bot_depth",
    "top_p_velocity",
    "bot_p_velocity",
    "top_s_velocity",
    "bot_s_velocity",
    "top_density",
    "bot_density",
)


@dataclass(frozen=True)
class EarthProfile:
    """Layers with linear gradients.

    Attributes:
        layers: (L, 8) float64: top and bottom depth (km), then top and bottom values of P velocity (km/s),
            S velocity (km/s) and density (g/cm3).
    """

    layers: np.ndarray

    def at(self, depth_km: np.ndarray | float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """P velocity (m/s), S velocity (m/s) and density (kg/m3); at an interface the values below it."""
        depth = np.asarray(depth_km, dtype=float)
        row = np.clip(np.searchsorted(self.layers[:, 0], depth, side="right") - 1, 0, len(self.layers) - 1)
        layer = self.layers[row]
        weight = (depth - layer[..., 0]) / (layer[..., 1] - layer[..., 0])
        p_velocity, s_velocity, density = (
            1e3 * (layer[..., column] * (1 - weight) + layer[..., column + 1] * weight) for column in (2, 4, 6)
        )
        return p_velocity, s_velocity, density


def earth_profile(model: str) -> EarthProfile:
    """Crust and mantle of one of ObsPy's bundled models, such as ``ak135f_no_mud`` (Kennett et al. 1995)."""
    from obspy.taup import TauPyModel

    rows = TauPyModel(model).model.s_mod.v_mod.layers
    layers = np.stack([np.asarray(rows[column], dtype=float) for column in _COLUMNS], axis=1)
    return EarthProfile(layers[layers[:, 0] < DEEPEST_KM])


def shear_quality(depth_km: np.ndarray) -> np.ndarray:
    """Shear quality factor of PREM (Dziewonski & Anderson 1981, table IV), used with every elastic profile."""
    return np.select([depth_km < 80, depth_km < 220, depth_km < 670], [600.0, 80.0, 143.0], 312.0)
