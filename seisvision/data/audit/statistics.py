"""Counts and distributions of a set, as plain containers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from seisvision.data.audit.table import AuditTable

DISTRIBUTIONS = {
    "distance (km)": ("path_ep_distance_km", "traces"),
    "magnitude": ("source_magnitude", "events"),
    "depth (km)": ("source_depth_km", "events"),
    "azimuth (deg)": ("path_azimuth_deg", "traces"),
    "onset after start (s)": ("trace_onset_s", "traces"),
}
N_BARS = 24
MAX_LISTED = 30


def statistics(table: AuditTable) -> dict[str, Any]:
    """Return counts, values that occur, shares of missing values, time span and histograms by class."""
    codes, names = table.classes
    first = codes[table.first_row]
    n_stations = len(table.station[1])
    return {
        "n_events": table.n_events,
        "n_traces": table.n_traces,
        "n_stations": n_stations,
        "time_span": _span(np.concatenate([table.start_s, table.origin_s])),
        "classes": {
            name: {"events": int((first == i).sum()), "traces": int((codes == i).sum())}
            for i, name in enumerate(names[:MAX_LISTED])
        },
        "without_class": {"events": int((first < 0).sum()), "traces": int((codes < 0).sum())},
        "sampling_rate_hz": _counts(table, "trace_sampling_rate_hz"),
        "components": _counts(table, "trace_component_order"),
        "networks": _counts(table, "station_network_code"),
        "units": _counts(table, "trace_unit"),
        "length_s": _quantiles(table.length_s),
        "traces_per_event": _quantiles(np.bincount(table.event).astype(float)),
        "missing": _missing(table),
        "distributions": {name: _histogram(table, column, unit) for name, (column, unit) in DISTRIBUTIONS.items()},
    }


def _counts(table: AuditTable, column: str) -> dict[str, int]:
    codes, names = table.codes(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    return {str(names[i]): int(counts[i]) for i in np.argsort(-counts, kind="stable")[:MAX_LISTED]}


def _quantiles(values: np.ndarray) -> dict[str, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return {}
    levels = {"least": 0.0, "quarter": 0.25, "median": 0.5, "three quarters": 0.75, "most": 1.0}
    return {name: round(float(np.quantile(known, level)), 4) for name, level in levels.items()}


def _span(times_s: np.ndarray) -> list[str]:
    known = times_s[np.isfinite(times_s)]
    if not len(known):
        return []
    return [datetime.fromtimestamp(float(value), UTC).isoformat() for value in (known.min(), known.max())]


def _missing(table: AuditTable) -> dict[str, float]:
    """Share of traces without a value, for columns that lack some."""
    shares = {name: float(table.metadata[name].isna().mean()) for name in table.metadata}
    return {name: round(share, 4) for name, share in shares.items() if share > 0}


def _histogram(table: AuditTable, column: str, unit: str) -> dict[str, Any]:
    rows = table.first_row if unit == "events" else np.arange(table.n_traces)
    values, codes = table.numbers(column)[rows], table.classes[0][rows]
    known = np.isfinite(values)
    if not known.any():
        return {}
    low, high = np.quantile(values[known], [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, N_BARS + 1)
    names = table.classes[1][:8] or ["all"]
    members = [known & (codes == i) for i in range(len(names))] if table.classes[1] else [known]
    counts = {
        name: np.histogram(values[chosen], edges)[0].tolist() for name, chosen in zip(names, members, strict=True)
    }
    return {"column": column, "unit": unit, "edges": edges.tolist(), "counts": counts} | _quantiles(values)
