"""Stations from StationXML (and what else obspy reads) or tables, and from SAC headers."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.geodesy import within_half_turn
from seisvision.data.importing.formats.asdf import SUFFIXES as ASDF_SUFFIXES
from seisvision.data.importing.formats.asdf import asdf_inventory
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.station_rows import is_station_table, read_station_rows
from seisvision.data.importing.tables.text_tables import (
    COMPRESSED,
    NAN,
    existing,
    read_bytes,
    read_table,
    refuse_entities,
)
from seisvision.errors import DataError

SAC = "sac"
"""In place of a file: take stations from SAC headers."""


@dataclass(frozen=True)
class Place:
    """Where a station stands; ``azimuth_deg`` and ``dip_deg`` of the channel are NaN where they are not known.

    The longitude is brought into [-180, 180).
    """

    latitude_deg: float
    longitude_deg: float
    elevation_m: float = NAN
    azimuth_deg: float = NAN
    dip_deg: float = NAN

    def __post_init__(self) -> None:
        object.__setattr__(self, "longitude_deg", within_half_turn(self.longitude_deg))


Key = tuple[str, str, str | None, str | None]
"""Network, station, location, channel."""


@dataclass
class StationTable:
    """Positions of stations, by channel and epoch where the file says so.

    Args:
        epochs: (network, station, location, channel) to (start_ns, end_ns, place); location and channel are None for
            what holds for the whole station. A table without network codes serves every network.
        inventory: the obspy inventory, for responses; None for tables.
        problems: (network, station) to why what the table says of it cannot be used.
        columns: name of each column of a table to what it was taken for; empty for those that are not used.
        notes: sentences about what was assumed or left out.
    """

    epochs: dict[Key, list[tuple[float, float, Place]]] = field(default_factory=dict)
    inventory: Any = None
    problems: dict[tuple[str, str], str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def find(self, network: str, station: str, location: str, channel: str, time_ns: int) -> Place | None:
        """Place of a channel at a time, else of its station, else None."""
        for code in (network, ""):
            for key in ((code, station, location, channel), (code, station, None, None)):
                for start_ns, end_ns, place in self.epochs.get(key, ()):
                    if start_ns <= time_ns <= end_ns and np.isfinite(place.latitude_deg + place.longitude_deg):
                        return place
        return None

    def why_missing(self, network: str, station: str) -> str:
        """Why :meth:`find` gave no place of a station."""
        problem = self.problem(network, station)
        if problem:
            return problem
        known = [key for key in self.epochs if key[0] in (network, "") and key[1] == station]
        if known:
            return "the position of this station is known for other times only, or is not finite"
        if any(key[1] == station for key in self.epochs):
            networks = sorted({key[0] for key in self.epochs if key[1] == station})
            return f"the position of this station is not known; a {station} is listed of network {', '.join(networks)}"
        return "the position of this station is not known"

    def problem(self, network: str, station: str) -> str:
        """Why what the table says of a station cannot be used; empty where it can."""
        return self.problems.get((network, station)) or self.problems.get(("", station), "")

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
    return _stations_from_table(file) if _is_table(file) else _stations_from_inventory(file)


def _is_table(file: Path) -> bool:
    name = file.name.lower().removesuffix(file.suffix.lower() if file.suffix.lower() in COMPRESSED else "")
    if name.endswith((".csv", ".tsv")):
        return True
    if name.endswith((".xml", *ASDF_SUFFIXES)):
        return False
    try:
        return is_station_table(read_table(file))
    except DataError:
        return False


def _stations_from_table(file: Path) -> StationTable:
    stations = StationTable(inventory=_responses_in_text(file))
    rows = read_station_rows(file, stations.problems, stations.columns, stations.notes)
    for row in rows:
        angles = (row.azimuth_deg, row.dip_deg) if row.channel is not None else (NAN, NAN)
        place = (row.latitude_deg, row.longitude_deg, row.elevation_m)
        stations.add((row.network, row.station, row.location, row.channel), Place(*place, *angles), row.span)
        if row.channel is not None:
            stations.add((row.network, row.station, None, None), Place(*place), row.span)
    return stations


def _responses_in_text(file: Path) -> Any:
    """The obspy inventory of text of an FDSN service that gives sensitivities of channels, else None."""
    import obspy

    content = re.sub(rb"[ \t]*\|[ \t]*", b"|", read_bytes(file))
    if b"scalefreq" not in content[:4096].lower():
        return None
    try:
        return obspy.read_inventory(io.BytesIO(content), format="STATIONTXT")
    except Exception:  # whatever the parser raises: the places are read all the same
        return None


def _stations_from_inventory(file: Path) -> StationTable:
    import obspy

    refuse_entities(file)
    try:
        archive = file.suffix.lower() in ASDF_SUFFIXES
        packed = file.suffix.lower() in COMPRESSED
        plain: Any = io.BytesIO(read_bytes(file)) if packed else str(file)
        inventory = asdf_inventory(file) if archive else obspy.read_inventory(plain)
    except DataError:
        raise
    except Exception as error:  # obspy raises whatever the parser of each format raises
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{file} is no station file obspy can read: {said}") from error
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
