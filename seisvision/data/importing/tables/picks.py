"""Arrival times that a person or a picker has read, from CSV tables or QuakeML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from seisvision.data.importing.tables.catalogue import open_catalogue
from seisvision.data.importing.tables.text_tables import CSV_SUFFIXES, read_csv
from seisvision.data.importing.tables.times import time_ns
from seisvision.errors import DataError, did_you_mean

PLACEHOLDER = "{event_id}"
"""In the path of a table that exists once for each event."""
PHASES = ("P", "S")
_COLUMNS = {
    "event": ("event_id", "source_id"),
    "station": ("station", "station_code"),
    "phase": ("phase", "phase_hint"),
    "time": ("pick_time", "picktime", "time", "arrival_time"),
}
_NO_PICK = ("", "-1", "nan", "nat", "none")

Picks = Mapping[tuple[str, str], int]
"""(station code, ``P`` or ``S``) to time in ns."""


def read_picks(path: str | None, event_id: str) -> Picks:
    """First P and S pick of each station of an event; none for ``path=None`` or where the event has no table.

    Columns (any case, with or without underscores): station, phase, time as pick_time or time; and event_id unless
    the path has the placeholder ``{event_id}``. Phases that begin with P or S count as these. An empty time or -1
    means none. Files that are no CSV are read as QuakeML, or the QuakeML of an ASDF archive.

    Raises:
        DataError: a single table is missing, or a table lacks a column or holds a time that is none.
    """
    if path is None:
        return {}
    if PLACEHOLDER not in path:
        return _by_event(path).get(event_id, {})
    file = Path(path.replace(PLACEHOLDER, event_id))
    return _first_arrivals(_table(file, with_event=False), file) if file.is_file() else {}


@lru_cache(maxsize=4)
def _by_event(path: str) -> dict[str, Picks]:
    file = Path(path)
    if not file.is_file():
        raise DataError(f"picks file '{path}' not found; check the path, or write {PLACEHOLDER} where the id stands")
    if file.suffix.lower() not in CSV_SUFFIXES:
        return {event_id: _catalogue_picks(event) for event_id, event in open_catalogue(file)}
    table = _table(file, with_event=True)
    return {str(event_id): _first_arrivals(part, file) for event_id, part in table.groupby("event")}


def _table(file: Path, with_event: bool) -> pd.DataFrame:
    table = read_csv(file)
    plain = {re.sub(r"[^a-z]", "", name.lower()): name for name in table}
    found = {}
    for meaning, names in _COLUMNS.items():
        known = [plain[key] for name in names if (key := name.replace("_", "")) in plain]
        if known:
            found[known[0]] = meaning
        elif meaning != "event" or with_event:
            raise DataError(f"{file} has no column '{names[0]}'. {did_you_mean(names[0], list(table))}")
    return table[list(found)].rename(columns=found)


def _first_arrivals(table: pd.DataFrame, file: Path) -> Picks:
    picks: dict[tuple[str, str], int] = {}
    for row in table.to_dict("records"):
        phase, text = row["phase"].strip()[:1].upper(), row["time"].strip()
        if phase not in PHASES or text.lower() in _NO_PICK:
            continue
        try:
            picked_ns = time_ns(text)
        except ValueError as error:
            raise DataError(f"pick time '{text}' of station '{row['station']}' in {file} is no time") from error
        key = (row["station"].strip(), phase)
        picks[key] = min(picked_ns, picks.get(key, picked_ns))
    return picks


def _catalogue_picks(event: Any) -> Picks:
    """Picks of an obspy event, which name their phase themselves or through an arrival of an origin."""
    phases = {str(arrival.pick_id): arrival.phase for origin in event.origins for arrival in origin.arrivals}
    picks: dict[tuple[str, str], int] = {}
    for pick in event.picks:
        phase = (pick.phase_hint or phases.get(str(pick.resource_id)) or "").strip()[:1].upper()
        if phase in PHASES and pick.time is not None and pick.waveform_id is not None:
            key = (pick.waveform_id.station_code or "", phase)
            picks[key] = min(pick.time.ns, picks.get(key, pick.time.ns))
    return picks
