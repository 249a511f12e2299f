"""Stations from StationXML (and what else obspy reads) or CSV tables, and from SAC headers."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.channel_codes import clean_channel
from seisvision.data.importing.formats.asdf import SUFFIXES as ASDF_SUFFIXES
from seisvision.data.importing.formats.asdf import asdf_inventory
from seisvision.data.importing.tables.channel_table import ChannelTable, within_limits
from seisvision.data.importing.tables.text_tables import CSV_SUFFIXES, NAN, existing, number, read_csv, refuse_entities
from seisvision.errors import DataError, did_you_mean

SAC = "sac"
"""In place of a file: take stations from SAC headers."""


@dataclass(frozen=True)
class Place:
    """Where a station stands."""

    latitude_deg: float
    longitude_deg: float
    elevation_m: float = NAN


Key = tuple[str, str, str | None, str | None]
"""Network, station, location, channel."""


@dataclass
class StationTable:
    """Positions of stations, by channel and epoch where the file says so.

    Args:
        epochs: (network, station, location, channel) to (start_ns, end_ns, place); location and channel are None for
            what holds for the whole station. A table without network codes serves every network.
        channels: angles and responses of channels.
        has_responses: whether the file may hold responses, as StationXML does and CSV does not.
    """

    epochs: dict[Key, list[tuple[float, float, Place]]] = field(default_factory=dict)
    channels: ChannelTable = field(default_factory=ChannelTable)
    has_responses: bool = False

    def find(self, network: str, station: str, location: str, channel: str, time_ns: int) -> Place | None:
        """Place of a channel at a time, else of its station, else None."""
        for code in (network, ""):
            for key in ((code, station, location, channel), (code, station, None, None)):
                for start_ns, end_ns, place in self.epochs.get(key, ()):
                    if start_ns <= time_ns <= end_ns and np.isfinite(place.latitude_deg + place.longitude_deg):
                        return place
        return None

    def add(self, key: Key, place: Place, span: tuple[float, float]) -> None:
        """Add an epoch."""
        self.epochs.setdefault(key, []).append((*span, place))


def place_from_sac(header: Mapping[str, Any]) -> Place | None:
    """Place of the station in a SAC header (STEL in metres, as SAC defines it)."""
    latitude, longitude = float(header.get("stla", NAN)), float(header.get("stlo", NAN))
    return Place(latitude, longitude, float(header.get("stel", NAN))) if on_earth(latitude, longitude) else None


def on_earth(latitude_deg: float, longitude_deg: float) -> bool:
    """Whether this is a place: obspy never comes back from bringing a longitude of 1e30 into range."""
    return abs(latitude_deg) <= 90 and abs(longitude_deg) <= 360


def read_stations(path: str | None, channel_codes: Mapping[str, str] | None = None) -> StationTable:
    """Read stations; an empty table for None and ``sac``. ``channel_codes`` is the mapping of names in the recipe.

    Raises:
        DataError: the file is missing, no station table, or lacks a column.
    """
    if path is None or path == SAC:
        return StationTable()
    stations = StationTable(channels=ChannelTable(dict(channel_codes or {})))
    file = existing(path, "stations")
    add_all = _add_csv if file.suffix.lower() in CSV_SUFFIXES else _add_inventory
    add_all(file, stations)
    return stations


def _add_csv(file: Path, stations: StationTable) -> None:
    table = read_csv(file).rename(columns=lambda name: name.removeprefix("station_").removesuffix("_code"))
    if "station" not in table and "code" in table:
        table = table.rename(columns={"code": "station"})
    for column in ("station", "latitude_deg", "longitude_deg"):
        if column not in table:
            raise DataError(f"{file} has no column '{column}'. {did_you_mean(column, list(table))}")
    for row in table.to_dict("records"):
        where = f"of station '{row['station']}' in {file}"
        numbers = [
            number(row.get(key, ""), f"{key} {where}") for key in ("latitude_deg", "longitude_deg", "elevation_m")
        ]
        place = Place(*numbers)
        for column, value, limit in (("latitude_deg", numbers[0], 90), ("longitude_deg", numbers[1], 360)):
            if abs(value) > limit:
                raise DataError(f"{column} {where} is {value:g}; it must lie within ±{limit}")
        codes = (row.get("network", "").strip(), row["station"].strip())
        stations.add((*codes, None, None), place, (-np.inf, np.inf))
        if row.get("channel", "").strip():
            angles: dict[str, Any] = {
                key: number(_either(row, key), f"{key} {where}") for key in ("azimuth_deg", "dip_deg")
            }
            location = row.get("location")
            stations.channels.add(*codes, location, row["channel"], start_ns=-np.inf, end_ns=np.inf, **angles)


def _either(row: Mapping[str, str], name: str) -> str:
    """Value of a column that may lack the unit in its name."""
    return row.get(name) or row.get(name.removesuffix("_deg"), "")


def _add_inventory(file: Path, stations: StationTable) -> None:
    refuse_entities(file)
    try:
        archive = file.suffix.lower() in ASDF_SUFFIXES
        inventory = asdf_inventory(file) if archive else _read_inventory(file)
    except DataError:
        raise
    except Exception as error:  # obspy raises whatever the parser of each format raises
        raise DataError(f"{file} is no station file obspy can read: {str(error).splitlines()[0]}") from error
    stations.has_responses = True
    for network in inventory:
        for station in network:
            place = Place(station.latitude, station.longitude, station.elevation)
            stations.add((network.code, station.code, None, None), place, _epoch(station))
            for channel in station:
                _add_channel(stations, network.code, station.code, channel)


def _read_inventory(file: Path) -> Any:
    """What obspy reads; once more without angles beyond its limits, for which it refuses a whole file."""
    import obspy

    try:
        return obspy.read_inventory(str(file))
    except ValueError as error:
        if "out of bounds" not in str(error):
            raise
        return obspy.read_inventory(io.BytesIO(within_limits(file.read_bytes())))


def _add_channel(stations: StationTable, network: str, station: str, channel: Any) -> None:
    location, code = clean_channel(channel.code, {}, channel.location_code)
    place = Place(channel.latitude, channel.longitude, channel.elevation)
    span = _epoch(channel)
    stations.add((network, station, location, code), place, span)
    azimuth, dip = (NAN if angle is None else float(angle) for angle in (channel.azimuth, channel.dip))
    what = {"azimuth_deg": azimuth, "dip_deg": dip, "response": channel.response}
    stations.channels.add(network, station, location, code, start_ns=span[0], end_ns=span[1], **what)


def _epoch(item: Any) -> tuple[float, float]:
    start = -np.inf if item.start_date is None else item.start_date.ns
    end = np.inf if item.end_date is None else item.end_date.ns
    return start, end
