"""Checks of times, arrivals and clocks."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from seisvision.data.audit.findings import Finding, worst_of
from seisvision.data.audit.table import PICK_COLUMNS, AuditTable
from seisvision.data.samples.arrivals import table_arrivals_s

DAY_S = 86400.0
FIRST_RECORD_S = -2.2e9
"""1900: there are no older seismograms."""
EARLY_S = 1.0
"""An arrival may seem that much earlier than the origin, because both have errors."""
FASTEST_KM_S, SLOWEST_KM_S = 25.0, 0.25
"""Faster than any apparent velocity along the surface, slower than sound in air."""
SLACK_S = 60.0
"""Emergent sources begin slowly, and detectors find the strongest phase."""
JUMP_S = 1800.0
"""Traces of one event that start so far apart have a wrong clock, or are no event."""


def check_times(table: AuditTable) -> Iterator[Finding]:
    """Findings on times."""
    yield from _unreadable(table)
    yield from _out_of_history(table)
    yield from _partial_starts(table)
    yield from _jumps(table)
    yield from _early_arrivals(table)
    yield from _picks_outside(table)
    yield from _s_before_p(table)
    yield from _impossible_speeds(table)
    yield from _odd_arrivals(table)


def _unreadable(table: AuditTable) -> Iterator[Finding]:
    bad = table.unreadable_times("trace_start_time") | table.unreadable_times("source_origin_time")
    remedy = "Write times in ISO 8601, such as 2020-01-31T12:00:00.000Z."
    yield from table.trace_finding("time_unreadable", "fatal", "times that are none", bad, remedy)


def _out_of_history(table: AuditTable) -> Iterator[Finding]:
    latest = time.time() + DAY_S
    bad = np.zeros(table.n_traces, dtype=bool)
    for values in (table.start_s, table.origin_s):
        bad |= (values < FIRST_RECORD_S) | (values > latest) | (np.abs(values) < DAY_S)
    remedy = "A clock that was never set writes 1970; correct these times or leave the traces out."
    severity = worst_of(int(bad.sum()), table.n_traces, 0.5)
    yield from table.trace_finding(
        "time_impossible", severity, "times before 1900, of 1970-01-01 or to come", bad, remedy
    )


def _partial_starts(table: AuditTable) -> Iterator[Finding]:
    lacking = np.isnan(table.start_s)
    partial = table.any_of_event(lacking) & table.any_of_event(~lacking)
    remedy = "Complete trace_start_time or leave the traces without it out: they cannot be aligned with the others."
    yield from table.event_finding("start_missing", "fatal", "events with and without start times", partial, remedy)


def _jumps(table: AuditTable) -> Iterator[Finding]:
    bad = np.abs(table.start_s - _event_median(table, table.start_s)) > JUMP_S
    # Two traces that disagree cannot say which of them is wrong.
    remedy = "Compare with the neighbours: a clock that jumped, or a recording of another event; leave these out."
    yield from table.trace_finding(
        "clock_jump",
        worst_of(int(bad.sum()), table.n_traces, 0.05),
        "traces half an hour or more off their event",
        bad,
        remedy,
    )


def _event_median(table: AuditTable, values: np.ndarray) -> np.ndarray:
    """Median (N,) of the known values of the event of each trace."""
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.lexsort((values[known], table.event[known]))]
    events, first, count = np.unique(table.event[order], return_index=True, return_counts=True)
    median = np.full(table.n_events, np.nan)
    middle = first + (count - 1) // 2
    median[events] = 0.5 * (values[order[middle]] + values[order[first + count // 2]])
    return median[table.event]


def _early_arrivals(table: AuditTable) -> Iterator[Finding]:
    after_origin_s = table.start_s - table.origin_s
    picked = np.zeros(table.n_traces, dtype=bool)
    early = picked.copy()
    for column in PICK_COLUMNS:
        arrival_s = after_origin_s + table.pick_s(column)
        picked |= np.isfinite(arrival_s)
        early |= arrival_s < -EARLY_S
    n_picked = int(picked.sum())
    remedy = "Check the clock of the station, the origin time and the picks; time zones are a common cause."
    yield from table.trace_finding(
        "origin_after_arrival",
        worst_of(int(early.sum()), n_picked, 0.01),
        "picks before the origin time",
        early,
        remedy,
        n_picked,
    )
    detected = after_origin_s + table.numbers("trace_onset_s")
    known = int(np.isfinite(detected).sum())
    before = detected < -EARLY_S
    yield from table.trace_finding(
        "origin_after_onset",
        worst_of(int(before.sum()), known, 0.5),
        "detected onsets before the origin time",
        before,
        "A detector takes noise for an onset now and then; many mean a wrong origin time or clock.",
        known,
    )


def _picks_outside(table: AuditTable) -> Iterator[Finding]:
    outside = np.zeros(table.n_traces, dtype=bool)
    for pick_s in [table.pick_s(column) for column in PICK_COLUMNS] + [table.numbers("trace_onset_s")]:
        outside |= (pick_s < 0) | (pick_s > table.length_s)
    remedy = "Correct them or leave them empty; a model that looks for the onset would look beside the recording."
    yield from table.trace_finding("arrival_outside", "warning", "arrivals outside their recording", outside, remedy)


def _s_before_p(table: AuditTable) -> Iterator[Finding]:
    p_s, s_s = table_arrivals_s(table.metadata).T
    known, early = int(np.isfinite(p_s + s_s).sum()), s_s < p_s
    severity = worst_of(int(early.sum()), known, 0.5)
    remedy = "Columns were exchanged, or one of the two is another wave: correct it or leave it empty."
    yield from table.trace_finding("s_before_p", severity, "S arrivals before the P of the trace", early, remedy, known)


def _arrivals_s(table: AuditTable) -> np.ndarray:
    """P pick, else detected onset, after the origin time."""
    arrival_s = np.full(table.n_traces, np.nan)
    for column in PICK_COLUMNS[:2]:
        arrival_s = np.where(np.isnan(arrival_s), table.pick_s(column), arrival_s)
    return table.start_s + np.where(np.isnan(arrival_s), table.numbers("trace_onset_s"), arrival_s) - table.origin_s


def _impossible_speeds(table: AuditTable) -> Iterator[Finding]:
    arrival_s, offset_km = _arrivals_s(table), table.numbers("path_ep_distance_km")
    fast = (arrival_s >= -EARLY_S) & (arrival_s < offset_km / FASTEST_KM_S - 2)
    slow = arrival_s > offset_km / SLOWEST_KM_S + SLACK_S
    known = int(np.isfinite(arrival_s + offset_km).sum())
    bad = fast | slow
    remedy = "Check clock, station position, origin time and the arrival itself."
    yield from table.trace_finding(
        "arrival_impossible",
        worst_of(int(bad.sum()), known, 0.2),
        "arrivals no wave can make at that distance",
        bad,
        remedy,
        known,
    )


def _odd_arrivals(table: AuditTable) -> Iterator[Finding]:
    """Arrivals that do not fit the apparent speed of their event, as one station with a wrong clock gives."""
    arrival_s, offset_km = _arrivals_s(table), table.numbers("path_ep_distance_km")
    usable = (arrival_s > 0.2) & (offset_km > 1)
    speed = np.where(usable, offset_km / np.where(usable, arrival_s, 1), np.nan)
    many = np.bincount(table.event, weights=usable, minlength=table.n_events)[table.event] >= 4
    expected_s = offset_km / _event_median(table, speed)
    bad = usable & many & (np.abs(arrival_s - expected_s) > 10 + 0.4 * expected_s)
    remedy = "One station apart from the others of its event: a clock, a wrong position or another phase."
    of = int((usable & many).sum())
    yield from table.trace_finding("arrival_odd", "warning", "arrivals unlike those of their event", bad, remedy, of)
