"""Tables of observations and locations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from seisvision import spreadsheets
from seisvision.errors import DataError, did_you_mean
from seisvision.files import whole_file
from seisvision.location.locate import Errors, Locations, Mode, locate

REQUIRED: Final = ("event_id", "station_latitude_deg", "station_longitude_deg", "offset_km")
OPTIONAL: Final = ("offset_sigma_km", "back_azimuth_deg", "azimuth_sigma_deg", "common_share")
TEXTS: Final = ("station_id", "source_origin_time")
NO_NUMBER: Final = ("", "nan", "none", "null", "na", "n/a", "-")


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
    ``back_azimuth_deg``, ``azimuth_sigma_deg``, ``common_share`` (of the error variance of an event's distances),
    ``station_id`` and ``source_origin_time`` (for QuakeML). Others are ignored. Empty cells and impossible values are
    kept: location leaves those stations out and says why.

    Raises:
        DataError: the file cannot be read, lacks a column or rows, or holds text where a number belongs.
    """
    try:
        spreadsheets.check_columns(path)
        text = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False).fillna("")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; check the path of the observations.") from error
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        said = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as CSV ({said}); give a table with {', '.join(REQUIRED)}.") from error
    text = spreadsheets.frame_from_cells(text)
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


def locate_table(observations: ObservationTable, mode: Mode = "robust", errors: Errors = "relative") -> Locations:
    """Locate every event of a table; events without id are refused. See `locate` for ``mode`` and ``errors``.

    Raises:
        ConfigurationError: back azimuths without sigmas.
        DataError: a common share is none.
    """
    given = {name: observations.array(name) for name in (*REQUIRED[1:], *OPTIONAL)}
    nameless = np.array([not name for name in observations.event_id])
    mask = observations.mask() & ~nameless[:, None]
    return locate(**given, mask=mask, mode=mode, errors=errors)  # type: ignore[arg-type]


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
    cells, end = spreadsheets.frame_to_cells(table), spreadsheets.end_of_lines(table)
    return written(path, lambda partial: cells.to_csv(partial, index=False, lineterminator=end))


def written(path: Path, write: Callable[[Path], object]) -> Path:
    """Call ``write`` with a partial file that becomes ``path`` once it is whole.

    Raises:
        DataError: the file cannot be written.
    """
    try:
        with whole_file(path) as partial:
            write(partial)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error}); choose another place.") from error
    return path
