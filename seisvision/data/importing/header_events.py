"""Events from the headers of recordings: which files speak of one event, and what most of them say of it.

Groups that exchange SAC files relocate events in between, and cut their names to sixteen characters, so the headers of
one event need not agree; whatever file happens to come first is no authority.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.formats.segment import Segment
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.catalogue import event_from_sac, sac_origin_ns
from seisvision.data.importing.tables.text_tables import NAN
from seisvision.data.importing.tables.times import NS

PARTED_S = 60.0
"""Origins of one name that lie further apart are two events."""
PARTED_WITHOUT_ORIGIN_S = 3600.0
"""The same for starts of recordings, where no header has an origin: distant stations may begin half an hour later."""
DEEPEST_KM = 800.0
"""No earthquake is deeper; old manuals of SAC give EVDP in metres."""
SAME = {"place": 0.02, "source_depth_km": 1.0, "source_magnitude": 0.05, "origin": 1.0}
"""Differences that are none: degrees, kilometres, units of magnitude, seconds."""


@dataclass(frozen=True)
class Header:
    """What the header of one file says of its event; ``origin_ns`` is None where it has no origin time."""

    path: Path
    name: str
    segment: Segment

    @property
    def origin_ns(self) -> int | None:
        """Origin time in the header."""
        return sac_origin_ns(self.segment.sac, self.segment.start_ns)


def sac_name(segment: Segment) -> str:
    """Event name of a header, else its origin time to the second.

    Raises:
        Refusal: it has neither.
    """
    name = str(segment.sac.get("kevnm", "")).strip()
    if name:
        return name
    origin_ns = sac_origin_ns(segment.sac, segment.start_ns)
    if origin_ns is None:
        raise Refusal(
            "association", "no_event", "the SAC header has neither an event name (KEVNM) nor an origin time (O)"
        )
    return _second(origin_ns)


def _second(origin_ns: int) -> str:
    return str(np.datetime64(origin_ns // NS, "s").item().strftime("%Y%m%dT%H%M%S"))


def join_by_origin(members: dict[str, list[Header]]) -> dict[str, list[Header]]:
    """Join events named by the time of their origin that differ by rounding: 59.999 s and 0.001 s are one."""
    unnamed = [(name, headers) for name, headers in members.items() if not headers[0].segment.sac.get("kevnm")]
    joined = {name: headers for name, headers in members.items() if headers[0].segment.sac.get("kevnm")}
    last_ns, last = None, ""
    for name, headers in sorted(unnamed, key=lambda item: item[1][0].origin_ns or 0):
        origin_ns = headers[0].origin_ns or 0
        near = last_ns is not None and origin_ns - last_ns <= SAME["origin"] * NS
        last_ns, last = origin_ns, last if near else name
        joined.setdefault(last, []).extend(headers)
    return joined


def part_by_origin(event_id: str, headers: list[Header]) -> tuple[dict[str, list[Header]], list[Header]]:
    """Part files of one event name whose origins lie far apart; a part bears its origin time in its id.

    Returns:
        Event id to files, and the files without an origin time, of which it is not known to which part they belong.
    """
    timed = sorted(
        (header for header in headers if header.origin_ns is not None), key=lambda header: header.origin_ns or 0
    )
    parts: list[list[Header]] = []
    for header in timed:
        if not parts or (header.origin_ns or 0) - (parts[-1][0].origin_ns or 0) > PARTED_S * NS:
            parts.append([])
        parts[-1].append(header)
    if len(parts) <= 1:
        starts = [header.segment.start_ns for header in headers]
        if not timed and max(starts) - min(starts) > PARTED_WITHOUT_ORIGIN_S * NS:
            return {}, headers
        return {event_id: headers}, []
    return {f"{event_id}_{_second(part[0].origin_ns or 0)}": part for part in parts}, [
        header for header in headers if header.origin_ns is None
    ]


def settle(headers: list[Header]) -> tuple[dict[str, Any], list[tuple[Header, Refusal]]]:
    """Return the columns of an event as most of its files give them, and what the others say instead.

    Raises:
        Refusal: no value of a place, depth, magnitude or origin time is that of more than half of the files.
    """
    said: list[tuple[Header, Refusal]] = []
    columns = [event_from_sac(header.segment.sac, header.segment.start_ns) for header in headers]
    _doubt_depths(headers, columns, said)
    event = dict(columns[0])
    places = [(one["source_latitude_deg"], one["source_longitude_deg"]) for one in columns]
    chosen = _majority("place", "place", headers, places, said)
    event["source_latitude_deg"], event["source_longitude_deg"] = places[chosen]
    for key, what in (("source_depth_km", "depth"), ("source_magnitude", "magnitude")):
        values = [(one[key],) for one in columns]
        event[key] = values[_majority(key, what, headers, values, said)][0]
    origins = [header.origin_ns for header in headers]
    first = next((origin for origin in origins if origin is not None), 0)
    seconds = [(NAN,) if origin is None else ((origin - first) / NS,) for origin in origins]
    chosen = _majority("origin", "origin time", headers, seconds, said, [one["source_origin_time"] for one in columns])
    event["source_origin_time"] = columns[chosen]["source_origin_time"]
    event["source_cell"] = ""
    return event, said


def _doubt_depths(headers: list[Header], columns: list[dict[str, Any]], said: list[tuple[Header, Refusal]]) -> None:
    for header, event in zip(headers, columns, strict=True):
        depth = event["source_depth_km"]
        if depth > DEEPEST_KM:
            event["source_depth_km"] = NAN
            reason = f"EVDP={depth:g} is no depth in km, in metres perhaps; it is left unknown, the recording is used"
            said.append((header, Refusal("association", "doubtful_depth", reason, depth)))


def _majority(
    key: str,
    what: str,
    headers: list[Header],
    values: Sequence[tuple[float, ...]],
    said: list[tuple[Header, Refusal]],
    shown: list[str] | None = None,
) -> int:
    """Index of the file whose value most files share; those that say something else are added to ``said``."""
    shown = shown or [", ".join(f"{value:g}" for value in one) for one in values]
    table = np.array(values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(table).all(axis=1))
    if not len(known):
        return 0
    distinct, first, shares = np.unique(table[known], axis=0, return_index=True, return_counts=True)
    near = np.array([(_apart(distinct, value, key) <= SAME[key]) @ shares for value in distinct])
    best = int(np.argmax(near))
    chosen = int(known[first[best]])
    others = [int(i) for i in known if _apart(table[[i]], table[chosen], key)[0] > SAME[key]]
    if others and 2 * near[best] <= len(known):
        reason = (
            f"the headers of its files disagree about the {what}: {shown[chosen]} ({headers[chosen].name}) or "
            f"{shown[others[0]]} ({headers[others[0]].name}); name a catalogue instead"
        )
        raise Refusal("event", "headers_disagree", reason)
    for i in others:
        reason = f"its header says {what} {shown[i]}, most files of this event {shown[chosen]}, which is taken"
        said.append((headers[i], Refusal("association", "headers_disagree", reason)))
    return chosen


def _apart(table: np.ndarray, value: np.ndarray, key: str) -> np.ndarray:
    """Largest difference of the numbers in each row to ``value``; longitudes meet at 360 degrees."""
    difference = np.abs(table - value)
    if key == "place":
        difference[:, 1] = np.minimum(difference[:, 1] % 360, -difference[:, 1] % 360)
        difference[:, 1] *= np.cos(np.radians(min(abs(value[0]), 89.9)))
    return np.asarray(difference.max(axis=1))


def with_header(segments: Iterable[Segment]) -> list[Segment]:
    """Recordings whose header may speak of an event, those first that can be used.

    Raises:
        Refusal: the file is of a format whose headers name no event.
    """
    found = sorted((segment for segment in segments if segment.sac), key=lambda segment: segment.flaw is not None)
    if not found:
        raise Refusal("association", "no_sac_header", "is no SAC file, so it names no event")
    return found


def names_in(segments: Iterable[Segment]) -> dict[str, Segment]:
    """Event names in the headers of one file, each with the first recording that bears it.

    Raises:
        Refusal: no header names an event.
    """
    found: dict[str, Segment] = {}
    for segment in with_header(segments):
        found.setdefault(sac_name(segment), segment)
    return found
