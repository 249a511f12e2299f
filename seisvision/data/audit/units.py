"""Checks of units, metres for kilometres and the like, and of distances that no coordinates confirm."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seisvision.data.audit.findings import Finding, worst_of
from seisvision.data.audit.origins import first_arrivals_s
from seisvision.data.audit.table import PICK_COLUMNS, AuditTable
from seisvision.earth.constants import KM_PER_DEG

FACTORS = {"metres": 1000.0, "degrees": 1 / KM_PER_DEG, "miles": 0.6214}
"""What a distance in kilometres is multiplied by in other units."""
FACTOR_SLACK = 0.03
FARTHEST_KM = 20040.0
"""Half the circumference of the Earth through the equator."""
FASTEST_DOWN_KM_S = 14.0
"""No P wave comes up faster."""
EARLY_S = 2.0
S_MINUS_P_KM_S = 8.0
"""Distance over S minus P time, within a factor of two for crusts and mantle."""
MOST_OFF = 5.0
HIGHEST_M, DEEPEST_M = 9000.0, -11000.0
KILOMETRES_M = 9.0
"""Elevations that are all lower and no whole numbers are in kilometres."""
MIN_STATIONS = 3


def check_units(table: AuditTable) -> Iterator[Finding]:
    """Findings on units, and on distances without coordinates."""
    yield from _depths(table)
    yield from _elevations(table)
    yield from _distances(table)


def unit_of(given: np.ndarray, right: np.ndarray) -> str:
    """Name of the unit in which ``given`` (N,) is where ``right`` is in kilometres; "" where no unit explains it."""
    known = np.isfinite(given) & (right > 0)
    if not known.any():
        return ""
    ratios = given[known] / right[known]
    factor = float(np.median(ratios))
    steady = np.mean(np.abs(ratios / factor - 1) < FACTOR_SLACK) > 0.8 if factor > 0 else False
    return next((name for name, value in FACTORS.items() if steady and abs(factor / value - 1) < FACTOR_SLACK), "")


def _depths(table: AuditTable) -> Iterator[Finding]:
    """A source cannot be heard before the fastest wave has come up from it."""
    arrival_s, depth_km = first_arrivals_s(table), table.numbers("source_depth_km")
    known = int(np.isfinite(arrival_s + depth_km).sum())
    bad = (arrival_s >= 0) & (arrival_s < depth_km / FASTEST_DOWN_KM_S - EARLY_S)
    remedy = "Depths are kilometres below the surface; metres give this. Multiply by 0.001, or check the origin times."
    yield from table.trace_finding(
        "depth_contradicts",
        worst_of(int(bad.sum()), known, 0.2),
        "arrivals too early for the depth of their source",
        bad,
        remedy,
        known,
    )


def _elevations(table: AuditTable) -> Iterator[Finding]:
    metres = table.numbers("station_elevation_m")
    bad = (metres > HIGHEST_M) | (metres < DEEPEST_M)
    remedy = "Elevations are metres above the sea; feet, centimetres or a number for none give this."
    yield from table.trace_finding("elevation_impossible", "warning", "stations no station is at", bad, remedy)
    rows = np.flatnonzero(np.isfinite(metres) & (metres != 0) & (table.station[0] >= 0))
    values = metres[rows[np.unique(table.station[0][rows], return_index=True)[1]]]
    fractions = np.abs(values - np.round(values)) > 1e-6
    if len(values) >= MIN_STATIONS and np.abs(values).max() < KILOMETRES_M and fractions.mean() > 0.5:
        high = np.isin(np.arange(table.n_traces), rows)
        remedy = "Multiply station_elevation_m by 1000; what is below the sea or near it may be right."
        title = f"elevations that look like kilometres (up to {np.abs(values).max():g})"
        yield from table.trace_finding("elevation_unit", "note", title, high, remedy)


def _distances(table: AuditTable) -> Iterator[Finding]:
    given = table.numbers("path_ep_distance_km")
    far = given > FARTHEST_KM
    remedy = "Distances are kilometres along the surface; metres, or a number for none, give this."
    yield from table.trace_finding("distance_impossible", "fatal", "distances longer than the Earth", far, remedy)
    places = [table.numbers(f"{end}_{axis}_deg") for end in ("source", "station") for axis in ("latitude", "longitude")]
    blind = np.isfinite(given) & ~np.isfinite(sum(places))
    picks = [table.pick_s(PICK_COLUMNS[i]) for i in range(4)]
    p_s, s_s = (np.where(np.isnan(one), other, one) for one, other in (picks[:2], picks[2:]))
    expected_km = S_MINUS_P_KM_S * (s_s - p_s)
    depth_km = np.nan_to_num(np.clip(table.numbers("source_depth_km"), 0, 700))
    slant_km = np.hypot(given, depth_km)
    judged = blind & (expected_km > 0)
    off = judged & ((slant_km > MOST_OFF * expected_km + 10) | (given < expected_km / MOST_OFF - depth_km - 10))
    remedy = "The distance and the time from P to S do not fit: mind metres and degrees, and exchanged picks."
    severity = worst_of(int(off.sum()), int(judged.sum()), 0.2)
    title = "distances that contradict the time from P to S"
    yield from table.trace_finding("distance_contradicts_picks", severity, title, off, remedy, int(judged.sum()))
    remedy = "They are taken as they are, because without coordinates they cannot be checked. Add these if you can."
    yield from table.trace_finding("distance_unchecked", "note", "distances without coordinates", blind, remedy)
