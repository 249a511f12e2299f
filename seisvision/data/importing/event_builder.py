"""From the files of one event to its rows in the waveform set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.association import EventFiles
from seisvision.data.importing.channels import read_recordings
from seisvision.data.importing.pick_matching import EVENT_REFUSED, EventPicks, match_picks, settle
from seisvision.data.importing.recipe import Quality, Recipe, Source
from seisvision.data.importing.rejections import Refusal, Rejection, RejectionLog
from seisvision.data.importing.series.signals import Recording
from seisvision.data.importing.stations import Station, build_stations
from seisvision.data.importing.tables.pick import Pick
from seisvision.data.importing.tables.picks import PLACEHOLDER, read_event_picks, sac_picks
from seisvision.data.importing.tables.station_table import SAC, StationTable
from seisvision.data.importing.tables.times import format_ns
from seisvision.data.importing.windows import cut_station, event_onset, window_starts_ns
from seisvision.data.splitting.cells import source_cell
from seisvision.errors import DataError


@dataclass
class EventResult:
    """What became of one event.

    Args:
        source: name of the source.
        event_id: id in the set.
        source_type: class in the set.
        rows: metadata of the stations kept; none if the event was refused.
        waveforms: per row (C, T) of the components recorded.
        rejections: everything refused on the way.
        n_recordings: channels read; each is either a component of a row or a rejection of kind ``recording``.
        n_picks: picks read; each is either used or a rejection of kind ``pick``.
        n_picks_used: P and S arrivals in the rows.
    """

    source: str
    event_id: str
    source_type: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    waveforms: list[np.ndarray] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    n_recordings: int = 0
    n_picks: int = 0
    n_picks_used: int = 0


def build_event(files: EventFiles, recipe: Recipe, source: Source, table: StationTable) -> EventResult:
    """Read, process and cut one event; what fails is listed in the result, nothing is raised."""
    event = _event_columns(files, source)
    log = RejectionLog(source.name, event["source_id"])
    result = EventResult(source.name, event["source_id"], event["source_type"] or "", rejections=log.items)
    recordings, result.n_recordings = read_recordings(files, recipe, source, table.channels, log)
    picks = EventPicks(_picks(files, source, recordings, log), log, source.min_pick_probability)
    result.n_picks = len(picks.picks)
    stations = build_stations(recordings, event, recipe, source, table, log)
    match_picks(stations, picks, event)
    kept: list[tuple[Station, dict[str, Any], np.ndarray]] = []
    try:
        _check_event(files, event, recipe.quality)
        if stations:
            onset_ns, method = event_onset(stations, event)
            starts = window_starts_ns(stations, event, onset_ns, recipe)
            event |= _onset_columns(onset_ns, method, stations)
            pairs = zip(stations, starts, strict=True)
            cuts = [
                (station, cut_station(station, start_ns, recipe, log, source.picks is not None))
                for station, start_ns in pairs
            ]
            stations = [station for station, cut in cuts if cut is not None]
            kept = [(station, *cut) for station, cut in cuts if cut is not None]
        _check_stations(stations, recipe.quality, log)
    except Refusal as refusal:
        for station in stations:
            log.add_recordings(station.recordings.values(), refusal)
        picks.close(EVENT_REFUSED)
        log.add(refusal)
        return result
    settle(picks, [(station, row) for station, row, _ in kept])
    result.n_picks_used = picks.n_used
    result.rows = [event | row for _, row, _ in kept]
    result.waveforms = [waveform for _, _, waveform in kept]
    return result


def _picks(files: EventFiles, source: Source, recordings: list[Recording], log: RejectionLog) -> list[Pick]:
    """Picks of an event: given to it before, in a file of its own, or in the headers of its recordings."""
    if source.picks == SAC:
        # The components of a station repeat what was picked at it.
        found = [pick for recording in recordings for pick in _header_picks(recording)]
        return list({(pick.network, pick.station, pick.phase, pick.time_ns): pick for pick in found}.values())
    if source.picks is None or PLACEHOLDER not in source.picks:
        return list(files.picks)
    try:
        return read_event_picks(source.picks, files.event_id)
    except DataError as error:
        log.add(
            Refusal("read", "no_picks", str(error)), file=Path(source.picks.replace(PLACEHOLDER, files.event_id)).name
        )
        return []


def _header_picks(recording: Recording) -> Iterable[Pick]:
    codes = (recording.network, recording.station, recording.location, recording.channel)
    return sac_picks(recording.sac, codes, recording.file)


def _event_columns(files: EventFiles, source: Source) -> dict[str, Any]:
    event = {key: value for key, value in files.event.items() if value != ""}
    event_id = source.id_prefix + files.event_id
    kinds, kind = source.source_type, files.event.get("source_type", "")
    event["source_type"] = kinds.get(kind, kind) if isinstance(kinds, dict) else (kinds or kind)
    # An event without a place is a group of its own, or it would keep company with every other such event.
    event["source_cell"] = event.get("source_cell") or source_cell(event) or f"none-{event_id}"
    return {"source_id": event_id, "source_dataset": source.name} | event


def _onset_columns(onset_ns: int, method: str, stations: list[Station]) -> dict[str, Any]:
    found = sum(station.onset_ns is not None for station in stations)
    return {
        "source_onset_time": format_ns(onset_ns),
        "source_onset_method": method,
        "source_onset_stations": found,
    }


def _check_event(files: EventFiles, event: dict[str, Any], quality: Quality) -> None:
    if event["source_type"] is None:
        kind = files.event.get("source_type", "")
        raise Refusal("event", "class_left_out", f"class '{kind}' is left out by the recipe")
    lost = not np.isfinite(event["source_latitude_deg"] + event["source_longitude_deg"])
    if lost and quality.missing_origin == "reject":
        raise Refusal("event", "no_origin", "the catalogue has no coordinates of this event")


def _check_stations(stations: list[Station], quality: Quality, log: RejectionLog) -> None:
    needed = max(1, quality.min_stations)
    if len(stations) < needed:
        causes = Counter(item.cause for item in log.items if item.kind == "recording")
        refused = ", ".join(f"{cause} {number}" for cause, number in causes.most_common())
        why = f"; recordings refused: {refused}" if refused else ""
        raise Refusal("event", "few_stations", f"{len(stations)} stations left < {needed}{why}", len(stations))
    shown = sum(station.onset_ns is not None for station in stations)
    if shown < quality.min_signal_stations:
        reason = f"{shown} stations show the event < {quality.min_signal_stations}"
        raise Refusal("event", "few_signals", reason, shown)
