"""Tables of observations and locations, and QuakeML."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from seisvision.errors import DataError, did_you_mean
from seisvision.files import whole_file
from seisvision.location.locate import Locations, Mode, locate
from seisvision.location.uncertainty import Ellipse

if TYPE_CHECKING:
    from obspy import UTCDateTime
    from obspy.core.event import Event, Origin

REQUIRED: Final = ("event_id", "station_latitude_deg", "station_longitude_deg", "offset_km")
OPTIONAL: Final = ("offset_sigma_km", "back_azimuth_deg", "azimuth_sigma_deg")
TEXTS: Final = ("station_id", "source_origin_time")
NO_NUMBER: Final = ("", "nan", "none", "null", "na", "n/a", "-")
METRES_PER_KM = 1000.0
KM_PER_DEG = 111.195
SAFE_IN_RESOURCE_ID = re.compile(r"[A-Za-z0-9_.\-]")


@dataclass(frozen=True)
class ObservationTable:
    """Distances at stations, row by row."""

    event_id: list[str]
    """B ids in the order of their first rows."""
    table: pd.DataFrame
    """Columns of `REQUIRED` and those of `OPTIONAL` that hold values, ``line`` in the file, and, from their order,
    ``event`` and ``station`` numbers."""

    def array(self, name: str) -> np.ndarray | None:
        """Values (B, S) of a column, NaN for padding; None where the table does not have it."""
        if name not in self.table:
            return None
        width = int(self.table["station"].max()) + 1
        values = np.full((len(self.event_id), width), np.nan)
        values[self.table["event"], self.table["station"]] = self.table[name]
        return values

    def origin_time(self, event: int) -> str:
        """First origin time given for an event, as it is written; empty where there is none."""
        given = self.table.loc[self.table["event"] == event, "source_origin_time"]
        return next((text for text in given if text), "")

    def mask(self) -> np.ndarray:
        """bool (B, S): True where there is a row."""
        values = self.array("line")
        return np.isfinite(values) if values is not None else np.zeros((0, 0), bool)


def read_observations(path: Path) -> ObservationTable:
    """Read ``observations.csv``.

    Columns: ``event_id, station_latitude_deg, station_longitude_deg, offset_km``, and if wanted ``offset_sigma_km``,
    ``back_azimuth_deg``, ``azimuth_sigma_deg``, ``station_id`` and ``source_origin_time`` (for QuakeML). Others are
    ignored. Empty cells and impossible values are kept: location leaves those stations out and says why.

    Raises:
        DataError: the file cannot be read, lacks a column or rows, or holds text where a number belongs.
    """
    try:
        text = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False).fillna("")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; check the path of the observations.") from error
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        said = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as CSV ({said}); give a table with {', '.join(REQUIRED)}.") from error
    text.columns = [str(name).strip() for name in text.columns]
    for name in REQUIRED:
        if name not in text:
            raise DataError(f"{path} has no column '{name}'. {did_you_mean(name, list(text.columns))}")
    if text.empty:
        raise DataError(f"{path} has a header and no rows; give one row for every station of every event.")
    columns = {name: text[name].str.strip() for name in ("event_id", *TEXTS) if name in text}
    numbers = {name: _numbers(text[name], path) for name in (*REQUIRED[1:], *OPTIONAL) if name in text}
    return observation_table(pd.DataFrame(columns | numbers))


def observation_table(frame: pd.DataFrame) -> ObservationTable:
    """Order the rows of a table with the columns of `read_observations`, numbers as floats, by event and station."""
    table = pd.DataFrame({"line": np.arange(len(frame)) + 2, "event_id": frame["event_id"].astype(str).to_numpy()})
    for name in TEXTS:
        table[name] = frame[name].to_numpy() if name in frame else ""
    for name in (*REQUIRED[1:], *OPTIONAL):
        if name in REQUIRED or (name in frame and frame[name].notna().any()):
            table[name] = frame[name].to_numpy(dtype=float)
    table["event"], names = pd.factorize(table["event_id"])
    table["station"] = table.groupby("event").cumcount()
    return ObservationTable([str(name) for name in names], table)


def _numbers(column: pd.Series, path: Path) -> pd.Series:
    """Floats of a text column; empty cells and names for nothing are NaN."""
    plain = column.str.strip()
    plain = plain.mask(plain.str.lower().isin(NO_NUMBER), "nan")
    numbers = pd.to_numeric(plain, errors="coerce").astype(float)
    wrong = numbers.isna() & (plain != "nan")
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{path}, line {row + 2}: {column.name}={str(column.iloc[row])[:40]!r} is not a number; "
            "write numbers with a decimal point, and nothing where there is no value."
        )
    return numbers


def locate_table(observations: ObservationTable, mode: Mode = "robust") -> Locations:
    """Locate every event of a table; events without id are refused.

    Raises:
        ConfigurationError: back azimuths without sigmas.
    """
    given = {name: observations.array(name) for name in (*REQUIRED[1:], *OPTIONAL)}
    nameless = np.array([not name for name in observations.event_id])
    mask = observations.mask() & ~nameless[:, None]
    return locate(**given, mask=mask, mode=mode)  # type: ignore[arg-type]


def locations_table(observations: ObservationTable, locations: Locations) -> pd.DataFrame:
    """One row an event: the columns of ``locations.csv``; empty where there is no value."""
    columns: dict[str, Any] = {"event_id": observations.event_id}
    for name in ("latitude_deg", "longitude_deg", "rms_km", "n_stations", "gap_deg"):
        columns[name] = getattr(locations, name).cpu().numpy()
    for level, ellipse in (("68", locations.ellipse68), ("95", locations.ellipse95)):
        columns[f"ellipse{level}_major_km"] = ellipse.major_km.cpu().numpy()
        columns[f"ellipse{level}_minor_km"] = ellipse.minor_km.cpu().numpy()
    columns["ellipse_azimuth_deg"] = locations.ellipse95.azimuth_deg.cpu().numpy()
    for name in ("ambiguous", "second_latitude_deg", "second_longitude_deg"):
        columns[name] = getattr(locations, name).cpu().numpy()
    table = pd.DataFrame(columns | {"reason": locations.reason})
    decimals = {name: 6 if "itude" in name else 3 for name in table.select_dtypes("floating").columns}
    return table[[name != "" for name in observations.event_id]].round(decimals)


def rejected_table(observations: ObservationTable, locations: Locations) -> pd.DataFrame:
    """Rows that were not used: line of the file, event and station ids, reason."""
    table = observations.table
    reasons = {
        (event, station): reason
        for event, stations in enumerate(locations.left_out)
        for station, reason in stations.items()
    }
    keys = zip(table["event"], table["station"], table["event_id"], strict=True)
    said = ["event_id is empty" if not name else reasons.get((e, s), "") for e, s, name in keys]
    rejected = table[["line", "event_id", "station_id"]].assign(reason=said)
    return rejected[rejected["reason"] != ""]


def write_table(table: pd.DataFrame, path: Path) -> Path:
    """Write a table as CSV, whole or not at all."""
    return _written(path, lambda partial: table.to_csv(partial, index=False))


def _written(path: Path, write: Callable[[Path], object]) -> Path:
    try:
        with whole_file(path) as partial:
            write(partial)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error}); choose another place.") from error
    return path


def resource_id(*parts: str) -> str:
    """QuakeML resource id of parts that may hold any characters; different parts give different ids.

    All but ASCII letters, digits, ``_``, ``.`` and ``-`` become ``~`` and the hexadecimal bytes of their UTF-8.
    """

    def safe(character: str) -> str:
        if SAFE_IN_RESOURCE_ID.fullmatch(character):
            return character
        return "".join(f"~{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))

    return "smi:local/seisvision/" + "/".join("".join(map(safe, part)) for part in parts)


def write_quakeml(
    path: Path, observations: ObservationTable, locations: Locations, mode: Mode = "robust", level: float = 0.95
) -> Path:
    """Write the located events as QuakeML 1.2, with the confidence ellipse at ``level`` (0.68 or 0.95).

    A second solution is a further origin of the event; the first is preferred. Distances tell neither depth nor origin
    time; the time is that of the table, without which strict readers refuse the file. ``standardError`` holds the rms
    of the distance residuals in km.

    Raises:
        DataError: an origin time cannot be understood, or the file cannot be written.
    """
    from obspy.core.event import Catalog

    rows = [row for row in range(len(observations.event_id)) if bool(locations.located[row])]
    events = []
    for row in rows:
        events.append(_event(observations.event_id[row], locations, row, mode, level))
        time = _time(observations.origin_time(row), observations.event_id[row])
        for origin in events[-1].origins:
            origin.time = time
    catalogue = Catalog(events, resource_id=resource_id("locations", path.stem))
    return _written(path, lambda partial: catalogue.write(str(partial), format="QUAKEML"))


def _time(text: str, event_id: str) -> UTCDateTime | None:
    from obspy import UTCDateTime

    try:
        return UTCDateTime(text) if text else None
    except (TypeError, ValueError) as error:
        raise DataError(
            f"event {event_id}: source_origin_time={text[:40]!r} is not a time; write it like 2017-06-17T23:39:12Z."
        ) from error


def _event(event_id: str, locations: Locations, row: int, mode: Mode, level: float) -> Event:
    from obspy.core.event import Event, EventDescription, ResourceIdentifier

    printable = "".join(character if character.isprintable() else " " for character in event_id)
    event = Event(
        resource_id=ResourceIdentifier(resource_id("event", event_id)),
        event_descriptions=[EventDescription(text=printable, type="earthquake name")],
    )
    event.origins = [_origin(resource_id("origin", event_id), locations, row, mode, level)]
    if bool(locations.ambiguous[row]):
        event.origins.append(_second_origin(resource_id("origin", event_id, "second"), locations, row, mode))
    event.preferred_origin_id = event.origins[0].resource_id
    return event


def _origin(identifier: str, locations: Locations, row: int, mode: Mode, level: float) -> Origin:
    from obspy.core.event import Comment, OriginQuality, OriginUncertainty

    origin = _bare_origin(identifier, locations.latitude_deg[row].item(), locations.longitude_deg[row].item(), mode)
    origin.quality = OriginQuality(
        used_station_count=int(locations.n_stations[row]),
        azimuthal_gap=locations.gap_deg[row].item(),
        standard_error=locations.rms_km[row].item(),
    )
    texts = ["standardError is the rms of distance residuals in km", locations.reason[row]]
    origin.comments = [
        Comment(text=text, resource_id=f"{identifier}/comment/{i}") for i, text in enumerate(texts) if text
    ]
    ellipse: Ellipse = locations.ellipse68 if level == 0.68 else locations.ellipse95
    major_km, minor_km, azimuth_deg = (value[row].item() for value in vars(ellipse).values())
    if math.isfinite(major_km):
        origin.origin_uncertainty = OriginUncertainty(
            max_horizontal_uncertainty=major_km * METRES_PER_KM,
            min_horizontal_uncertainty=minor_km * METRES_PER_KM,
            azimuth_max_horizontal_uncertainty=azimuth_deg,
            preferred_description="uncertainty ellipse",
            confidence_level=100 * level,
        )
        _set_standard_errors(origin, locations.covariance_km2[row].tolist())
    return origin


def _set_standard_errors(origin: Origin, covariance_km2: list[list[float]]) -> None:
    """One standard deviation of both coordinates in degrees."""
    origin.latitude_errors.uncertainty = math.sqrt(covariance_km2[0][0]) / KM_PER_DEG
    shrink = math.cos(math.radians(origin.latitude))
    if shrink > 1e-3:
        origin.longitude_errors.uncertainty = min(180.0, math.sqrt(covariance_km2[1][1]) / KM_PER_DEG / shrink)


def _second_origin(identifier: str, locations: Locations, row: int, mode: Mode) -> Origin:
    from obspy.core.event import Comment

    place = (locations.second_latitude_deg[row].item(), locations.second_longitude_deg[row].item())
    origin = _bare_origin(identifier, *place, mode)
    comment = "second solution that fits as well as the preferred origin"
    origin.comments = [Comment(text=comment, resource_id=f"{identifier}/comment/0")]
    return origin


def _bare_origin(identifier: str, latitude_deg: float, longitude_deg: float, mode: Mode) -> Origin:
    from obspy.core.event import Origin, ResourceIdentifier

    return Origin(
        resource_id=ResourceIdentifier(identifier),
        latitude=latitude_deg,
        longitude=longitude_deg,
        method_id=ResourceIdentifier(resource_id("location", mode)),
        earth_model_id=ResourceIdentifier(resource_id("WGS84")),
        evaluation_mode="automatic",
    )
