"""Checks of classes, of events told twice and of recordings mixed in one set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seisvision.data.audit.findings import Finding
from seisvision.data.audit.table import AuditTable
from seisvision.earth.geodesics import geodesic
from seisvision.keys import COMPONENTS

FEW_EVENTS = 10
"""Below that a class has too few events for training, validation and test."""
STRONG_IMBALANCE = 10
SAME_TIME_S, SAME_PLACE_KM = 2.0, 10.0
SHARED_PART = 0.5
EVENT_COLUMNS = (
    ("source_latitude_deg", 1e-3),
    ("source_longitude_deg", 1e-3),
    ("source_depth_km", 0.1),
    ("source_magnitude", 0.01),
)
"""Columns that belong to the event, and how far they may differ from trace to trace."""


def check_labels(table: AuditTable) -> Iterator[Finding]:
    """Findings on labels and copies."""
    yield from _classes(table)
    yield from _contradictions(table)
    yield from _events_told_twice(table)
    yield from _traces_told_twice(table)
    yield from _shared_recordings(table)
    yield from _mixtures(table)
    yield from _other_components(table)
    yield from _fixed_places(table)


def _classes(table: AuditTable) -> Iterator[Finding]:
    codes, names = table.classes
    first = codes[table.first_row]
    if not names:
        remedy = f"Nothing to classify: fine for clustering and regression, else fill {table.target}."
        yield Finding("no_labels", "note", "no event has a class", table.n_events, table.n_events, "events", remedy)
        return
    remedy = "These are left out where the class is the target."
    yield from table.event_finding("labels_missing", "note", "events without a class", first < 0, remedy)
    events = np.bincount(first[first >= 0], minlength=len(names))
    if len(names) == 1:
        remedy = "There is nothing to tell apart; add events of another class."
        yield Finding(
            "one_class", "note", f"all events are '{names[0]}'", int(events[0]), table.n_events, "events", remedy
        )
        return
    few = [name for name, n in zip(names, events, strict=True) if n < FEW_EVENTS]
    if few:
        remedy = f"Join or leave out classes with fewer than {FEW_EVENTS} events: their scores mean nothing."
        shown = tuple(f"{name}: {events[names.index(name)]} events" for name in few[:5])
        yield Finding(
            "class_small", "warning", "classes with few events", len(few), len(names), "classes", remedy, shown
        )
    if events.max() > STRONG_IMBALANCE * max(1, events.min()):
        remedy = "Look at balanced accuracy, and weight the classes; always guessing the largest scores high."
        shown = tuple(f"{name}: {n} events" for name, n in zip(names, events, strict=True))[:5]
        yield Finding(
            "class_imbalance",
            "note",
            f"the largest class holds {events.max() / events.sum():.0%}",
            int(events.max()),
            int(events.sum()),
            "events",
            remedy,
            shown,
        )


def _contradictions(table: AuditTable) -> Iterator[Finding]:
    codes = table.classes[0]
    reference = codes[table.first_row][table.event]
    differs = table.any_of_event((codes != reference) & (codes >= 0) & (reference >= 0))
    remedy = f"One source_id must have one {table.target}: correct the table, or give the events ids of their own."
    yield from table.event_finding("labels_contradict", "fatal", "events with several classes", differs, remedy)
    bad = np.zeros(table.n_events, dtype=bool)
    for column, tolerance in EVENT_COLUMNS:
        values = table.numbers(column)
        bad |= table.any_of_event(np.abs(values - values[table.first_row][table.event]) > tolerance)
    bad |= table.any_of_event(np.abs(table.origin_s - table.origin_s[table.first_row][table.event]) > 0.01)
    remedy = "The first value is used. Traces of several events under one source_id? Then give each its own."
    yield from table.event_finding(
        "event_contradicts", "warning", "events whose traces disagree on place, size or time", bad, remedy
    )


def _events_told_twice(table: AuditTable) -> Iterator[Finding]:
    rows = table.first_row
    time_s = table.origin_s[rows]
    places = table.numbers("source_latitude_deg")[rows], table.numbers("source_longitude_deg")[rows]
    known = np.flatnonzero(np.isfinite(time_s + places[0] + places[1]))
    order = known[np.argsort(time_s[known], kind="stable")]
    one, other = order[:-1], order[1:]
    near = time_s[other] - time_s[one] < SAME_TIME_S
    one, other = one[near], other[near]
    if not len(one):
        return
    apart_km = geodesic(*(place[i] for i in (one, other) for place in places))[0]
    one, other = one[apart_km < SAME_PLACE_KM], other[apart_km < SAME_PLACE_KM]
    codes = table.classes[0][rows]
    conflict = (codes[one] != codes[other]) & (codes[one] >= 0) & (codes[other] >= 0)
    keep = "Keep one of each pair, with the right class."
    split = "Keep one of each pair, or split by source_cell: else one is trained on and the other tested."
    for chosen, code, severity, title, remedy in (
        (conflict, "duplicate_event_contradicts", "fatal", "events told twice with different classes", keep),
        (~conflict, "duplicate_event", "warning", "events told twice", split),
    ):
        if chosen.any():
            examples = tuple(
                f"events {table.event_ids[a]} and {table.event_ids[b]}"
                for a, b in zip(one[chosen][:5], other[chosen][:5], strict=True)
            )
            yield Finding(code, severity, title, int(chosen.sum()), table.n_events, "events", remedy, examples)


def _channel_keys(table: AuditTable) -> np.ndarray:
    """Number of station, location and channel of each trace; -1 where the station is not known."""
    station = table.station[0]
    key = station.astype(np.int64)
    for column in ("station_location_code", "trace_channel"):
        codes, names = table.codes(column)
        key = key * (len(names) + 1) + codes + 1
    return np.where(station < 0, -1, key)


def _traces_told_twice(table: AuditTable) -> Iterator[Finding]:
    key = _channel_keys(table)
    rows = np.flatnonzero((key >= 0) & np.isfinite(table.start_s))
    order = rows[np.lexsort((table.start_s[rows], key[rows], table.event[rows]))]
    one, other = order[:-1], order[1:]
    same = (table.event[one] == table.event[other]) & (key[one] == key[other])
    same &= table.start_s[other] - table.start_s[one] < 0.5 / table.numbers("trace_sampling_rate_hz")[other]
    orders = table.codes("trace_component_order")[0]
    same &= orders[one] == orders[other]
    bad = np.zeros(table.n_traces, dtype=bool)
    bad[other[same]] = True
    yield from table.trace_finding(
        "duplicate_trace",
        "warning",
        "traces that are twice in their event",
        bad,
        "Leave out one of each pair: it counts double.",
    )


def _shared_recordings(table: AuditTable) -> Iterator[Finding]:
    """Seconds of a station that lie in two events: these may come to lie on both sides of a split."""
    key, start, length = _channel_keys(table), table.start_s, table.length_s
    rows = np.flatnonzero((key >= 0) & np.isfinite(start + length))
    order = rows[np.lexsort((start[rows], key[rows]))]
    one, other = order[:-1], order[1:]
    shared_s = np.minimum(start[one] + length[one], start[other] + length[other]) - start[other]
    shared = (key[one] == key[other]) & (table.event[one] != table.event[other])
    shared &= shared_s > SHARED_PART * np.minimum(length[one], length[other])
    bad = np.zeros(table.n_traces, dtype=bool)
    bad[other[shared]] = True
    remedy = "The same motion under two ids. Merge them, or keep them on one side with split.by=source_cell or time."
    yield from table.trace_finding("recording_shared", "warning", "recordings that lie in two events", bad, remedy)


def _mixtures(table: AuditTable) -> Iterator[Finding]:
    for column, code, what, remedy in (
        ("trace_sampling_rate_hz", "rates_mixed", "sampling rates", "Set dataset.samples.sampling_rate_hz."),
        ("trace_component_order", "components_mixed", "sets of components", "Choose what all have, such as Z."),
        ("trace_unit", "units_mixed", "units", "Remove the response at import, or normalise every trace."),
    ):
        codes, names = table.codes(column)
        if len(names) > 1:
            counts = np.bincount(codes[codes >= 0])
            order = np.argsort(-counts)
            shown = tuple(f"{names[i]}: {counts[i]} traces" for i in order[:5])
            others = int(counts.sum() - counts.max())
            yield Finding(code, "note", f"{len(names)} {what}", others, table.n_traces, "traces", remedy, shown)


def _other_components(table: AuditTable) -> Iterator[Finding]:
    """Traces such as Z12 and ZRT, whose horizontals are zeros for whoever asks for N and E."""
    codes, orders = table.codes("trace_component_order")
    other = np.array([bool(set(order) - set(COMPONENTS) and set(COMPONENTS) - set(order)) for order in orders])
    bad = other[codes] & (codes >= 0) if len(orders) else np.zeros(table.n_traces, dtype=bool)
    remedy = "Ask for Z, or import with orientations: sets are read by their letters, 1 and 2, R and T are not turned."
    title = f"traces with components other than {COMPONENTS}"
    yield from table.trace_finding("components_other", "warning", title, bad, remedy)


def _fixed_places(table: AuditTable) -> Iterator[Finding]:
    """What lies at one place in every window gives the distance away, or nothing to learn."""
    if table.n_traces < 20 or table.n_events < 5:
        return
    jitter = "Jitter the window (samples.window.jitter_s) for picking and detection."
    random = "The place of the arrival tells the distance: to regress distance take window.reference=random, or jitter."
    onset_s, start_s = table.numbers("trace_onset_s"), table.start_s - table.origin_s
    for code, values, title, remedy in (
        ("onset_fixed", onset_s, "onsets at one place of the window", jitter),
        ("start_fixed", start_s, "windows that begin a fixed time after the origin", random),
    ):
        known = values[np.isfinite(values)]
        if len(known) > 0.5 * table.n_traces and np.diff(np.quantile(known, [0.05, 0.95]))[0] < 0.2:
            yield Finding(
                code, "note", f"{title} ({np.median(known):.1f} s)", len(known), table.n_traces, "traces", remedy
            )
