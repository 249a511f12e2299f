"""Events from QuakeML (and what else obspy reads), CSV tables or SAC headers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from seisvision.data.importing.formats.asdf import SUFFIXES as ASDF_SUFFIXES
from seisvision.data.importing.formats.asdf import asdf_quakeml
from seisvision.data.importing.tables.station_table import on_earth
from seisvision.data.importing.tables.text_tables import CSV_SUFFIXES, NAN, existing, number, read_csv, refuse_entities
from seisvision.data.importing.tables.times import format_ns, format_time, time_ns
from seisvision.errors import DataError, did_you_mean

SAC = "sac"
"""In place of a file: take events or stations from SAC headers."""
FILES = "files"
"""In place of a catalogue: every id found in the file names is an event."""
MAX_SAC_S = 1e8
"""Three years: an origin so far from its recording is a damaged header."""
EVENT_NUMBERS = ("source_latitude_deg", "source_longitude_deg", "source_depth_km", "source_magnitude")
TEXT_COLUMNS = ("source_type", "source_cell", "source_subtype", "source_origin_time")


def read_events(path: str) -> dict[str, dict[str, Any]]:
    """Read a catalogue: event id to its ``source_*`` columns, in file order; cells are named by the import.

    Raises:
        DataError: the file is missing, no catalogue, or has a duplicate id, an impossible time or place.
    """
    file = existing(path, "events")
    events = _events_from_csv(file) if file.suffix.lower() in CSV_SUFFIXES else _events_from_catalogue(file)
    for event_id, event in events.items():
        if not is_plain_id(event_id):
            raise DataError(
                f"{file} has an event with the id {event_id[:40]!r}; an id is plain text without blanks around"
            )
        _check_event(file, event_id, event)
        event.setdefault("source_cell", "")
    return events


def is_plain_id(text: str) -> bool:
    """Whether a text comes back from a table as it went in."""
    return bool(text) and text.isprintable() and text == text.strip()


def _events_from_csv(file: Path) -> dict[str, dict[str, Any]]:
    table = read_csv(file)
    id_column = next((name for name in ("event_id", "source_id") if name in table), None)
    if id_column is None:
        raise DataError(f"{file} has no column 'event_id'. {did_you_mean('event_id', list(table))}")
    twice = table[id_column][table[id_column].duplicated()]
    if len(twice):
        raise DataError(f"{file} lists event '{twice.iloc[0]}' more than once; ids must be unique")
    extra = [name for name in table if name not in (id_column, *EVENT_NUMBERS, *TEXT_COLUMNS)]
    numbers = {name: pd.to_numeric(table[name].replace("", NAN), errors="coerce") for name in extra}
    numeric = {name for name in extra if (numbers[name].notna() == (table[name] != "")).all()}
    events: dict[str, dict[str, Any]] = {}
    for row in table.to_dict("records"):
        event_id = row.pop(id_column)
        event: dict[str, Any] = {}
        for name, text in row.items():
            column = name if name.startswith("source_") else f"source_{name}"
            is_number = name in EVENT_NUMBERS or name in numeric
            event[column] = number(text, f"{name} of event '{event_id}' in {file}") if is_number else text
        events[event_id] = event
    return events


def _events_from_catalogue(file: Path) -> dict[str, dict[str, Any]]:
    return {event_id: _event_columns(item) for event_id, item in open_catalogue(file)}


def open_catalogue(file: Path) -> list[tuple[str, Any]]:
    """Return ids and obspy events of a catalogue, or of the QuakeML in an ASDF archive.

    Raises:
        DataError: the file is no catalogue, or lists an event twice.
    """
    import obspy

    archive = file.suffix.lower() in ASDF_SUFFIXES
    refuse_entities(file)
    try:
        catalogue = obspy.read_events(asdf_quakeml(file) if archive else str(file))
    except DataError:
        raise
    except Exception as error:  # obspy raises whatever the parser of each format raises
        raise DataError(f"{file} is no catalogue obspy can read: {str(error).splitlines()[0]}") from error
    events = [(_event_id(str(item.resource_id)), item) for item in catalogue]
    twice = [event_id for event_id, number in Counter(event_id for event_id, _ in events).items() if number > 1]
    if twice:
        raise DataError(f"{file} lists event '{twice[0]}' more than once; ids must be unique")
    return events


def _event_id(resource_id: str) -> str:
    """Last part of a resource id; the value of ``eventid`` where it is a query, as in what data centres send."""
    query = re.search(r"[?&;]eventid=([^&;]+)", resource_id)
    return query[1] if query else resource_id.rpartition("/")[2].rpartition("=")[2]


def _event_columns(item: Any) -> dict[str, Any]:
    """Columns of an obspy event: preferred origin and magnitude, else the first of each."""
    origin = item.preferred_origin() or next(iter(item.origins), None)
    magnitude = item.preferred_magnitude() or next(iter(item.magnitudes), None)
    event: dict[str, Any] = {"source_type": item.event_type or ""}
    event |= dict.fromkeys(EVENT_NUMBERS, NAN) | {"source_origin_time": ""}
    if origin is not None:
        event["source_origin_time"] = str(origin.time)
        for column, value, unit in (
            ("source_latitude_deg", origin.latitude, 1.0),
            ("source_longitude_deg", origin.longitude, 1.0),
            ("source_depth_km", origin.depth, 1000.0),
        ):
            event[column] = NAN if value is None else value / unit
    if magnitude is not None:
        event |= {"source_magnitude": magnitude.mag, "source_magnitude_type": magnitude.magnitude_type or ""}
    return event


def unknown_event() -> dict[str, Any]:
    """Columns of an event of which nothing is known."""
    return {"source_type": "", "source_origin_time": "", "source_cell": ""} | dict.fromkeys(EVENT_NUMBERS, NAN)


def event_from_sac(header: Mapping[str, Any], start_ns: int) -> dict[str, Any]:
    """Columns of the event in a SAC header (EVDP in kilometres, as SAC defines it)."""
    keys = ("evla", "evlo", "evdp", "mag")
    event: dict[str, Any] = {
        column: float(header.get(key, NAN)) for column, key in zip(EVENT_NUMBERS, keys, strict=True)
    }
    if not on_earth(event["source_latitude_deg"], event["source_longitude_deg"]):
        event["source_latitude_deg"] = event["source_longitude_deg"] = NAN
    origin_ns = sac_origin_ns(header, start_ns)
    event["source_origin_time"] = "" if origin_ns is None else format_ns(origin_ns)
    event |= {"source_type": "", "source_cell": ""}
    return event


def sac_origin_ns(header: Mapping[str, Any], start_ns: int) -> int | None:
    """Origin time from ``o``, which like ``b`` (the start) counts from the reference time of the header."""
    after_s = float(header.get("o", NAN)) - float(header.get("b", NAN))
    if not abs(after_s) < MAX_SAC_S:
        return None
    return start_ns + round(after_s * 1e6) * 1000


def _check_event(file: Path, event_id: str, event: dict[str, Any]) -> None:
    where = f"event '{event_id}' in {file}"
    time = event.get("source_origin_time", "")
    try:
        event["source_origin_time"] = format_time(time) if time else ""
        if time:
            time_ns(event["source_origin_time"])
    except ValueError as error:
        raise DataError(f"source_origin_time of {where} is '{time}'; write it like 2014-08-24T00:01:08.920Z") from error
    for column in EVENT_NUMBERS:
        event.setdefault(column, NAN)
    for column, limit in (("source_latitude_deg", 90), ("source_longitude_deg", 360)):
        if abs(event[column]) > limit:
            raise DataError(f"{column} of {where} is {event[column]:g}; it must lie within ±{limit}")
