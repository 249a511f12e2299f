"""First motion in many recordings at once: where short-term energy in a band first rises above the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfilt

from seisvision.errors import ConfigurationError

DETECTOR_VERSION = "1"
"""Raised whenever the same settings would give other onsets; part of the name of every stored file."""
FILTER_ORDER = 2
_LATENESS = 0.25


@dataclass(frozen=True)
class OnsetSettings:
    """How onsets are detected; see :func:`onsets_s`.

    Attributes:
        bands_hz: pass bands; the earliest onset over them counts. A band above the Nyquist frequency has no say.
        sta_s: length of the short-term average in each band (one number: in all).
        threshold: amplitude over the background that makes an onset in each band (one number: in all).
        components: components whose energy is added, such as ``"Z"``.

    Raises:
        ConfigurationError: a value is not allowed, or there is not one for each band.
    """

    bands_hz: tuple[tuple[float, float], ...]
    sta_s: tuple[float, ...]
    threshold: tuple[float, ...]
    components: str = "Z"

    @classmethod
    def of(
        cls,
        bands_hz: Sequence[Sequence[float]],
        sta_s: float | Sequence[float],
        threshold: float | Sequence[float],
        components: str = "Z",
    ) -> OnsetSettings:
        """Build from what a configuration file holds."""
        bands = tuple((float(low), float(high)) for low, high in bands_hz)
        if not bands or any(not 0 < low < high for low, high in bands):
            raise ConfigurationError(f"onset.bands_hz={[list(band) for band in bands]} must be pairs 0 < low < high")
        return cls(
            bands, _per_band("sta_s", sta_s, len(bands)), _per_band("threshold", threshold, len(bands)), components
        )


def _per_band(name: str, value: float | Sequence[float], n_bands: int) -> tuple[float, ...]:
    values = (value,) * n_bands if isinstance(value, int | float) else tuple(value)
    if len(values) != n_bands or any(not number > 0 for number in values):
        raise ConfigurationError(
            f"onset.{name}={value} must be one positive number, or one for each of {n_bands} bands"
        )
    return tuple(float(number) for number in values)


def onsets_s(waveforms: Sequence[np.ndarray], rate_hz: float, settings: OnsetSettings) -> np.ndarray:
    """Onset after the first sample of each trace (N,); NaN where nothing rises above the background.

    In each band energy is averaged over ``sta_s``. The background, the long-term average of the classical detector
    (Allen 1978, Bull. Seism. Soc. Am. 68, 1521-1532), is the median of these averages over the recording: unlike an
    average over the time before, it is known from the first sample on, and long-period waves do not raise it. The
    onset is where an average first exceeds ``threshold``, less a quarter of the shortest ``sta_s``, by which strong
    onsets are late; weak ones in a band of long averages may be late by most of its ``sta_s``.
    Where motion fills more than half of a recording, it is its own background and has no onset.
    In a set filtered with zero phase, energy ahead of the strongest arrivals makes their onsets a few hundredths of a
    second earlier than in one that is not filtered; an import finds its onsets before it filters.
    Zeros at both ends of a trace count as not recorded, so that padding is no onset.

    Args:
        waveforms: per trace (C, T_i).
        rate_hz: their sampling rate.
        settings: what to look for.
    """
    motion, recorded = _stacked(waveforms)
    earliest = np.full(len(waveforms), np.inf)
    for band_hz, sta_s, threshold in zip(settings.bands_hz, settings.sta_s, settings.threshold, strict=True):
        energy = _band_energy(motion, rate_hz, band_hz)
        n_sta = max(round(sta_s * rate_hz), 1)
        if energy is None or n_sta >= motion.shape[-1]:
            continue
        # The filter has forgotten the start of the recording after about one of its longest periods.
        settled = recorded[:, 0] + round(rate_hz / band_hz[0])
        earliest = np.fmin(earliest, _first_rise(energy, n_sta, threshold**2, settled, recorded[:, 1]) / rate_hz)
    return np.where(np.isfinite(earliest), earliest - _LATENESS * min(settings.sta_s), np.nan)


def _stacked(waveforms: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Motion float32 (N, C, T) without offset, zero where nothing was recorded, and the samples recorded (N, 2)."""
    shape = (len(waveforms), waveforms[0].shape[0], max(waveform.shape[1] for waveform in waveforms))
    motion, recorded = np.zeros(shape, np.float32), np.zeros((len(waveforms), 2), dtype=int)
    for i, waveform in enumerate(waveforms):
        places = np.flatnonzero(waveform.any(axis=0))
        if len(places) == 0:
            continue
        first, last = recorded[i] = places[0], places[-1] + 1
        inside = waveform[:, first:last]
        # A gap has no say in the offset and stays zero, else it would begin and end with a step.
        there = inside != 0
        offset = inside.sum(axis=1, keepdims=True, dtype=float) / np.maximum(there.sum(axis=1, keepdims=True), 1)
        motion[i, :, first:last] = np.where(there, inside - offset, 0)
    return motion, recorded


def _band_energy(motion: np.ndarray, rate_hz: float, band_hz: tuple[float, float]) -> np.ndarray | None:
    """Energy (N, T) in a band, filtered causally so that nothing moves ahead; ``None`` where the rate is too low."""
    low_hz, high_hz = band_hz
    high_hz = min(high_hz, 0.98 * rate_hz / 2)
    if low_hz >= 0.8 * high_hz:
        return None
    sections = butter(FILTER_ORDER, (low_hz, high_hz), "bandpass", fs=rate_hz, output="sos")
    return np.square(sosfilt(sections, motion, axis=-1), dtype=float).sum(axis=1)


def _first_rise(energy: np.ndarray, n_sta: int, ratio: float, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Sample (N,) up to which the first average of energy over ``ratio`` times the median lasts; else infinite."""
    total = np.cumsum(energy, axis=1)
    average = np.maximum(total[:, n_sta - 1 :] - np.pad(total[:, :-n_sta], ((0, 0), (1, 0))), 0) / n_sta
    start = np.arange(average.shape[1])
    usable = (start >= first[:, None]) & (start + n_sta <= last[:, None]) & (average > 0)
    # A fraction of the overlapping averages gives the same median, sooner.
    thinned = np.where(usable, average, np.nan)[:, :: max(n_sta // 4, 1)]
    some = np.isfinite(thinned).any(axis=1)
    background = np.full(len(energy), np.inf)
    background[some] = np.nanmedian(thinned[some], axis=1)
    risen = usable & (average > ratio * background[:, None])
    return np.where(risen.any(axis=1), risen.argmax(axis=1) + n_sta, np.inf)
