"""What is wrong or odd in a catalogue, before anything is fitted to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import stats

from seisvision.catalogues import completeness
from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.times import date_text
from seisvision.data.audit.findings import MAX_EXAMPLES, Finding, by_severity
from seisvision.earth.projection import Projection

SAME_S, SAME_KM = 2.0, 10.0
"""Two events closer than this are most likely one, told by two networks."""
CHANCE = 1e-3
DRIFT = 0.5
QUIET_BLOCK_DAYS = 30.0
WORK_HOURS = (8, 18)


def audit_catalogue(catalogue: EventCatalogue) -> list[Finding]:
    """All findings, the gravest first."""
    checks = (_refused, _notes, _repeats, _silences, _incomplete, _drift, _work_hours, _midnights, _depths)
    return by_severity(finding for check in checks for finding in check(catalogue))


def card(catalogue: EventCatalogue) -> dict[str, Any]:
    """What is known of a catalogue, as plain containers."""
    estimates = {name: completeness.estimate(catalogue.magnitude, name) for name in completeness.METHODS}
    return {
        "n_events": len(catalogue),
        "begin": date_text(catalogue.begin_day),
        "end": date_text(catalogue.end_day),
        "gaps": catalogue.gaps.texts(),
        "observed_days": catalogue.observed_days(),
        "magnitude": [float(catalogue.magnitude.min()), float(catalogue.magnitude.max())],
        "completeness": {
            name: {"value": one.value, "low95": one.low95, "high95": one.high95} for name, one in estimates.items()
        },
        "fingerprint": catalogue.fingerprint(),
        "refused": dict(Counter(one.cause for one in catalogue.refused)),
        "notes": list(catalogue.notes),
    }


def _refused(catalogue: EventCatalogue) -> Iterator[Finding]:
    causes = Counter(one.cause for one in catalogue.refused)
    for cause, count in causes.items():
        examples = [f"{one.event_id} {one.reason}" for one in catalogue.refused if one.cause == cause]
        yield Finding(
            f"refused_{cause}", "warning", f"events cannot be used ({cause})", count,
            len(catalogue) + len(catalogue.refused), "events", "Correct them where they matter; rates are low by them.",
            tuple(examples[:MAX_EXAMPLES]),
        )  # fmt: skip


def _notes(catalogue: EventCatalogue) -> Iterator[Finding]:
    for note in catalogue.notes:
        if note.startswith("several types"):
            yield Finding(
                "mixed_types", "warning", note, len(catalogue), len(catalogue), "events",
                "Choose one type, or bring the magnitudes to one scale: steps in them look like changes of rate.",
            )  # fmt: skip


def _repeats(catalogue: EventCatalogue) -> Iterator[Finding]:
    plane = Projection.about(catalogue.latitude_deg, catalogue.longitude_deg)
    x, y = plane.to_km(catalogue.latitude_deg, catalogue.longitude_deg)
    found: set[int] = set()
    for lag in (1, 2):
        seconds = (catalogue.time_days[lag:] - catalogue.time_days[:-lag]) * 86400
        km = np.hypot(x[lag:] - x[:-lag], y[lag:] - y[:-lag])
        found.update((np.flatnonzero((seconds < SAME_S) & (km < SAME_KM)) + lag).tolist())
    if found:
        ids = tuple(str(catalogue.event_id[event]) for event in sorted(found)[:MAX_EXAMPLES])
        yield Finding(
            "repeated", "warning", f"events lie within {SAME_S:g} s and {SAME_KM:g} km of another", len(found),
            len(catalogue), "events", "Most are one event told twice; take one of each pair out.", ids,
        )  # fmt: skip


def _silences(catalogue: EventCatalogue) -> Iterator[Finding]:
    """Spans without events that chance does not explain, beside the declared gaps."""
    edges = np.arange(catalogue.begin_day, catalogue.end_day + QUIET_BLOCK_DAYS, QUIET_BLOCK_DAYS)
    missing = catalogue.gaps.missing_days(edges[:-1], edges[1:])
    counts = np.histogram(catalogue.time_days, edges)[0][missing == 0]
    # A lower quartile is nobody's swarm, and many empty blocks make it zero: then no silence is odd.
    rate = float(np.percentile(counts, 25)) / QUIET_BLOCK_DAYS if len(counts) else 0.0
    at = np.concatenate([[catalogue.begin_day], catalogue.time_days, [catalogue.end_day]])
    quiet = np.diff(at) - catalogue.gaps.missing_days(at[:-1], at[1:])
    odd = np.flatnonzero(len(quiet) * np.exp(-rate * quiet) < CHANCE)
    if len(odd):
        longest = odd[np.argsort(-quiet[odd])][:MAX_EXAMPLES]
        yield Finding(
            "silence", "fatal" if quiet[odd].max() > 365 else "warning",
            f"spans without events are longer than chance makes them (longest {quiet[odd].max():.0f} days)", len(odd),
            len(quiet), "spans", "Declare them with --gap where the catalogue is missing: missing is not quiet.",
            tuple(f"{date_text(at[one])}/{date_text(at[one + 1])}" for one in longest),
        )  # fmt: skip


def _incomplete(catalogue: EventCatalogue) -> Iterator[Finding]:
    found = completeness.estimate(catalogue.magnitude)
    below = int((catalogue.magnitude < found.value - 1e-4).sum()) if np.isfinite(found.value) else 0
    if below:
        yield Finding(
            "incomplete", "warning", f"events lie below the completeness of {found.value:.1f} (maximum curvature, 95 % "
            f"{found.low95:.1f} to {found.high95:.1f})", below, len(catalogue), "events",
            f"Fit with --magnitude {found.value:.1f} or more.",
        )  # fmt: skip


def _drift(catalogue: EventCatalogue) -> Iterator[Finding]:
    parts = [part for part in completeness.in_time(catalogue) if np.isfinite(part[2].value)]
    values = [part[2].value for part in parts]
    if values and max(values) - min(values) >= DRIFT - 1e-9:
        worst = parts[int(np.argmax(values))]
        yield Finding(
            "completeness_drift", "warning", f"completeness runs from {min(values):.1f} to {max(values):.1f}",
            sum(value > min(values) + DRIFT - 1e-9 for value in values), len(values), "stretches of 500 events",
            f"Take --magnitude {max(values):.1f}, a later begin, or steps of completeness.",
            (f"{worst[2].value:.1f} from {date_text(worst[0])} to {date_text(worst[1])}",),
        )  # fmt: skip


def _work_hours(catalogue: EventCatalogue) -> Iterator[Finding]:
    """Blasts are fired by day: an excess of events in working hours, by the Sun of each longitude."""
    hour = (catalogue.time_days * 24 + catalogue.longitude_deg / 15) % 24
    n_day = int(((hour >= WORK_HOURS[0]) & (hour < WORK_HOURS[1])).sum())
    share = (WORK_HOURS[1] - WORK_HOURS[0]) / 24
    # Networks hear more by night, so a little less than the share is common and more is odd; swarms need the margin.
    if n_day > (share + 0.05) * len(catalogue) and stats.binom.sf(n_day - 1, len(catalogue), share) < CHANCE:
        yield Finding(
            "work_hours", "warning", f"events between {WORK_HOURS[0]} and {WORK_HOURS[1]} local time are more than "
            f"{share:.0%}", n_day, len(catalogue), "events", "Blasts may be among them: keep earthquakes with --types.",
        )  # fmt: skip


def _midnights(catalogue: EventCatalogue) -> Iterator[Finding]:
    count = int((np.abs(catalogue.time_days - np.round(catalogue.time_days)) < 1e-9).sum())
    if count > max(2, 1e-3 * len(catalogue)):
        yield Finding(
            "midnight", "warning", "events have midnight for their time", count, len(catalogue), "events",
            "Their time of day is most likely not known; leave them out.",
        )  # fmt: skip


def _depths(catalogue: EventCatalogue) -> Iterator[Finding]:
    known = catalogue.depth_km[np.isfinite(catalogue.depth_km)]
    if len(known) > 100:
        values, counts = np.unique(known, return_counts=True)
        if counts.max() > 0.2 * len(known):
            yield Finding(
                "fixed_depth", "note", f"events have the depth {values[counts.argmax()]:g} km", int(counts.max()),
                len(known), "events", "It is most likely fixed; depths say little here.",
            )  # fmt: skip
