"""Stations from StationXML (and what else obspy reads) or tables, and from SAC headers."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.formats.asdf import SUFFIXES as ASDF_SUFFIXES
from seisvision.data.importing.formats.asdf import asdf_inventory
from seisvision.data.importing.sensors.channel_codes import clean_channel
from seisvision.data.importing.tables.channel_table import SLACK_NS, ChannelTable, within_limits
from seisvision.data.importing.tables.station_rows import SAME_PLACE_DEG, is_station_table, read_station_rows
from seisvision.data.importing.tables.text_tables import (
    NAN,
    existing,
    is_table,
    read_bytes,
    refuse_entities,
)
from seisvision.earth.geodesics import within_half_turn
from seisvision.errors import DataError

SAC = "sac"
"""In place of a file: take events, stations or picks from SAC headers."""
AZIMUTH_IN_TEXT = re.compile(rb"^((?:[^|\n]*\|){8})(-\d+\.?\d*)(?=\|)", re.MULTILINE)
"""A negative azimuth in text of an FDSN service, the ninth field of a line."""


@dataclass(frozen=True)
class Place:
    """Where a station stands. The longitude is brought into [-180, 180)."""

    latitude_deg: float
    longitude_deg: float
    elevation_m: float = NAN

    def __post_init__(self) -> None:
        object.__setattr__(self, "longitude_deg", within_half_turn(self.longitude_deg))

    @property
    def is_known(self) -> bool:
        """Whether it has a latitude and a longitude."""
        return bool(np.isfinite(self.latitude_deg + self.longitude_deg))

    def is_at(self, other: Place) -> bool:
        """Whether both are one place, as far as rounding goes."""
        turn = abs(within_half_turn(self.longitude_deg - other.longitude_deg))
        return abs(self.latitude_deg - other.latitude_deg) <= SAME_PLACE_DEG and turn <= SAME_PLACE_DEG


Key = tuple[str, str, str | None, str | None]
"""Network, station, location, channel."""


@dataclass
class StationTable:
    """Positions of stations, by channel and epoch where the file says so.

    Args:
        epochs: (network, station, location, channel) to (start_ns, end_ns, place); location and channel are None for
            what holds for the whole station. A table without network codes serves every network.
        channels: angles and responses of channels.
        has_responses: whether the file may hold responses, as StationXML does and tables do not.
        problems: (network, station) to why what the table says of it cannot be used.
        columns: name of each column of a table to what it was taken for; empty for those that are not used.
        notes: sentences about what was assumed or left out.
    """

    epochs: dict[Key, list[tuple[float, float, Place]]] = field(default_factory=dict)
    channels: ChannelTable = field(default_factory=ChannelTable)
    has_responses: bool = False
    problems: dict[tuple[str, str], str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def find(self, network: str, station: str, location: str, channel: str, time_ns: int) -> Place | None:
        """Place of a channel at a time, else of its station, else None, as where the file names two places."""
        for code in (network, ""):
            for key in ((code, station, location, channel), (code, station, None, None)):
                holding = [
                    (start_ns, place)
                    for start_ns, end_ns, place in self.epochs.get(key, ())
                    if start_ns - SLACK_NS <= time_ns <= end_ns and place.is_known
                ]
                if holding:
                    # Of epochs that are left open by mistake the one that began last holds.
                    return max(holding, key=lambda epoch: epoch[0])[1]
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
    add_all = _add_table if is_table(file, (".xml", *ASDF_SUFFIXES), is_station_table) else _add_inventory
    add_all(file, stations)
    return stations


def _add_table(file: Path, stations: StationTable) -> None:
    described = _responses_in_text(file)
    told = set() if described is None else {name.upper() for name in described.get_contents()["channels"]}
    for row in read_station_rows(file, stations.problems, stations.columns, stations.notes):
        place = Place(row.latitude_deg, row.longitude_deg, row.elevation_m)
        stations.add((row.network, row.station, None, None), place, row.span)
        if row.channel is None:
            continue
        location, code = clean_channel(row.channel, stations.channels.codes, row.location or "")
        stations.add((row.network, row.station, location, code), place, row.span)
        # obspy passes over channels that it cannot read: these have no response, but they have directions.
        if f"{row.network}.{row.station}.{row.location or ''}.{row.channel}".upper() not in told:
            angles = {"azimuth_deg": row.azimuth_deg, "dip_deg": row.dip_deg}
            stations.channels.add(row.network, row.station, row.location, row.channel, row.span, **angles)
    if described is not None:
        stations.has_responses = True
        _add_channels(described, stations)


def _responses_in_text(file: Path) -> Any:
    """The obspy inventory of text of an FDSN service that gives sensitivities of channels, else None."""
    import obspy

    content = re.sub(rb"[ \t]*\|[ \t]*", b"|", read_bytes(file))
    if b"scalefreq" not in content[:4096].lower():
        return None
    content = AZIMUTH_IN_TEXT.sub(_within_circle, content)
    try:
        return obspy.read_inventory(io.BytesIO(content), format="STATIONTXT")
    except Exception:  # whatever the parser raises: the places are read all the same
        return None


def _within_circle(match: re.Match[bytes]) -> bytes:
    """Azimuths from -360 to 360 brought into 0 to 360, which is all that obspy reads."""
    value = float(match[2])
    return match[1] + b"%f" % (value % 360) if -360 <= value < 0 else match[0]


def _add_channels(inventory: Any, stations: StationTable) -> None:
    """Angles and responses of the channels of an obspy inventory."""
    for network in inventory:
        for station in network:
            for channel in station:
                azimuth, dip = (NAN if angle is None else float(angle) for angle in (channel.azimuth, channel.dip))
                what = {"azimuth_deg": azimuth, "dip_deg": dip, "response": channel.response, "span": _epoch(channel)}
                stations.channels.add(network.code, station.code, channel.location_code or "", channel.code, **what)


def _add_inventory(file: Path, stations: StationTable) -> None:
    refuse_entities(file)
    try:
        archive = file.suffix.lower() in ASDF_SUFFIXES
        inventory = asdf_inventory(file) if archive else _read_inventory(file)
    except DataError:
        raise
    except Exception as error:  # obspy raises whatever the parser of each format raises
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{file} is no station file obspy can read: {said}") from error
    stations.has_responses = True
    for network in inventory:
        for station in network:
            place = Place(station.latitude, station.longitude, station.elevation)
            stations.add((network.code, station.code, None, None), place, _epoch(station))
            for channel in station:
                location, code = clean_channel(channel.code, stations.channels.codes, channel.location_code)
                place = Place(channel.latitude, channel.longitude, channel.elevation)
                stations.add((network.code, station.code, location, code), place, _epoch(channel))
    _leave_out_contradictory(stations, file)
    _add_channels(inventory, stations)


def _leave_out_contradictory(stations: StationTable, file: Path) -> None:
    """Give stations that are at two places at one time none; where channels have epochs of their own, these count."""
    of_channels: dict[tuple[str, str], list[tuple[float, float, Place]]] = {}
    for key, epochs in stations.epochs.items():
        if key[3] is not None:
            of_channels.setdefault(key[:2], []).extend(epochs)
    doubtful = {key: why for key, epochs in stations.epochs.items() if (why := _two_places(epochs, file))}
    found = {key[:2]: why for key, why in doubtful.items() if key[3] is not None or key[:2] not in of_channels}
    for key in doubtful.keys() - {key for key in doubtful if key[:2] in found}:
        pooled = of_channels[key[:2]]
        stations.epochs[key] = [] if _two_places(pooled, file) else pooled
    stations.problems |= found
    stations.epochs = {key: epochs for key, epochs in stations.epochs.items() if key[:2] not in found}


def _two_places(epochs: list[tuple[float, float, Place]], file: Path) -> str:
    """Why epochs that begin together cannot both be true; empty where they can."""
    for i, (start_ns, _, place) in enumerate(epochs):
        for other_ns, _, other in epochs[:i]:
            if other_ns == start_ns and place.is_known and other.is_known and not place.is_at(other):
                shown = " and ".join(f"{item.latitude_deg:g}, {item.longitude_deg:g}" for item in (other, place))
                return f"{file.name} puts it at two places at one time ({shown}); give dates, or one place"
    return ""


def _read_inventory(file: Path) -> Any:
    """What obspy reads; once more without angles beyond its limits, for which it refuses a whole file."""
    import obspy

    try:
        # Never by name: obspy would unpack what it takes for an archive, however much that is.
        return obspy.read_inventory(io.BytesIO(read_bytes(file)))
    except ValueError as error:
        if "out of bounds" not in str(error):
            raise
        return obspy.read_inventory(io.BytesIO(within_limits(read_bytes(file))))


def _epoch(item: Any) -> tuple[float, float]:
    start = -np.inf if item.start_date is None else item.start_date.ns
    end = np.inf if item.end_date is None else item.end_date.ns
    return start, end
