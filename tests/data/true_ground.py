"""Recordings of a known ground motion, written the many ways in which users write them.

The ground moves up with 1.1 Hz, north with 1.7 Hz and east with 2.3 Hz from the onset on. Whatever is done to the
recording on its way to disk, an import either gives that motion back, component by component and to the millisecond,
or refuses it.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from obspy import Stream, Trace, UTCDateTime
from obspy.core.inventory import Channel, Inventory, Network, Response, Site, Station
from obspy.core.inventory.response import InstrumentSensitivity

ORIGIN = UTCDateTime("2020-03-14T05:06:30.250")
"""The day cannot be a month, so that only the habit of writing decides whether a date can be read two ways."""
BEFORE_S, LENGTH_S, ONSET_S = 30.0, 90.0, 5.0
TONES_HZ = {"Z": 1.1, "N": 1.7, "E": 2.3}
AMPLITUDE = 2000.0
S_AFTER_P_S = 4.0
NOMINAL = {"Z": (0.0, -90.0), "N": (0.0, 0.0), "E": (90.0, 0.0)}
"""Azimuth and dip in degrees."""


@dataclass
class Sensor:
    """One channel: where its positive motion points to, and how it is recorded.

    Args:
        gain: counts per m/s (or per ``unit``); the recording is the motion times the gain.
        segments: start and end in seconds after the start of the recording, each a file or record of its own.
    """

    code: str
    azimuth_deg: float
    dip_deg: float
    gain: float = 1.0
    unit: str = "M/S"
    rate_hz: float = 50.0
    header_rates_hz: tuple[float, ...] = ()
    segments: tuple[tuple[float, float], ...] = ((0.0, LENGTH_S),)
    noise: int = 0


@dataclass
class Site3:
    """A station with its sensors."""

    code: str
    latitude_deg: float
    longitude_deg: float
    elevation_m: float = 120.0
    network: str = "XX"
    location: str = ""
    sensors: list[Sensor] = field(default_factory=list)


@dataclass
class Tree:
    """An event, its stations, and how all of it is written."""

    stations: list[Site3]
    event: dict[str, Any]
    format: str = "MSEED"
    catalogue: str = "native"
    station_table: str = "xml"
    response: str = "none"
    picks: str | None = None
    file_name: str = "{event}.mseed"
    settings: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    may_refuse: bool = False
    changes: list[Any] = field(default_factory=list)
    """Functions of (folder, stream) to stream, run before the stream is written."""
    after: list[Any] = field(default_factory=list)
    """Functions of (folder) run when everything is written."""


def plain_tree(seed: int) -> Tree:
    """Two stations of three components each, one event."""
    rng = np.random.default_rng(seed)
    latitude, longitude = float(rng.uniform(-60, 60)), float(rng.uniform(-179, 179))
    stations = []
    for i, code in enumerate(("AAA", "BBB")):
        place = latitude + float(rng.uniform(-0.4, 0.4)), longitude + float(rng.uniform(-0.4, 0.4))
        rounded = tuple(round(value, 4) for value in place)
        band = "HH" if i == 0 else "BH"
        sensors = [Sensor(band + letter, *NOMINAL[letter]) for letter in "ZNE"]
        stations.append(Site3(code, *rounded, sensors=sensors))
    event = {
        "id": "ev1", "time": ORIGIN, "latitude": round(latitude, 4), "longitude": round(longitude, 4),
        "depth_km": round(float(rng.uniform(1, 30)), 2), "magnitude": round(float(rng.uniform(0.5, 5)), 2),
        "magnitude_type": "ML", "type": "earthquake",
    }  # fmt: skip
    return Tree(stations, event)


def motion(time_s: np.ndarray, azimuth_deg: float, dip_deg: float) -> np.ndarray:
    """Ground motion along a direction, ``time_s`` counting from the origin time."""
    azimuth, dip = np.radians([azimuth_deg, dip_deg])
    along = {"Z": -np.sin(dip), "N": np.cos(dip) * np.cos(azimuth), "E": np.cos(dip) * np.sin(azimuth)}
    after = time_s - ONSET_S
    tones = sum(along[letter] * np.sin(2 * np.pi * tone * after) for letter, tone in TONES_HZ.items())
    return AMPLITUDE * np.where(after >= 0, tones, 0.0)


def record(tree: Tree) -> Stream:
    """The recordings of all stations as one stream, segment by segment."""
    stream = Stream()
    for site in tree.stations:
        for sensor in site.sensors:
            for number, (begin_s, end_s) in enumerate(sensor.segments):
                stream.append(_segment(site, sensor, number, begin_s, end_s))
    return stream


def _segment(site: Site3, sensor: Sensor, number: int, begin_s: float, end_s: float) -> Trace:
    first = int(np.ceil(begin_s * sensor.rate_hz - 1e-6))
    last = int(np.ceil(end_s * sensor.rate_hz - 1e-6))
    time_s = np.arange(first, last) / sensor.rate_hz - BEFORE_S
    rng = np.random.default_rng([sum(map(ord, site.code + sensor.code)), number, sensor.noise])
    samples = motion(time_s, sensor.azimuth_deg, sensor.dip_deg) + 20 * rng.standard_normal(len(time_s))
    header_rate = sensor.header_rates_hz[number % len(sensor.header_rates_hz)] if sensor.header_rates_hz else None
    header = {
        "network": site.network, "station": site.code, "location": site.location, "channel": sensor.code,
        "starttime": ORIGIN - BEFORE_S + first / sensor.rate_hz, "sampling_rate": header_rate or sensor.rate_hz,
    }  # fmt: skip
    return Trace((samples * sensor.gain).astype(np.float64), header)


def inventory(tree: Tree, location: str | None = None) -> Inventory:
    """StationXML with directions and sensitivities."""
    stations = []
    for site in tree.stations:
        place = {"latitude": site.latitude_deg, "longitude": site.longitude_deg, "elevation": site.elevation_m}
        channels = []
        for sensor in site.sensors:
            sensitivity = InstrumentSensitivity(sensor.gain, 1.0, sensor.unit, "COUNTS")
            code = site.location if location is None else location
            channels.append(
                Channel(
                    sensor.code,
                    code,
                    depth=0.0,
                    azimuth=sensor.azimuth_deg % 360,
                    dip=sensor.dip_deg,
                    sample_rate=sensor.rate_hz,
                    response=Response(instrument_sensitivity=sensitivity),
                    **place,
                )
            )
        stations.append(Station(site.code, channels=channels, site=Site("site"), **place))
    return Inventory([Network(tree.stations[0].network, stations=stations)], source="made")


def write_waveforms(tree: Tree, folder: Path) -> None:
    """Write the recordings as one file an event, or one a channel."""
    wav = folder / "wav"
    wav.mkdir(parents=True)
    stream = record(tree)
    for change in tree.changes:
        stream = change(folder, stream)
    if tree.format == "MSEED":
        name = tree.file_name.format(event=tree.event["id"])
        # Differences from the ends of 32 bits do not fit into the codes of Steim.
        full_scale = any(trace.data.dtype.kind == "i" and np.ptp(trace.data.astype(float)) > 2**30 for trace in stream)
        stream.write(str(wav / name), format="MSEED", reclen=512, **({"encoding": "INT32"} if full_scale else {}))
        return
    for i, trace in enumerate(stream):
        site = next(site for site in tree.stations if site.code == trace.stats.station)
        sensor = next(sensor for sensor in site.sensors if sensor.code == trace.stats.channel)
        trace.stats.sac = {
            "stla": site.latitude_deg, "stlo": site.longitude_deg, "stel": site.elevation_m,
            "cmpaz": sensor.azimuth_deg % 360, "cmpinc": sensor.dip_deg + 90,
        }  # fmt: skip
        trace.data = trace.data.astype(np.float32)
        trace.write(str(wav / f"{tree.event['id']}.{i}.sac"), format="SAC")


def with_sensors(site: Site3, **changes: Any) -> None:
    """Change all sensors of a station."""
    site.sensors = [replace(sensor, **changes) for sensor in site.sensors]


def compress(path: Path) -> None:
    """Replace a file by its gzipped form."""
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
