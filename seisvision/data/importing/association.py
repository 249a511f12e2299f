"""Which file belongs to which event."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.formats.asdf import SUFFIXES as ASDF_SUFFIXES
from seisvision.data.importing.formats.file_lists import list_files, plain_name, stem
from seisvision.data.importing.formats.reading import Reading
from seisvision.data.importing.formats.segment import Segment
from seisvision.data.importing.formats.trace_table import read_trace_table
from seisvision.data.importing.formats.waveform_files import read_segments
from seisvision.data.importing.header_events import (
    Header,
    join_by_origin,
    names_in,
    part_by_origin,
    settle,
    with_header,
)
from seisvision.data.importing.recipe import Source
from seisvision.data.importing.rejections import Refusal, Rejection, RejectionLog
from seisvision.data.importing.tables.catalogue import (
    FILES,
    read_events,
    unknown_event,
)
from seisvision.data.importing.tables.event_columns import Catalogue, is_plain_id
from seisvision.data.importing.tables.pick import Pick
from seisvision.data.importing.tables.picks import PLACEHOLDER
from seisvision.data.importing.tables.station_table import SAC
from seisvision.data.importing.tables.times import NS, format_ns, time_ns
from seisvision.data.sets.stored.texts import NO_EVENT
from seisvision.errors import ConfigurationError, DataError, closest

SDS_NAME = re.compile(r"[^.]+\.[^.]+\.[^.]*\.[^.]+\.D\.(\d{4})\.(\d{3})")
"""A day file of a SeisComP data structure: year and day of the year."""
NO_HEADER = Segment("", "", "", "", 0, 1.0, 0, np.empty(0))
"""In place of the header of a file that was not opened."""
TRIED_FILES = 20
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
        picks: what was picked of the event, except in a file of its own.
        reading: how the files are to be understood.
        record: name of the event in the headers of its traces, where a file holds the traces of many; else empty.
        held: pieces of recordings that are in memory, beside those in files.
    """

    event_id: str
    event: dict[str, Any]
    files: tuple[tuple[Path, str], ...]
    span_ns: tuple[int, int] | None = None
    spans_ns: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    picks: tuple[Pick, ...] = ()
    reading: Reading = field(default_factory=Reading)
    record: str = ""
    held: tuple[Segment, ...] = ()


@dataclass
class Association:
    """Events with files in catalogue order, and what found no partner.

    Args:
        events: events with files.
        without_files: ids of the events of the catalogue that have none.
        rejections: files, events and picks without a partner.
        n_files: files looked at.
        n_catalogue: events of the catalogue.
        n_picks: picks of no event, all of which are rejections.
        columns: what each column of the catalogue was taken for.
        notes: how the catalogue was understood.
    """

    events: list[EventFiles] = field(default_factory=list)
    without_files: set[str] = field(default_factory=set)
    rejections: list[Rejection] = field(default_factory=list)
    n_files: int = 0
    n_catalogue: int = 0
    n_picks: int = 0
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
    if source.traces is not None:
        read_trace_table(source.traces)
    files = _without_tables(list_files(source.waveforms), source)
    found = Association(n_files=len(files))
    log = RejectionLog(source.name)
    by = _by_time if source.association.by in ("time", "sds") else _by_key
    by(source, files, found, log)
    _leave_out_nameless(source, found, log)
    found.rejections = log.items
    return found


def _leave_out_nameless(source: Source, found: Association, log: RejectionLog) -> None:
    """Refuse events whose id would be read back as none, each of their traces as an event of its own."""
    nameless = [files for files in found.events if source.id_prefix + files.event_id in NO_EVENT]
    found.events = [files for files in found.events if source.id_prefix + files.event_id not in NO_EVENT]
    used = {name for files in found.events for _, name in files.files}
    for files in nameless:
        reason = f"the id '{files.event_id}' reads as none; give the source an id_prefix such as '{source.name}_'"
        log.add(Refusal("event", "bad_id", reason), event_id=source.id_prefix + files.event_id)
        for name in [name for _, name in files.files if name not in used]:
            log.add(Refusal("association", "refused_event", f"its event is refused: {reason}"), file=name)


def _without_tables(files: list[tuple[Path, str]], source: Source) -> list[tuple[Path, str]]:
    """Leave out the catalogue, stations and picks of a source that lie among its recordings; ASDF holds all of them."""
    tables = [name for name in (source.events, source.stations, source.traces, source.picks) if name]
    paths = [re.escape(os.path.realpath(name)) for name in tables if name not in (SAC, FILES, "events")]
    table = re.compile("|".join(paths).replace(re.escape(PLACEHOLDER), "[^/]+") or "(?!)")
    kept = []
    for path, name in files:
        if path.suffix.lower() in ASDF_SUFFIXES or not table.fullmatch(os.path.realpath(path)):
            kept.append((path, name))
    return kept


def _by_key(source: Source, files: list[tuple[Path, str]], found: Association, log: RejectionLog) -> None:
    """Associate by an id in the file name, the folder name or the SAC header."""
    read = Catalogue() if source.events in (SAC, FILES) else read_events(source.events)
    found.take(read, source, log)
    catalogue = read.events
    refused = {event_id: refusal for event_id, refusal in read.refused if event_id not in catalogue}
    ids = {plain_name(event_id): event_id for event_id in (*catalogue, *refused)}
    members: dict[str, list[Header]] = {event_id: [] for event_id in catalogue}
    pattern = _compile(source)
    for path, name in files:
        try:
            named = _events_named(source, pattern, path)
        except Refusal as refusal:
            log.add(refusal, file=name)
            continue
        for text, segment in named.items():
            try:
                _check_id(source, ids, refused, text, path)
            except Refusal as refusal:
                log.add(refusal, file=name)
            else:
                members.setdefault(ids.get(text, text), []).append(Header(path, name, segment))
    if catalogue and source.association.by == "name" and not any(members.values()):
        found.notes += _told_by_time(source, files, catalogue)
    if source.events == FILES:
        catalogue = {event_id: unknown_event() for event_id in members}
    if source.events == SAC:
        catalogue, members = _events_of_headers(source, members, found, log)
    if source.events in (SAC, FILES):
        found.n_catalogue += len(catalogue)
    for event_id, event in catalogue.items():
        if members.get(event_id):
            found.events.append(_event_files(source, event_id, event, members[event_id]))
        else:
            found.without_files.add(event_id)
            no_file = Refusal("event", "no_recording", "no file belongs to this event")
            log.add(no_file, event_id=source.id_prefix + event_id)


def _event_files(source: Source, event_id: str, event: dict[str, Any], headers: list[Header]) -> EventFiles:
    records = {record_of(header.segment) for header in headers} if source.association.by == "sac" else set()
    files = tuple((header.path, header.name) for header in headers)
    # A gather holds the traces of many events, which the number of the record tells apart.
    record = records.pop() if len(records) == 1 else ""
    reading = source.reading
    if source.undated_s is not None and event.get("source_origin_time"):
        reading = replace(reading, undated_ns=time_ns(event["source_origin_time"]) + round(source.undated_s * NS))
    return EventFiles(event_id, event, files, reading=reading, record=record)


def record_of(segment: Segment) -> str:
    """Name of the field record of a trace of SEG-Y or SU; empty for other formats."""
    return str(segment.sac["kevnm"]) if segment.sac.get("segy") else ""


def _events_of_headers(
    source: Source, members: dict[str, list[Header]], found: Association, log: RejectionLog
) -> tuple[dict[str, dict[str, Any]], dict[str, list[Header]]]:
    """Settle what the headers of each event say, and part those that share a name."""
    catalogue: dict[str, dict[str, Any]] = {}
    kept: dict[str, list[Header]] = {}
    if source.association.by == "sac":
        members = join_by_origin(members)
    for name, headers in members.items():
        parts, lost = part_by_origin(name, headers) if source.association.by == "sac" else ({name: headers}, [])
        for header in lost:
            reason = f"several events are named '{name}', and this header has no origin time (O) to tell which it is"
            log.add(Refusal("association", "no_event", reason), file=header.name)
        for event_id, part in parts.items():
            try:
                catalogue[event_id], said = settle(part)
            except Refusal as refusal:
                found.n_catalogue += 1
                log.add(refusal, event_id=source.id_prefix + event_id)
                for header in part:
                    reason = f"its event '{event_id}' is refused: {refusal}"
                    log.add(Refusal("association", "refused_event", reason), file=header.name)
                continue
            kept[event_id] = part
            for header, what in said:
                log.add(what, file=header.name)
    return catalogue, kept


def _check_id(
    source: Source, ids: Mapping[str, str], refused: Mapping[str, Refusal], event_id: str, path: Path
) -> None:
    """Refuse an id that is no text, or not in the catalogue where there is one."""
    if not is_plain_id(event_id):
        raise Refusal("association", "no_event", f"names the event {event_id[:40]!a}, which is no plain text")
    if ids.get(event_id) in refused:
        reason = f"its event '{event_id}' is refused: {refused[ids[event_id]]}"
        raise Refusal("association", "refused_event", reason)
    if source.events in (SAC, FILES) or event_id in ids:
        return
    close = closest(event_id, list(ids))
    folder = plain_name(path.parent.name)
    if source.association.by == "name" and folder in ids:
        close = f"Its folder '{folder}' is named like one: --associate folder (association.by)"
    raise Refusal("association", "no_event", f"no event '{event_id}' in the catalogue. {close}".strip())


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


def _events_named(source: Source, pattern: re.Pattern[str] | None, path: Path) -> dict[str, Segment]:
    """Id of the event that a file belongs to, with the header that speaks of it; several for a gather of records."""
    if source.association.by == "sac":
        return {plain_name(name): segment for name, segment in names_in(_headers(source, path)).items()}
    text = plain_name(path.parent.name if source.association.by == "folder" else path.name)
    key = text if source.association.by == "folder" else stem(text)
    if pattern is not None:
        match = pattern.search(text)
        if match is None:
            raise Refusal("association", "no_match", f"'{text}' does not match the pattern '{pattern.pattern}'")
        key = match.group(1) or ""
    return {key: with_header(_headers(source, path))[0] if source.events == SAC else NO_HEADER}


def _headers(source: Source, path: Path, losses: list[Refusal] | None = None) -> list[Segment]:
    """Headers of a file; what of it cannot be read is told when an event is read from it, or else in ``losses``."""
    return read_segments(path, headers_only=True, reading=source.reading, losses=[] if losses is None else losses)


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
    for path, name in files:
        losses: list[Refusal] = []
        try:
            spans = _day_span(path) if source.association.by == "sds" else _recorded_spans(source, path, losses)
            hit = np.zeros(len(timed), dtype=bool)
            for start, end in spans:
                hit |= (starts < end) & (ends > start)
            if not hit.any():
                recorded = _recorded(spans)
                raise Refusal("association", "no_event_in_time", f"holds the time span of no event{recorded}")
        except Refusal as refusal:
            # What could not be read of the file may be why it holds the time of no event.
            for said in (refusal, *losses):
                log.add(said, file=name)
            continue
        for i in np.flatnonzero(hit):
            members[timed[i]].append((path, name))
    spans_ns = dict(zip(timed, zip(starts.tolist(), ends.tolist(), strict=True), strict=True))
    for event_id, event in catalogue.items():
        if members.get(event_id):
            found.events.append(
                EventFiles(event_id, event, tuple(members[event_id]), spans_ns[event_id], reading=source.reading)
            )
            continue
        found.without_files.add(event_id)
        reason = "no file covers its time" if event_id in spans_ns else "no origin time to look for recordings with"
        log.add(Refusal("event", "no_recording", reason), event_id=source.id_prefix + event_id)


def _told_by_time(source: Source, files: list[tuple[Path, str]], catalogue: Mapping[str, dict[str, Any]]) -> list[str]:
    """Where no file is named like an event: how many of some files hold the time of one, which is the way then."""
    origins = np.array([time_ns(e["source_origin_time"]) for e in catalogue.values() if e["source_origin_time"]])
    tried = files[:: max(1, len(files) // TRIED_FILES)][:TRIED_FILES]
    n_hit = 0
    for path, _ in tried:
        try:
            spans = _recorded_spans(source, path, [])
        except Refusal:
            continue
        n_hit += any(((origins >= start) & (origins <= end)).any() for start, end in spans)
    if not n_hit:
        return []
    return [f"no file is named like an event, but {n_hit} of {len(tried)} looked into hold an origin: --associate time"]


def _recorded_spans(source: Source, path: Path, losses: list[Refusal]) -> set[tuple[int, int]]:
    segments = _headers(source, path, losses)
    spans = {(segment.start_ns, segment.end_ns) for segment in segments if segment.flaw is None}
    flaw = next((segment.flaw for segment in segments if segment.flaw is not None), None)
    if not spans and flaw is not None:
        raise flaw
    return spans


def _recorded(spans: set[tuple[int, int]]) -> str:
    """From when to when a file holds recordings, to be seen beside the times of the catalogue."""
    if not spans:
        return ""
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    return f"; it was recorded from {format_ns(first)[:19]} to {format_ns(last)[:19]}"


def _day_span(path: Path) -> set[tuple[int, int]]:
    """Day of a file named NET.STA.LOC.CHAN.D.YEAR.DAY."""
    match = SDS_NAME.fullmatch(path.name)
    if match is None:
        raise Refusal("association", "no_sds_name", "is not named like NET.STA.LOC.CHAN.D.YEAR.DAY")
    start = np.datetime64(match[1], "Y").astype("datetime64[D]") + int(match[2]) - 1
    start_ns = int(start.astype("datetime64[ns]").astype(np.int64))
    return {(start_ns - SDS_SLACK_S * NS, start_ns + (86400 + SDS_SLACK_S) * NS)}
