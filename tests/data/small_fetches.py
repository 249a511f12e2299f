"""Small fetches from the data centre of :mod:`fdsn_loopback`: three stations, four events, two defects."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from fdsn_loopback import DataCentre, DataselectServer, Seen, catalogue, inventory, record
from obspy import UTCDateTime
from recorded_trees import origin

from seisvision.data.fetching.fetcher import run_fetch
from seisvision.data.fetching.recipe import build_recipe
from seisvision.data.fetching.report import FetchReport

N_EVENTS = 4
STATIONS = {"AAA": ("HHZ", "HHN", "HHE"), "BBB": ("HHZ",), "CCC": ("BHZ", "EHZ")}
QUICK = {"min_interval_s": 0.0, "backoff_s": 0.02, "timeout_s": 0.5, "stations_per_request": 1, "attempts": 3}
N_ITEMS = N_EVENTS * len(STATIONS)
"""Recordings to ask for; all but one can be had."""


def start_server(folder: Path) -> DataselectServer:
    """Serve the recordings; at the last event BBB has none, and that of CCC stops early."""
    traces = record(N_EVENTS, STATIONS)
    late = origin(N_EVENTS - 1)
    traces = [each for each in traces if not (each.stats.station == "BBB" and each.stats.starttime > late - 100)]
    for each in traces:
        if each.stats.station == "CCC" and each.stats.starttime > late - 100:
            each.trim(endtime=late + 60)
    return DataselectServer(folder, traces)


def make_centre(dataselect: DataselectServer) -> DataCentre:
    """The data centre in front of the server."""
    return DataCentre(dataselect, inventory(STATIONS), catalogue(N_EVENTS))


def settings(centre: DataCentre, **sections: Any) -> dict[str, Any]:
    """A recipe as plain containers."""
    requests = QUICK | sections.pop("requests", {})
    plain = {
        "name": "loop",
        "servers": [centre.url],
        "events": [{"name": "quakes", "query": {"starttime": "2020-01-01"}, "citation": "a catalogue"}],
        "stations": {"radius_km": [0, 300]},
        "span": {"before_s": 30, "after_s": 120},
        "processing": {"taper_fraction": 0},
        "citation": "a network",
    }
    return plain | sections | {"requests": requests}


def fetch(centre: DataCentre, out: Path, retry: bool = False, **sections: Any) -> FetchReport:
    """Fetch into ``out`` with settings changed."""
    return run_fetch(build_recipe(settings(centre, **sections)), out, retry=retry)


def rejected(out: Path) -> pd.DataFrame:
    """What was refused."""
    return pd.read_csv(out / "rejected.csv", keep_default_na=False)


def logged(out: Path) -> pd.DataFrame:
    """The log of requests, all as text."""
    return pd.read_csv(out.with_name(f"{out.name}.download") / "requests.csv", keep_default_na=False, dtype=str)


def same_as_seen(out: Path, centre: DataCentre) -> bool:
    """Whether the log has a line for every request that the server saw, with its status and size."""
    rows = logged(out)
    told = Counter(zip(rows.service, rows.status, rows.bytes, strict=True))
    return told == Counter((seen.service, str(seen.status), str(seen.n_bytes)) for seen in centre.seen)


def first_channel(seen: Seen) -> tuple[str, int]:
    """Station and event of a request for recordings."""
    _, station, _, _, begin, _ = seen.lines[0].split()
    return station, round((UTCDateTime(begin) + 30 - origin(0)) / 3600)


def asks_for_first(seen: Seen) -> bool:
    """Whether a request is for station AAA at event 0."""
    return seen.service == "dataselect" and first_channel(seen) == ("AAA", 0)


def write_recipe(path: Path, centre: DataCentre, **sections: Any) -> Path:
    """The recipe as a file; JSON is YAML."""
    path.write_text(json.dumps(settings(centre, **sections)))
    return path
