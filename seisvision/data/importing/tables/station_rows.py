"""Rows of station tables, by the column names of the lists that are about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seisvision.data.importing.tables.columns import DEGREES, Column, Meaning, understand
from seisvision.data.importing.tables.event_columns import is_sentinel
from seisvision.data.importing.tables.text_tables import (
    NAN,
    NO_VALUE,
    TextTable,
    has_decimal_commas,
    plain_number,
    read_table,
)
from seisvision.data.importing.tables.times import DAY_S, FIRST_YEAR, LAST_YEAR, NS, day_comes_first, time_ns
from seisvision.earth.geodesics import within_half_turn
from seisvision.errors import DataError, did_you_mean

METRES = {"": 1.0, "m": 1.0, "km": 1000.0, "ft": 0.3048}
LOWEST_M, HIGHEST_M = -12000.0, 9000.0
SAME_PLACE_DEG = 0.001
"""A hundred metres: lists round differently."""
IN_KILOMETRES = 9.0
"""Elevations without a unit that all lie below this, and are no whole numbers, could be in kilometres."""
DAY_NS = DAY_S * NS
TIME_OF_DAY = re.compile(r"\d:\d|\d{9}|T\d")
YEAR = re.compile(r"(\d{4})(\D.*|\d{3}|\d{4})?")
OPEN_WORDS = ("now", "present", "open", "-1")
ANY = ("", "*", "--", "-")
MEANINGS = (
    Meaning("network", ("network", "net", "networkcode", "stationnetworkcode", "netcode", "knetwk", "nw", "netz",
                        "reseau")),
    Meaning(
        "station", ("station", "sta", "code", "stationcode", "stacode", "kstnm", "stn", "stnm"),
        weak=("name", "stationname", "site", "stationid", "id", "nsl", "traceid", "seedid"), near=("station",),
    ),
    Meaning("location", ("location", "loc", "locationcode", "loccode", "stationlocationcode", "khole")),
    Meaning("channel", ("channel", "cha", "chan", "channelcode", "seedchan", "kcmpnm", "tracechannel")),
    Meaning("latitude_deg", ("stationlatitude", "latitude", "lat", "stla", "stalat", "slat", "stationlat", "breite",
                             "breitengrad", "latitud", "latitudine"),
            units=DEGREES, near=("latitude", "lat")),
    Meaning("longitude_deg", ("stationlongitude", "longitude", "lon", "long", "lng", "stlo", "stalon", "slon",
                              "stationlon", "lange", "laenge", "langengrad", "longitud", "longitudine"),
            units=DEGREES | {"west": -1.0}, near=("longitude", "lon")),
    Meaning("elevation_m", ("stationelevation", "elevation", "elev", "elv", "ele", "stel", "altitude", "alt", "height",
                            "hohe", "hoehe", "altitud", "quota"),
            units=METRES, near=("elevation",)),
    Meaning("start", ("starttime", "start", "startdate", "ondate", "on", "begin", "begintime", "validfrom", "from",
                      "stationstartdate", "opened", "installed")),
    Meaning("end", ("endtime", "end", "enddate", "offdate", "off", "validto", "to", "stationenddate", "closed",
                  "removed")),
    Meaning("azimuth_deg", ("azimuth", "azi", "az", "cmpaz"), units=DEGREES),
    Meaning("dip_deg", ("dip",), units=DEGREES),
)  # fmt: skip


@dataclass(frozen=True)
class StationRow:
    """One row: a station, or a channel of it where ``channel`` is not None; ``span`` in ns since 1970."""

    network: str
    station: str
    location: str | None
    channel: str | None
    latitude_deg: float
    longitude_deg: float
    elevation_m: float
    azimuth_deg: float
    dip_deg: float
    span: tuple[float, float]

    @property
    def key(self) -> tuple[str, str, str | None, str | None]:
        """What the row is the place of."""
        return self.network, self.station, self.location, self.channel


def is_station_table(table: TextTable) -> bool:
    """Whether the header names stations and their places."""
    try:
        return {"station", "latitude_deg", "longitude_deg"} <= set(understand(table, MEANINGS, Path()))
    except DataError:
        return True


def read_station_rows(
    file: Path, problems: dict[tuple[str, str], str], columns: dict[str, str], notes: list[str]
) -> list[StationRow]:
    """Read a table of stations or channels.

    Rows that cannot be used, and stations at two places at one time, go to ``problems``; what the columns were taken
    for to ``columns``, and what was assumed to ``notes``.

    Raises:
        DataError: no table, a column that is missing or in doubt, or no row that can be used.
    """
    table = read_table(file)
    known = _known(table, file)
    columns |= dict.fromkeys(table.columns, "") | {column.name: _meaning(key, column) for key, column in known.items()}
    reader = _Reader(table, known)
    rows: list[StationRow] = []
    for line, cells in zip(table.lines, table.rows, strict=True):
        try:
            rows.append(reader.row(cells))
        except ValueError as error:
            problems[reader.codes(cells)[:2]] = f"its row in {file.name}, line {line}, cannot be used: {error}"
    for line, reason, cells in table.misfits:
        codes = reader.codes(cells + [""] * len(table.columns))[:2]
        problems[codes] = f"its row in {file.name}, line {line}, {reason}"
    if problems and not rows:
        code, reason = next(iter(problems.items()))
        raise DataError(f"no station of {file} can be used; station '{code[1]}': {reason}")
    two_places = contradictory(rows)
    problems |= {
        code: f"{file.name} puts it at two places at one time ({places}); give dates, or one place"
        for code, places in two_places.items()
    }
    notes += [f"{file.name}: {note}" for note in (*reader.notes, *([table.end] if table.end else []))]
    notes += [f"station {'.'.join(code)}: {reason}" for code, reason in problems.items()]
    return [row for row in rows if (row.network, row.station) not in two_places]


def _known(table: TextTable, file: Path) -> dict[str, Column]:
    known = understand(table, MEANINGS, file)
    for key in ("station", "latitude_deg", "longitude_deg"):
        if key not in known:
            raise DataError(f"{file} has no column '{key}'. {did_you_mean(key, table.columns)}")
    return known


def _meaning(key: str, column: Column) -> str:
    return f"{key} ({column.unit})" if column.unit in ("m", "km", "ft", "west") else key


class _Reader:
    def __init__(self, table: TextTable, known: dict[str, Column]) -> None:
        self.table, self.known = table, known
        self.notes: list[str] = []
        places = [known[key].index for key in ("latitude_deg", "longitude_deg")]
        numbers = [known[key].index for key in ("elevation_m", "azimuth_deg", "dip_deg") if key in known]
        self.commas = has_decimal_commas(table, places, numbers)
        dates = [text for key in ("start", "end") if key in known for text in table.column(known[key].index)]
        self.day_first = day_comes_first(dates)
        self.elevation_known = self._elevation_has_unit()

    def _elevation_has_unit(self) -> bool:
        column = self.known.get("elevation_m")
        if column is None or column.unit or column.name in ("elevation_m", "station_elevation_m"):
            return True
        values = []
        for text in self.table.column(column.index):
            try:
                values.append(plain_number(text, True))
            except ValueError:
                continue
        found = [value for value in values if np.isfinite(value)]
        if found and max(map(abs, found)) < IN_KILOMETRES and any(value != round(value) for value in found):
            self.notes.append(
                f"{column.name} could be in metres or in kilometres, so elevations are missing; name the column "
                "elevation_m or elevation_km"
            )
            return False
        return True

    def row(self, cells: list[str]) -> StationRow:
        """Return the row, checked.

        Raises:
            ValueError: it holds something that no station has.
        """
        network, station, location, channel = self.codes(cells)
        if not station:
            raise ValueError("it names no station")
        latitude, longitude = self._place(cells)
        elevation = self._number(cells, "elevation_m") if self.elevation_known else NAN
        if np.isfinite(elevation) and not LOWEST_M <= elevation <= HIGHEST_M:
            raise ValueError(f"elevation_m is {elevation:g}; it must lie within {LOWEST_M:g} and {HIGHEST_M:g}")
        span = (self._time(cells, "start", -np.inf), self._time(cells, "end", np.inf))
        if span[0] > span[1]:
            raise ValueError("it ends before it starts")
        azimuth, dip = self._number(cells, "azimuth_deg"), self._number(cells, "dip_deg")
        place = (latitude, longitude, elevation, azimuth, dip)
        return StationRow(network, station, location, channel, *place, span)

    def codes(self, cells: list[str]) -> tuple[str, str, str | None, str | None]:
        """Network (empty for every), station, location and channel (None where the row is of a whole station)."""
        network, station, location, channel = (
            self._text(cells, key) for key in ("network", "station", "location", "channel")
        )
        if "network" not in self.known and "." in station:
            # NET.STA, NET.STA.LOC and NET.STA.LOC.CHA in one column.
            network, station, *_ = station.split(".")
        elif network and station.startswith(f"{network}."):
            station = station.split(".")[1]
        if network in ANY:
            network = ""
        if channel in ANY:
            return network, station, None, None
        return network, station, "" if location in ANY else location, channel

    def _place(self, cells: list[str]) -> tuple[float, float]:
        latitude, longitude = (self._number(cells, key) for key in ("latitude_deg", "longitude_deg"))
        for key, value, limit in (("latitude_deg", latitude, 90), ("longitude_deg", longitude, 360)):
            if abs(value) > limit:
                raise ValueError(f"{key} is {value:g}; it must lie within ±{limit}")
        if np.isnan(latitude + longitude):
            return NAN, NAN
        return latitude, within_half_turn(longitude)

    def _number(self, cells: list[str], key: str) -> float:
        column = self.known.get(key)
        if column is None:
            return NAN
        try:
            value = plain_number(cells[column.index], self.commas)
        except ValueError as error:
            raise ValueError(f"{key} is {error}") from error
        place = {"latitude_deg": "source_latitude_deg", "longitude_deg": "source_longitude_deg"}.get(key, key)
        # Unlike -999, 999 m is a height.
        empty = is_sentinel(place, value) and not (key == "elevation_m" and 0 < value <= HIGHEST_M)
        return NAN if empty else value * column.factor

    def _time(self, cells: list[str], key: str, without: float) -> float:
        text = self._text(cells, key)
        year = YEAR.fullmatch(text)
        # 2599-12-31 is no end, and 1000-01-01 no start.
        without_date = year is not None and not FIRST_YEAR <= int(year[1]) < LAST_YEAR
        if without_date or text.lower() in (*NO_VALUE, *OPEN_WORDS):
            return without
        moment = time_ns(text, day_first=self.day_first, whole_day=True)
        # A date is the whole of that day.
        return moment + DAY_NS - 1 if key == "end" and not TIME_OF_DAY.search(text) else moment

    def _text(self, cells: list[str], key: str) -> str:
        column = self.known.get(key)
        return "" if column is None else cells[column.index].strip()


def contradictory(rows: Iterable[StationRow]) -> dict[tuple[str, str], str]:
    """Stations (network, code) with two places at one time, and the places."""
    by_key: dict[tuple[str, str, str | None, str | None], list[StationRow]] = {}
    found: dict[tuple[str, str], str] = {}
    for row in rows:
        for other in by_key.setdefault(row.key, []):
            # On the day of a move both may hold.
            together = row.span[0] < other.span[1] - DAY_NS and other.span[0] < row.span[1] - DAY_NS
            if together and not _same_place(row, other):
                found[row.network, row.station] = (
                    f"{other.latitude_deg:g}, {other.longitude_deg:g} and {row.latitude_deg:g}, {row.longitude_deg:g}"
                )
        by_key[row.key].append(row)
    return found


def _same_place(one: StationRow, other: StationRow) -> bool:
    if np.isnan(one.latitude_deg + other.latitude_deg):
        return True
    turn = abs(within_half_turn(one.longitude_deg - other.longitude_deg))
    return abs(one.latitude_deg - other.latitude_deg) <= SAME_PLACE_DEG and turn <= SAME_PLACE_DEG
