"""Recordings of an event as small drawings: of each station the highest and lowest values in columns of pixels."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from seisvision.data.samples.arrivals import PHASES, table_arrivals_s
from seisvision.data.samples.paths import table_paths
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.earth.coast_lines import shores_about, svg_path
from seisvision.earth.constants import KM_PER_DEG

COLUMNS = 320
"""Of a drawn line."""
MOST_STATIONS = 40
"""Drawn of one event; those nearest to the source."""


def draw_event(waveform_set: WaveformSet, source_id: str, first_row: int | None = None) -> dict[str, Any]:
    """Lines of all stations of an event, and where they are.

    Args:
        waveform_set: the set.
        source_id: event.
        first_row: row of the table that comes first, whatever its distance, with all its components.

    Returns:
        ``lines``: name, seconds of length, distance, base64 of COLUMNS pairs of int8 (low, high), arrivals;
        ``map``: places of stations and source in kilometres about the middle of the stations, and shores as a path in
        kilometres to the east and to the south.
    """
    rows = waveform_set.rows(source_id)
    table = waveform_set.table.iloc[rows]
    offset_km, *_ = table_paths(table)
    arrivals_s = table_arrivals_s(table)
    order = np.argsort(np.where(np.isfinite(offset_km), offset_km, np.inf), kind="stable")
    if first_row is not None:
        order = np.array(sorted(order, key=lambda place: rows[place] != first_row))
    order = order[:MOST_STATIONS]
    waveforms, masks = waveform_set.read_rows(rows[order])
    rates_hz = table["trace_sampling_rate_hz"].to_numpy(dtype=float)
    lines = []
    for place, waveform, mask in zip(order, waveforms, masks, strict=True):
        recorded = np.flatnonzero(mask)
        chosen = recorded if rows[place] == first_row else recorded[:1]
        for component in chosen:
            lines.append({
                "row": int(rows[place]),
                "name": station_name(table.iloc[place]),
                "component": "ZNE"[component],
                "km": None if math.isnan(offset_km[place]) else round(float(offset_km[place]), 1),
                "seconds": round(waveform.shape[-1] / rates_hz[place], 3),
                "line": base64.b64encode(envelope(waveform[component]).tobytes()).decode(),
                "arrivals": {
                    phase: round(float(arrivals_s[place, number]), 3)
                    for number, phase in enumerate(PHASES)
                    if np.isfinite(arrivals_s[place, number])
                },
            })  # fmt: skip
    return {"lines": lines, "map": _map(table.iloc[order])}


def envelope(samples: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """Lowest and highest value in each of ``columns`` pieces of a recording (T,), int8 (columns, 2), peak at 127."""
    centred = np.nan_to_num(samples.astype(float)) - np.nan_to_num(samples.astype(float)).mean()
    edges = np.linspace(0, len(centred), columns + 1).astype(int)
    starts = np.minimum(edges[:-1], len(centred) - 1)
    # An empty piece of a short recording shows the sample it begins with.
    low, high = np.minimum.reduceat(centred, starts), np.maximum.reduceat(centred, starts)
    peak = np.abs(centred).max()
    return np.round(np.stack([low, high], axis=1) / (peak or 1.0) * 127).astype(np.int8)


def station_name(row: pd.Series) -> str:
    """Network and station code, such as ``UW.HDW``."""
    parts = [row.get(name) for name in ("station_network_code", "station_code")]
    return ".".join(str(part) for part in parts if part is not None and part == part and str(part))


def _map(table: pd.DataFrame) -> dict[str, Any] | None:
    """Places in kilometres east and north of the middle of the stations; None where they are not known."""
    stations = _places(table, "station")
    if stations is None:
        return None
    known = np.isfinite(stations).all(axis=1)
    if not known.any():
        return None
    source = _places(table.iloc[:1], "source")
    middle = np.median(stations[known], axis=0)

    def in_km(places: np.ndarray) -> list[list[float]]:
        turn = (places[:, 1] - middle[1] + 180) % 360 - 180
        east_km = turn * KM_PER_DEG * math.cos(math.radians(middle[0]))
        return np.round(np.stack([east_km, (places[:, 0] - middle[0]) * KM_PER_DEG], axis=1), 1).tolist()

    names = [station_name(row) for _, row in table[known].iterrows()]
    is_known = source is not None and np.isfinite(source).all()
    places_km = [*in_km(stations[known]), *(in_km(source) if is_known and source is not None else [])]
    # As far as the page shows (review.js).
    reach_km = max(1.0, float(np.abs(places_km).max())) * 1.15
    latitude, longitude = shores_about(float(middle[0]), float(middle[1]), reach_km * math.sqrt(2))
    east_km, north_km = np.array(in_km(np.stack([latitude, longitude], axis=1))).reshape(-1, 2).T
    box = (-reach_km, reach_km)
    return {
        "stations": [[name, *place] for name, place in zip(names, in_km(stations[known]), strict=True)],
        "source": in_km(source)[0] if is_known and source is not None else None,
        "shores": svg_path(east_km, -north_km, box, box, reach_km / 200),
    }


def _places(table: pd.DataFrame, of: str) -> np.ndarray | None:
    columns = [f"{of}_latitude_deg", f"{of}_longitude_deg"]
    if not set(columns) <= set(table):
        return None
    values: Sequence[np.ndarray] = [
        pd.to_numeric(table[name], errors="coerce").to_numpy(float, na_value=np.nan) for name in columns
    ]
    return np.stack(values, axis=1)
