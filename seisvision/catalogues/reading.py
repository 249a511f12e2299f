"""Catalogues from CSV tables, ComCat downloads, QuakeML and what else the import of events reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from seisvision.catalogues.catalogue import EventCatalogue, Refused
from seisvision.catalogues.gaps import Gaps
from seisvision.catalogues.times import NS_PER_DAY
from seisvision.data.importing.tables.catalogue import read_events
from seisvision.data.importing.tables.times import time_ns
from seisvision.errors import DataError, did_you_mean

NEEDED = {
    "source_origin_time": ("no_time", "has no origin time"),
    "source_latitude_deg": ("no_place", "has no epicentre"),
    "source_magnitude": ("no_magnitude", "has no magnitude"),
}
"""What a forecast needs of an event."""


def read_catalogue(
    path: str,
    gaps: Gaps | None = None,
    span: tuple[float, float] | None = None,
    types: Sequence[str] = (),
) -> EventCatalogue:
    """Read a catalogue; every event that cannot be used is in ``refused`` with its reason.

    Args:
        path: of the file.
        gaps: spans that the catalogue does not cover.
        span: first day and end of the time covered; events outside are refused. Default, from midnight before the
            first event to midnight after the last, which is short of the truth where the ends were quiet.
        types: event types to keep, such as ``earthquake``; default, all.

    Raises:
        DataError: the file is missing or no catalogue, no event of it can be used, or events lie in declared gaps.
    """
    found = read_events(path)
    refused = [Refused(name, refusal.cause, str(refusal)) for name, refusal in found.refused]
    usable = []
    for event_id, event in found.events.items():
        cause = _fault(event, types)
        if cause is None:
            usable.append((time_ns(str(event["source_origin_time"])), event_id, event))
        else:
            refused.append(Refused(event_id, *cause))
    kinds = Counter(str(event.get("source_type") or "") for event in found.events.values())
    missing = [kind for kind in types if kind not in kinds]
    if missing:
        raise DataError(f"{path} has no event of type '{missing[0]}'. {did_you_mean(missing[0], sorted(kinds))}")
    usable.sort(key=lambda item: item[0])
    usable, repeated = _without_repeats(usable)
    usable, outside = _within(usable, span)
    refused += repeated + outside
    if not usable:
        reason = f"; the first, '{refused[0].event_id}': {refused[0].reason}" if refused else ""
        raise DataError(f"{path} has no event that a forecast can use{reason}")
    return _as_arrays(usable, gaps or Gaps(), span, tuple(refused), tuple(found.notes + _notes(usable)))


def _fault(event: dict[str, Any], types: Sequence[str]) -> tuple[str, str] | None:
    for column, fault in NEEDED.items():
        value = event.get(column, "")
        if value == "" or (isinstance(value, float) and np.isnan(value)):
            return fault
    kind = str(event.get("source_type") or "")
    return ("other_type", f"is of type '{kind}'") if types and kind not in types else None


def _without_repeats(usable: list[tuple[int, str, Any]]) -> tuple[list[tuple[int, str, Any]], list[Refused]]:
    """Events of one time, place and magnitude are one; the others are refused."""
    first: dict[tuple[Any, ...], str] = {}
    kept, repeated = [], []
    for item in usable:
        ns, event_id, event = item
        key = (ns, *(event[f"source_{name}"] for name in ("latitude_deg", "longitude_deg", "magnitude")))
        if key in first:
            reason = f"has time, place and magnitude of event {first[key]}"
            repeated.append(Refused(event_id, "duplicate", reason))
        else:
            first[key] = event_id
            kept.append(item)
    return kept, repeated


def _within(
    usable: list[tuple[int, str, Any]], span: tuple[float, float] | None
) -> tuple[list[tuple[int, str, Any]], list[Refused]]:
    if span is None:
        return usable, []
    inside = [span[0] <= ns / NS_PER_DAY < span[1] for ns, _, _ in usable]
    outside = [
        Refused(event_id, "outside_span", "lies outside of the time that the catalogue is said to cover")
        for (_, event_id, _), is_in in zip(usable, inside, strict=True)
        if not is_in
    ]
    return [item for item, is_in in zip(usable, inside, strict=True) if is_in], outside


def _as_arrays(
    usable: list[tuple[int, str, Any]],
    gaps: Gaps,
    span: tuple[float, float] | None,
    refused: tuple[Refused, ...],
    notes: tuple[str, ...],
) -> EventCatalogue:
    time_days = np.array([ns / NS_PER_DAY for ns, _, _ in usable])

    def column(name: str) -> np.ndarray:
        return np.array([float(event.get(f"source_{name}", np.nan)) for _, _, event in usable])

    begin_day, end_day = span or (float(np.floor(time_days[0])), float(np.floor(time_days[-1]) + 1))
    return EventCatalogue(
        time_days,
        column("latitude_deg"),
        column("longitude_deg"),
        column("magnitude"),
        column("depth_km"),
        np.array([event_id for _, event_id, _ in usable]),
        begin_day,
        end_day,
        gaps,
        refused,
        notes,
    )


def _notes(usable: list[tuple[int, str, Any]]) -> list[str]:
    notes = []
    for column, what in (("source_type", "types of events"), ("source_magnitude_type", "types of magnitude")):
        counts = Counter(str(event.get(column) or "") for _, _, event in usable)
        if len(counts) > 1:
            listed = ", ".join(f"{kind or 'not told'} {number}" for kind, number in counts.most_common())
            notes.append(f"several {what} stand side by side: {listed}")
    return notes
