"""Which windows of noise there are: enough for every event, and none in which anything may have happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from seisvision.base.sample_ids import noise_id, row_numbers
from seisvision.data.samples.noise.windows import NoiseWindows
from seisvision.data.samples.traces import build_trace_index
from seisvision.data.samples.window import draws
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.picking.sta_lta import OnsetSettings, onsets_s
from seisvision.seeding import DEFAULT_SEED

MOVES = "no noise window: the onset detector finds something before its end"
_OF_EVENT = ("not selected", "no label")
"""How reasons begin that hold for all traces of an event."""
_FREQUENCIES = ((0.02, 0.1), (0.1, 0.4))
"""Bands of the detector, in sampling rates, where the set gives none."""
_STA_SAMPLES = (50.0, 25.0)
_THRESHOLD = 4.0
_looked_at: WeakKeyDictionary[WaveformSet, dict[tuple[OnsetSettings, int, int], bool]] = WeakKeyDictionary()


def find_noise(
    waveform_set: WaveformSet,
    source_ids: Sequence[str],
    noise: NoiseWindows,
    unusable: Callable[[list[str]], Mapping[str, str]],
) -> tuple[list[str], dict[str, str]]:
    """Choose the noise windows of events; where one cannot be cut, another trace of the event takes its place.

    Args:
        waveform_set: the set.
        source_ids: the events.
        noise: how many.
        unusable: tells of ids which cannot be served, and why.

    Returns:
        Ids of noise windows in the order of the events, and those that were refused with the reason.
    """
    left: dict[str, list[str]] = {}
    wanted: dict[str, int] = {}
    rows_of = [waveform_set.rows(source_id) for source_id in source_ids]
    # Of all events at once: a look into the table costs as much for one.
    names = build_trace_index(waveform_set, np.concatenate([np.empty(0, dtype=int), *rows_of])).names
    lots = np.split(draws("noise trace", names, DEFAULT_SEED), np.cumsum([len(rows) for rows in rows_of]))[:-1]
    lucks = draws("noise event", list(source_ids), DEFAULT_SEED)
    for source_id, rows, lot, luck in zip(source_ids, rows_of, lots, lucks, strict=True):
        left[source_id] = [noise_id(row) for row in rows[np.argsort(lot, kind="stable")]]
        wanted[source_id] = int(np.floor(noise.per_event + luck))
    found: dict[str, list[str]] = {source_id: [] for source_id in source_ids}
    refused: dict[str, str] = {}
    while True:
        lacking = [name for name in source_ids if left[name] and len(found[name]) < wanted[name]]
        if not lacking:
            return [name for names in found.values() for name in names], refused
        asked = {source_id: left[source_id].pop(0) for source_id in lacking}
        reasons = unusable(list(asked.values()))
        refused |= reasons
        for source_id, name in asked.items():
            if name not in reasons:
                found[source_id].append(name)
            elif reasons[name].startswith(_OF_EVENT):
                left[source_id].clear()


def hold_events(
    waveform_set: WaveformSet,
    rows: np.ndarray,
    rates_hz: np.ndarray,
    end_s: np.ndarray,
    onset: Mapping[str, Any] | None,
) -> np.ndarray:
    """Tell of each trace whether anything rises above its background before ``end_s``, bool (N,).

    Looked for is from the start of the recording on, for the coda of what came before the window is no noise either.

    Args:
        waveform_set: the set.
        rows: (N,) metadata rows.
        rates_hz: (N,) as stored.
        end_s: (N,) ends of the windows after the start of the traces.
        onset: keywords of :func:`seisvision.data.samples.onsets.detect_onsets`; ``None`` looks in two bands that
            follow from the rate.
    """
    known = _looked_at.setdefault(waveform_set, {})
    settings = [_settings(float(rate_hz), onset) for rate_hz in rates_hz]
    ends = np.round(end_s * rates_hz).astype(int)
    asked = [(setting, int(row), int(end)) for setting, row, end in zip(settings, rows, ends, strict=True)]
    groups: dict[tuple[OnsetSettings, float], list[tuple[OnsetSettings, int, int]]] = {}
    for key, rate_hz in zip(asked, rates_hz, strict=True):
        if key not in known:
            groups.setdefault((key[0], float(rate_hz)), []).append(key)
    for (setting, rate_hz), members in groups.items():
        recorded, _ = waveform_set.read_rows(np.array([key[1] for key in members]), setting.components)
        stretches = [one[:, : key[2]] for one, key in zip(recorded, members, strict=True)]
        risen = np.isfinite(onsets_s(stretches, rate_hz, setting))
        known |= dict(zip(members, risen.tolist(), strict=True))
    return np.array([known[key] for key in asked], dtype=bool)


def _settings(rate_hz: float, onset: Mapping[str, Any] | None) -> OnsetSettings:
    if onset is not None:
        return OnsetSettings.of(**{name: value for name, value in onset.items() if name != "cache_dir"})
    bands = [[low * rate_hz, high * rate_hz] for low, high in _FREQUENCIES]
    return OnsetSettings.of(bands, [samples / rate_hz for samples in _STA_SAMPLES], _THRESHOLD)


def with_noise(parts: Mapping[str, list[str]], found: Sequence[str]) -> dict[str, list[str]]:
    """Put noise windows into the parts that hold the traces they are cut from, behind these."""
    noise_of = dict(zip(row_numbers(found).tolist(), found, strict=True))
    return {
        part: [*members, *(noise_of[row] for row in row_numbers(members).tolist() if row in noise_of)]
        for part, members in parts.items()
    }
