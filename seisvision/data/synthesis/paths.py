"""What lateral heterogeneity adds to a radial Earth: per-path perturbations and scattered coda."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seisvision.data.synthesis.spectral import SpectralGrid
from seisvision.earth.travel_times import PHASES

SLOWNESS_SPREAD = 0.012
"""Relative phase slowness of surface waves; global maps of 50 s phase velocity vary by a few per cent."""
P_RESIDUAL_S = 0.9
S_RESIDUAL_S = 2.2


@dataclass(frozen=True)
class PathEffects:
    """Random perturbations of the paths to S stations.

    Attributes:
        rayleigh_slowness, love_slowness: (S,) relative change of phase slowness.
        log_quality: (S,) change of ln Q of surface waves.
        surface_amplitude: (3, S) factor on surface waves on Z, R, T.
        p_residual_s, s_residual_s: (S,) delay of waves that arrive as P or S.
        attenuation: (S,) factor on t* of body waves.
        body_amplitude: (J, S) factor on each phase.
    """

    rayleigh_slowness: np.ndarray
    love_slowness: np.ndarray
    log_quality: np.ndarray
    surface_amplitude: np.ndarray
    p_residual_s: np.ndarray
    s_residual_s: np.ndarray
    attenuation: np.ndarray
    body_amplitude: np.ndarray


def draw_paths(rng: np.random.Generator, azimuth_rad: np.ndarray, strength: float) -> PathEffects:
    """Draw perturbations; ``strength`` 0 gives a radial Earth, 1 is realistic."""
    n = len(azimuth_rad)
    return PathEffects(
        rayleigh_slowness=_azimuthal(rng, azimuth_rad, SLOWNESS_SPREAD * strength),
        love_slowness=_azimuthal(rng, azimuth_rad, SLOWNESS_SPREAD * strength),
        log_quality=rng.normal(0, 0.25 * strength, n),
        surface_amplitude=np.exp(rng.normal(0, 0.2 * strength, (3, n))),
        p_residual_s=rng.normal(0, P_RESIDUAL_S * strength, n),
        s_residual_s=rng.normal(0, S_RESIDUAL_S * strength, n),
        attenuation=np.exp(rng.normal(0, 0.2 * strength, n)),
        body_amplitude=np.exp(rng.normal(0, 0.25 * strength, (len(PHASES), n))),
    )


def _azimuthal(rng: np.random.Generator, azimuth_rad: np.ndarray, spread: float) -> np.ndarray:
    """(S,) perturbation that neighbouring azimuths share (harmonics 1 to 3), plus a little for each path alone."""
    # Structure is larger than the distance between neighbouring paths, which it therefore delays alike.
    order = np.arange(1, 4)[:, None] * azimuth_rad
    cosines, sines = rng.normal(0, 1.4 * spread / np.sqrt(6), (2, 3, 1))
    return np.sum(cosines * np.cos(order) + sines * np.sin(order), axis=0) + rng.normal(
        0, 0.3 * spread, len(azimuth_rad)
    )


def coda_operator(
    rng: np.random.Generator, grid: SpectralGrid, n_stations: int, decay_s: float, strength: float, exponent: float
) -> np.ndarray:
    """Spectrum (3, S, F) complex64 that adds a scattered, exponentially decaying tail to what it multiplies.

    The tail is noise of its own at every station and component; its amplitude against the direct wave is
    ``strength * (f / 0.05 Hz)^exponent``, at most 2 (single scattering, Aki & Chouet 1975).
    """
    n_tail = min(grid.n_fft, int(4 * decay_s * grid.sampling_rate_hz))
    envelope = np.exp(-np.arange(n_tail) / (grid.sampling_rate_hz * decay_s))
    envelope *= np.sqrt(2 * grid.sampling_rate_hz / decay_s)
    # The direct wave itself is the 1 added below.
    envelope[0] = 0
    tail = rng.standard_normal((3, n_stations, n_tail), dtype=np.float32) * envelope.astype(np.float32)
    operator = grid.to_spectrum(tail)
    operator *= np.minimum(strength * (grid.frequency_hz / 0.05) ** exponent, 2.0).astype(np.float32)
    operator += 1
    return operator
