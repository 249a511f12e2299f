"""From the files of one event to its rows in the waveform set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seisvision.data.importing.association import EventFiles
from seisvision.data.importing.channels import read_recordings
from seisvision.data.importing.recipe import Quality, Recipe, Source
from seisvision.data.importing.rejections import Refusal, Rejection, RejectionLog
from seisvision.data.importing.stations import Station, build_stations
from seisvision.data.importing.tables.station_table import StationTable
from seisvision.data.importing.tables.times import format_ns
from seisvision.data.importing.windows import cut_station, event_onset, window_starts_ns


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
        n_recordings: channels read; each is either a component of a row or a rejection with a trace id.
    """

    source: str
    event_id: str
    source_type: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    waveforms: list[np.ndarray] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    n_recordings: int = 0


def build_event(files: EventFiles, recipe: Recipe, source: Source, table: StationTable) -> EventResult:
    """Read, process and cut one event; what fails is listed in the result, nothing is raised."""
    event = _event_columns(files, source)
    log = RejectionLog(source.name, event["source_id"])
    result = EventResult(source.name, event["source_id"], event["source_type"] or "", rejections=log.items)
    recordings, result.n_recordings = read_recordings(files, recipe, source, table.channels, log)
    stations = build_stations(recordings, event, files.event_id, recipe, source, table, log)
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
        _check_stations(stations, recipe.quality)
    except Refusal as refusal:
        for station in stations:
            log.add_recordings(station.recordings.values(), refusal)
        log.add(refusal)
        return result
    result.rows = [event | row for _, row, _ in kept]
    result.waveforms = [waveform for _, _, waveform in kept]
    return result


def _event_columns(files: EventFiles, source: Source) -> dict[str, Any]:
    event = {key: value for key, value in files.event.items() if value != ""}
    event_id = source.id_prefix + files.event_id
    kinds, kind = source.source_type, files.event.get("source_type", "")
    event["source_type"] = kinds.get(kind, kind) if isinstance(kinds, dict) else (kinds or kind)
    # An event without a place is a group of its own, or it would keep company with every other such event.
    event["source_cell"] = event.get("source_cell") or f"none-{event_id}"
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


def _check_stations(stations: list[Station], quality: Quality) -> None:
    needed = max(1, quality.min_stations)
    if len(stations) < needed:
        raise Refusal("event", "few_stations", f"{len(stations)} stations left < {needed}", len(stations))
    shown = sum(station.onset_ns is not None for station in stations)
    if shown < quality.min_signal_stations:
        reason = f"{shown} stations show the event < {quality.min_signal_stations}"
        raise Refusal("event", "few_signals", reason, shown)
