"""Far-field spectra of fundamental Love and Rayleigh waves, after Aki & Richards (2002, section 7.4).

Axes: x north, y east, z down. Output: Z up, R away from the source, T clockwise (increasing azimuth); ground velocity.
Aki & Richards invert with exp(-i omega t) where numpy has exp(+i omega t), so results are conjugated once at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from seisvision.data.synthesis.paths import PathEffects
from seisvision.data.synthesis.sources import Source
from seisvision.data.synthesis.spectral import SpectralGrid
from seisvision.data.synthesis.tables import EarthTables
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.modes import SOURCE_DEPTHS_KM, ModeTable

BAND_HZ: Final = (1 / 240, 0.25)
_BAND_TAPER_HZ = (1 / 240, 1 / 180, 0.12, 0.25)
# Scattering takes short-period surface waves away before 3000 km: 1/300 is added to 1/Q between these frequencies.
_SCATTERING_RAMP_HZ = (0.04, 0.10)
_SCATTERING_LOSS = 1 / 300


@dataclass(frozen=True)
class _Band:
    """One wave type at the band's frequencies (F_b,), eigenfunctions (F_b, D)."""

    wavenumber: np.ndarray
    group_velocity: np.ndarray
    phase_velocity: np.ndarray
    energy: np.ndarray
    quality: np.ndarray
    eigenfunctions: dict[str, np.ndarray]

    def at_depth(self, depth_km: float) -> dict[str, np.ndarray]:
        """Eigenfunctions (F_b,) at a source depth."""
        row = int(np.clip(np.searchsorted(SOURCE_DEPTHS_KM, depth_km) - 1, 0, len(SOURCE_DEPTHS_KM) - 2))
        top, bottom = SOURCE_DEPTHS_KM[row : row + 2]
        weight = float(np.clip((depth_km - top) / (bottom - top), 0, 1))
        return {
            name: shape[:, row] * (1 - weight) + shape[:, row + 1] * weight
            for name, shape in self.eigenfunctions.items()
        }


class SurfaceWaves:
    """Makes surface-wave spectra of point sources at many stations.

    Args:
        tables: Tables of the Earth model.
        grid: Frequency grid; surface waves fill ``BAND_HZ`` of it.
    """

    def __init__(self, tables: EarthTables, grid: SpectralGrid) -> None:
        self.grid = grid
        self.inside = (grid.frequency_hz >= BAND_HZ[0]) & (grid.frequency_hz <= BAND_HZ[1])
        self.frequency_hz = grid.frequency_hz[self.inside]
        self.omega = grid.omega[self.inside]
        self._taper = np.interp(self.frequency_hz, _BAND_TAPER_HZ, [0, 1, 1, 0])
        self.love = self._band(tables.love)
        self.rayleigh = self._band(tables.rayleigh)

    def _band(self, table: ModeTable) -> _Band:
        def at_omega(values: np.ndarray) -> np.ndarray:
            return np.interp(self.omega, table.omega, values)

        low, high = _SCATTERING_RAMP_HZ
        scattering = _SCATTERING_LOSS * np.clip((self.frequency_hz - low) / (high - low), 0, 1)
        shapes = {
            name: np.stack([at_omega(column) for column in shape.T], axis=1)
            for name, shape in table.eigenfunctions.items()
        }
        phase_velocity = at_omega(table.phase_velocity)
        return _Band(
            wavenumber=self.omega / phase_velocity,
            phase_velocity=phase_velocity,
            group_velocity=at_omega(table.group_velocity),
            energy=at_omega(table.energy),
            quality=1 / (1 / at_omega(table.quality) + scattering),
            eigenfunctions=shapes,
        )

    def spectra(
        self, source: Source, distance_rad: np.ndarray, azimuth_rad: np.ndarray, paths: PathEffects
    ) -> np.ndarray:
        """Ground velocity spectra (3, S, F) complex64 in m on Z, R, T; zero outside ``BAND_HZ``.

        Args:
            source: Point moments and forces at one depth.
            distance_rad, azimuth_rad: (S,) epicentral distance and azimuth from the source.
            paths: What lateral heterogeneity does to each path.
        """
        rayleigh = self._rayleigh_excitation(source, azimuth_rad)
        rayleigh = rayleigh * self._propagation(self.rayleigh, distance_rad, paths.rayleigh_slowness, paths.log_quality)
        love = self._love_excitation(source, azimuth_rad)
        love = love * self._propagation(self.love, distance_rad, paths.love_slowness, paths.log_quality)
        vertical = -1j * rayleigh * self.rayleigh.eigenfunctions["r2"][:, 0]
        radial = rayleigh * self.rayleigh.eigenfunctions["r1"][:, 0]
        transverse = love * self.love.eigenfunctions["l1"][:, 0]
        # Conjugated here, once, for numpy's sign of time.
        motion = np.conj(np.stack([vertical, radial, transverse])) * self._taper * paths.surface_amplitude[..., None]
        spectra = np.zeros((*motion.shape[:2], len(self.inside)), np.complex64)
        spectra[..., self.inside] = motion
        return spectra

    def _propagation(
        self, band: _Band, distance_rad: np.ndarray, slowness: np.ndarray, log_quality: np.ndarray
    ) -> np.ndarray:
        """Common factor (S, F_b): spreading over the sphere, phase and attenuation along the path."""
        path_m = 1e3 * EARTH_RADIUS_KM * distance_rad[:, None]
        spread_m = 1e3 * EARTH_RADIUS_KM * np.sin(distance_rad)[:, None]
        amplitude = np.sqrt(2 / (np.pi * band.wavenumber * spread_m))
        amplitude = amplitude / (8 * band.phase_velocity * band.group_velocity * band.energy)
        # Heterogeneity changes the phase; its effect on group arrival follows from the perturbed phase itself.
        phase = band.wavenumber * path_m * (1 + slowness[:, None]) + np.pi / 4
        loss = self.omega * path_m / (2 * band.quality * band.group_velocity) * np.exp(-log_quality[:, None])
        return amplitude * np.exp(1j * phase - loss)

    def _rayleigh_excitation(self, source: Source, azimuth_rad: np.ndarray) -> np.ndarray:
        """How strongly the source excites Rayleigh waves towards each station, (S, F_b)."""
        shape = self.rayleigh.at_depth(source.depth_km)
        r1, r2, dr1, dr2 = (shape[name] for name in ("r1", "r2", "dr1", "dr2"))
        k = self.rayleigh.wavenumber
        cos, sin = np.cos(azimuth_rad)[:, None], np.sin(azimuth_rad)[:, None]
        excitation = np.zeros((len(azimuth_rad), len(k)), complex)
        for moment in source.moments:
            m = moment.tensor_nm
            horizontal = m[0, 0] * cos**2 + 2 * m[0, 1] * sin * cos + m[1, 1] * sin**2
            dipping = m[0, 2] * cos + m[1, 2] * sin
            radiated = -1j * k * r1 * horizontal - 1j * dr2 * m[2, 2] + (dr1 - k * r2) * dipping
            excitation += radiated * np.conj(moment.rate_spectrum[self.inside])
        for force in source.forces:
            f = force.vector_n
            radiated = r1 * (f[0] * cos + f[1] * sin) - 1j * r2 * f[2]
            excitation += radiated * (-1j * self.omega) * np.conj(force.spectrum[self.inside])
        return excitation

    def _love_excitation(self, source: Source, azimuth_rad: np.ndarray) -> np.ndarray:
        """How strongly the source excites Love waves towards each station, (S, F_b)."""
        shape = self.love.at_depth(source.depth_km)
        l1, dl1, k = shape["l1"], shape["dl1"], self.love.wavenumber
        cos, sin = np.cos(azimuth_rad)[:, None], np.sin(azimuth_rad)[:, None]
        excitation = np.zeros((len(azimuth_rad), len(k)), complex)
        for moment in source.moments:
            m = moment.tensor_nm
            horizontal = (m[1, 1] - m[0, 0]) * sin * cos + m[0, 1] * (cos**2 - sin**2)
            dipping = m[1, 2] * cos - m[0, 2] * sin
            excitation += (-1j * k * l1 * horizontal + dl1 * dipping) * np.conj(moment.rate_spectrum[self.inside])
        for force in source.forces:
            f = force.vector_n
            excitation += l1 * (f[1] * cos - f[0] * sin) * (-1j * self.omega) * np.conj(force.spectrum[self.inside])
        return excitation
