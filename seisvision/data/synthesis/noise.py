"""Seismic noise between Peterson's (1993) low and high noise models."""

from __future__ import annotations

import numpy as np

from seisvision.data.synthesis.spectral import SpectralGrid

# Frequencies at which a site's level is drawn: long period, secondary microseism, short period.
_KNOTS_LOG10_HZ = (-2.0, -0.85, 0.0)
_TILT_DB = 18.0
# Instrument correction ends here in practice; without an end, drift of hours would dominate every record.
_LONG_PERIOD_EDGE_HZ = (1 / 400, 1 / 200)


class NoiseModel:
    """Makes noise spectra.

    Args:
        grid: Frequency grid.
        models: (Q, 3) period (s), low and high noise model (dB re 1 (m/s2)2/Hz).
        noise_db: Added to every level, dB.
    """

    def __init__(self, grid: SpectralGrid, models: np.ndarray, noise_db: float) -> None:
        frequency = np.maximum(grid.frequency_hz, grid.frequency_hz[1])
        log_period, log_frequency = -np.log(frequency), np.log10(frequency)
        self._low_db, self._high_db = (np.interp(log_period, np.log(models[:, 0]), models[:, i]) for i in (1, 2))
        self._knots = np.stack([np.interp(log_frequency, _KNOTS_LOG10_HZ, row) for row in np.eye(3)])
        self._tilt_ramp = np.clip(-(log_frequency + 1.3) / 0.7, 0, 1)
        # From acceleration density to the modulus of the velocity spectrum of a record of one FFT period.
        self._to_modulus = np.sqrt(grid.n_fft / grid.sampling_rate_hz / 2) / (2 * np.pi * frequency)
        self._to_modulus *= np.sin(np.interp(grid.frequency_hz, _LONG_PERIOD_EDGE_HZ, [0, np.pi / 2])) ** 2
        self._to_modulus *= grid.anti_alias
        self._noise_db = noise_db

    def spectra(self, rng: np.random.Generator, n_stations: int) -> np.ndarray:
        """Ground velocity spectra (3, S, F) complex64 in m on Z and two horizontals.

        Every station has a level of its own between the models; its horizontals see extra tilt noise below 0.05 Hz.
        """
        level = rng.beta(2.0, 4.0, n_stations)[:, None] + 0.1 * rng.standard_normal((n_stations, 3))
        # Short-period noise is mostly local and made by people.
        level[:, 2] += rng.uniform(-0.05, 0.15, n_stations)
        tilt_db = rng.uniform(0, _TILT_DB, n_stations)[:, None] * self._tilt_ramp
        between = np.clip(level @ self._knots, -0.1, 1.1)
        density_db = self._low_db + between * (self._high_db - self._low_db) + self._noise_db
        vertical = 10 ** (density_db / 20) * self._to_modulus
        modulus = np.stack([vertical, *[vertical * 10 ** (tilt_db / 20)] * 2]).astype(np.float32)
        shape = (3, n_stations, len(self._low_db), 2)
        # Pairs of normals are complex Gaussian amplitudes: random phase and the scatter of real spectra.
        gaussian = rng.standard_normal(shape, dtype=np.float32).view(np.complex64)[..., 0]
        return gaussian * (modulus * np.float32(np.sqrt(0.5)))
