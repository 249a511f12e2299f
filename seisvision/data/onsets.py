"""First motion in whole recordings, found for all traces of a set at once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy.signal import butter, sosfilt

from seisvision.data.event_index import table_onsets_s
from seisvision.data.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError
from seisvision.files import keep_if_possible, whole_file
from seisvision.stored_arrays import read_arrays

log = logging.getLogger(__name__)

DETECTOR_VERSION = "1"
"""Raised whenever the same settings would give other onsets; part of the name of every stored file."""
TRACES_AT_ONCE = 256
FILTER_ORDER = 2
_LATENESS = 0.25
_PROGRESS_S = 10.0
_known: WeakKeyDictionary[WaveformSet, dict[OnsetSettings, np.ndarray]] = WeakKeyDictionary()


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


def known_onsets(waveform_set: WaveformSet, onset: Mapping[str, Any] | None) -> np.ndarray | None:
    """Return what :func:`detect_onsets` finds with these keywords; ``None`` where none are given."""
    return None if onset is None else detect_onsets(waveform_set, **onset)


def detect_onsets(
    waveform_set: WaveformSet,
    *,
    bands_hz: Sequence[Sequence[float]],
    sta_s: float | Sequence[float],
    threshold: float | Sequence[float],
    components: str = "Z",
    cache_dir: str | Path | None = None,
) -> np.ndarray:
    """Onset of every trace of a set whose table gives none, seconds after the trace start (N,); else NaN.

    Args:
        waveform_set: the set.
        bands_hz: see :class:`OnsetSettings`, as are ``sta_s``, ``threshold`` and ``components``.
        sta_s: short-term averages.
        threshold: amplitudes over the background.
        components: components used.
        cache_dir: folder where onsets are kept, under the fingerprint of the set and the settings.

    Raises:
        ConfigurationError: a setting is not allowed.
    """
    settings = OnsetSettings.of(bands_hz, sta_s, threshold, components)
    found = _known.setdefault(waveform_set, {})
    if settings not in found:
        found[settings] = _stored_or_detected(waveform_set, settings, cache_dir)
    return found[settings]


def _stored_or_detected(waveform_set: WaveformSet, settings: OnsetSettings, cache_dir: str | Path | None) -> np.ndarray:
    if cache_dir is None:
        return _detect(waveform_set, settings)
    identity = json.dumps([DETECTOR_VERSION, waveform_set.fingerprint, asdict(settings)], sort_keys=True)
    path = Path(cache_dir) / f"onsets-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npz"
    onsets = _read(path, len(waveform_set.metadata))
    if onsets is None:
        onsets = _detect(waveform_set, settings)
        keep_if_possible(lambda path: _write(path, onsets), path)
    return onsets


def _detect(waveform_set: WaveformSet, settings: OnsetSettings) -> np.ndarray:
    table = waveform_set.metadata
    rates_hz = table["trace_sampling_rate_hz"].to_numpy(dtype=float)
    onsets = np.full(len(table), np.nan)
    in_file_order = np.concatenate([waveform_set.rows(source_id) for source_id in waveform_set.source_ids])
    wanted = in_file_order[np.isnan(table_onsets_s(table))[in_file_order]]
    spoke = monotonic()
    for first in range(0, len(wanted), TRACES_AT_ONCE):
        rows = wanted[first : first + TRACES_AT_ONCE]
        waveforms, _ = waveform_set.read_rows(rows, settings.components)
        for rate_hz in np.unique(rates_hz[rows]):
            alike = np.flatnonzero(rates_hz[rows] == rate_hz)
            onsets[rows[alike]] = onsets_s([waveforms[i] for i in alike], float(rate_hz), settings)
        if monotonic() - spoke > _PROGRESS_S:
            spoke = monotonic()
            log.info("onsets: %d of %d traces", first + len(rows), len(wanted))
    log.info("onsets of %d of %d traces of %s found", np.isfinite(onsets).sum(), len(wanted), waveform_set.path)
    return onsets


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


def _read(path: Path, n_rows: int) -> np.ndarray | None:
    if not path.is_file():
        return None
    try:
        onsets = read_arrays(path)["onset_s"]
    except (OSError, ValueError, KeyError) as error:
        log.warning("Stored onsets %s cannot be read (%s); detecting them again", path, error)
        return None
    return onsets if onsets.shape == (n_rows,) else None


def _write(path: Path, onsets: np.ndarray) -> None:
    with whole_file(path) as partial:
        np.savez_compressed(partial, onset_s=onsets)
