"""Arrival picks: from QuakeML, from a table, or from one file an event as QuakeMigrate writes them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision.data.importing.tables import open_catalogue, time_ns
from seisvision.errors import DataError, did_you_mean

EVENTS = "events"
"""In place of files: take the picks of the catalogue of the source."""
NO_PICK = "-1"
"""What QuakeMigrate writes where a phase was looked for and not found."""
EventPicks = dict[tuple[str, str], dict[str, int]]
"""(Network, station) to phase (P or S) to time in ns; an empty network serves every network."""
Picks = dict[str, EventPicks]
"""By event id."""


def read_picks(patterns: tuple[str, ...], events: str) -> Picks:
    """Read the picks of a source.

    Args:
        patterns: files or glob patterns; QuakeML, tables with event_id, station, phase and time, or QuakeMigrate's
            files, named by their event.
        events: catalogue of the source, read where a pattern is :data:`EVENTS`.

    Raises:
        DataError: nothing matches, or a file is no list of picks.
    """
    found: Picks = {}
    for pattern in patterns:
        for path in _files(events if pattern == EVENTS else pattern):
            reader = _from_table if path.suffix.lower() in (".csv", ".txt", ".picks") else _from_catalogue
            for event_id, picks in reader(path).items():
                found.setdefault(event_id, {}).update(picks)
    return found


def _files(pattern: str) -> list[Path]:
    path = Path(pattern)
    parts = path.parts
    wild = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
    base = Path(*parts[:wild])
    files = [path] if wild == len(parts) else sorted(base.glob(str(Path(*parts[wild:]))))
    files = [file for file in files if file.is_file()]
    if not files:
        raise DataError(f"no file of picks matches '{pattern}'; check the path, or leave picks out")
    return files


def _phase(name: str) -> str:
    """P or S by the first letter (Pn, Pg, pP do not count as P unless they begin with it); else nothing."""
    return name.strip()[:1] if name.strip()[:1] in ("P", "S") else ""


def _from_catalogue(path: Path) -> Picks:
    found: Picks = {}
    for event_id, event in open_catalogue(path):
        # Picks carry the phase themselves or through the arrival of an origin.
        phases = {str(a.pick_id): a.phase for origin in event.origins for a in origin.arrivals if a.phase}
        for pick in event.picks:
            phase = _phase(pick.phase_hint or phases.get(str(pick.resource_id), "") or "")
            if phase and pick.time is not None and pick.waveform_id is not None:
                key = (pick.waveform_id.network_code or "", pick.waveform_id.station_code or "")
                _add(found, event_id, key, phase, pick.time.ns)
    return found


def _add(found: Picks, event_id: str, key: tuple[str, str], phase: str, ns: int) -> None:
    """The first of several arrivals of one kind counts."""
    phases = found.setdefault(event_id, {}).setdefault(key, {})
    phases[phase] = min(ns, phases.get(phase, ns))


def _from_table(path: Path) -> Picks:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is no table of picks: {error}") from error
    table = table.rename(columns=lambda name: name.strip().lower().removesuffix("_code").removeprefix("station_"))
    table = table.rename(columns={"picktime": "time", "pick_time": "time", "source_id": "event_id"})
    for column in ("station", "phase", "time"):
        if column not in table:
            raise DataError(f"{path} has no column '{column}'. {did_you_mean(column, list(table))}")
    own_id = re.sub(r"[._-]?picks?$", "", path.stem)
    found: Picks = {}
    for row in table.to_dict("records"):
        phase, time = _phase(row["phase"]), row["time"].strip()
        if phase and time not in ("", NO_PICK, "-1.0"):
            key = (row.get("network", "").strip(), row["station"].strip())
            _add(found, row.get("event_id", own_id), key, phase, _ns(time, path, row))
    return found


def _ns(time: str, path: Path, row: dict[str, Any]) -> int:
    try:
        return time_ns(time)
    except ValueError as error:
        raise DataError(
            f"time '{time}' of station '{row['station']}' in {path} is none; write 2014-08-24T00:01:11.952Z, or -1"
        ) from error


def pick_columns(picks: EventPicks, row: dict[str, Any], length: int) -> dict[str, float]:
    """Return ``trace_p_arrival_sample`` and ``trace_s_arrival_sample`` of a trace.

    Args:
        picks: of the event.
        row: metadata of the trace.
        length: samples of the trace; a pick outside of them is none (NaN).
    """
    network, station = row["station_network_code"], row["station_code"]
    phases = picks.get((network, station)) or picks.get(("", station)) or {}
    if not phases and not network:
        phases = next((item for (_, code), item in picks.items() if code == station), {})
    columns = {}
    for phase in ("P", "S"):
        seconds = (phases[phase] - time_ns(row["trace_start_time"])) / 1e9 if phase in phases else np.nan
        sample = seconds * row["trace_sampling_rate_hz"]
        columns[f"trace_{phase.lower()}_arrival_sample"] = round(sample, 2) if 0 <= sample < length else np.nan
    return columns
