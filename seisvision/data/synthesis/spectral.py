"""The frequency grid on which events are synthesised."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import fft

_PASS_SHARE = 0.9
LONGEST_SOURCE_S = 600.0
"""Longest source with its coda; the FFT period leaves that much room after the last arrival."""


class SpectralGrid:
    """F frequencies of a real FFT whose period is long enough that nothing wraps round into the record.

    Spectra follow numpy's sign (exp(+i omega t) in the inverse transform) and are integrals over time, so the
    spectrum of a force in N has the unit N s.

    Args:
        sampling_rate_hz: Samples a second.
        n_samples: T, length of the record in samples.
        latest_arrival_s: Last arrival after the origin time that is synthesised, s.
        n_lead: Samples of the record before the origin time.
    """

    def __init__(self, sampling_rate_hz: float, n_samples: int, latest_arrival_s: float = 0.0, n_lead: int = 0) -> None:
        self.sampling_rate_hz = sampling_rate_hz
        self.n_samples = n_samples
        self.n_lead = n_lead
        self.end_s = (n_samples - n_lead) / sampling_rate_hz
        # Time before the origin lies at the end of the period, so it needs room of its own there.
        period_s = max(self.end_s, latest_arrival_s) + LONGEST_SOURCE_S + n_lead / sampling_rate_hz
        # A length with small prime factors, for speed.
        self.n_fft: int = fft.next_fast_len(int(np.ceil(period_s * sampling_rate_hz)), real=True)

    @cached_property
    def frequency_hz(self) -> np.ndarray:
        """(F,) from 0 to the Nyquist frequency."""
        return np.fft.rfftfreq(self.n_fft, 1 / self.sampling_rate_hz)

    @cached_property
    def omega(self) -> np.ndarray:
        """(F,) angular frequency, rad/s."""
        return 2 * np.pi * self.frequency_hz

    @cached_property
    def anti_alias(self) -> np.ndarray:
        """(F,) factor of a recorder's low-pass: falls from 1 to 0 over the last tenth below the Nyquist frequency."""
        position = self.frequency_hz / (0.5 * self.sampling_rate_hz)
        return np.sin(np.interp(position, [_PASS_SHARE, 1.0], [np.pi / 2, 0])) ** 2

    @cached_property
    def time_s(self) -> np.ndarray:
        """(n_fft,) time after the origin time."""
        return np.arange(self.n_fft) / self.sampling_rate_hz

    def to_spectrum(self, signal: np.ndarray) -> np.ndarray:
        """Spectrum (..., F) of a signal (..., up to n_fft); keeps single precision."""
        return fft.rfft(signal, self.n_fft, axis=-1) / np.float32(self.sampling_rate_hz)

    def to_time(self, spectrum: np.ndarray) -> np.ndarray:
        """Signal (..., n_fft) of a spectrum (..., F); keeps single precision."""
        return fft.irfft(spectrum, self.n_fft, axis=-1) * np.float32(self.sampling_rate_hz)
