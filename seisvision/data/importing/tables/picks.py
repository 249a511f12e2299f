"""Picks from tables, from QuakeML (and what else obspy reads) and from SAC headers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.formats.sac import UNDEFINED
from seisvision.data.importing.tables.catalogue import end_of_catalogue, open_catalogue
from seisvision.data.importing.tables.origins import choose_origin
from seisvision.data.importing.tables.pick import Pick, code, mode_and_status
from seisvision.data.importing.tables.pick_tables import WEIGHTS, table_picks
from seisvision.data.importing.tables.text_tables import CSV_SUFFIXES, NAN
from seisvision.data.importing.tables.times import FIRST_YEAR, LAST_YEAR
from seisvision.errors import DataError

log = logging.getLogger(__name__)

PLACEHOLDER = "{event_id}"
"""In the path of a file that exists once for each event."""
TABLE_SUFFIXES = (*CSV_SUFFIXES, ".picks")
SAC_TIMES = ("a", *(f"t{number}" for number in range(10)))
"""Header words of times; ``ka``, ``kt0``, ... name their phases."""


def read_picks(path: str) -> list[Pick]:
    """All picks of a file: a table, or a catalogue obspy reads, or the QuakeML in an ASDF archive.

    Raises:
        DataError: the file is missing, neither of them, or a table that lacks a column.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(f"picks file '{path}' not found; check the path, or write {PLACEHOLDER} where the id stands")
    if file.name.lower().endswith(TABLE_SUFFIXES):
        return table_picks(file)
    events = open_catalogue(file)
    if end := end_of_catalogue(file, [event for _, event in events]):
        log.warning("%s: %s", file, end)
    return [pick for event_id, event in events for pick in _catalogue_picks(event, event_id, file)]


def read_event_picks(path: str, event_id: str) -> list[Pick]:
    """Picks of the event in a file of its own; none where there is no such file.

    Raises:
        DataError: as :func:`read_picks`.
    """
    file = Path(path.replace(PLACEHOLDER, event_id))
    return [pick.of(event_id) for pick in read_picks(str(file))] if file.is_file() else []


def _catalogue_picks(event: Any, event_id: str, file: Path) -> Iterable[Pick]:
    """Picks of an obspy event, which name their phase themselves or through an arrival of an origin."""
    preferred = choose_origin(event, [])
    phases = {str(arrival.pick_id): arrival.phase for origin in event.origins for arrival in origin.arrivals}
    arrivals = [] if preferred is None else preferred.arrivals
    phases |= {str(arrival.pick_id): arrival.phase for arrival in arrivals if arrival.phase}
    located = {str(arrival.pick_id) for arrival in arrivals if arrival.time_weight is None or arrival.time_weight > 0}
    origin_ns = None if preferred is None or preferred.time is None else preferred.time.ns
    for pick in event.picks:
        stream, pick_id = pick.waveform_id, str(pick.resource_id)
        mode, status = mode_and_status(f"{pick.evaluation_mode or ''} {pick.evaluation_status or ''}")
        yield Pick(
            "" if stream is None else code(stream.station_code),
            pick.phase_hint or phases.get(pick_id) or "",
            None if pick.time is None else pick.time.ns,
            network="" if stream is None else code(stream.network_code),
            location="" if stream is None else code(stream.location_code),
            channel="" if stream is None else code(stream.channel_code),
            event_id=event_id,
            origin_ns=origin_ns,
            mode=mode,
            status=status,
            author=_author(pick),
            uncertainty_s=_uncertainty_s(pick.time_errors),
            located=pick_id in located,
            file=file.name,
            weight=_nordic_weight(pick),
        )


def _author(pick: Any) -> str:
    about = pick.creation_info
    return "" if about is None else code(about.author or about.agency_id)


def _nordic_weight(pick: Any) -> int | None:
    """Weight of a pick in a NORDIC file, 0 to 4, where ObsPy keeps it beside what QuakeML knows."""
    kept = (getattr(pick, "extra", None) or {}).get("nordic_pick_weight")
    text = "" if kept is None else str(kept["value"]).strip()
    return int(text) if text in WEIGHTS else None


def _uncertainty_s(errors: Any) -> float:
    """Uncertainty of a QuakeML time, or the mean of its two sides."""
    sides = [getattr(errors, name, None) for name in ("uncertainty", "lower_uncertainty", "upper_uncertainty")]
    if sides[0] is not None:
        return float(sides[0])
    return NAN if sides[1] is None or sides[2] is None else (float(sides[1]) + float(sides[2])) / 2


def sac_picks(header: Mapping[str, Any], codes: tuple[str, str, str, str], file: str) -> Iterable[Pick]:
    """Times A and T0 to T9 of a SAC header that KA and KT0 to KT9 name; A without a name is P (SAC manual, header).

    Args:
        header: names in lower case to values.
        codes: network, station, location and channel.
        file: name of the file.
    """
    reference_ns = _reference_ns(header)
    network, station, location, channel = codes
    for word in SAC_TIMES:
        after_s = float(header.get(word, UNDEFINED))
        name = code(header.get("k" + word)).removeprefix("-12345") or ("P" if word == "a" else "")
        if name and reference_ns is not None and np.isfinite(after_s) and after_s != UNDEFINED:
            time_ns = reference_ns + round(after_s * 1e6) * 1000
            yield Pick(station, name, time_ns, "", network, location, channel, file=file)


def _reference_ns(header: Mapping[str, Any]) -> int | None:
    """The time from which all others of a SAC header count; None where it is not given."""
    parts = [int(header.get("nz" + part, UNDEFINED)) for part in ("year", "jday", "hour", "min", "sec", "msec")]
    if not FIRST_YEAR <= parts[0] < LAST_YEAR or min(parts) < 0:
        return None
    year, day, hour, minute, second, millisecond = parts
    start = int(np.datetime64(f"{year:04d}-01-01", "ms").astype(np.int64))
    return (start + ((((day - 1) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millisecond) * 1_000_000
