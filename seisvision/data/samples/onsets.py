"""First motion in whole recordings, found for all traces of a set at once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from seisvision.data.samples.event_index import table_onsets_s
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.files import keep_if_possible, whole_file
from seisvision.picking.sta_lta import DETECTOR_VERSION, OnsetSettings, onsets_s
from seisvision.stored_arrays import read_arrays

log = logging.getLogger(__name__)

TRACES_AT_ONCE = 256
_PROGRESS_S = 10.0
_known: WeakKeyDictionary[WaveformSet, dict[OnsetSettings, np.ndarray]] = WeakKeyDictionary()


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
        bands_hz: see :class:`~seisvision.picking.sta_lta.OnsetSettings`, as for the three settings below.
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
    onsets = _read(path, len(waveform_set.table))
    if onsets is None:
        onsets = _detect(waveform_set, settings)
        keep_if_possible(lambda path: _write(path, onsets), path)
    return onsets


def _detect(waveform_set: WaveformSet, settings: OnsetSettings) -> np.ndarray:
    table = waveform_set.table
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
