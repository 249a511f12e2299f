"""Which pick belongs to which event."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from glob import escape, glob
from pathlib import Path

import numpy as np

from seisvision.data.importing.association import Association, EventFiles, record_of
from seisvision.data.importing.formats.waveform_files import read_segments
from seisvision.data.importing.pick_matching import BEFORE_ORIGIN_NS, refuse_pick
from seisvision.data.importing.recipe import Source
from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.tables.pick import Pick
from seisvision.data.importing.tables.picks import PLACEHOLDER, read_picks
from seisvision.data.importing.tables.station_table import SAC
from seisvision.data.importing.tables.times import NS, time_ns
from seisvision.errors import DataError

NOT_ASSOCIATED = ("", "-1", "nan")
"""What associators write for the event of a pick that has none."""
SAME_ORIGIN_NS = NS
"""Two catalogues mean one event where their origin times differ by less."""


@dataclass(frozen=True)
class Refused:
    """A pick that no event of a source takes.

    Args:
        pick: as it was written.
        refusal: why.
        event_id: of the event that it belongs to, with the prefix of the source; None where it is not known.
    """

    pick: Pick
    refusal: Refusal
    event_id: str | None = None


RefusedPicks = dict[tuple[str, int], Refused]
"""Name of the file and number of the pick in it, to what became of it."""


@dataclass(frozen=True)
class Given:
    """An association with picks at its events, and those of its file of picks that no event of the source takes."""

    found: Association
    refused: RefusedPicks = field(default_factory=dict)


def give_picks(source: Source, found: Association) -> Given:
    """The association with picks at its events; those of no event are left to :func:`tell_refused`.

    A pick belongs to the event whose id it has, else to the event with the origin time of its own (in NORDIC and
    HYPO71 files events have no ids). Picks of a table without events go by time, to every event whose recordings hold
    them after the origin. Files that exist once for each event are left to the reading of the event.

    Raises:
        DataError: the file is missing, or is no file of picks.
    """
    if source.picks is None or source.picks == SAC:
        return Given(found)
    if PLACEHOLDER in source.picks:
        log = RejectionLog(source.name)
        refused = _lost_files(source, found, log)
        return Given(replace(found, rejections=found.rejections + log.items), refused)
    picks = read_picks(source.picks)
    places = {id(pick): (source.picks, place) for place, pick in enumerate(picks)}
    known = [pick for pick in picks if pick.event_id is not None]
    given, lost = _by_event(source, found, known)
    given_by_time, lost_in_time = _by_time(found, [pick for pick in picks if pick.event_id is None])
    events = [
        replace(files, picks=tuple(given.get(files.event_id, [])) + tuple(given_by_time.get(files.event_id, [])))
        for files in found.events
    ]
    refused = {places[id(one.pick)]: one for one in (*lost, *lost_in_time)}
    return Given(replace(found, events=events), refused)


def tell_refused(sources: Sequence[Source], given: Sequence[Given]) -> list[Association]:
    """The associations with a line for every pick that is left over: once, by one of the sources that name its file.

    A pick that an event of any of them takes is none of those. One whose event has no recordings in one source, and is
    not known in another, is told by the one that knows it; else by the first.
    """
    sharing: dict[str, list[int]] = {}
    for number, source in enumerate(sources):
        sharing.setdefault(os.path.realpath(source.picks or ""), []).append(number)
    told = []
    for number, (source, one) in enumerate(zip(sources, given, strict=True)):
        others = [given[other].refused for other in sharing[os.path.realpath(source.picks or "")] if other != number]
        log = RejectionLog(source.name)
        for key, item in one.refused.items():
            everywhere = [refused[key] for refused in others if key in refused]
            ahead = sharing[os.path.realpath(source.picks or "")].index(number)
            if len(everywhere) == len(others) and not _told_by_others(item, everywhere, ahead):
                refuse_pick(log, item.pick, item.refusal, item.event_id)
        rejections = one.found.rejections + log.items
        told.append(replace(one.found, rejections=rejections, n_picks=len(log.items)))
    return told


def _told_by_others(item: Refused, others: Sequence[Refused], ahead: int) -> bool:
    """Whether another source tells of a pick: it knows its event, or knows as much and comes first.

    Args:
        item: what this source says.
        others: what the others say, in their order.
        ahead: how many of them come first.
    """
    knows = item.event_id is not None
    return any(
        (other.event_id is not None) > knows or ((other.event_id is not None) == knows and place < ahead)
        for place, other in enumerate(others)
    )


def _by_event(source: Source, found: Association, picks: list[Pick]) -> tuple[dict[str, list[Pick]], list[Refused]]:
    """Picks by event, and those of no event."""
    with_files = {files.event_id: files for files in found.events}
    given: dict[str, list[Pick]] = {}
    refused: list[Refused] = []
    origins = _origins(found)
    for pick in picks:
        event_id = pick.event_id or ""
        if event_id not in with_files and event_id not in found.without_files:
            # A column of numbers with empty cells comes back from many programs as 3.0.
            event_id = _same_origin(pick.origin_ns, origins) or event_id.removesuffix(".0")
        if event_id in with_files:
            given.setdefault(event_id, []).append(pick)
        elif event_id in found.without_files:
            no_file = Refusal("pick", "event_without_recording", "no file belongs to the event")
            refused.append(Refused(pick, no_file, source.id_prefix + event_id))
        else:
            refused.append(Refused(pick, _no_event(event_id)))
    return given, refused


def _no_event(event_id: str) -> Refusal:
    if event_id in NOT_ASSOCIATED:
        return Refusal("pick", "not_associated", "its table gives it to no event")
    return Refusal("pick", "unknown_event", f"no event '{event_id}' in the catalogue")


def _origins(found: Association) -> tuple[np.ndarray, list[str]]:
    """Origin times in ns, rising, and the ids of their events."""
    timed = sorted(
        (origin_ns, files.event_id) for files in found.events if (origin_ns := _origin_ns(files)) is not None
    )
    return np.array([origin_ns for origin_ns, _ in timed], dtype=np.int64), [event_id for _, event_id in timed]


def _origin_ns(files: EventFiles) -> int | None:
    text = files.event.get("source_origin_time", "")
    return time_ns(text) if text else None


def _same_origin(origin_ns: int | None, origins: tuple[np.ndarray, list[str]]) -> str | None:
    """The one event of that origin time; None where there is none, or several."""
    if origin_ns is None:
        return None
    times, event_ids = origins
    first = np.searchsorted(times, origin_ns - SAME_ORIGIN_NS, side="right")
    last = np.searchsorted(times, origin_ns + SAME_ORIGIN_NS)
    return event_ids[first] if last - first == 1 else None


def _by_time(found: Association, picks: list[Pick]) -> tuple[dict[str, list[Pick]], list[Refused]]:
    """Picks by event, and those that lie in the recordings of none."""
    if not picks:
        return {}, []
    dated = sorted((pick for pick in picks if pick.time_ns is not None), key=lambda pick: pick.time_ns or 0)
    times = np.array([pick.time_ns for pick in dated], dtype=np.int64)
    taken = np.zeros(len(dated), dtype=bool)
    given: dict[str, list[Pick]] = {}
    for files in found.events:
        start_ns, end_ns = _recorded_ns(files)
        origin_ns = _origin_ns(files)
        if origin_ns is not None:
            start_ns = max(start_ns, origin_ns - BEFORE_ORIGIN_NS)
        first, last = np.searchsorted(times, start_ns), np.searchsorted(times, end_ns)
        given[files.event_id] = dated[first:last]
        taken[first:last] = True
    undated = [pick for pick in picks if pick.time_ns is None]
    refused = [Refused(pick, Refusal("pick", "no_time", f"'{pick.written}' is no time")) for pick in undated]
    no_event = Refusal("pick", "no_event_in_time", "lies in the recordings of no event")
    refused += [Refused(dated[i], no_event) for i in np.flatnonzero(~taken)]
    return given, refused


def _recorded_ns(files: EventFiles) -> tuple[int, int]:
    """First and last moment of what is read for an event; (0, 0) where nothing can be."""
    if files.span_ns is not None:
        return files.span_ns
    spans = [(segment.start_ns, segment.end_ns) for segment in files.held]
    for path, _ in files.files:
        try:
            segments = read_segments(path, headers_only=True, reading=files.reading, losses=[])
        except Refusal:
            continue  # told when the event is read
        # What cannot be used has no time, and a gather holds the traces of other events.
        sound = [segment for segment in segments if segment.flaw is None and files.record in ("", record_of(segment))]
        spans += [(segment.start_ns, segment.end_ns) for segment in sound]
    return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else (0, 0)


def _lost_files(source: Source, found: Association, log: RejectionLog) -> RefusedPicks:
    """The picks in files of events that have no recordings or are not in the catalogue."""
    assert source.picks is not None
    first, *rest = source.picks.split(PLACEHOLDER)
    pattern = re.escape(first) + r"(?P<id>[^/]+)" + "(?P=id)".join(re.escape(part) for part in rest)
    with_files = {files.event_id for files in found.events}
    refused: RefusedPicks = {}
    anywhere = "*".join(escape(part) for part in (first, *rest))
    for name in sorted(glob(anywhere)):  # noqa: PTH207 - the path may begin with a pattern or a root
        match = re.fullmatch(pattern, name)
        if match is None or match["id"] in with_files:
            continue
        try:
            picks = [pick.of(match["id"]) for pick in read_picks(name)]
        except DataError as error:
            log.add(Refusal("read", "no_picks", str(error)), file=Path(name).name)
            continue
        _, lost = _by_event(source, replace(found, events=[]), picks)
        refused |= {(name, place): one for place, one in enumerate(lost)}
    return refused
