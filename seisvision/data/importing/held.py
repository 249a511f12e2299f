"""Recordings that are in memory, such as ObsPy streams: the same import as from files, but that no file is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seisvision.data.importing.association import Association, EventFiles
from seisvision.data.importing.formats.sac import known_sac
from seisvision.data.importing.formats.segment import Segment
from seisvision.data.importing.recipe import Source
from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.tables.catalogue import FILES, read_events, unknown_event
from seisvision.data.importing.tables.times import NS, format_ns, time_ns

LATEST_START_S = 3600.0
"""A stream that begins later after the origin of the one event of a catalogue is of something else."""


@dataclass(frozen=True)
class Held:
    """Recordings in memory and how they find their events.

    Args:
        by_event: pieces by the id of their event; None where they find their events by time.
        pieces: pieces that find their events by time.
        whole: where the catalogue holds one event it has all that was recorded, not a span about its origin.
    """

    by_event: Mapping[str, tuple[Segment, ...]] | None = None
    pieces: tuple[Segment, ...] = ()
    whole: bool = True

    @property
    def n_pieces(self) -> int:
        """Number of pieces."""
        return len(self.pieces) + sum(len(some) for some in (self.by_event or {}).values())


def pieces_of(traces: Iterable[Any]) -> tuple[Segment, ...]:
    """The unbroken pieces of ObsPy traces; of a masked one what lies between its gaps."""
    found: list[Segment] = []
    for trace in traces:
        stats = trace.stats
        codes = (stats.network, stats.station, stats.location, stats.channel)
        sac = known_sac(stats.get("sac", {}))
        for begin, end in _unmasked(trace.data):
            start_ns = stats.starttime.ns + round(begin / stats.sampling_rate * NS)
            samples = np.array(np.ma.getdata(trace.data)[begin:end])
            found.append(Segment(*codes, start_ns, float(stats.sampling_rate), end - begin, samples, sac))
    return tuple(found)


def _unmasked(data: np.ndarray) -> list[tuple[int, int]]:
    if not np.ma.is_masked(data):
        return [(0, len(data))]
    return [(part.start, part.stop) for part in np.ma.clump_unmasked(data)]


def associate_held(source: Source, held: Held) -> Association:
    """Give each event of a source its recordings: by its id, by time, or all to one event of which nothing is known.

    Args:
        source: its ``events`` name the catalogue, or are ``files`` where there is none; ``association`` says how much
            of the recordings before and after the origin an event has, where it is found by time.
        held: the recordings.

    Raises:
        DataError: the catalogue is no such file.
    """
    found = Association(n_files=held.n_pieces)
    log = RejectionLog(source.name)
    if source.events == FILES:
        by_event = held.by_event if held.by_event is not None else {source.name: held.pieces}
        found.n_catalogue = len(by_event)
        found.events = [_event(source, name, unknown_event(), pieces) for name, pieces in by_event.items()]
        return found
    read = read_events(source.events)
    found.take(read, source, log)
    give = _by_time if held.by_event is None else _by_id
    give(source, read.events, held, found, log)
    found.rejections = log.items
    return found


def _event(source: Source, event_id: str, event: dict[str, Any], pieces: Sequence[Segment]) -> EventFiles:
    return EventFiles(event_id, event, (), reading=source.reading, held=tuple(pieces))


def _by_id(
    source: Source, catalogue: Mapping[str, dict[str, Any]], held: Held, found: Association, log: RejectionLog
) -> None:
    by_event = dict(held.by_event or {})
    for event_id, event in catalogue.items():
        pieces = by_event.pop(event_id, ())
        if pieces:
            found.events.append(_event(source, event_id, event, pieces))
        else:
            _without_recording(event_id, "no stream belongs to this event", found, log)
    for event_id in by_event:
        reason = f"no event '{event_id}' in the catalogue"
        log.add(Refusal("association", "no_event", reason), event_id=event_id)


def _by_time(
    source: Source, catalogue: Mapping[str, dict[str, Any]], held: Held, found: Association, log: RejectionLog
) -> None:
    taken: set[int] = set()
    whole = held.whole and len(catalogue) == 1
    for event_id, event in catalogue.items():
        if not event["source_origin_time"]:
            _without_recording(event_id, "no origin time to look for recordings with", found, log)
            continue
        span_ns = _span_ns(source, event, held, whole)
        inside = [
            number
            for number, piece in enumerate(held.pieces)
            if piece.start_ns < span_ns[1] and piece.end_ns > span_ns[0]
        ]
        if not inside:
            _without_recording(event_id, f"nothing was recorded at its time; {_recorded(held)}", found, log)
            continue
        taken.update(inside)
        one = _event(source, event_id, event, [held.pieces[number] for number in inside])
        found.events.append(one if whole else replace(one, span_ns=span_ns))
    strangers = {held.pieces[number].trace_id for number in range(len(held.pieces)) if number not in taken}
    for trace_id in sorted(strangers):
        log.add(Refusal("association", "no_event_in_time", "holds the time of no event"), trace_id=trace_id)


def _span_ns(source: Source, event: Mapping[str, Any], held: Held, whole: bool) -> tuple[int, int]:
    origin_ns, association = time_ns(event["source_origin_time"]), source.association
    if whole:
        last_ns = max((piece.end_ns for piece in held.pieces), default=origin_ns)
        first_ns = min((piece.start_ns for piece in held.pieces), default=origin_ns)
        is_of_event = last_ns > origin_ns and first_ns < origin_ns + LATEST_START_S * NS
        return (first_ns, last_ns) if is_of_event else (origin_ns, origin_ns)
    return origin_ns - round(association.before_s * NS), origin_ns + round(association.after_s * NS)


def _without_recording(event_id: str, reason: str, found: Association, log: RejectionLog) -> None:
    found.without_files.add(event_id)
    log.add(Refusal("event", "no_recording", reason), event_id=event_id)


def _recorded(held: Held) -> str:
    first_ns = min(piece.start_ns for piece in held.pieces)
    last_ns = max(piece.end_ns for piece in held.pieces)
    return f"the stream reaches from {format_ns(first_ns)[:19]} to {format_ns(last_ns)[:19]}"
