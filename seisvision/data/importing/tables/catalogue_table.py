"""Events from tables, by the column names of the catalogues that are about."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.agencies import fit_magnitudes, with_habits
from seisvision.data.importing.tables.columns import DEGREES, Column, Meaning, understand
from seisvision.data.importing.tables.event_columns import (
    DEEPEST_KM,
    EVENT_NUMBERS,
    MAGNITUDE_ORDER,
    PLACE,
    REJECTED,
    TEXT_COLUMNS,
    Catalogue,
    is_plain_id,
    is_sentinel,
    magnitude_kind,
)
from seisvision.data.importing.tables.table_times import TIME_MEANINGS, RowTimes, without_parts
from seisvision.data.importing.tables.text_tables import (
    NO_VALUE,
    TextTable,
    has_decimal_commas,
    plain_number,
    read_table,
)
from seisvision.data.importing.tables.times import format_ns
from seisvision.errors import DataError, did_you_mean

ID = "event_id"
SHARE_IN_METRES = 0.1
"""Of depths without a unit, the part below 1000 that shows that the column is in metres."""
MAGNITUDE = re.compile(r"(?P<before>[A-Za-z]{1,4})?\s*(?P<number>[+-]?\d+\.?\d*)\s*(?P<after>[A-Za-z]{1,4})?")
HEMISPHERE = re.compile(r"(?P<number>\d+\.?\d*)\s*°?\s*(?P<side>[NSEW])", re.IGNORECASE)
OWN = ("source_id", "source_dataset", "source_onset_time", "source_onset_method", "source_onset_stations")
"""Columns that the import writes itself."""
NONE_IS_ZERO = ("mw", "ms", "mb")
"""Types of which the GCMT catalogue writes 0.0 where there is none."""
SPELLINGS = {
    "mw": ("mww", "mwc", "mwb", "mwr", "mwp"),
    "ms": ("msz", "msbb", "ms20"),
    "mb": ("mblg", "mbbb"),
    "ml": ("mlv", "mlh", "mjma", "mj"),
    "md": ("mc", "mcoda"),
}
"""Names of columns of magnitudes of one type, by family."""
MEANINGS = (
    Meaning(
        ID,
        ("eventid", "sourceid", "evid", "evtid", "eqid", "id", "publicid", "eventpublicid", "cmtid", "usgsid",
         "quakeid", "eventcode", "cuspid", "ev", "idevent"),
        weak=("event", "eventname", "evname", "name", "resourceid"),
    ),
    Meaning(
        "source_latitude_deg",
        ("sourcelatitude", "latitude", "lat", "evla", "evlat", "eventlatitude", "eventlat", "eqlat", "originlatitude",
         "originlat", "hypolat", "sourcelat", "ylat", "preflat", "breite", "breitengrad", "latitud", "latitudine"),
        units=DEGREES, near=("latitude", "lat", "lati"),
    ),
    Meaning(
        "source_longitude_deg",
        ("sourcelongitude", "longitude", "lon", "long", "lng", "evlo", "evlon", "eventlongitude", "eventlon", "eqlon",
         "originlongitude", "originlon", "hypolon", "sourcelon", "xlon", "preflon", "lange", "laenge", "langengrad",
         "longitud", "longitudine"),
        units=DEGREES | {"west": -1.0}, near=("longitude", "lon", "longi"),
    ),
    Meaning(
        "source_depth_km",
        ("sourcedepth", "depth", "dep", "evdp", "evdepth", "eventdepth", "eqdepth", "origindepth", "hypodepth",
         "focaldepth", "hypocentraldepth", "depthkm", "tiefe", "herdtiefe", "profondeur", "profundidad", "profondita"),
        units={"": 1.0, "km": 1.0, "m": 0.001}, near=("depth", "dep"),
    ),
    Meaning(
        "source_magnitude",
        ("sourcemagnitude", "magnitude", "mag", "eventmagnitude", "eventmag", "prefmag", "preferredmagnitude",
         "preferredsourcemagnitude", "evmag", "magvalue", "sourcemag", "magnitud"),
        weak=("m",), near=("magnitude", "mag"),
    ),
    *TIME_MEANINGS,
    Meaning("source_magnitude_type", ("sourcemagnitudetype", "magtype", "magnitudetype", "magt", "typemag", "magtyp",
            "magscale", "magnitudescale", "eventmagtype", "eventmagnitudetype",
            "preferredsourcemagnitudetype")),
    Meaning("source_magnitude_author", ("sourcemagnitudeauthor", "magauthor", "magnitudeauthor", "magsource",
            "magnitudesource")),
    Meaning("source_origin_author", ("sourceoriginauthor", "originauthor", "locationsource", "author")),
    Meaning("source_origin_status", ("sourceoriginstatus", "status", "evaluationstatus", "originstatus", "eventstatus",
            "originevaluationstatus", "reviewstatus")),
    Meaning("source_origin_mode", ("sourceoriginmode", "evaluationmode", "originevaluationmode")),
    Meaning("source_type", ("sourcetype", "eventtype", "type", "evtype", "etype", "et"), weak=("class", "label")),
    Meaning("source_cell", ()),
    Meaning("source_subtype", ()),
    *(
        Meaning(kind, (kind, f"mag{kind}", f"magnitude{kind}", f"{kind}mag", f"{kind}magnitude", *SPELLINGS[kind]))
        for kind in MAGNITUDE_ORDER
    ),
)  # fmt: skip
STATION_NAMES = ("station", "sta", "stationcode", "phase", "iphase", "phasehint")
"""Columns of tables in which a row is a pick or a trace, so that events repeat."""


def is_event_table(table: TextTable) -> bool:
    """Whether the header names places or times of events."""
    try:
        found = understand(table, MEANINGS, Path())
    except DataError:
        return True
    telling = {ID, "source_type", "source_latitude_deg", "source_longitude_deg", "source_origin_time", "year"}
    return len(telling.intersection(found)) > 1


def events_from_table(file: Path) -> Catalogue:
    """Read a table of events; rows that cannot be used are refused one by one.

    Raises:
        DataError: no table, no column of ids or times to name events by, columns that could both be meant, depths that
            look like metres, or no row that can be used.
    """
    table = read_table(file)
    fit_magnitudes(table)
    columns = with_habits(without_parts(understand(table, MEANINGS, file)), table)
    if "source_magnitude" in columns:
        columns = {key: column for key, column in columns.items() if key not in MAGNITUDE_ORDER}
    if ID not in columns and not any(key in columns for key in ("source_origin_time", "year", "time_of_day")):
        raise DataError(f"{file} has no column '{ID}'. {did_you_mean(ID, table.columns)}")
    for one, other in (PLACE, PLACE[::-1]):
        if one in columns and other not in columns:
            raise DataError(
                f"{file} has a column '{columns[one].name}', but none that is known for {other}; name it so"
            )
    if not table.rows and not table.misfits:
        raise DataError(f"{file} names columns, but has no row of an event")
    return _Reader(file, table, columns).read()


class _Reader:
    """Goes through the rows of one table."""

    def __init__(self, file: Path, table: TextTable, columns: dict[str, Column]) -> None:
        self.file, self.table, self.columns = file, table, columns
        self.times = RowTimes(table, columns)
        numbers = [columns[key].index for key in (*EVENT_NUMBERS, *MAGNITUDE_ORDER) if key in columns]
        places = [columns[key].index for key in PLACE if key in columns]
        self.commas = has_decimal_commas(table, places, numbers)
        self.missing: Counter[str] = Counter()
        self.known = {column.index: key for key, column in columns.items()}
        self.extra = {
            i: _extra_name(name, table.columns) for i, name in enumerate(table.columns) if i not in self.known
        }
        self.numeric = {i for i in self.extra if _all_numbers(table.column(i))}
        names = {re.sub(r"[^a-z]", "", name.lower()) for name in table.columns}
        self.repeats = bool(names.intersection(STATION_NAMES))

    def read(self) -> Catalogue:
        """Events of all rows that can be used."""
        self._check_depths()
        catalogue = Catalogue(columns=self._meanings())
        first: dict[str, tuple[int, list[str]]] = {}
        n_repeats, differ = 0, set[int]()
        for line, row in zip(self.table.lines, self.table.rows, strict=True):
            event_id = self._id(row)
            if ID not in self.columns and event_id in first:
                event_id = f"{event_id}_{1 + sum(name.partition('_')[0] == event_id for name in first)}"
            try:
                if not event_id and ID not in self.columns and not self._time(row, line):
                    raise _refusal("bad_time", "has neither an id nor an origin time", line)
                if not is_plain_id(event_id):
                    raise _refusal("bad_id", f"has the id {event_id[:40]!r}; an id is plain text", line)
                if event_id in first and self.repeats and self._same_event(row, first[event_id][1]):
                    n_repeats += 1
                    differ.update(i for i in self.extra if row[i] != first[event_id][1][i])
                    continue
                if event_id in first:
                    raise _refusal("duplicate_id", f"repeats the id of line {first[event_id][0]}", line)
                catalogue.events[event_id] = self._event(row, line)
                first[event_id] = (line, row)
            except Refusal as refusal:
                catalogue.refuse(event_id if is_plain_id(event_id) else f"line {line}", refusal)
        self._refuse_misfits(catalogue)
        self._leave_out(catalogue, sorted(differ))
        self._note(catalogue, n_repeats)
        return catalogue

    def _leave_out(self, catalogue: Catalogue, columns: list[int]) -> None:
        """Columns of stations or picks, which differ between the rows of one event, say nothing of the event."""
        for event in catalogue.events.values():
            for i in columns:
                event.pop(self.extra[i], None)
        names = [self.table.columns[i] for i in columns]
        for name in names:
            catalogue.columns.pop(name, None)
        if names:
            note = f"columns that differ between rows of one event are left out: {', '.join(names)}"
            catalogue.notes.append(f"{self.file.name}: {note}")

    def _id(self, row: list[str]) -> str:
        if ID in self.columns:
            return row[self.columns[ID].index]
        try:
            # As for SAC headers without an event name.
            return re.sub(r"[-:]", "", format_ns(self.times.ns(row))[:19])
        except ValueError:
            return ""

    def _same_event(self, row: list[str], other: list[str]) -> bool:
        return all(row[column.index] == other[column.index] for column in self.columns.values())

    def _event(self, row: list[str], line: int) -> dict[str, Any]:
        event: dict[str, Any] = {}
        for i, text in enumerate(row):
            key = self.known.get(i)
            if key is None:
                event[self.extra[i]] = plain_number(text) if i in self.numeric else text
            elif key in EVENT_NUMBERS:
                event |= self._number(key, text, line)
            elif key in TEXT_COLUMNS:
                event[key] = text
        event["source_origin_time"] = self._time(row, line)
        if "source_magnitude" not in event:
            event |= self._typed_magnitude(row, line)
        if "source_magnitude_type" in event and not event.get("source_magnitude_type"):
            event["source_magnitude_type"] = event.pop("_magnitude_type", "")
        named = event.pop("_magnitude_type", "")
        return event if not named else {"source_magnitude_type": named} | event

    def _number(self, key: str, text: str, line: int) -> dict[str, Any]:
        column, kind = self.columns[key], ""
        try:
            if key == "source_magnitude":
                value, kind = _magnitude(text, self.commas)
            else:
                value = _angle_or_depth(text, self.commas)
        except ValueError as error:
            raise _refusal("bad_value", f"{column.name} is {error}", line) from error
        if is_sentinel(key, value, column.unit == "m"):
            self.missing[column.name] += 1
            return {key: np.nan}
        return {key: value * column.factor} | ({"_magnitude_type": kind} if kind else {})

    def _time(self, row: list[str], line: int) -> str:
        try:
            return self.times.text(row)
        except ValueError as error:
            cause = self.times.cause(error)
            raise _refusal(cause, f"{self.times.name} {error}", line) from error

    def _typed_magnitude(self, row: list[str], line: int) -> dict[str, Any]:
        """The first magnitude that the row gives in the order of ``MAGNITUDE_ORDER``."""
        for kind in MAGNITUDE_ORDER:
            if kind not in self.columns:
                continue
            column = self.columns[kind]
            try:
                value = plain_number(row[column.index], self.commas)
            except ValueError as error:
                raise _refusal("bad_value", f"{column.name} is {error}", line) from error
            if is_sentinel("source_magnitude", value) or (value == 0 and kind in NONE_IS_ZERO):
                self.missing[column.name] += 1
            elif np.isfinite(value):
                # The name tells the type, as mw, Mw, MLv or magnitude_Mw.
                named = re.sub(r"(?i)mag(nitude)?|[^a-z]", "", column.name)
                return {"source_magnitude": value, "source_magnitude_type": named}
        return {}

    def _check_depths(self) -> None:
        column = self.columns.get("source_depth_km")
        if column is None or column.unit or column.name == "source_depth_km":
            return
        values = [abs(value) for value in _numbers(self.table.column(column.index), _angle_or_depth)]
        values = [value for value in values if np.isfinite(value) and not is_sentinel("source_depth_km", value)]
        deep = sum(value > DEEPEST_KM for value in values)
        if deep and deep >= SHARE_IN_METRES * len(values):
            raise DataError(
                f"column '{column.name}' of {self.file} names no unit, and {deep} of {len(values)} depths lie below "
                f"{DEEPEST_KM:g} (the largest is {max(values):g}); name it depth_m where they are metres"
            )

    def _meanings(self) -> dict[str, str]:
        """Name of each column to what it was taken for; empty for those that are only kept."""
        meanings = dict.fromkeys(self.table.columns, "")
        for key, column in self.columns.items():
            unit = f" ({column.unit})" if column.unit and column.unit != "deg" else ""
            meaning = "source_magnitude" if key in MAGNITUDE_ORDER else self.times.meaning(key)
            meanings[column.name] = meaning + unit
        return meanings

    def _refuse_misfits(self, catalogue: Catalogue) -> None:
        column = self.columns.get(ID)
        for line, reason, cells in self.table.misfits:
            event_id = cells[column.index] if column is not None and column.index < len(cells) else ""
            named = is_plain_id(event_id) and event_id not in catalogue.events
            catalogue.refuse(event_id if named else f"line {line}", _refusal("bad_row", reason, line))

    def _note(self, catalogue: Catalogue, n_repeats: int) -> None:
        name = self.file.name
        rejected = sum(event.get("source_origin_status", "").lower() in REJECTED for event in catalogue.events.values())
        if rejected:
            catalogue.notes.append(f"{name}: {rejected} events are marked as rejected, so their origins are missing")
        for column, number in sorted(self.missing.items()):
            catalogue.notes.append(
                f"{name}: {number} values of {column} stand for none (such as -999), and are missing"
            )
        catalogue.notes += [f"{name}: {note}" for note in self.times.notes]
        if self.table.end:
            catalogue.notes.append(f"{name}: {self.table.end}")
        if n_repeats:
            catalogue.notes.append(f"{name}: {n_repeats} rows repeat an event as they name its stations or picks")
        if self.table.n_comments:
            catalogue.notes.append(f"{name}: {self.table.n_comments} lines that begin with # were left out")
        for what, keys in (("places", PLACE), ("origin times", ("source_origin_time", "date", "year", "time_of_day"))):
            if not self.columns.keys() & set(keys):
                catalogue.notes.append(f"{name}: no column is known for {what} of events, so they are missing")
        if ID not in self.columns:
            catalogue.notes.append(f"{name}: no column names the events, so their origin times do (20140824T000108)")
        depth = self.columns.get("source_depth_km")
        if depth is not None and not depth.unit and depth.name != "source_depth_km":
            catalogue.notes.append(f"{name}: {depth.name} names no unit and is taken for kilometres")
        depths = [
            depth for event in catalogue.events.values() if np.isfinite(depth := event.get("source_depth_km", np.nan))
        ]
        if len(depths) > 1 and max(depths) < 0:
            catalogue.notes.append(f"{name}: all depths are negative, so above sea level; below it they are positive")
        typed = [self.columns[kind].name for kind in MAGNITUDE_ORDER if kind in self.columns]
        if len(typed) > 1:
            catalogue.notes.append(f"{name}: the magnitude is the first that an event has of {', '.join(typed)}")


def _refusal(cause: str, reason: str, line: int) -> Refusal:
    return Refusal("event", cause, f"line {line}: {reason}")


def _extra_name(name: str, names: list[str]) -> str:
    """Column of the set in which a column without a meaning is kept."""
    column = name if name.startswith("source_") else f"source_{name}"
    clash = column in OWN or column in (*EVENT_NUMBERS, *TEXT_COLUMNS) or (column != name and column in names)
    return f"source_catalogue_{name.removeprefix('source_')}" if clash else column


def _all_numbers(texts: list[str]) -> bool:
    try:
        return all(np.isfinite(plain_number(text)) or text.lower() in NO_VALUE for text in texts)
    except ValueError:
        return False


def _numbers(texts: list[str], parse: Callable[[str, bool], float]) -> list[float]:
    values = []
    for text in texts:
        try:
            values.append(parse(text, True))
        except ValueError:
            continue
    return values


def _angle_or_depth(text: str, comma: bool) -> float:
    match = HEMISPHERE.fullmatch(text)
    if match is None:
        return plain_number(text, comma)
    return float(match["number"]) * (-1 if match["side"].upper() in "SW" else 1)


def _magnitude(text: str, comma: bool) -> tuple[float, str]:
    """Number and, where the cell names one (2.3ML, Mw 5.1), the type."""
    match = MAGNITUDE.fullmatch(text)
    named = "" if match is None else (match["before"] or match["after"] or "")
    one_name = match is not None and bool(match["before"]) != bool(match["after"])
    if match is not None and one_name and (magnitude_kind(named) or named.upper() == "M"):
        return float(match["number"]), named if magnitude_kind(named) else ""
    return plain_number(text, comma), ""
