"""Synthesises local and regional earthquakes: body waves in a layered crust, their coda, surface waves and noise.

Far field of a double couple (Aki & Richards 2002, chapter 4) with Brune's spectrum. Horizontal axes at the source are
x north, y east, z down; motion is Z up, R away from the source, T clockwise of R.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from seisvision.data.importing.series.band import band_pass
from seisvision.data.synthesis.generator import digitise, rotate_to_zne
from seisvision.data.synthesis.geometry import COORDINATE_DECIMALS, EventGeometry
from seisvision.data.synthesis.noise import NoiseModel
from seisvision.data.synthesis.sources import double_couple
from seisvision.data.synthesis.tables import peterson_models
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters
from seisvision.data.synthesis_local.rays import Crust, Rays
from seisvision.data.synthesis_local.record_grid import RecordGrid
from seisvision.data.synthesis_local.swarms import network_geometry, swarm_geometry
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.geodesics import geodesic
from seisvision.earth.source_time import brune_rate, corner_frequency
from seisvision.earth.sphere import destination
from seisvision.seeding import numpy_stream

DENSITY_KG_M3: Final = 2700.0
GUIDED_KM: Final = 100.0
"""Beyond, direct waves are trapped in the crust and spread like 1/sqrt(R) (Herrmann & Kijko 1983)."""
HEAD_WAVE: Final = 0.3
"""Amplitude of a head wave against a direct wave of that length: layers stand for gradients, which bend rays back."""
REFLECTION: Final = (0.15, 0.8)
"""Amplitude of the Moho reflection below and beyond the critical angle."""
RADIATED_RMS: Final = {"P": np.sqrt(4 / 15), "S": np.sqrt(2 / 5)}
"""Root mean square over the sphere (Aki & Richards 2002, section 4.5)."""
SMOOTHING: Final = 0.3
"""Share of the mean that is radiated even into a nodal plane, as recordings above 1 Hz show (Takemura et al. 2009)."""
_PREROLL_S = 5.0
_FIRST_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
_ORIGIN_SPAN = timedelta(days=20 * 365.25)
_CODA_ON_ZRT = {"P": (1.0, 0.7, 0.7), "S": (0.6, 1.0, 1.0)}


@dataclass(frozen=True)
class LocalSource:
    """A double couple of unit moment ``tensor`` (3, 3) with a moment in N m."""

    depth_km: float
    magnitude: float
    moment_nm: float
    corner_hz: float
    tensor: np.ndarray


@dataclass(frozen=True)
class Medium:
    """The Earth of one event.

    Attributes:
        crust: P velocities.
        vp_vs: their ratio to S velocities.
        quality: Q of P and of S waves at 1 Hz.
        mean_free_path_km: see the parameters.
        coda_decay_s: see the parameters.
    """

    crust: Crust
    vp_vs: float
    quality: dict[str, float]
    mean_free_path_km: float
    coda_decay_s: float


@dataclass(frozen=True)
class LocalEvent:
    """One event as it would be recorded.

    Attributes:
        source_id: Unique in a set.
        origin_time: Of the event; the records begin ``lead_s`` earlier.
        lead_s: Time recorded before the origin time.
        source: The source that was drawn.
        geometry: Epicentre and S stations.
        waveforms: (S, 3, T) float32 ground velocity on Z, N, E in m/s.
        p_time_s, s_time_s: (S,) first arrivals after the origin time.
        repeat_s: By how much another event of the same place came later; NaN where none did.
        is_noise: Whether the record holds noise alone; source and times are then those of an event that was not.
    """

    source_id: str
    origin_time: datetime
    lead_s: float
    source: LocalSource
    geometry: EventGeometry
    waveforms: np.ndarray
    p_time_s: np.ndarray
    s_time_s: np.ndarray
    repeat_s: float = np.nan
    is_noise: bool = False


class LocalEventGenerator:
    """Makes the events of one set of parameters."""

    def __init__(self, parameters: LocalSynthesisParameters) -> None:
        self.parameters = parameters
        rate = parameters.sampling_rate_hz
        self.grid = RecordGrid(rate, parameters.n_samples + round(_PREROLL_S * rate))
        self.noise = NoiseModel(self.grid, peterson_models(), parameters.noise_db)

    def event(self, index: int) -> LocalEvent:
        """Event ``index``: always the same for the same parameters."""
        parameters, rng = self.parameters, self._stream("source", index)
        geometry, medium, source = self.geometry(index), self.medium(index), self.source(index)
        lead_s = float(rng.uniform(*parameters.lead_s))
        motion, arrivals = self.ground_motion(source, medium, geometry, index, lead_s)
        repeat_s, size = self._repeat(index, lead_s)
        if np.isfinite(repeat_s):
            motion = motion * (1 + size * np.exp(-1j * self.grid.omega * repeat_s)).astype(np.complex64)
        is_noise = bool(self._stream("kind", index).random() < parameters.noise_share)
        ground = self.grid.to_time(rotate_to_zne(motion * (not is_noise), geometry))
        ground += self.grid.to_time(self.noise.spectra(self._stream("noise", index), len(geometry.offset_km)))
        # Random over years, so that neither season nor year tells anything.
        origin_time = _FIRST_ORIGIN + _ORIGIN_SPAN * rng.random()
        origin_time = origin_time.replace(microsecond=origin_time.microsecond // 1000 * 1000)
        waveforms = self._recorded(ground)
        name, times_s = f"local-{index:06d}", (*arrivals, repeat_s)
        return LocalEvent(name, origin_time, lead_s, source, geometry, waveforms, *times_s, is_noise)

    def noise_alone(self, index: int) -> tuple[EventGeometry, np.ndarray]:
        """The stations of event ``index`` and what they record, (S, 3, T), where nothing happens."""
        geometry = self.geometry(index)
        spectra = self.noise.spectra(self._stream("noise", index), len(geometry.offset_km))
        return geometry, self._recorded(self.grid.to_time(spectra))

    def _recorded(self, ground: np.ndarray) -> np.ndarray:
        """Ground velocity (3, S, T) with the time before the record to what is recorded, float32 (S, 3, T)."""
        parameters = self.parameters
        if parameters.band_hz is not None:
            ground = band_pass(ground, parameters.sampling_rate_hz, parameters.band_hz).astype(np.float32)
        first = round(_PREROLL_S * parameters.sampling_rate_hz)
        return digitise(np.ascontiguousarray(ground[..., first : first + parameters.n_samples].transpose(1, 0, 2)))

    def geometry(self, index: int) -> EventGeometry:
        """Epicentre anywhere, stations at drawn distances and azimuths with a gap; or one of the swarms."""
        if self.parameters.swarms:
            return swarm_geometry(self.parameters, index)
        if self.parameters.network_km:
            return network_geometry(self.parameters, index)
        rng, parameters = self._stream("geometry", index), self.parameters
        latitude = round(float(np.degrees(np.arcsin(rng.uniform(-0.95, 0.95)))), COORDINATE_DECIMALS)
        longitude = round(float(rng.uniform(-180, 180)), COORDINATE_DECIMALS)
        n = int(rng.integers(parameters.n_stations[0], parameters.n_stations[1] + 1))
        distance_deg = np.degrees(rng.uniform(*parameters.offset_range_km, n) / EARTH_RADIUS_KM)
        azimuth_deg = rng.uniform(0, 360) + rng.uniform(0, rng.uniform(150, 360), n)
        places = np.round(destination(latitude, longitude, azimuth_deg, distance_deg), COORDINATE_DECIMALS)
        # Computed back from the rounded places, so that table and physics agree.
        offset_km, azimuth, back_azimuth = geodesic(latitude, longitude, *places)
        codes = np.array([_station_code(index * parameters.n_stations[1] + i) for i in range(n)])
        order = np.argsort(offset_km, kind="stable")
        columns = (codes, *places, offset_km, azimuth, back_azimuth)
        return EventGeometry(latitude, longitude, *(column[order] for column in columns))

    def source(self, index: int) -> LocalSource:
        """Source of event ``index``, a fault of random direction."""
        rng, parameters = self._stream("mechanism", index), self.parameters
        depth_km, magnitude = float(rng.uniform(*parameters.depth_km)), float(rng.uniform(*parameters.magnitude))
        moment_nm = 10 ** (1.5 * magnitude + 9.1)
        corner_hz = corner_frequency(moment_nm, 1e6 * _log_uniform(rng, parameters.stress_drop_mpa))
        tensor = double_couple(rng.uniform(0, 2 * np.pi), np.arccos(rng.uniform(0, 1)), rng.uniform(-np.pi, np.pi))
        return LocalSource(depth_km, magnitude, moment_nm, corner_hz, tensor)

    def medium(self, index: int) -> Medium:
        """The crust that event ``index`` is seen through."""
        rng, parameters = self._stream("medium", index), self.parameters
        factor = np.exp(rng.normal(0, parameters.velocity_spread))
        s_quality = _log_uniform(rng, parameters.quality)
        return Medium(
            Crust(parameters.layer_top_km, factor * np.array(parameters.vp_km_s)),
            float(rng.uniform(*parameters.vp_vs)),
            # P waves lose between as much and half as much a second as S waves.
            {"P": s_quality * float(rng.uniform(1, 2)), "S": s_quality},
            _log_uniform(rng, parameters.mean_free_path_km),
            _log_uniform(rng, parameters.coda_decay_s),
        )

    def ground_motion(
        self, source: LocalSource, medium: Medium, geometry: EventGeometry, index: int = 0, lead_s: float = 0.0
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Noise-free ground velocity spectra (3, S, F) complex64 in m on Z, R, T, and first P and S times (S,) in s.

        Args:
            source, medium, geometry: Drawn or made by hand.
            index: Event whose path effects and coda are used.
            lead_s: Origin time after the start of the record (which the grid begins five seconds earlier).
        """
        rng, parameters = self._stream("paths", index), self.parameters
        n = len(geometry.offset_km)
        rays = medium.crust.rays(source.depth_km, geometry.offset_km)
        lowest, highest = np.log(parameters.kappa_s)
        kappa_s = np.exp(rng.uniform(lowest, highest, n))
        site = np.exp(rng.normal(0, 0.2, (3, n, 1)))
        motion = np.zeros((3, n, len(self.grid.frequency_hz)), np.complex64)
        firsts = []
        for wave, ratio, corner in (("P", 1.0, 1.3), ("S", medium.vp_vs, 1.0)):
            delay = np.exp(rng.normal(0, parameters.path_spread, n))
            time_s = rays.time_s * ratio * delay
            firsts.append(np.nanmin(time_s, axis=0))
            strength = np.exp(rng.normal(0, 0.3, time_s.shape)) * self._strength(wave, source, medium, rays)
            shape = brune_rate(self.grid.frequency_hz, corner * source.corner_hz) * 1j * self.grid.omega
            star_s = _attenuation_s(time_s / medium.quality[wave], kappa_s, self.grid, parameters.quality_exponent)
            waves = _Waves(self.grid, time_s, star_s, shape * source.moment_nm, _PREROLL_S + lead_s)
            direction = _polarisation(wave, source, medium, rays, np.radians(geometry.azimuth_deg))
            motion += self._direct(waves, strength * direction, medium, rays)
            motion += self._coda(rng, wave, waves, strength, medium, rays)
            if wave == "P":
                continue
            motion += self._converted(rng, waves, strength, medium, rays)
            motion += parameters.surface_waves * self._surface(rng, waves, strength, medium, source, geometry.offset_km)
        return motion * (site * self.grid.anti_alias).astype(np.float32), (firsts[0], firsts[1])

    def _strength(self, wave: str, source: LocalSource, medium: Medium, rays: Rays) -> np.ndarray:
        """Far-field displacement (J, S) at the free surface per N m of moment and unit radiation, s/m."""
        crust = medium.crust
        layer = crust.layer(source.depth_km)
        ratio = medium.vp_vs if wave == "S" else 1.0
        at_source, at_surface = 1e3 * crust.velocity_km_s[[layer, 0]] / ratio
        spread_km = np.where(rays.upgoing[:, None], np.sqrt(np.maximum(rays.length_km / GUIDED_KM, 1)), 1.0)
        share = np.where(rays.upgoing[:, None], 1.0, np.full(rays.time_s.shape, HEAD_WAVE))
        if "reflected" in rays.phases:
            row = rays.phases.index("reflected")
            share[row] = np.where(rays.slowness_s_km[row] > 1 / crust.velocity_km_s[-1], REFLECTION[1], REFLECTION[0])
        # Twice for the free surface, and the slower layer under the station swings wider.
        amplitude = 2 * np.sqrt(at_source / at_surface) / (4 * np.pi * DENSITY_KG_M3 * at_source**3)
        return np.nan_to_num(amplitude * share * spread_km / (1e3 * rays.length_km))

    def _direct(self, waves: _Waves, amplitude: np.ndarray, medium: Medium, rays: Rays) -> np.ndarray:
        # What is scattered away from the ray is found again in the coda.
        kept = np.exp(-0.5 * np.nan_to_num(rays.length_km) / medium.mean_free_path_km)
        return waves.spectra(amplitude * kept)

    def _coda(
        self,
        rng: np.random.Generator,
        wave: str,
        waves: _Waves,
        strength: np.ndarray,
        medium: Medium,
        rays: Rays,
    ) -> np.ndarray:
        """Noise whose envelope falls as exp(-u/decay)/t with time t after the origin (Aki & Chouet 1975).

        Its energy is what the rays lost; it rises over a hundredth of the travel time (forward scattering).
        """
        lost = np.sqrt(1 - np.exp(-np.nan_to_num(rays.length_km) / medium.mean_free_path_km))
        first_s = np.nanmin(waves.time_s, axis=0)[:, None]
        lag_s = np.arange(self.grid.n_fft // 2) / self.grid.sampling_rate_hz
        envelope = first_s / (first_s + lag_s) * np.exp(-lag_s / medium.coda_decay_s)
        envelope *= 1 - np.exp(-(lag_s + 1 / self.grid.sampling_rate_hz) / (0.01 * first_s))
        envelope /= np.sqrt(np.sum(envelope**2, axis=1, keepdims=True))
        tail = rng.standard_normal((3, *envelope.shape), dtype=np.float32) * envelope.astype(np.float32)
        operator = self.grid.to_spectrum(tail) * np.float32(self.grid.sampling_rate_hz)
        weights = np.array(_CODA_ON_ZRT[wave]) / np.linalg.norm(_CODA_ON_ZRT[wave])
        scattered = waves.spectra((strength * lost * RADIATED_RMS[wave])[None])
        return scattered * operator * weights[:, None, None].astype(np.float32)

    def _converted(
        self, rng: np.random.Generator, waves: _Waves, strength: np.ndarray, medium: Medium, rays: Rays
    ) -> np.ndarray:
        """S turned to P at the bottom of the uppermost layer: ahead of S, on the vertical component."""
        crust, slowness = medium.crust, rays.slowness_s_km[0]
        upright_p = np.sqrt(np.maximum(crust.velocity_km_s[0] ** -2 - slowness**2, 0))
        upright_s = np.sqrt((medium.vp_vs / crust.velocity_km_s[0]) ** 2 - slowness**2)
        amplitude = np.zeros((3, *strength.shape))
        share = rng.normal(0, 0.2, strength.shape[1])
        amplitude[0, 0] = share * strength[0] * RADIATED_RMS["S"]
        return waves.delayed(-crust.top_km[1] * (upright_s - upright_p)).spectra(amplitude)

    def _surface(
        self,
        rng: np.random.Generator,
        waves: _Waves,
        strength: np.ndarray,
        medium: Medium,
        source: LocalSource,
        offset_km: np.ndarray,
    ) -> np.ndarray:
        """Fundamental Rayleigh (Z, R) and Love (T) waves, which fade with depth and spread along the surface.

        Group velocity rises from that of the uppermost layer near 1 Hz to the mean of the crust near 0.05 Hz.
        """
        frequency = np.maximum(self.grid.frequency_hz, self.grid.frequency_hz[1])
        s_velocity = medium.crust.velocity_km_s / medium.vp_vs
        group = np.interp(np.log(frequency), np.log([0.05, 1.0]), [0.9 * s_velocity[:-1].mean(), 0.9 * s_velocity[0]])
        wavenumber = 2 * np.pi * frequency / group
        size = np.sqrt(wavenumber * offset_km[:, None]) * np.exp(-wavenumber * source.depth_km)
        size = size * strength[0][:, None] * RADIATED_RMS["S"] * np.exp(rng.normal(0, 0.4, (len(offset_km), 1)))
        # A stationary phase whose derivative is the group delay.
        step = frequency[1] - frequency[0]
        delay = np.cumsum(2 * np.pi * step / group)[None] * offset_km[:, None]
        loss = np.exp(-wavenumber * offset_km[:, None] / (2 * medium.quality["S"]))
        wave = size * loss * waves.shape * np.exp(-1j * delay - 1j * self.grid.omega * waves.lead_s)
        turn = np.exp(1j * rng.uniform(0, 2 * np.pi, (2, len(offset_km), 1)))
        # Retrograde motion: R leads Z by a quarter.
        return np.stack([wave * turn[0], 0.7j * wave * turn[0], wave * turn[1]]).astype(np.complex64)

    def _repeat(self, index: int, lead_s: float) -> tuple[float, float]:
        """Delay and size of another event of the same place and mechanism, up to twice as strong; NaN where none is."""
        rng, parameters = self._stream("repeat", index), self.parameters
        if rng.random() >= parameters.repeat:
            return np.nan, 0.0
        return float(rng.uniform(0, parameters.length_s - lead_s)), float(10 ** rng.uniform(-1.5, 0.3))

    def _stream(self, name: str, index: int) -> np.random.Generator:
        return numpy_stream(self.parameters.seed, f"synthesis_local/{name}", index)


class _Waves:
    """Arrivals (J, S) of one wave type.

    Args:
        grid: Frequency grid.
        time_s: (J, S) after the origin time; NaN where there is none.
        star_s: (J, S, F) attenuation t*.
        shape: (F,) source spectrum with the derivative to velocity.
        lead_s: Origin time after the start of the grid's period.
    """

    def __init__(
        self, grid: RecordGrid, time_s: np.ndarray, star_s: np.ndarray, shape: np.ndarray, lead_s: float
    ) -> None:
        self.grid, self.time_s, self.star_s, self.shape, self.lead_s = grid, time_s, star_s, shape, lead_s

    def delayed(self, delay_s: np.ndarray) -> _Waves:
        """The same arrivals ``delay_s`` (S,) later."""
        return _Waves(self.grid, self.time_s + delay_s, self.star_s, self.shape, self.lead_s)

    def spectra(self, amplitude: np.ndarray) -> np.ndarray:
        """(C, S, F) complex64 for amplitudes (C, J, S).

        Attenuation delays low against high frequencies, so that nothing comes before the ray (Azimi et al. 1968).
        """
        frequency = np.maximum(self.grid.frequency_hz, self.grid.frequency_hz[1])
        time_s = self.lead_s + self.time_s
        # What comes after the record would wrap round to its start.
        inside = np.isfinite(time_s) & (time_s < self.grid.n_samples / self.grid.sampling_rate_hz)
        dispersion = 2j * np.log(frequency / frequency[-1])
        exponent = frequency * self.star_s * (dispersion - np.pi)
        exponent -= 2j * np.pi * self.grid.frequency_hz * np.where(inside, time_s, 0)[..., None]
        ramps = np.exp(exponent.astype(np.complex64))
        weights = np.where(inside, amplitude, 0).transpose(2, 0, 1).astype(np.complex64)
        motion = np.matmul(weights, ramps.transpose(1, 0, 2)) * self.shape.astype(np.complex64)
        return motion.transpose(1, 0, 2)


def _attenuation_s(star_s: np.ndarray, kappa_s: np.ndarray, grid: RecordGrid, exponent: float) -> np.ndarray:
    """t* (J, S, F) of paths with (J, S) at 1 Hz under stations with kappa (S,)."""
    frequency = np.maximum(grid.frequency_hz, 1.0)
    return np.nan_to_num(star_s)[..., None] * frequency**-exponent + kappa_s[:, None]


def _polarisation(wave: str, source: LocalSource, medium: Medium, rays: Rays, azimuth_rad: np.ndarray) -> np.ndarray:
    """Radiation times motion of the free surface (3, J, S) on Z, R, T.

    Vectors as in Aki & Richards (2002, equations 4.88 to 4.96); the surface doubles the wave (see ``_strength``).
    """
    crust = medium.crust
    velocity = crust.velocity_km_s[crust.layer(source.depth_km)]
    sine = np.clip(rays.slowness_s_km * velocity, 0, 1)
    down = np.sqrt(1 - sine**2) * np.where(rays.upgoing, -1, 1)[:, None]
    cos, sin = np.cos(azimuth_rad), np.sin(azimuth_rad)
    ray = np.stack([sine * cos, sine * sin, down])
    at_surface = np.clip(rays.slowness_s_km * crust.velocity_km_s[0], 0, 1)
    upright = np.sqrt(1 - at_surface**2)
    traction = np.einsum("ik,kjs->ijs", source.tensor, ray)
    if wave == "P":
        p = _smoothed(np.einsum("ijs,ijs->js", ray, traction), RADIATED_RMS["P"])
        return np.stack([upright * p, at_surface * p, np.zeros_like(p)])
    vertical_shear = np.stack([down * cos, down * sin, -sine])
    horizontal_shear = np.stack(np.broadcast_arrays(-sin, cos, np.zeros_like(sine)))
    sv = _smoothed(np.einsum("ijs,ijs->js", vertical_shear, traction), RADIATED_RMS["S"] / np.sqrt(2))
    sh = _smoothed(np.einsum("ijs,ijs->js", horizontal_shear, traction), RADIATED_RMS["S"] / np.sqrt(2))
    # SV of an upgoing ray moves up and backward.
    return np.stack([at_surface * sv, -upright * sv, sh])


def _smoothed(radiation: np.ndarray, mean: float) -> np.ndarray:
    return np.where(radiation < 0, -1, 1) * np.hypot(radiation, SMOOTHING * mean)


def _station_code(number: int) -> str:
    return "L" + np.base_repr(number % 36**4, 36).zfill(4)


def _log_uniform(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(ends))))
