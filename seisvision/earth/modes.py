"""Fundamental Love and Rayleigh modes of a radial Earth by linear finite elements.

Energy integrals after Aki & Richards (2002, section 7.3), Earth flattening after Biswas (1972).
For every wavenumber k the quadratic form k^2 I2 + k I3 + I4 = omega^2 I1 is a symmetric banded eigenproblem,
whose lowest eigenvalue is the fundamental mode; group velocities follow from the same integrals without differences.
Velocities in m/s, depths in km; eigenfunctions in the conventions of Aki & Richards (z down).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import eig_banded

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.profile import EarthProfile, shear_quality

SOURCE_DEPTHS_KM: Final = np.concatenate(
    [
        [0, 0.5, 1, 2, 3, 5, 7.5],
        np.arange(10, 40, 2.5),
        np.arange(40, 100, 5),
        np.arange(100, 220, 10),
        np.arange(220, 720, 20.0),
    ]
)
"""Depths at which eigenfunctions are kept, (D,)."""
PERIOD_RANGE_S: Final = (4.0, 260.0)
N_WAVENUMBERS: Final = 90
_LOVE_DENSITY_EXPONENT = 5.0
_RAYLEIGH_DENSITY_EXPONENT = 2.275
# Depth (km) and element thickness (km) at the ends of each stretch; thickness varies linearly between.
_MESH = (
    (0.0, 20.0, 0.4, 0.6),
    (20.0, 35.0, 0.6, 1.0),
    (35.0, 120.0, 1.0, 3.0),
    (120.0, 410.0, 3.0, 8.0),
    (410.0, 660.0, 8.0, 12.0),
    (660.0, 1500.0, 12.0, 50.0),
)


@dataclass(frozen=True)
class ModeTable:
    """Fundamental mode of one wave type at K wavenumbers, by increasing frequency.

    Attributes:
        omega: (K,) angular frequency, rad/s.
        phase_velocity, group_velocity: (K,) m/s.
        energy: (K,) integral I1 of Aki & Richards (with the factor 1/2), kg/m2.
        quality: (K,) quality factor at constant wavenumber.
        eigenfunctions: ``l1, dl1`` (Love) or ``r1, r2, dr1, dr2`` (Rayleigh), each (K, D) at ``SOURCE_DEPTHS_KM``;
            names with ``d`` are derivatives with depth, 1/m.
    """

    omega: np.ndarray
    phase_velocity: np.ndarray
    group_velocity: np.ndarray
    energy: np.ndarray
    quality: np.ndarray
    eigenfunctions: dict[str, np.ndarray]

    def at_periods(self, column: str, period_s: np.ndarray) -> np.ndarray:
        """One of the (K,) columns at other periods, linear in log period."""
        log_period = np.log(2 * np.pi / self.omega)
        return np.interp(np.log(period_s), log_period[::-1], getattr(self, column)[::-1])


@dataclass(frozen=True)
class _Elements:
    """Flattened Earth cut into E elements; the node below the last element is fixed."""

    node_km: np.ndarray
    middle_km: np.ndarray
    thickness_m: np.ndarray
    rigidity: np.ndarray
    lame: np.ndarray
    mass: np.ndarray
    inverse_quality: np.ndarray

    def sample(self, values: np.ndarray) -> np.ndarray:
        """Values at nodes or at element middles, interpolated to ``SOURCE_DEPTHS_KM``."""
        depths = self.node_km if len(values) == len(self.node_km) else self.middle_km
        return np.interp(SOURCE_DEPTHS_KM, depths, values)


def love_modes(profile: EarthProfile) -> ModeTable:
    """Fundamental Love mode."""
    return _table(_love_mode, _elements(profile, _LOVE_DENSITY_EXPONENT))


def rayleigh_modes(profile: EarthProfile) -> ModeTable:
    """Fundamental Rayleigh mode; r2 is positive at the surface."""
    return _table(_rayleigh_mode, _elements(profile, _RAYLEIGH_DENSITY_EXPONENT))


def _nodes_km() -> np.ndarray:
    pieces = []
    for top, bottom, first, last in _MESH:
        x = np.linspace(0, 1, int(np.ceil((bottom - top) / (0.5 * (first + last)))) + 1)
        pieces.append(top + (bottom - top) * (first * x + 0.5 * (last - first) * x**2) / (0.5 * (first + last)))
    return np.concatenate([piece[:-1] for piece in pieces] + [[_MESH[-1][1]]])


def _elements(profile: EarthProfile, density_exponent: float) -> _Elements:
    # Fine where short periods sample the crust, coarse in the mantle.
    node_km = _nodes_km()
    middle_km = 0.5 * (node_km[1:] + node_km[:-1])
    stretch = EARTH_RADIUS_KM / (EARTH_RADIUS_KM - middle_km)
    p_velocity, s_velocity, density = profile.at(middle_km)
    density = density * stretch**-density_exponent
    thickness_m = 1e3 * np.diff(EARTH_RADIUS_KM * np.log(EARTH_RADIUS_KM / (EARTH_RADIUS_KM - node_km)))
    rigidity = density * (s_velocity * stretch) ** 2
    # Lumped mass: half of each element on either node, so that the eigenproblem is a standard one.
    half = 0.5 * density * thickness_m
    return _Elements(
        node_km=node_km,
        middle_km=middle_km,
        thickness_m=thickness_m,
        rigidity=rigidity,
        lame=density * (p_velocity * stretch) ** 2 - 2 * rigidity,
        mass=half + np.append(0.0, half[:-1]),
        inverse_quality=1 / shear_quality(middle_km),
    )


def _table(solve: Callable[[float, _Elements], dict[str, np.ndarray | float]], elements: _Elements) -> ModeTable:
    shortest, longest = PERIOD_RANGE_S
    period = np.geomspace(longest, shortest, N_WAVENUMBERS)
    # A guess of the phase velocity only spreads the wavenumbers over the wanted periods.
    guess = np.interp(period, [4, 20, 50, 100, 300], [3200, 3600, 4000, 4200, 4900])
    rows = [solve(k, elements) for k in 2 * np.pi / (period * guess)]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    order = np.argsort(columns["omega"])
    columns = {name: values[order] for name, values in columns.items()}
    scalars = {name: columns.pop(name) for name in ("omega", "phase_velocity", "group_velocity", "energy", "quality")}
    return ModeTable(**scalars, eigenfunctions=columns)


def _mean_square(nodal: np.ndarray) -> np.ndarray:
    """Mean of the square of a linear function over each element."""
    return (nodal[:-1] ** 2 + nodal[:-1] * nodal[1:] + nodal[1:] ** 2) / 3


def _lowest(band: np.ndarray) -> tuple[float, np.ndarray]:
    """Lowest eigenpair: angular frequency and eigenvector."""
    values, vectors = eig_banded(band, lower=True, select="i", select_range=(0, 0))
    return float(np.sqrt(values[0])), vectors[:, 0]


def _love_mode(k: float, e: _Elements) -> dict[str, np.ndarray | float]:
    h, mu, n = e.thickness_m, e.rigidity, len(e.thickness_m)
    own, shared = mu * (k * k * h / 3 + 1 / h), mu * (k * k * h / 6 - 1 / h)
    scale = 1 / np.sqrt(e.mass)
    band = np.zeros((2, n))
    band[0] = (own + np.append(0.0, own[:-1])) * scale**2
    band[1, :-1] = shared[:-1] * scale[:-1] * scale[1:]
    # The fixed bottom node is not an unknown; it comes back as zero.
    omega, vector = _lowest(band)
    l1 = np.append(vector * scale, 0.0)
    dl1 = np.diff(l1) / h
    energy = 0.5 * np.sum(e.mass * l1[:-1] ** 2)
    i2 = 0.5 * np.sum(mu * h * _mean_square(l1))
    strain = mu * h * (k * k * _mean_square(l1) + dl1**2)
    return {
        "omega": omega,
        "phase_velocity": omega / k,
        "group_velocity": i2 / (omega / k * energy),
        "energy": energy,
        "quality": np.sum(strain) / np.sum(strain * e.inverse_quality),
        "l1": e.sample(l1),
        "dl1": e.sample(dl1),
    }


def _rayleigh_band(k: float, e: _Elements) -> np.ndarray:
    """Lower band (4, 2E) of k^2 I2 + k I3 + I4 for the unknowns r1, r2 of one node after the other."""
    h, mu, lame, n = e.thickness_m, e.rigidity, e.lame, len(e.thickness_m)
    block = np.zeros((4, 4, n))
    for offset, (translation, gradient) in enumerate(((lame + 2 * mu, mu), (mu, lame + 2 * mu))):
        own, shared = k * k * translation * h / 3 + gradient / h, k * k * translation * h / 6 - gradient / h
        block[offset, offset], block[offset + 2, offset + 2], block[offset, offset + 2] = own, own, shared
    # The products r1 r2' and r2 r1' are exact with element means.
    from_lame, from_mu = k * lame / 2, k * mu / 2
    block[0, 1], block[0, 3] = from_mu - from_lame, from_lame + from_mu
    block[1, 2], block[2, 3] = -from_lame - from_mu, from_lame - from_mu
    band = np.zeros((4, 2 * n + 2))
    for row in range(4):
        for column in range(row, 4):
            band[column - row, row : row + 2 * n : 2] += block[row, column]
    return band[:, : 2 * n]


def _rayleigh_mode(k: float, e: _Elements) -> dict[str, np.ndarray | float]:
    h, mu, lame = e.thickness_m, e.rigidity, e.lame
    scale = np.repeat(1 / np.sqrt(e.mass), 2)
    band = _rayleigh_band(k, e)
    for diagonal in range(4):
        length = band.shape[1] - diagonal
        band[diagonal, :length] *= scale[:length] * scale[diagonal:]
    omega, vector = _lowest(band)
    # An eigenvector has no sign of its own; upward motion at the surface fixes it for all wavenumbers.
    vector = vector * scale * np.sign(vector[1])
    r1, r2 = np.append(vector[0::2], 0.0), np.append(vector[1::2], 0.0)
    dr1, dr2 = np.diff(r1) / h, np.diff(r2) / h
    mean1, mean2 = 0.5 * (r1[1:] + r1[:-1]), 0.5 * (r2[1:] + r2[:-1])
    energy = 0.5 * np.sum(e.mass * (r1[:-1] ** 2 + r2[:-1] ** 2))
    i2 = 0.5 * np.sum(h * ((lame + 2 * mu) * _mean_square(r1) + mu * _mean_square(r2)))
    coupling = h * (lame * mean1 * dr2 - mu * mean2 * dr1)
    total = h * (k * k * ((lame + 2 * mu) * _mean_square(r1) + mu * _mean_square(r2)))
    total = total + 2 * k * coupling + h * ((lame + 2 * mu) * dr2**2 + mu * dr1**2)
    # Attenuation acts on shear energy alone, so the energy of pure compression is taken out.
    dilatation = k * k * _mean_square(r1) + 2 * k * mean1 * dr2 + dr2**2
    shear = total - h * (lame + 2 / 3 * mu) * dilatation
    return {
        "omega": omega,
        "phase_velocity": omega / k,
        "group_velocity": (i2 + np.sum(coupling) / (2 * k)) / (omega / k * energy),
        "energy": energy,
        "quality": np.sum(total) / np.sum(shear * e.inverse_quality),
        "r1": e.sample(r1),
        "r2": e.sample(r2),
        "dr1": e.sample(dr1),
        "dr2": e.sample(dr2),
    }
