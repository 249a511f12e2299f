"""Seismic sources: what each type is physically and how its parameters are drawn.

Vectors and tensors use x north, y east, z down. Moments are N m, forces N (acting on the Earth), times s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.data.synthesis.spectral import SpectralGrid
from seisvision.earth.source_time import brune_rate, corner_frequency, opposed_lobes, twice_integrated

_MOMENT_OFFSET = 9.1
"""log10 M0 = 1.5 Mw + 9.1 with M0 in N m (Hanks & Kanamori 1979)."""


@dataclass(frozen=True)
class PointMoment:
    """Moment tensor (3, 3) in N m and the spectrum (F,) of its rate, 1 at zero frequency for a step of unit moment."""

    tensor_nm: np.ndarray
    rate_spectrum: np.ndarray


@dataclass(frozen=True)
class PointForce:
    """Force vector (3,) in N and the spectrum (F,) in s of its dimensionless time function."""

    vector_n: np.ndarray
    spectrum: np.ndarray


@dataclass(frozen=True)
class Source:
    """One seismic source.

    Attributes:
        kind: Source type.
        depth_km: Depth; NaN when there is no source.
        magnitude: Moment magnitude, or for forces log10 of the twice integrated force in kg m, less 9;
            NaN when there is no source.
        force_azimuth_deg: Azimuth of the first lobe of the force on the Earth, in [0, 360); NaN for moments.
        duration_s: Duration of the force; NaN for moments.
        moments, forces: Radiate body and surface waves.
        tremors: Incoherent short-period forces that radiate body waves only.
    """

    kind: str
    depth_km: float = np.nan
    magnitude: float = np.nan
    force_azimuth_deg: float = np.nan
    duration_s: float = np.nan
    moments: tuple[PointMoment, ...] = ()
    forces: tuple[PointForce, ...] = ()
    tremors: tuple[PointForce, ...] = ()


def draw_source(rng: np.random.Generator, kind: str, parameters: SynthesisParameters, grid: SpectralGrid) -> Source:
    """Draw a source of type ``kind``."""
    return _SOURCES[kind](rng, parameters, grid)


def double_couple(strike_rad: float, dip_rad: float, rake_rad: float) -> np.ndarray:
    """Unit moment tensor (3, 3) of a shear fault (Aki & Richards 2002, box 4.4)."""
    sin_dip, cos_dip = np.sin(dip_rad), np.cos(dip_rad)
    sin_2dip, cos_2dip = np.sin(2 * dip_rad), np.cos(2 * dip_rad)
    sin_rake, cos_rake = np.sin(rake_rad), np.cos(rake_rad)
    sin_strike, cos_strike = np.sin(strike_rad), np.cos(strike_rad)
    sin_2strike, cos_2strike = np.sin(2 * strike_rad), np.cos(2 * strike_rad)
    xx = -(sin_dip * cos_rake * sin_2strike + sin_2dip * sin_rake * sin_strike**2)
    xy = sin_dip * cos_rake * cos_2strike + 0.5 * sin_2dip * sin_rake * sin_2strike
    xz = -(cos_dip * cos_rake * cos_strike + cos_2dip * sin_rake * sin_strike)
    yy = sin_dip * cos_rake * sin_2strike - sin_2dip * sin_rake * cos_strike**2
    yz = -(cos_dip * cos_rake * sin_strike - cos_2dip * sin_rake * cos_strike)
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, sin_2dip * sin_rake]])


def moment_magnitude(moment_nm: float) -> float:
    """Mw (Hanks & Kanamori 1979)."""
    return float((np.log10(moment_nm) - _MOMENT_OFFSET) / 1.5)


def _unit_vector(azimuth_rad: float, plunge_rad: float) -> np.ndarray:
    horizontal = np.cos(plunge_rad)
    return np.array([horizontal * np.cos(azimuth_rad), horizontal * np.sin(azimuth_rad), np.sin(plunge_rad)])


def _random_fault(rng: np.random.Generator) -> np.ndarray:
    """Double couple of isotropic random orientation."""
    # Uniform in the cosine of the dip: otherwise flat faults would be too common.
    dip = np.arccos(rng.uniform(-1, 1))
    return double_couple(rng.uniform(0, 2 * np.pi), min(dip, np.pi - dip), rng.uniform(-np.pi, np.pi))


def _tremor(
    rng: np.random.Generator, grid: SpectralGrid, vector_n: np.ndarray, duration_s: float, level: float
) -> PointForce:
    """Emergent incoherent force along ``vector_n``: white above 0.15 Hz, ``level`` of the main force per sqrt(Hz)."""
    envelope = np.sin(np.pi * np.clip(grid.time_s / duration_s, 0, 1)) ** 1.5
    signal = rng.standard_normal(grid.n_fft) * envelope * np.sqrt(grid.sampling_rate_hz)
    spectrum = grid.to_spectrum(signal) * np.clip(grid.frequency_hz / 0.15, 0, 1) ** 2
    return PointForce(vector_n, level * spectrum)


def _tectonic(rng: np.random.Generator, parameters: SynthesisParameters, grid: SpectralGrid) -> Source:
    """Earthquake: double couple, Brune spectrum; stress drops as in Allmann & Shearer (2009)."""
    magnitude = rng.uniform(*parameters.magnitude)
    moment = 10 ** (1.5 * magnitude + _MOMENT_OFFSET)
    # Most earthquakes are crustal; every fifth is an intermediate or deep one.
    shallow = np.clip(rng.lognormal(np.log(18), 0.7), 3, 120)
    depth = shallow if rng.random() < 0.8 else rng.uniform(60, 650)
    corner = corner_frequency(moment, stress_drop_pa=10 ** rng.normal(6.5, 0.35))
    rupture = PointMoment(moment * _random_fault(rng), brune_rate(grid.frequency_hz, corner))
    return Source("tectonic", float(depth), float(magnitude), moments=(rupture,))


def _glacial(rng: np.random.Generator, parameters: SynthesisParameters, grid: SpectralGrid) -> Source:
    """Glacial earthquake: a calving iceberg pushes the glacier's front, nearly horizontally, for about 50 s.

    Size 0.1 to 2e14 kg m and duration after Ekstrom et al. (2003) and Tsai & Ekstrom (2007).
    """
    magnitude, azimuth = rng.uniform(*parameters.magnitude), rng.uniform(0, 2 * np.pi)
    duration = float(np.clip(rng.lognormal(np.log(50), 0.25), 25, 110))
    force = opposed_lobes(grid.time_s, duration, first_share=rng.uniform(0.38, 0.62))
    # The centroid-single-force size fixes the peak force once shape and duration are known.
    peak = 10 ** (magnitude + 9) / twice_integrated(force, grid.sampling_rate_hz)
    vector = peak * _unit_vector(azimuth, np.radians(rng.normal(0, 8)))
    tremor = _tremor(rng, grid, vector, duration * rng.uniform(1, 4), 10 ** rng.uniform(-4.0, -2.6))
    return Source(
        "glacial",
        depth_km=0.0,
        magnitude=float(magnitude),
        force_azimuth_deg=float(np.degrees(azimuth) % 360),
        duration_s=duration,
        forces=(PointForce(vector, grid.to_spectrum(force)),),
        tremors=(tremor,),
    )


def _landslide(rng: np.random.Generator, parameters: SynthesisParameters, grid: SpectralGrid) -> Source:
    """Large landslide: longer than a glacial event, inclined, on a turning path, with an emergent short-period spindle.

    Sizes and durations after Kanamori & Given (1982) and Ekstrom & Stark (2013).
    """
    azimuth, size = rng.uniform(0, 2 * np.pi), 10 ** rng.uniform(13.3, 14.7)
    duration = float(np.clip(rng.lognormal(np.log(90), 0.35), 40, 220))
    force = opposed_lobes(grid.time_s, duration, first_share=rng.uniform(0.3, 0.6))
    peak = size / twice_integrated(force, grid.sampling_rate_hz)
    vector = peak * _unit_vector(azimuth, np.radians(rng.uniform(10, 40)))
    # A second, delayed force stands for a path that follows a valley.
    turned = peak * rng.uniform(0.1, 0.5) * _unit_vector(azimuth + rng.normal(0, 0.6), 0.0)
    delay = int(0.3 * duration * grid.sampling_rate_hz)
    delayed = np.concatenate([np.zeros(delay), force[: grid.n_fft - delay]])
    return Source(
        "landslide",
        depth_km=0.0,
        magnitude=float(np.log10(size) - 9),
        force_azimuth_deg=float(np.degrees(azimuth) % 360),
        duration_s=duration,
        forces=(PointForce(vector, grid.to_spectrum(force)), PointForce(turned, grid.to_spectrum(delayed))),
        tremors=(_tremor(rng, grid, vector, duration, 10 ** rng.uniform(-3.0, -1.8)),),
    )


def _explosion(rng: np.random.Generator, parameters: SynthesisParameters, grid: SpectralGrid) -> Source:
    """Buried explosion: overshooting isotropic moment (Mueller & Murphy 1971) with some tectonic release."""
    moment = 10 ** rng.uniform(15.3, 16.7)
    ratio = grid.frequency_hz / (1.2 * (10**16.5 / moment) ** (1 / 3))
    # Explosions in strained rock set off slip nearby (Toksoz & Kehrer 1972).
    release = double_couple(rng.uniform(0, 2 * np.pi), rng.uniform(0.7, np.pi / 2), rng.uniform(-np.pi, np.pi))
    tensor = moment * (np.eye(3) + rng.uniform(0, 0.45) * release)
    rate = (1 + 2j * ratio) / (1 + 1j * ratio) ** 3
    depth = float(rng.uniform(0.2, 1.2))
    return Source("explosion", depth, moment_magnitude(moment), moments=(PointMoment(tensor, rate),))


def _collapse(rng: np.random.Generator, parameters: SynthesisParameters, grid: SpectralGrid) -> Source:
    """Collapsing cavity: a closing horizontal crack (Ford et al. 2008) with a little shear."""
    moment = 10 ** rng.uniform(16.0, 17.4)
    corner = 0.5 * (10**16.5 / moment) ** (1 / 3) * 10 ** rng.normal(0, 0.15)
    crack = -np.diag([1.0, 1.0, rng.uniform(2.6, 3.4)]) / 3
    tensor = moment * (crack + 0.15 * double_couple(*rng.uniform(0, 2 * np.pi, 3)))
    rate = brune_rate(grid.frequency_hz, corner) / (1 + 1j * grid.frequency_hz / 0.8)
    depth = float(rng.uniform(0.3, 1.5))
    return Source("collapse", depth, moment_magnitude(moment), moments=(PointMoment(tensor, rate),))


def _volcanic(rng: np.random.Generator, parameters: SynthesisParameters, grid: SpectralGrid) -> Source:
    """Very-long-period resonance of a magma body, as off Mayotte on 11 November 2018 (period 16 s, 20 minutes)."""
    period, quality = rng.uniform(10, 40), rng.uniform(8, 50)
    decay = quality * period / np.pi
    time = grid.time_s
    # Ends by 550 s, so that it fits into the room which the grid leaves after the record.
    envelope = (1 - np.exp(-time / (0.3 * decay))) * np.exp(-time / decay) * np.clip((550 - time) / 150, 0, 1)
    rate = envelope * np.sin(2 * np.pi * time / period) * np.pi / period
    # Long resonances of equal moment would be far larger events than short ones.
    moment = 10 ** rng.uniform(15.8, 17.0) / np.sqrt(quality / 8)
    tensor = moment * np.diag([1.0, 1.0, rng.uniform(0.3, 2.5)])
    depth = float(rng.uniform(1, 25))
    return Source("volcanic", depth, moment_magnitude(moment), moments=(PointMoment(tensor, grid.to_spectrum(rate)),))


def _noise(rng: np.random.Generator, parameters: SynthesisParameters, grid: SpectralGrid) -> Source:
    """No source at all."""
    return Source("noise")


_SOURCES: Final[dict[str, Callable[[np.random.Generator, SynthesisParameters, SpectralGrid], Source]]] = {
    "tectonic": _tectonic,
    "glacial": _glacial,
    "explosion": _explosion,
    "collapse": _collapse,
    "landslide": _landslide,
    "volcanic": _volcanic,
    "noise": _noise,
}
