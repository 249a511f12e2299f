"""Stations and channels of one event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from seisvision.data.fetching.recipe import FetchRecipe
from seisvision.data.fetching.servers import Server
from seisvision.data.fetching.spans import Spans
from seisvision.data.importing.channels import needed_letters
from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.sensors.channel_codes import LETTERS
from seisvision.data.importing.sensors.directions import listed_directions
from seisvision.earth.geodesics import geodesic


@dataclass(frozen=True)
class Sensor:
    """One sensor of a station and the time that is asked of it.

    Args:
        network: obspy network; with ``station`` and ``channels`` as the server described them.
        channels: in the order of their codes.
        distance_km: NaN where the event has no place.
    """

    server: Server
    network: Any
    station: Any
    channels: tuple[Any, ...]
    begin_ns: int
    end_ns: int
    distance_km: float

    @property
    def name(self) -> str:
        """NET.STA."""
        return f"{self.network.code}.{self.station.code}"

    @property
    def location(self) -> str:
        """Location code, empty for none."""
        return self.channels[0].location_code or ""

    @property
    def closed(self) -> bool:
        """Whether the metadata say that the recordings are not for everyone."""
        return any(
            getattr(item, "restricted_status", None) == "closed"
            for item in (self.network, self.station, *self.channels)
        )


def choose_sensors(
    event: Mapping[str, Any],
    inventories: Iterator[tuple[Server, Any]],
    recipe: FetchRecipe,
    spans: Spans,
    log: RejectionLog,
) -> list[Sensor]:
    """One sensor for each station of the event that the recipe wants, nearest first.

    Raises:
        Refusal: the event has no time or place, or no station is left.
    """
    found: dict[str, Sensor] = {}
    for server, inventory in inventories:
        for network in inventory:
            for station, distance_km in zip(network, _distances_km(event, network), strict=True):
                # A station that several servers know is asked for at the first.
                if f"{network.code}.{station.code}" in found or not _wanted(network, station, recipe):
                    continue
                sensor = _sensor(event, server, network, station, float(distance_km), recipe, spans)
                if sensor is not None:
                    found[sensor.name] = sensor
    sensors = []
    for sensor in sorted(found.values(), key=lambda sensor: (np.nan_to_num(sensor.distance_km), sensor.name)):
        if sensor.closed:
            log.add(Refusal("fetch", "restricted", "closed according to its metadata"), file=sensor.name)
        else:
            sensors.append(sensor)
    if not sensors:
        raise Refusal("event", "no_station", "no station with the wanted channels recorded at that time and distance")
    return _limit(sensors, recipe.stations.maximum, recipe.stations.choice)


def _wanted(network: Any, station: Any, recipe: FetchRecipe) -> bool:
    rules = recipe.stations
    pairs = ((network.code, rules.networks), (station.code, rules.codes))
    return all(any(fnmatchcase(code, pattern) for pattern in patterns) for code, patterns in pairs)


def _sensor(
    event: Mapping[str, Any],
    server: Server,
    network: Any,
    station: Any,
    distance_km: float,
    recipe: FetchRecipe,
    spans: Spans,
) -> Sensor | None:
    """The best sensor of a station; None where it is out of range or has none at that time."""
    radius = recipe.stations.radius_km
    if radius is not None and not radius[0] <= distance_km <= radius[1]:
        return None
    begin_ns, end_ns = spans.of_station(event, distance_km)
    channels = [channel for channel in station if _records(channel, begin_ns, end_ns)]
    best = _best(channels, recipe)
    return Sensor(server, network, station, best, begin_ns, end_ns, distance_km) if best else None


def _distances_km(event: Mapping[str, Any], network: Any) -> np.ndarray:
    """Distances (S,) of the stations of a network; NaN where the event has no place."""
    latitude, longitude = event["source_latitude_deg"], event["source_longitude_deg"]
    if not np.isfinite(latitude + longitude):
        return np.full(len(network), np.nan)
    places = np.array([(station.latitude, station.longitude) for station in network], dtype=float).reshape(-1, 2)
    return geodesic(latitude, longitude, *places.T)[0]


def _records(channel: Any, begin_ns: int, end_ns: int) -> bool:
    """Whether the epoch of a channel holds the whole span."""
    begun = channel.start_date is None or channel.start_date.ns <= begin_ns
    return begun and (channel.end_date is None or channel.end_date.ns >= end_ns)


def _best(channels: list[Any], recipe: FetchRecipe) -> tuple[Any, ...]:
    """Channels of the sensor with most of the wanted components, then by the orders of the recipe, as in the import."""
    rules = recipe.stations
    sensors: dict[tuple[int, int, str], dict[str, Any]] = {}
    for channel in channels:
        band, letter = channel.code[:-1], channel.code[-1:]
        location = (channel.location_code or "").strip("-")
        rank = next((i for i, code in enumerate(rules.locations) if fnmatchcase(location, code.strip("-"))), None)
        if band in rules.channels and rank is not None and letter in set(LETTERS) - set("RT"):
            sensors.setdefault((rules.channels.index(band), rank, location), {})[letter] = channel
    ranked = []
    for order, sensor in sensors.items():
        letters, made = needed_letters(listed_directions(sensor, recipe.orientation), recipe.processing.components)
        if made:
            ranked.append((-len(made), order, tuple(sensor[letter] for letter in letters)))
    return min(ranked, key=lambda item: item[:2])[2] if ranked else ()


def _limit(sensors: list[Sensor], maximum: int | None, choice: str) -> list[Sensor]:
    """At most ``maximum`` sensors: the nearest, or evenly over the ranks of distance."""
    if maximum is None or len(sensors) <= maximum:
        return sensors
    if choice == "nearest":
        return sensors[:maximum]
    ranks = np.round(np.linspace(0, len(sensors) - 1, maximum)).astype(int)
    return [sensors[rank] for rank in ranks]
