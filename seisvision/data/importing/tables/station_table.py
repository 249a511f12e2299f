"""Stations from StationXML (and what else obspy reads) or CSV tables, and from SAC headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.formats.asdf import SUFFIXES as ASDF_SUFFIXES
from seisvision.data.importing.formats.asdf import asdf_inventory
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.text_tables import CSV_SUFFIXES, NAN, existing, number, read_csv, refuse_entities
from seisvision.errors import DataError, did_you_mean

SAC = "sac"
"""In place of a file: take stations from SAC headers."""


@dataclass(frozen=True)
class Place:
    """Where a station stands; ``azimuth_deg`` and ``dip_deg`` of the channel are NaN where they are not known."""

    latitude_deg: float
    longitude_deg: float
    elevation_m: float = NAN
    azimuth_deg: float = NAN
    dip_deg: float = NAN


Key = tuple[str, str, str | None, str | None]
"""Network, station, location, channel."""


@dataclass
class StationTable:
    """Positions of stations, by channel and epoch where the file says so.

    Args:
        epochs: (network, station, location, channel) to (start_ns, end_ns, place); location and channel are None for
            what holds for the whole station. A table without network codes serves every network.
        inventory: the obspy inventory, for responses; None for CSV tables.
    """

    epochs: dict[Key, list[tuple[float, float, Place]]] = field(default_factory=dict)
    inventory: Any = None

    def find(self, network: str, station: str, location: str, channel: str, time_ns: int) -> Place | None:
        """Place of a channel at a time, else of its station, else None."""
        for code in (network, ""):
            for key in ((code, station, location, channel), (code, station, None, None)):
                for start_ns, end_ns, place in self.epochs.get(key, ()):
                    if start_ns <= time_ns <= end_ns and np.isfinite(place.latitude_deg + place.longitude_deg):
                        return place
        return None

    def sensitivity(self, trace_id: str, time_ns: int) -> tuple[float, str]:
        """Overall sensitivity of a channel and the unit of ground motion it refers to.

        Raises:
            Refusal: the station file has none at that time.
        """
        import obspy

        try:
            response = self.inventory.get_response(trace_id, obspy.UTCDateTime(ns=time_ns))
            whole = response.instrument_sensitivity
            return float(whole.value), str(whole.input_units).lower()
        except Exception as error:  # obspy raises plain exceptions, and attributes may be None
            raise Refusal("processing", "no_response", f"no sensitivity of {trace_id} at that time") from error

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


def read_stations(path: str | None) -> StationTable:
    """Read station positions; an empty table for None and ``sac``.

    Raises:
        DataError: the file is missing, no station table, or lacks a column.
    """
    if path is None or path == SAC:
        return StationTable()
    file = existing(path, "stations")
    return _stations_from_csv(file) if file.suffix.lower() in CSV_SUFFIXES else _stations_from_inventory(file)


def _stations_from_csv(file: Path) -> StationTable:
    table = read_csv(file).rename(columns=lambda name: name.removeprefix("station_").removesuffix("_code"))
    if "station" not in table and "code" in table:
        table = table.rename(columns={"code": "station"})
    for column in ("station", "latitude_deg", "longitude_deg"):
        if column not in table:
            raise DataError(f"{file} has no column '{column}'. {did_you_mean(column, list(table))}")
    stations = StationTable()
    for row in table.to_dict("records"):
        where = f"of station '{row['station']}' in {file}"
        numbers = [
            number(row.get(key, ""), f"{key} {where}") for key in ("latitude_deg", "longitude_deg", "elevation_m")
        ]
        place = Place(*numbers)
        for column, value, limit in (("latitude_deg", numbers[0], 90), ("longitude_deg", numbers[1], 360)):
            if abs(value) > limit:
                raise DataError(f"{column} {where} is {value:g}; it must lie within ±{limit}")
        stations.add((row.get("network", "").strip(), row["station"].strip(), None, None), place, (-np.inf, np.inf))
    return stations


def _stations_from_inventory(file: Path) -> StationTable:
    import obspy

    refuse_entities(file)
    try:
        archive = file.suffix.lower() in ASDF_SUFFIXES
        inventory = asdf_inventory(file) if archive else obspy.read_inventory(str(file))
    except DataError:
        raise
    except Exception as error:  # obspy raises whatever the parser of each format raises
        raise DataError(f"{file} is no station file obspy can read: {str(error).splitlines()[0]}") from error
    stations = StationTable(inventory=inventory)
    for network in inventory:
        for station in network:
            place = Place(station.latitude, station.longitude, station.elevation)
            stations.add((network.code, station.code, None, None), place, _epoch(station))
            for channel in station:
                angles = [NAN if angle is None else float(angle) for angle in (channel.azimuth, channel.dip)]
                place = Place(channel.latitude, channel.longitude, channel.elevation, *angles)
                key = (network.code, station.code, channel.location_code or "", channel.code)
                stations.add(key, place, _epoch(channel))
    return stations


def _epoch(item: Any) -> tuple[float, float]:
    start = -np.inf if item.start_date is None else item.start_date.ns
    end = np.inf if item.end_date is None else item.end_date.ns
    return start, end
