"""Synthesises whole events: a source, its waves at many stations, noise and data faults.

Every event draws from streams of its own, so it does not depend on the other events, their order or the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from seisvision.data.synthesis.body import BodyWaves
from seisvision.data.synthesis.faults import draw_faults, record_with_faults
from seisvision.data.synthesis.geometry import EventGeometry, event_geometry
from seisvision.data.synthesis.noise import NoiseModel
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.data.synthesis.paths import coda_operator, draw_paths
from seisvision.data.synthesis.sources import Source, draw_source
from seisvision.data.synthesis.spectral import SpectralGrid
from seisvision.data.synthesis.surface import SurfaceWaves
from seisvision.data.synthesis.tables import earth_tables
from seisvision.earth.constants import KM_PER_DEG
from seisvision.seeding import numpy_stream

SLOWEST_WAVE_KM_S: Final = 2.7
QUANTA_PER_DEVIATION: Final = 20
"""Digital steps per standard deviation of the background."""
_FIRST_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
_ORIGIN_SPAN = timedelta(days=20 * 365.25)


@dataclass(frozen=True)
class SyntheticEvent:
    """One event as it would be recorded.

    Attributes:
        source_id: Unique in a set.
        origin_time: When the source begins.
        start_time: Time of the first sample.
        source: The source that was drawn.
        geometry: Epicentre and S stations.
        waveforms: (S, 3, T) float32 ground velocity on Z, N, E in m/s; a dead station is all zero.
        faults: Per station the names of the data faults put in.
        arrivals_s: (S, 2) first P and first S after the first sample; NaN where the source sends none, or the record of
            the station holds nothing of it.
    """

    source_id: str
    origin_time: datetime
    start_time: datetime
    source: Source
    geometry: EventGeometry
    waveforms: np.ndarray
    faults: list[tuple[str, ...]]
    arrivals_s: np.ndarray


class EventGenerator:
    """Makes the events of one set of parameters.

    Args:
        parameters: What to make.
        cache_dir: Folder for the tables of the Earth model; without it they are computed anew (about two seconds).
    """

    def __init__(self, parameters: SynthesisParameters, cache_dir: Path | None = None) -> None:
        self.parameters = parameters
        self.tables = earth_tables(parameters.earth_model, cache_dir)
        slowest_s = parameters.offset_range_deg[1] * KM_PER_DEG / SLOWEST_WAVE_KM_S
        self.grid = SpectralGrid(parameters.sampling_rate_hz, parameters.n_samples, slowest_s, parameters.n_lead)
        self.surface = SurfaceWaves(self.tables, self.grid)
        self.body = BodyWaves(self.tables, self.grid)
        self.noise = NoiseModel(self.grid, self.tables.noise, parameters.noise_db)

    def event(self, index: int) -> SyntheticEvent:
        """Event ``index``: always the same for the same parameters."""
        geometry, source = self.geometry(index), self.source(index)
        motion = rotate_to_zne(self.ground_motion(source, geometry, index), geometry)
        n_stations = len(geometry.offset_km)
        # Site and noise belong to the sensor's components, hence after the rotation.
        site = self._stream("site", index).normal(0, 0.15 * self.parameters.heterogeneity, (3, n_stations, 1))
        motion *= np.exp(site).astype(np.float32)
        motion += self.noise.spectra(self._stream("noise", index), n_stations)
        rng = self._stream("faults", index)
        faults = draw_faults(rng, n_stations, self.parameters.fault)
        # The whole period, longer than the record: clock errors shift the rest in.
        ground = np.roll(self.grid.to_time(motion), self.grid.n_lead, axis=-1).transpose(1, 0, 2)
        record, late = record_with_faults(rng, ground, faults, self.grid.n_samples, self.grid.sampling_rate_hz)
        # Random over years, so that neither season nor year tells the class.
        origin_time = _FIRST_ORIGIN + _ORIGIN_SPAN * self._stream("origin", index).random()
        origin_time = origin_time.replace(microsecond=origin_time.microsecond // 1000 * 1000)
        start_time = origin_time - timedelta(seconds=self.grid.n_lead / self.grid.sampling_rate_hz)
        arrivals_s = self.arrivals_s(source, geometry, index)
        arrivals_s += ((self.grid.n_lead + late) / self.grid.sampling_rate_hz)[:, None]
        held = (arrivals_s >= 0) & (arrivals_s < self.grid.n_samples / self.grid.sampling_rate_hz)
        held &= np.array(["dead" not in present for present in faults])[:, None]
        arrivals_s = np.where(held, arrivals_s, np.nan)
        name = f"synthetic-{index:06d}"
        return SyntheticEvent(name, origin_time, start_time, source, geometry, digitise(record), faults, arrivals_s)

    def geometry(self, index: int) -> EventGeometry:
        """Epicentre and stations of event ``index``."""
        return event_geometry(self.parameters, index)

    def source(self, index: int) -> Source:
        """Source of event ``index``."""
        kind = self.parameters.source_type(index)
        return draw_source(self._stream("source", index), kind, self.parameters, self.grid)

    def ground_motion(self, source: Source, geometry: EventGeometry, index: int = 0) -> np.ndarray:
        """Noise-free ground velocity spectra (3, S, F) complex64 in m on Z, R, T (up, away, clockwise).

        Args:
            source: Any source, drawn or made by hand.
            geometry: Where it is seen from.
            index: Event whose path effects and coda are used.
        """
        n_stations = len(geometry.offset_km)
        if not (source.moments or source.forces):
            return np.zeros((3, n_stations, len(self.grid.frequency_hz)), np.complex64)
        distance, azimuth = np.radians(geometry.distance_deg), np.radians(geometry.azimuth_deg)
        paths = draw_paths(self._stream("paths", index), azimuth, self.parameters.heterogeneity)
        surface = self.surface.spectra(source, distance, azimuth, paths)
        body = self.body.spectra(source, distance, azimuth, paths)
        # Surface waves scatter longer than body waves, whose tail is stronger at short periods.
        if self.parameters.coda > 0:
            rng, strength = self._stream("coda", index), self.parameters.coda
            surface *= coda_operator(rng, self.grid, n_stations, decay_s=150.0, strength=0.05 * strength, exponent=1.0)
            body *= coda_operator(rng, self.grid, n_stations, decay_s=40.0, strength=0.12 * strength, exponent=0.8)
        return surface + body

    def arrivals_s(self, source: Source, geometry: EventGeometry, index: int) -> np.ndarray:
        """First P and first S (S, 2) after the origin time, through the Earth that event ``index`` is seen through."""
        if not (source.moments or source.forces):
            return np.full((len(geometry.offset_km), 2), np.nan)
        azimuth = np.radians(geometry.azimuth_deg)
        paths = draw_paths(self._stream("paths", index), azimuth, self.parameters.heterogeneity)
        return self.body.first_arrivals_s(source.depth_km, np.radians(geometry.distance_deg), paths)

    def _stream(self, name: str, index: int) -> np.random.Generator:
        return numpy_stream(self.parameters.seed, f"synthesis/{name}", index)


def rotate_to_zne(motion: np.ndarray, geometry: EventGeometry) -> np.ndarray:
    """Rotate (3, S, F) spectra or signals from Z, R, T to Z, N, E with the back azimuth."""
    back_azimuth = np.radians(geometry.back_azimuth_deg)[:, None]
    cos, sin = np.cos(back_azimuth).astype(np.float32), np.sin(back_azimuth).astype(np.float32)
    vertical, radial, transverse = motion
    return np.stack([vertical, -cos * radial + sin * transverse, -sin * radial - cos * transverse])


def digitise(record: np.ndarray) -> np.ndarray:
    """Round every trace to a step of a power of two, about a twentieth of its background's standard deviation.

    A recorder of finite resolution does this too; it makes the samples compressible. The background is the median
    modulus of every fourth sample (for a trace that is mostly zero, the standard deviation), so that no strong wave
    coarsens it.

    Args:
        record: (S, C, T) float32.
    """
    deviation = 1.4826 * np.median(np.abs(record[..., ::4]), axis=-1, keepdims=True)
    # Dead traces have no deviation at all; any step keeps their zeros.
    deviation = np.where(deviation > 0, deviation, record.std(axis=-1, keepdims=True))
    deviation = np.maximum(deviation, np.finfo(np.float32).tiny * 2.0**30)
    step = np.exp2(np.floor(np.log2(deviation / QUANTA_PER_DEVIATION))).astype(np.float32)
    return np.round(record / step) * step
