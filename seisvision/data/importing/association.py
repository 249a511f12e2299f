"""Which file belongs to which event."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.formats.waveform_files import NS, Segment, list_files, read_segments
from seisvision.data.importing.recipe import Source
from seisvision.data.importing.rejections import Refusal, Rejection, RejectionLog
from seisvision.data.importing.tables.catalogue import (
    FILES,
    event_from_sac,
    read_events,
    sac_origin_ns,
    unknown_event,
)
from seisvision.data.importing.tables.event_columns import Catalogue, is_plain_id
from seisvision.data.importing.tables.station_table import SAC
from seisvision.data.importing.tables.times import time_ns
from seisvision.errors import ConfigurationError, DataError, did_you_mean

SDS_NAME = re.compile(r"[^.]+\.[^.]+\.[^.]*\.[^.]+\.D\.(\d{4})\.(\d{3})")
"""A day file of a SeisComP data structure: year and day of the year."""
SDS_SLACK_S = 600
"""Recorders close a day file with the record that is open at midnight."""


@dataclass(frozen=True)
class EventFiles:
    """An event, its files and, where it was found by time, the part of them that is its own.

    Args:
        event_id: id in the catalogue.
        event: ``source_*`` columns of the catalogue.
        files: paths with their names below the folder of the source.
        span_ns: start and end of what is read.
        spans_ns: start and end by name of the file, for files that differ.
    """

    event_id: str
    event: dict[str, Any]
    files: tuple[tuple[Path, str], ...]
    span_ns: tuple[int, int] | None = None
    spans_ns: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass
class Association:
    """Events with files in catalogue order, and what found no partner.

    ``columns`` and ``notes`` tell how the catalogue was understood.
    """

    events: list[EventFiles] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    n_files: int = 0
    n_catalogue: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def take(self, catalogue: Catalogue, source: Source, log: RejectionLog) -> None:
        """Count the events of a catalogue, and list those that it refuses."""
        self.n_catalogue = len(catalogue)
        self.columns, self.notes = dict(catalogue.columns), list(catalogue.notes)
        for event_id, refusal in catalogue.refused:
            log.add(refusal, file=Path(source.events).name, event_id=source.id_prefix + event_id)


def associate(source: Source) -> Association:
    """List the files of a source and give each to its event.

    Raises:
        DataError: no file, or no readable catalogue.
        ConfigurationError: a pattern that is no regular expression with one group.
    """
    files = list_files(source.waveforms)
    found = Association(n_files=len(files))
    log = RejectionLog(source.name)
    by = _by_time if source.association.by in ("time", "sds") else _by_key
    by(source, files, found, log)
    found.rejections = log.items
    return found


def _by_key(source: Source, files: list[tuple[Path, str]], found: Association, log: RejectionLog) -> None:
    """Associate by an id in the file name, the folder name or the SAC header."""
    read = Catalogue() if source.events in (SAC, FILES) else read_events(source.events)
    found.take(read, source, log)
    catalogue, refused = read.events, dict(read.refused)
    pattern = _compile(source)
    members: dict[str, list[tuple[Path, str]]] = {event_id: [] for event_id in catalogue}
    for path, name in files:
        try:
            event_id = _key(source, pattern, path)
            if not is_plain_id(event_id):
                raise Refusal("association", "no_event", f"names the event {event_id[:40]!r}, which is no plain text")
            if source.events == SAC and event_id not in catalogue:
                header = _sac_segment(path)
                catalogue[event_id] = event_from_sac(header.sac, header.start_ns)
            if source.events == FILES:
                catalogue.setdefault(event_id, unknown_event())
            if event_id in refused and event_id not in catalogue:
                raise Refusal("association", "refused_event", f"its event '{event_id}' is refused: {refused[event_id]}")
            if event_id not in catalogue:
                hint = did_you_mean(event_id, list(catalogue)).partition(" Allowed")[0]
                close = hint if hint.startswith("Did") else ""
                raise Refusal("association", "no_event", f"no event '{event_id}' in the catalogue. {close}".strip())
        except Refusal as refusal:
            log.add(refusal, file=name)
            continue
        members.setdefault(event_id, []).append((path, name))
    for event_id, event in catalogue.items():
        if members.get(event_id):
            found.events.append(EventFiles(event_id, event, tuple(members[event_id])))
        else:
            no_file = Refusal("event", "no_recording", "no file belongs to this event")
            log.add(no_file, event_id=source.id_prefix + event_id)
    found.n_catalogue = len(catalogue) + len(read.refused)


def _compile(source: Source) -> re.Pattern[str] | None:
    if source.association.pattern is None:
        return None
    try:
        pattern = re.compile(source.association.pattern)
    except re.error as error:
        raise ConfigurationError(f"pattern of source '{source.name}' is no regular expression: {error}") from error
    if pattern.groups < 1:
        raise ConfigurationError(
            f"pattern '{pattern.pattern}' of source '{source.name}' needs a group in brackets around the event id"
        )
    return pattern


def _key(source: Source, pattern: re.Pattern[str] | None, path: Path) -> str:
    if source.association.by == "sac":
        return _sac_key(_sac_segment(path))
    text, plain = (path.parent.name,) * 2 if source.association.by == "folder" else (path.name, path.stem)
    if pattern is None:
        return plain
    match = pattern.search(text)
    if match is None:
        raise Refusal("association", "no_match", f"'{text}' does not match the pattern '{pattern.pattern}'")
    return match.group(1)


def _sac_segment(path: Path) -> Segment:
    segment = read_segments(path, headers_only=True)[0]
    if not segment.sac:
        raise Refusal("association", "no_sac_header", "is no SAC file, so it names no event")
    return segment


def _sac_key(segment: Segment) -> str:
    """Event name of the header, else the origin time to the second."""
    name = str(segment.sac.get("kevnm", "")).strip()
    if name:
        return name
    origin_ns = sac_origin_ns(segment.sac, segment.start_ns)
    if origin_ns is None:
        raise Refusal(
            "association", "no_event", "the SAC header has neither an event name (KEVNM) nor an origin time (O)"
        )
    return np.datetime64(origin_ns // NS, "s").item().strftime("%Y%m%dT%H%M%S")


def _by_time(source: Source, files: list[tuple[Path, str]], found: Association, log: RejectionLog) -> None:
    """Give every event the files that hold part of its time span; a file may serve many events."""
    if source.events in (SAC, FILES):
        raise ConfigurationError(
            f"association '{source.association.by}' of source '{source.name}' needs a catalogue, not '{source.events}'"
        )
    read = read_events(source.events)
    found.take(read, source, log)
    catalogue = read.events
    timed = [event_id for event_id, event in catalogue.items() if event["source_origin_time"]]
    if not timed:
        raise DataError(f"no event of {source.events} has an origin time, so none can be found by time; use 'name'")
    origins = np.array([time_ns(catalogue[event_id]["source_origin_time"]) for event_id in timed])
    starts = origins - round(source.association.before_s * NS)
    ends = origins + round(source.association.after_s * NS)
    members: dict[str, list[tuple[Path, str]]] = {event_id: [] for event_id in timed}
    spans_of = _day_span if source.association.by == "sds" else _recorded_spans
    for path, name in files:
        try:
            spans = spans_of(path)
            hit = np.zeros(len(timed), dtype=bool)
            for start, end in spans:
                hit |= (starts < end) & (ends > start)
            if not hit.any():
                raise Refusal("association", "no_event_in_time", "holds the time span of no event")
        except Refusal as refusal:
            log.add(refusal, file=name)
            continue
        for i in np.flatnonzero(hit):
            members[timed[i]].append((path, name))
    spans_ns = dict(zip(timed, zip(starts.tolist(), ends.tolist(), strict=True), strict=True))
    for event_id, event in catalogue.items():
        if members.get(event_id):
            found.events.append(EventFiles(event_id, event, tuple(members[event_id]), spans_ns[event_id]))
            continue
        reason = "no file covers its time" if event_id in spans_ns else "no origin time to look for recordings with"
        log.add(Refusal("event", "no_recording", reason), event_id=source.id_prefix + event_id)


def _recorded_spans(path: Path) -> set[tuple[int, int]]:
    return {(segment.start_ns, segment.end_ns) for segment in read_segments(path, headers_only=True)}


def _day_span(path: Path) -> set[tuple[int, int]]:
    """Day of a file named NET.STA.LOC.CHAN.D.YEAR.DAY."""
    match = SDS_NAME.fullmatch(path.name)
    if match is None:
        raise Refusal("association", "no_sds_name", "is not named like NET.STA.LOC.CHAN.D.YEAR.DAY")
    start = np.datetime64(match[1], "Y").astype("datetime64[D]") + int(match[2]) - 1
    start_ns = int(start.astype("datetime64[ns]").astype(np.int64))
    return {(start_ns - SDS_SLACK_S * NS, start_ns + (86400 + SDS_SLACK_S) * NS)}
