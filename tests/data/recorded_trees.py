"""Small trees of recordings, catalogues and station tables, written with obspy."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from obspy import Stream, Trace, UTCDateTime

from seisvision.data.importing.importer import ImportReport
from seisvision.data.importing.recipe import Recipe, build_recipe

ORIGIN = UTCDateTime("2020-01-01T00:00:00")
EVENT_S = 3600.0
"""Events follow one another by an hour."""
BEFORE_S = 40.0
"""Recordings begin that long before the origin."""


def origin(event: int) -> UTCDateTime:
    """Origin time of the event of that number."""
    return ORIGIN + EVENT_S * event


def trace(event: int, station: str, channel: str = "HHZ", **changes: Any) -> Trace:
    """Noise of 20 counts, and from ``onset_s`` after the origin on a decaying 5 Hz tremor of 2000 counts."""
    settings = {"rate": 50.0, "length_s": 120.0, "onset_s": 5.0, "network": "XX", "location": "", "seed": 0} | changes
    rate, n = settings["rate"], round(settings["length_s"] * settings["rate"])
    rng = np.random.default_rng([event, sum(map(ord, station + channel)), settings["seed"]])
    after = np.arange(n) / rate - BEFORE_S - settings["onset_s"]
    tremor = 2000 * np.exp(-np.maximum(after, 0) / 8) * np.sin(2 * np.pi * 5 * after) * (after >= 0)
    header = {
        "network": settings["network"],
        "station": station,
        "location": settings["location"],
        "channel": channel,
        "starttime": origin(event) - BEFORE_S,
        "sampling_rate": rate,
    }
    return Trace((20 * rng.normal(size=n) + tremor).astype(np.int32), header)


def write_events(path: Path, ids: list[str], **columns: list[Any]) -> Path:
    """Events.csv: one event an hour, every tenth of a degree."""
    rows = [
        {
            "event_id": name,
            "source_type": "quake",
            "source_origin_time": str(origin(i)),
            "source_latitude_deg": 46.0 + 0.1 * i,
            "source_longitude_deg": -122.0,
            "source_depth_km": 5.0,
            "source_magnitude": 1.5,
        }
        | {column: values[i] for column, values in columns.items()}
        for i, name in enumerate(ids)
    ]
    return write_table(path, rows)


def write_stations(path: Path, names: list[str], network: str = "XX") -> Path:
    """Stations.csv: the stations in a row east of the first event."""
    rows = [
        {"network": network, "station": name, "latitude_deg": 46.0, "longitude_deg": -121.9 + 0.1 * i}
        for i, name in enumerate(names)
    ]
    return write_table(path, [row | {"elevation_m": 100.0} for row in rows])


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_tree(folder: Path, n_events: int = 3, stations: tuple[str, ...] = ("AAA", "BBB", "CCC")) -> Path:
    """Events ev0, ev1, ... in waveforms/EVENT.mseed, recorded with Z, N and E at every station."""
    (folder / "waveforms").mkdir(parents=True)
    for event in range(n_events):
        channels = [trace(event, name, f"HH{c}", onset_s=5.0 + i) for i, name in enumerate(stations) for c in "ZNE"]
        Stream(channels).write(str(folder / "waveforms" / f"ev{event}.mseed"), format="MSEED")
    write_events(folder / "events.csv", [f"ev{event}" for event in range(n_events)])
    write_stations(folder / "stations.csv", list(stations))
    return folder


def recipe(folder: Path, source: dict[str, Any] | None = None, **sections: Any) -> Recipe:
    """Recipe of one source in ``folder``, laid out as by :func:`write_tree`; whole records unless a window is given."""
    plain = {
        "name": "tree",
        "waveforms": str(folder / "waveforms"),
        "events": str(folder / "events.csv"),
        "stations": str(folder / "stations.csv"),
    }
    return build_recipe({"name": "test", "sources": [plain | (source or {})]} | sections)


def add_up(report: ImportReport) -> bool:
    """Whether every channel, event and file that came in is in the set or in the list."""
    kinds = [rejection.kind for rejection in report.rejections]
    channels = sum(report.n_components.values()) + kinds.count("recording") == sum(report.n_recordings.values())
    return channels and report.n_events + kinds.count("event") == sum(report.n_catalogue.values())
