"""Events from QuakeML (and what else obspy reads), tables or SAC headers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seisvision.data.importing.formats.asdf import SUFFIXES as ASDF_SUFFIXES
from seisvision.data.importing.formats.asdf import asdf_quakeml
from seisvision.data.importing.formats.quakeml import read_with_types
from seisvision.data.importing.formats.segment import EARLIEST_NS, LATEST_NS
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.catalogue_table import events_from_table, is_event_table
from seisvision.data.importing.tables.event_columns import (
    EVENT_NUMBERS,
    Catalogue,
    check_event,
    is_plain_id,
    is_sentinel,
)
from seisvision.data.importing.tables.origins import choose_magnitude, choose_origin
from seisvision.data.importing.tables.station_table import on_earth
from seisvision.data.importing.tables.text_tables import (
    LONGEST_END,
    NAN,
    existing,
    is_table,
    is_table_name,
    read_bytes,
    refuse_entities,
)
from seisvision.data.importing.tables.times import format_ns
from seisvision.earth.geodesics import within_half_turn
from seisvision.errors import DataError

FILES = "files"
"""In place of a catalogue: every id found in the file names is an event."""
MAX_SAC_S = 1e8
"""Three years: an origin so far from its recording is a damaged header."""
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What obspy calls an event of a format that names none: another at each reading."""
NO_TABLES = (".xml", ".quakeml", ".qml", *ASDF_SUFFIXES)
NAMING_FORMATS = ("QUAKEML", "SCML", "SC3ML")
"""Formats whose ids stand in the file, whatever they look like."""


def read_events(path: str) -> Catalogue:
    """Read a catalogue; events that cannot be used are listed in it with their reasons.

    Raises:
        DataError: the file is missing, no catalogue, or holds no event that can be used.
    """
    file = existing(path, "events")
    read = events_from_table if is_table(file, NO_TABLES, is_event_table) else _events_from_catalogue
    catalogue = read(file)
    for event_id, event in list(catalogue.events.items()):
        try:
            if not is_plain_id(event_id):
                raise Refusal("event", "bad_id", f"the id {event_id[:40]!r} is no plain text without blanks around")
            check_event(event)
            event.setdefault("source_cell", "")
        except Refusal as refusal:
            del catalogue.events[event_id]
            catalogue.refuse(event_id if is_plain_id(event_id) else repr(event_id[:40]), refusal)
    if catalogue.refused and not catalogue.events:
        event_id, first = catalogue.refused[0]
        raise DataError(
            f"{file} has no event that can be used: all {len(catalogue)} are refused, the first, '{event_id}', because "
            f"{first}"
        )
    return catalogue


def _events_from_catalogue(file: Path) -> Catalogue:
    catalogue = Catalogue()
    seen: Counter[str] = Counter()
    items, types = _items(file)
    for event_id, item in items:
        seen[event_id] += 1
        if seen[event_id] > 1:
            catalogue.refuse(event_id, Refusal("event", "duplicate_id", f"event {event_id} stands before in the file"))
            continue
        notes, event = _event_columns(item)
        # The ids of SeisComP get a prefix from ObsPy.
        written = types.get(str(item.resource_id)) or types.get(event_id)
        event["source_type"] = written or event["source_type"]
        catalogue.events[event_id] = event
        seen.update(f"{file.name}: {note}" for note in notes)
    counted = {text: n for text, n in seen.items() if text.startswith(f"{file.name}: ")}
    if end := end_of_catalogue(file, [item for _, item in items]):
        catalogue.notes.append(f"{file.name}: {end}")
    catalogue.notes += [f"{text} ({n} event{'s' if n > 1 else ''})" for text, n in sorted(counted.items())]
    return catalogue


def open_catalogue(file: Path) -> list[tuple[str, Any]]:
    """Return ids and obspy events of a catalogue, or of the QuakeML in an ASDF archive; of two with one id the first.

    Raises:
        DataError: the file is no catalogue.
    """
    events: dict[str, Any] = {}
    for event_id, item in _items(file)[0]:
        events.setdefault(event_id, item)
    return list(events.items())


def end_of_catalogue(file: Path, events: Iterable[Any]) -> str:
    """What is to be said of the end of a catalogue of lines, which may be cut short; empty of XML, which has an end.

    ObsPy takes half a line of fixed columns for a whole one, and leaves out picks and events without a word.
    """
    content = b"<" if file.suffix.lower() in ASDF_SUFFIXES else read_bytes(file)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return ""
    lines = content.decode("utf-8", "replace").splitlines()
    if not content.endswith((b"\n", b"\r")):
        said = f"line {len(lines)}, the last, does not end"
    elif lines[-1].strip() and any(getattr(event, "_format", None) == "NORDIC" for event in events):
        said = "no blank line follows the last event"
    else:
        return ""
    return f"{said}, so the file may be cut short there: {lines[-1][-LONGEST_END:]!r}"


def _items(file: Path) -> tuple[list[tuple[str, Any]], dict[str, str]]:
    """Ids and obspy events, and resource id to type where QuakeML does not know the type."""
    archive = file.suffix.lower() in ASDF_SUFFIXES
    refuse_entities(file)
    try:
        # Never by name: obspy would unpack what it takes for an archive, however much that is.
        catalogue, types = read_with_types(asdf_quakeml(file).getvalue() if archive else read_bytes(file))
    except DataError:
        raise
    except Exception as error:  # obspy raises whatever the parser of each format raises
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        # The name is that of a copy of obspy's own.
        said = "its format is unknown" if said.startswith("Unknown format for file") else said
        raise DataError(
            f"{file} is no catalogue obspy can read: {said}"
            + ("; nor is it a table with known columns" * is_table_name(file))
        ) from error
    ids: list[str] = []
    times: Counter[str] = Counter()
    for item in catalogue:
        event_id, is_time = _event_id(item)
        times[event_id] += is_time
        ids.append(f"{event_id}_{times[event_id]}" if times[event_id] > 1 else event_id)
    return list(zip(ids, catalogue, strict=True)), types


def _event_id(item: Any) -> tuple[str, bool]:
    """Id, and whether the origin time stands for one.

    The id is the last part of a resource id, or the value of ``eventid`` where that is a query of a data centre.
    Formats that end all ids in ``event`` have the name before it; an event that obspy has named at random is called
    by its origin time, as those of SAC headers are.
    """
    resource_id = str(item.resource_id)
    query = re.search(r"[?&;]eventid=([^&;]+)", resource_id)
    if query:
        return query[1], False
    parts = resource_id.split("/")
    last = parts[-2] if parts[-1] == "event" and len(parts) > 2 else parts[-1]
    event_id = last.rpartition("=")[2]
    origin = next(iter(item.origins), None)
    if (
        origin is None
        or origin.time is None
        or not RANDOM_ID.fullmatch(event_id)
        or getattr(item, "_format", None) in NAMING_FORMATS
    ):
        return event_id, False
    return str(origin.time.strftime("%Y%m%dT%H%M%S")), True


def _event_columns(item: Any) -> tuple[list[str], dict[str, Any]]:
    """Columns of an obspy event, and what was chosen of several."""
    notes: list[str] = []
    origin = choose_origin(item, notes)
    magnitude = choose_magnitude(item, origin, notes)
    event: dict[str, Any] = {"source_type": item.event_type or ""}
    event |= dict.fromkeys(EVENT_NUMBERS, NAN) | {"source_origin_time": ""}
    if origin is not None:
        event["source_origin_time"] = "" if origin.time is None else format_ns(origin.time.ns)
        if origin.time is None:
            notes.append("the origin has no time that can be read, so it is missing")
        for column, value, unit in (
            ("source_latitude_deg", origin.latitude, 1.0),
            ("source_longitude_deg", origin.longitude, 1.0),
            ("source_depth_km", origin.depth, 1000.0),
        ):
            event[column] = NAN if value is None else value / unit
        event |= {
            "source_origin_author": _author(origin),
            "source_origin_status": origin.evaluation_status or "",
            "source_origin_mode": origin.evaluation_mode or "",
        }
    if magnitude is not None:
        event |= {
            "source_magnitude": NAN if magnitude.mag is None else magnitude.mag,
            "source_magnitude_type": magnitude.magnitude_type or "",
            "source_magnitude_author": _author(magnitude),
        }
    for column in EVENT_NUMBERS:
        in_metres = column == "source_depth_km"
        values = (event[column], event[column] * 1000) if in_metres else (event[column],)
        if any(is_sentinel(column, value, in_metres) for value in values):
            notes.append(f"{column} is a number that stands for none (such as -999), and is missing")
            event[column] = NAN
    return notes, event


def _author(item: Any) -> str:
    info = item.creation_info
    return "" if info is None else str(info.agency_id or info.author or "")


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
    event["source_longitude_deg"] = within_half_turn(event["source_longitude_deg"])
    origin_ns = sac_origin_ns(header, start_ns)
    event["source_origin_time"] = "" if origin_ns is None else format_ns(origin_ns)
    event |= {"source_type": "", "source_cell": ""}
    return event


def sac_origin_ns(header: Mapping[str, Any], start_ns: int) -> int | None:
    """Origin time from ``o``, which like ``b`` (the start) counts from the reference time of the header.

    None where the header has none, or one that no recording can have.
    """
    after_s = float(header.get("o", NAN)) - float(header.get("b", NAN))
    if not abs(after_s) < MAX_SAC_S:
        return None
    origin_ns = start_ns + round(after_s * 1e6) * 1000
    return origin_ns if EARLIEST_NS <= origin_ns <= LATEST_NS else None
