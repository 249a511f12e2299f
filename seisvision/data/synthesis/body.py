"""Body waves by ray theory: far-field radiation, geometrical spreading, attenuation and the free surface.

Far field of moments and forces after Aki & Richards (2002, chapter 4), with the spreading of a spherical Earth.
Axes and output as in :mod:`seisvision.data.synthesis.surface`.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from seisvision.data.synthesis.paths import PathEffects
from seisvision.data.synthesis.sources import Source
from seisvision.data.synthesis.spectral import SpectralGrid
from seisvision.data.synthesis.tables import EarthTables
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.travel_times import PHASES, Arrivals, arrivals

HIGH_PASS_HZ: Final = 0.02
"""Ray theory fades out below this frequency, where surface-wave modes take over."""
_BLOCK = 64

_LEAVES_AS_S = np.array([phase.leaves_as == "S" for phase in PHASES])[:, None]
_ARRIVES_AS_S = np.array([phase.arrives_as == "S" for phase in PHASES])[:, None]
_REFLECTION = np.array([phase.reflection for phase in PHASES])[:, None]
_ATTENUATION = np.array([phase.attenuation for phase in PHASES])[:, None]


class BodyWaves:
    """Makes body-wave spectra of point sources at many stations.

    Args:
        tables: Tables of the Earth model.
        grid: Frequency grid; arrivals after its record are left out, lest they wrap round.
    """

    def __init__(self, tables: EarthTables, grid: SpectralGrid) -> None:
        self.tables = tables
        self.grid = grid
        self._band_pass = (1 - np.exp(-((grid.frequency_hz / HIGH_PASS_HZ) ** 2))) * grid.anti_alias

    def spectra(
        self, source: Source, distance_rad: np.ndarray, azimuth_rad: np.ndarray, paths: PathEffects
    ) -> np.ndarray:
        """Ground velocity spectra (3, S, F) complex64 in m on Z, R, T.

        Args:
            source: Point moments, forces and tremor at one depth.
            distance_rad, azimuth_rad: (S,) epicentral distance and azimuth from the source.
            paths: What lateral heterogeneity does to each path.
        """
        # At depth zero the take-off angle of a surface reflection has no meaning.
        depth_km = max(source.depth_km, 0.01)
        rays = arrivals(self.tables.rays, source.depth_km, np.degrees(distance_rad))
        directions = _Directions(self.tables, rays, depth_km, azimuth_rad)
        spreading = directions.spreading(rays, distance_rad) * _REFLECTION * paths.body_amplitude
        time_s = rays.time_s + np.where(_ARRIVES_AS_S, paths.s_residual_s, paths.p_residual_s)
        # A phase that does not exist has no time; one after the record would wrap round to its start.
        seen = np.isfinite(time_s) & (time_s > 0) & (time_s < self.grid.end_s)
        spreading = np.where(seen, np.nan_to_num(spreading), 0)
        ramps = self._phase_ramps(np.where(seen, time_s, 0), _attenuation_s(distance_rad, paths))
        motion = np.zeros((len(azimuth_rad), 3, len(self.grid.frequency_hz)), np.complex64)
        for radiated, spectrum in directions.radiated(source):
            # (S, 3, J) amplitudes times (S, J, F) phases.
            amplitude = directions.at_surface(radiated * spreading).transpose(2, 0, 1)
            motion += np.matmul(amplitude.astype(np.complex64), ramps) * self._velocity(spectrum)
        return motion.transpose(1, 0, 2)

    def first_arrivals_s(self, depth_km: float, distance_rad: np.ndarray, paths: PathEffects) -> np.ndarray:
        """First P and first S (S, 2) after the origin time, as :meth:`spectra` draws them; NaN where there is none."""
        rays = arrivals(self.tables.rays, max(depth_km, 0.01), np.degrees(distance_rad))
        waves = ((~_ARRIVES_AS_S, paths.p_residual_s), (_LEAVES_AS_S & _ARRIVES_AS_S, paths.s_residual_s))
        return np.stack([np.fmin.reduce(np.where(own, rays.time_s, np.nan)) + late_s for own, late_s in waves], axis=1)

    def _velocity(self, spectrum: np.ndarray) -> np.ndarray:
        return (spectrum * 1j * self.grid.omega * self._band_pass).astype(np.complex64)

    def _phase_ramps(self, time_s: np.ndarray, attenuation_s: np.ndarray) -> np.ndarray:
        """exp(-2 pi i f t - pi f t*) for (J, S) arrivals: (S, J, F) complex64.

        With f = (64 a + b) df the exponential is a product of two short ones, which saves nearly all exponentials.
        """
        exponent = -np.pi * self.grid.frequency_hz[1] * (2j * time_s + attenuation_s).T[..., None]
        n_blocks = -(-len(self.grid.frequency_hz) // _BLOCK)
        coarse = np.exp(exponent * _BLOCK * np.arange(n_blocks)).astype(np.complex64)
        fine = np.exp(exponent * np.arange(_BLOCK)).astype(np.complex64)
        ramps = (coarse[..., :, None] * fine[..., None, :]).reshape(*coarse.shape[:2], -1)
        return ramps[..., : len(self.grid.frequency_hz)]


def _attenuation_s(distance_rad: np.ndarray, paths: PathEffects) -> np.ndarray:
    """t* (J, S) in s: 0.15 s nearby to 0.7 s at teleseismic distance for P near 1 Hz, five times that for S."""
    p_wave = 0.15 + 0.55 * np.minimum(np.degrees(distance_rad), 40) / 40
    return p_wave * _ATTENUATION * paths.attenuation


class _Directions:
    """Ray directions and polarisations of the phases (J) at S stations."""

    def __init__(self, tables: EarthTables, rays: Arrivals, depth_km: float, azimuth_rad: np.ndarray) -> None:
        self.source_radius_m = 1e3 * (EARTH_RADIUS_KM - depth_km)
        self.surface_radius_m = 1e3 * EARTH_RADIUS_KM
        p_source, s_source, self.source_density = tables.profile.at(depth_km)
        p_surface, s_surface, self.surface_density = tables.profile.at(0.0)
        self.source_velocity = np.where(_LEAVES_AS_S, s_source, p_source)
        self.surface_velocity = np.where(_ARRIVES_AS_S, s_surface, p_surface)
        # Interpolated ray parameters may exceed what is possible by a little, near grazing rays.
        self.sin_source = np.clip(rays.slowness * self.source_velocity / self.source_radius_m, 0, 0.98)
        self.sin_surface = np.clip(rays.slowness * self.surface_velocity / self.surface_radius_m, 0, 0.98)
        self.cos_source, self.cos_surface = np.sqrt(1 - self.sin_source**2), np.sqrt(1 - self.sin_surface**2)
        # z points down, so an upgoing ray has a negative vertical component.
        down = np.where(rays.upgoing > 0.5, -self.cos_source, self.cos_source)
        cos, sin = np.cos(azimuth_rad), np.sin(azimuth_rad)
        self.ray = np.stack([self.sin_source * cos, self.sin_source * sin, down])
        self.vertical_shear = np.stack([down * cos, down * sin, -self.sin_source])
        self.horizontal_shear = np.stack(np.broadcast_arrays(-sin, cos, np.zeros_like(down)))

    def spreading(self, rays: Arrivals, distance_rad: np.ndarray) -> np.ndarray:
        """Amplitude (J, S) of unit far-field radiation: displacement per N of force along the polarisation."""
        # The floors keep amplitudes finite for grazing and for vertical rays, where ray theory breaks down.
        steepness = np.maximum(self.cos_source, 0.2) * np.maximum(self.cos_surface, 0.2)
        focus = np.maximum(rays.slowness, 20) * self.source_velocity**2 * rays.curvature
        inverse_m = np.sqrt(focus / (np.sin(distance_rad) * steepness)) / (self.source_radius_m * self.surface_radius_m)
        impedance = self.source_density * self.surface_density * self.source_velocity * self.surface_velocity
        return inverse_m / (4 * np.pi * np.sqrt(impedance) * self.source_velocity)

    def radiated(self, source: Source) -> list[tuple[np.ndarray, np.ndarray]]:
        """(2, J, S) radiation in the vertical plane (P or SV) and across it (SH), with the source's (F,) spectrum."""
        # Only waves that stay S all the way can carry transverse motion.
        in_plane = np.where(_LEAVES_AS_S, self.vertical_shear, self.ray)
        across = np.where(_LEAVES_AS_S & _ARRIVES_AS_S, self.horizontal_shear, 0)
        polarisations = np.stack([in_plane, across])
        parts = []
        for moment in source.moments:
            projected = np.einsum("qijs,ik,kjs->qjs", polarisations, moment.tensor_nm, self.ray)
            parts.append((projected / self.source_velocity, moment.rate_spectrum))
        for force in (*source.forces, *source.tremors):
            parts.append((np.einsum("qijs,i->qjs", polarisations, force.vector_n), force.spectrum))
        return parts

    def at_surface(self, amplitude: np.ndarray) -> np.ndarray:
        """Motion (3, J, S) of the free surface on Z, R, T for (2, J, S) in-plane and transverse amplitudes.

        The surface doubles the incident motion. SV of an upgoing ray moves up and backward, hence the sign on R.
        """
        in_plane, across = 2 * amplitude
        vertical = np.where(_ARRIVES_AS_S, self.sin_surface, self.cos_surface) * in_plane
        radial = np.where(_ARRIVES_AS_S, -self.cos_surface, 0.9 * self.sin_surface) * in_plane
        return np.stack([vertical, radial, across])
