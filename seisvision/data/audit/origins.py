"""Origins that the arrivals of their event contradict as a whole: leap seconds, time zones, a wrong event."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seisvision.data.audit.findings import Finding, worst_of
from seisvision.data.audit.table import PICK_COLUMNS, AuditTable
from seisvision.earth.constants import KM_PER_DEG

P_DEG = (0, 1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 98, 110, 120, 140, 160, 180)
P_S = (0, 19, 35, 76, 145, 213, 274, 325, 370, 456, 536, 608, 673, 731, 781, 818, 871, 915, 1004, 1200, 1212)
"""First P of a source at the surface by distance, iasp91 (Kennett & Engdahl 1991, Geophys. J. Int. 105, 429-465)."""
UP_KM_S = 9.0
"""A deep source is heard earlier by no more than its depth at this speed."""
MIN_STATIONS = 3
TOLERANCE_S, TOLERANCE_SHARE = 4.0, 0.1
"""By so much, and by this share of the travel time, an event may be early: crusts differ, and so do detectors."""
AGREEING = 0.7
"""Share of the arrivals of an event that must be early, or be late by the same hours."""
HOUR_S, HOUR_SLACK_S = 3600.0, 120.0
JULY_LEAPS = (1972, 1981, 1982, 1983, 1985, 1992, 1993, 1994, 1997, 2012, 2015)
JANUARY_LEAPS = (*range(1973, 1981), 1988, 1990, 1991, 1996, 1999, 2006, 2009, 2017)
LEAP_DAYS = (*(f"{year}-07-01" for year in JULY_LEAPS), *(f"{year}-01-01" for year in JANUARY_LEAPS))
"""Days before which UTC had one second more (IERS Bulletin C)."""
LEAP_SLACK_S = 3.0


def check_origins(table: AuditTable) -> Iterator[Finding]:
    """The finding on events whose arrivals are all early, or all off by whole hours."""
    shift_s, judged = origin_shifts_s(table)
    bad = np.isfinite(shift_s)
    if not bad.any():
        return
    remedy = (
        f"{_cause(table, shift_s)} Correct source_origin_time; distances in time and labels made from it are wrong."
    )
    title = f"origins that the arrivals of their event contradict (by {np.median(shift_s[bad]):+.1f} s)"
    severity = worst_of(int(bad.sum()), int(judged.sum()), 0.1)
    events = np.flatnonzero(bad)
    examples = tuple(f"event {table.event_ids[event]} by {shift_s[event]:+.1f} s" for event in events[:5])
    yield Finding("origin_contradicts", severity, title, len(events), int(judged.sum()), "events", remedy, examples)


def origin_shifts_s(table: AuditTable) -> tuple[np.ndarray, np.ndarray]:
    """By how much an origin is too late (negative: too early), NaN where nothing contradicts it; events judged (E,)."""
    arrival_s = first_arrivals_s(table)
    late_s = arrival_s - _travel_s(table)
    known = np.flatnonzero(np.isfinite(arrival_s))
    shift_s, judged = np.full(table.n_events, np.nan), np.zeros(table.n_events, dtype=bool)
    if not len(known):
        return shift_s, judged
    order = known[np.argsort(table.event[known], kind="stable")]
    events, first = np.unique(table.event[order], return_index=True)
    median_s = _medians(late_s[order], first)
    suspicious = (median_s < -TOLERANCE_S) | (median_s > HOUR_S / 2)
    for event, rows, suspect in zip(events, np.split(order, first[1:]), suspicious, strict=True):
        judged[event] = len(rows) >= MIN_STATIONS
        if judged[event] and suspect:
            shift_s[event] = _shift_s(late_s[rows], arrival_s[rows])
    return shift_s, judged


def _medians(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Median of each stretch of ``values`` that begins at ``first``."""
    stretch = np.repeat(np.arange(len(first)), np.diff([*first, len(values)]))
    ordered = values[np.lexsort((values, stretch))]
    return ordered[first + (np.diff([*first, len(values)]) - 1) // 2]


def first_arrivals_s(table: AuditTable) -> np.ndarray:
    """P pick, else detected onset, after the origin (N,)."""
    arrival_s = np.full(table.n_traces, np.nan)
    for column in PICK_COLUMNS[:2]:
        arrival_s = np.where(np.isnan(arrival_s), table.pick_s(column), arrival_s)
    arrival_s = np.where(np.isnan(arrival_s), table.numbers("trace_onset_s"), arrival_s)
    return table.start_s + arrival_s - table.origin_s


def _travel_s(table: AuditTable) -> np.ndarray:
    """Shortest time a P wave can take (N,); none where the distance is not known."""
    degrees = table.numbers("path_ep_distance_km") / KM_PER_DEG
    depth_km = np.nan_to_num(np.clip(table.numbers("source_depth_km"), 0, 700))
    return np.nan_to_num(np.maximum(np.interp(degrees, P_DEG, P_S) - depth_km / UP_KM_S, 0))


def _shift_s(late_s: np.ndarray, arrival_s: np.ndarray) -> float:
    """How much too late an origin is, NaN where the arrivals may be right."""
    median_s = float(np.median(late_s))
    travel_s = float(np.median(arrival_s - late_s))
    # Whole hours off, one way or the other, show through phases and detectors.
    hours = round(median_s / HOUR_S)
    if hours and np.mean(np.abs(late_s - hours * HOUR_S) < HOUR_SLACK_S + travel_s) >= AGREEING:
        return -hours * HOUR_S
    limit_s = TOLERANCE_S + TOLERANCE_SHARE * travel_s
    if median_s < -limit_s and np.mean(late_s < -limit_s) >= AGREEING:
        return -median_s
    return float("nan")


def _cause(table: AuditTable, shift_s: np.ndarray) -> str:
    """What shifts like these usually come from."""
    bad = np.flatnonzero(np.isfinite(shift_s))
    shifts = shift_s[bad]
    if np.mean(np.abs(shifts) % HOUR_S == 0) > 0.5:
        return "They are off by whole hours: a time zone."
    origins = table.origin_s[table.first_row][bad]
    days = np.array(LEAP_DAYS, dtype="datetime64[s]").astype(np.int64)
    leaps = (days[None, :] <= origins[:, None]).sum(axis=1)
    # Of UTC since 1972, of GPS time, which began 9 later, and of TAI, which was 10 ahead.
    for offset, clock in ((0, "clock that counts leap seconds"), (-9, "clock of GPS time"), (10, "clock of TAI")):
        if np.mean(np.abs(shifts - leaps - offset) < LEAP_SLACK_S) > 0.5 and np.median(leaps + offset) > TOLERANCE_S:
            return f"They are late by the leap seconds of their time: a {clock}."
    return "All stations agree, so it is not their clocks: the catalogue, or the association of events."
