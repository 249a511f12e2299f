"""Automatic P and S of every station of a network, for the baseline that learns travel times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seisvision import keys
from seisvision.evaluation.baselines.features import FeatureBatch, required
from seisvision.picking.by_rule import picks_by_rule

COLUMNS = ("p_s", "s_s", "east_km", "north_km")
"""Of each station."""
FEWEST_TIMES = 4
"""Of one event, or it has no place."""


def arrival_time_features(batch: Mapping[str, Any]) -> FeatureBatch:
    """P and S after the beginning of the window at every station (NaN where nothing triggers), and where it stands, if
    that is known.

    Times are those of ``akaike`` in :mod:`seisvision.picking.by_rule`. Rows of an event are complete where enough
    stations have a time for a place.

    Args:
        batch: events with a slot for each of S stations, components Z, N, E.

    Raises:
        DataError: the samples hold no waveforms.
    """
    waveform, mask = required(batch, keys.WAVEFORM), required(batch, keys.STATION_MASK)
    rate_hz = float(batch[keys.SAMPLING_RATE_HZ])
    values = np.full((*waveform.shape[:2], len(COLUMNS)), np.nan)
    if keys.STATION_KM in batch:
        values[..., 2:] = np.asarray(batch[keys.STATION_KM])[..., :2]
    for event, lines in enumerate(waveform):
        live = np.flatnonzero(mask[event])
        if len(live):
            times_s, clear = picks_by_rule(lines[live, 0], lines[live, 1:], rate_hz)["akaike"]
            values[event, live, :2] = np.where(clear >= 1, times_s, np.nan)
    names = [f"{column} of station {slot + 1}" for slot in range(waveform.shape[1]) for column in COLUMNS]
    n_times = np.isfinite(values[..., :2]).sum((1, 2))
    problems = [None if n >= FEWEST_TIMES else f"fewer than {FEWEST_TIMES} arrivals found" for n in n_times]
    return FeatureBatch(names, values.reshape(len(values), -1), problems)
