"""Filtering and measuring recordings in bands and windows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
import scipy.fft
from scipy.ndimage import maximum_filter1d

from seisvision.errors import DataError

Bands = Sequence[tuple[float, float]]

TAPER_S = 30.0
BAND_EDGE_LOG = 0.25
"""Width of a band's cosine edge in units of the natural logarithm of frequency."""
MAX_NYQUIST_SHARE = 0.95
"""Bands end here at the latest, below the edge of the anti-alias filter."""
GAP_S = 5.0
"""Zeros over a longer time than this were not recorded."""
MIN_WINDOW_S = 4.0
"""Windows with less recording than this have no power."""
POWER_FLOOR = 1e-40


def prepare(traces: np.ndarray, rate_hz: float, recorded: np.ndarray | None = None) -> np.ndarray:
    """Traces (..., T) float32 without their mean, tapered over `TAPER_S` at both ends; unrecorded samples stay zero.

    Args:
        traces: (..., T).
        rate_hz: samples per second.
        recorded: their `recorded_samples` where these are known already.
    """
    if recorded is None:
        recorded = recorded_samples(traces, rate_hz)
    mean = traces.sum(-1, keepdims=True, dtype=float) / np.maximum(recorded.sum(-1, keepdims=True), 1)
    return np.where(recorded, traces - mean, 0).astype(np.float32) * _taper(traces.shape[-1], rate_hz)


def recorded_samples(traces: np.ndarray, rate_hz: float) -> np.ndarray:
    """Bool (..., T): False in stretches of zeros (gaps, ends), True for single zeros of digitised signals."""
    return maximum_filter1d(traces != 0, 1 + 2 * round(GAP_S * rate_hz / 2), axis=-1, mode="constant", cval=0)


def transform_length(n_samples: int) -> int:
    """Length of the transforms of windows of so many samples."""
    return scipy.fft.next_fast_len(n_samples, real=True)


def spectrum(traces: np.ndarray) -> np.ndarray:
    """Spectrum (..., F) of real traces (..., T), with the transform length of their window."""
    return scipy.fft.rfft(traces, transform_length(traces.shape[-1]), axis=-1)


def band_weights(n_samples: int, rate_hz: float, bands_hz: Bands) -> tuple[np.ndarray, int]:
    """Zero-phase band filters with cosine edges on a logarithmic frequency axis; those of a window are made once.

    Returns:
        Weights (number of bands, number of frequencies) of a real spectrum, not to be written to, and the transform
        length it belongs to.

    Raises:
        DataError: there are no samples, a band is upside down or lies above the Nyquist frequency.
    """
    return _band_weights(n_samples, rate_hz, tuple((float(low_hz), float(high_hz)) for low_hz, high_hz in bands_hz))


@lru_cache(maxsize=32)
def _band_weights(n_samples: int, rate_hz: float, bands_hz: Bands) -> tuple[np.ndarray, int]:
    if n_samples < 2:
        raise DataError(f"Features need waveforms of at least 2 samples; got {n_samples}. Check the sample window.")
    n_fft = transform_length(n_samples)
    frequency_hz = scipy.fft.rfftfreq(n_fft, 1 / rate_hz)
    log_frequency = np.log(np.maximum(frequency_hz, frequency_hz[1] / 2))
    limit_hz = MAX_NYQUIST_SHARE * rate_hz / 2
    weights = []
    for low_hz, high_hz in bands_hz:
        if not 0 < low_hz < min(high_hz, limit_hz):
            raise DataError(
                f"Band ({low_hz:g}, {high_hz:g}) Hz does not fit data of {rate_hz:g} samples per second: "
                f"needs 0 < low < high and low < {limit_hz:g} Hz. Change bands_hz or the sampling rate of the samples."
            )
        rise = np.clip((log_frequency - np.log(low_hz)) / BAND_EDGE_LOG + 0.5, 0, 1)
        fall = np.clip((np.log(min(high_hz, limit_hz)) - log_frequency) / BAND_EDGE_LOG + 0.5, 0, 1)
        weights.append(np.sin(rise * np.pi / 2) ** 2 * np.sin(fall * np.pi / 2) ** 2)
    band = np.array(weights, dtype=np.float32)
    band[:, 0] = 0
    band.flags.writeable = False
    return band, n_fft


def band_energy(power: np.ndarray, weights: np.ndarray, n_fft: int) -> np.ndarray:
    """Energy (S, number of bands) of filtered traces from their power spectra (S, F), by Parseval's theorem."""
    both_sides = np.full(power.shape[-1], 2.0)
    if n_fft % 2 == 0:
        both_sides[-1] = 1.0
    return power @ (both_sides * weights.astype(float) ** 2).T / n_fft


class Windows:
    """Mean power in windows given in seconds after the origin, one window per station."""

    def __init__(self, recorded: np.ndarray, start_s: np.ndarray, rate_hz: float) -> None:
        self.begin_s = start_s.astype(float)
        self.end_s = self.begin_s + recorded.shape[-1] / rate_hz
        self._recorded = recorded
        self._rate_hz = rate_hz
        self._count = _running_sum(recorded)

    def energy(self, trace: np.ndarray) -> np.ndarray:
        """Running energy (S, T + 1) of the recorded samples of ``trace`` (S, T)."""
        return _running_sum(np.square(trace) * self._recorded)

    def log_power(self, energy: np.ndarray, begin_s: np.ndarray, end_s: np.ndarray) -> np.ndarray:
        """Log mean power (S,) between two times; NaN where a time is unknown or too little is recorded."""
        known = np.isfinite(begin_s) & np.isfinite(end_s) & np.isfinite(self.begin_s)
        first, last = (self._sample(np.where(known, time_s - self.begin_s, 0.0)) for time_s in (begin_s, end_s))
        station = np.arange(len(energy))
        count, power = (table[station, last] - table[station, first] for table in (self._count, energy))
        enough = known & (count >= MIN_WINDOW_S * self._rate_hz)
        mean = np.maximum(power, 0) / np.maximum(count, 1)
        return np.where(enough, np.log(mean + POWER_FLOOR), np.nan)

    def _sample(self, after_begin_s: np.ndarray) -> np.ndarray:
        return np.clip(np.ceil(after_begin_s * self._rate_hz), 0, self._recorded.shape[-1]).astype(int)


def _running_sum(values: np.ndarray) -> np.ndarray:
    total = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=total[..., 1:])
    return total


@cache
def _taper(n_samples: int, rate_hz: float) -> np.ndarray:
    n_edge = min(round(TAPER_S * rate_hz), n_samples // 2)
    taper = np.ones(n_samples, np.float32)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(n_edge) / max(n_edge, 1))
    taper[:n_edge] = rise
    taper[n_samples - n_edge :] = rise[::-1]
    return taper
