"""Rows of a waveform set as ObsPy objects: stream, inventory and catalogue."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import obspy
import pandas as pd
from obspy.core.event import Catalog, Event, Magnitude, Origin, Pick, ResourceIdentifier, WaveformStreamID
from obspy.core.inventory import Channel, Inventory, Network, Station

from seisvision.data.importing.tables.times import NS, time_ns
from seisvision.data.samples.arrivals import observed_arrival_s
from seisvision.data.samples.event_index import table_onsets_s
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.keys import COMPONENTS

log = logging.getLogger(__name__)

DIRECTIONS = {"Z": (0.0, -90.0), "N": (0.0, 0.0), "E": (90.0, 0.0)}
"""Azimuth and dip of the components, in degrees."""
NO_BAND = "XX"
"""Band and instrument of a channel of which the set says nothing."""


def stream_of(waveform_set: WaveformSet, rows: np.ndarray) -> obspy.Stream:
    """Recordings of rows (S,) as one trace a component that was recorded, samples and times as stored."""
    waveforms, recorded = waveform_set.read_rows(rows, COMPONENTS)
    table = waveform_set.table.iloc[rows]
    stream = obspy.Stream()
    starts_ns = [_start_ns(row) for _, row in table.iterrows()]
    if any(start is None for start in starts_ns):
        log.warning("%s does not say when all recordings began; those are shown from 1970 on", waveform_set.path)
    for (_, row), waveform, has, start_ns in zip(table.iterrows(), waveforms, recorded, starts_ns, strict=True):
        network, station, location, band = _codes(row)
        for letter, samples, is_there in zip(COMPONENTS, waveform, has, strict=True):
            if is_there:
                header = {
                    "network": network, "station": station, "location": location, "channel": band + letter,
                    "sampling_rate": float(row["trace_sampling_rate_hz"]),
                    "starttime": obspy.UTCDateTime(ns=start_ns or 0),
                }  # fmt: skip
                stream.append(obspy.Trace(samples.copy(), header))
    return stream


def inventory_of(waveform_set: WaveformSet, rows: np.ndarray) -> Inventory:
    """Stations of rows (S,) whose place the set knows, with a channel for each component, without responses."""
    table = waveform_set.table.iloc[rows]
    networks: dict[str, dict[str, Station]] = {}
    for _, row in table.iterrows():
        place = [_number(row, f"station_{name}") for name in ("latitude_deg", "longitude_deg", "elevation_m")]
        if np.isnan(place[0] + place[1]):
            continue
        latitude, longitude, elevation = place[0], place[1], 0.0 if np.isnan(place[2]) else place[2]
        code, station_code, location, band = _codes(row)
        stations = networks.setdefault(code, {})
        station = stations.setdefault(station_code, Station(station_code, latitude, longitude, elevation))
        known = {(channel.location_code, channel.code) for channel in station.channels}
        for letter in str(row["trace_component_order"]):
            azimuth, dip = DIRECTIONS.get(letter, (None, None))
            if (location, band + letter) not in known:
                channel = Channel(band + letter, location, latitude, longitude, elevation, 0.0, azimuth, dip)
                station.channels.append(channel)
    return Inventory(
        [Network(code, stations=list(stations.values())) for code, stations in networks.items()], source="seisvision"
    )


def catalogue_of(waveform_set: WaveformSet, rows: np.ndarray) -> Catalog:
    """The sources of rows (S,), each an event with origin, magnitude and the arrivals that were observed."""
    table = waveform_set.table.iloc[rows]
    return Catalog([_event(str(name), of_event) for name, of_event in table.groupby("source_id", sort=False)])


def _event(event_id: str, table: pd.DataFrame) -> Event:
    row = table.iloc[0]
    event = Event(resource_id=ResourceIdentifier(f"smi:local/{event_id}"))
    origin_ns = None if pd.isna(row.get("source_origin_time")) else time_ns(str(row["source_origin_time"]))
    depth_km = _number(row, "source_depth_km")
    if origin_ns is not None:
        event.origins.append(
            Origin(
                time=obspy.UTCDateTime(ns=origin_ns),
                latitude=_known(_number(row, "source_latitude_deg")),
                longitude=_known(_number(row, "source_longitude_deg")),
                depth=None if np.isnan(depth_km) else depth_km * 1000,
            )
        )
    magnitude = _number(row, "source_magnitude")
    if not np.isnan(magnitude):
        kind = row.get("source_magnitude_type")
        event.magnitudes.append(Magnitude(mag=magnitude, magnitude_type=None if pd.isna(kind) else str(kind)))
    event.picks += list(_picks(table))
    return event


def _picks(table: pd.DataFrame) -> Iterator[Pick]:
    """P where an onset is known, picked or found, and S that was observed."""
    arrivals_s = {"P": table_onsets_s(table), "S": observed_arrival_s(table, "S")}
    for number, (_, row) in enumerate(table.iterrows()):
        start_ns = _start_ns(row)
        if start_ns is None:
            continue
        network, station, location, band = _codes(row)
        for phase, after_s in arrivals_s.items():
            if not np.isnan(after_s[number]):
                yield Pick(
                    time=obspy.UTCDateTime(ns=start_ns + round(float(after_s[number]) * NS)),
                    waveform_id=WaveformStreamID(network, station, location, band + "Z"),
                    phase_hint=phase,
                )


def _codes(row: pd.Series) -> tuple[str, str, str, str]:
    network, station, location, band = (
        "" if pd.isna(row.get(name)) else str(row[name])
        for name in ("station_network_code", "station_code", "station_location_code", "trace_channel")
    )
    return network, station, location, band[:2] or NO_BAND


def _start_ns(row: pd.Series) -> int | None:
    start = row.get("trace_start_time")
    return None if start is None or pd.isna(start) else time_ns(str(start))


def _number(row: pd.Series, column: str) -> float:
    return float(row[column]) if column in row and not pd.isna(row[column]) else float("nan")


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
