"""What ``seisvision locate`` does with arrival times: picks, stations and a velocity model to hypocentres."""

from __future__ import annotations

import argparse
import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd

from seisvision.data.importing.tables.pick import Pick
from seisvision.data.importing.tables.picks import read_picks
from seisvision.data.importing.tables.station_table import Place, StationTable, read_stations
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.errors import ConfigurationError, DataError
from seisvision.location.arrivals import quakeml, table
from seisvision.location.arrivals.velocity import LAYER_COLUMNS, velocity_model
from seisvision.location.catalogue import write_table
from seisvision.plain_text import say

log = logging.getLogger(__name__)


def run(args: argparse.Namespace, rejected_path: Path) -> int:
    """Locate, write, and print counts and, last, the path of the table of hypocentres."""
    if args.stations is None or args.velocity is None:
        raise ConfigurationError(
            f"{args.observations} holds picks: give --stations (a table or StationXML) and --velocity (a table with "
            f"{', '.join(LAYER_COLUMNS)}, two numbers such as 6.0,3.5, or a model such as iasp91)."
        )
    picks = table.arrival_table(placed(read_picks(str(args.observations)), read_stations(str(args.stations))))
    if not picks.event_id:
        first = picks.refused["reason"].iloc[0] if len(picks.refused) else "the file has none"
        raise DataError(f"{args.observations}: no pick can be used; {first}.")
    elevation_km = picks.table["station_elevation_km"].to_numpy()
    travel_times = velocity_model(args.velocity, elevation_km, _aperture_km(picks.table), args.depths)
    found = table.locate_table(picks, travel_times, args.depths, args.sigma)
    result, rejected = table.hypocentres_table(picks, found), table.rejected_table(picks, found)
    write_table(result, args.out)
    write_table(rejected, rejected_path)
    if args.quakeml is not None:
        quakeml.write_quakeml(args.quakeml, picks, found, travel_times.name, args.level)
    located = result["latitude_deg"].notna()
    if len(rejected):
        total = len(picks.table) + len(picks.refused)
        log.warning("%d of %d picks could not be used; see %s", len(rejected), total, rejected_path)
    if not located.all():
        log.warning("%d of %d events could not be located; column reason says why", (~located).sum(), len(result))
    say(f"{located.sum()} of {len(result)} events located, {result['ambiguous'].sum()} of them with a second solution")
    say(args.out)
    return 0


def placed(picks: list[Pick], stations: StationTable) -> pd.DataFrame:
    """Rows of `table.arrival_table`: picks with the places of their stations, or why they cannot be used."""
    networks: dict[str, set[str]] = {}
    for network, station, *_ in stations.epochs:
        networks.setdefault(station, set()).add(network)
    rows = []
    seen: set[tuple[str | None, str, str, str]] = set()
    for pick in picks:
        place = None if pick.time_ns is None else _place(pick, stations, networks)
        key = (pick.event_id, pick.network, pick.station, pick.family)
        reason = _refusal(pick, place)
        if not reason and key in seen:
            reason = f"a second {pick.family} of the station in this event"
        if not reason:
            seen.add(key)
        elevation_m = math.nan if place is None else place.elevation_m
        rows.append(
            {
                "event_id": pick.event_id or "",
                "station_id": pick.trace_id,
                "phase": pick.family or pick.phase,
                "time_ns": pick.time_ns if pick.time_ns is not None else pd.NaT,
                "sigma_s": pick.uncertainty_s if pick.uncertainty_s > 0 else math.nan,
                "station_latitude_deg": math.nan if place is None else place.latitude_deg,
                "station_longitude_deg": math.nan if place is None else place.longitude_deg,
                "station_elevation_km": elevation_m / 1000 if math.isfinite(elevation_m) else 0.0,
                "reason": reason,
            }
        )
    frame = pd.DataFrame(rows)
    if len(frame):
        frame["time_ns"] = pd.array([None if value is pd.NaT else value for value in frame["time_ns"]], dtype="Int64")
    return frame


def _place(pick: Pick, stations: StationTable, networks: dict[str, set[str]]) -> Place | None:
    codes = [pick.network] if pick.network else sorted(networks.get(pick.station, ()))
    found = [stations.find(network, pick.station, pick.location, pick.channel, pick.time_ns or 0) for network in codes]
    places = {(place.latitude_deg, place.longitude_deg): place for place in found if place is not None}
    # A station code that two networks have in two places names none.
    return next(iter(places.values())) if len(places) == 1 else None


def _refusal(pick: Pick, place: Place | None) -> str:
    if not pick.event_id:
        return "it belongs to no event: associate picks first"
    if pick.time_ns is None:
        return f"time '{pick.written[:40]}' cannot be read"
    if not pick.family:
        return f"phase '{pick.phase[:20]}' is no first P or S"
    if pick.is_unused or pick.status == "rejected":
        return "whoever picked it says not to use it"
    return "" if place is not None else "its station has no place in the table of stations, or two"


def _aperture_km(picks: pd.DataFrame) -> float:
    """Largest distance between stations of one event, about."""
    largest = 0.0
    for _, group in picks.groupby("event"):
        latitude, longitude = np.radians(group[["station_latitude_deg", "station_longitude_deg"]].to_numpy()).T
        x = np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], 1)
        largest = max(largest, EARTH_RADIUS_KM * float(np.linalg.norm(x[:, None] - x, axis=2).max()))
    return largest
