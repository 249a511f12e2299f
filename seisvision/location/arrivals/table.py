"""Picks of events in rows, and hypocentres as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from seisvision.earth.travel_time_table import TravelTimes
from seisvision.location.arrivals.hypocentres import Hypocentres
from seisvision.location.arrivals.locate import locate_arrivals

NUMBERS: Final = ("station_latitude_deg", "station_longitude_deg", "station_elevation_km")
NS: Final = 1_000_000_000
REJECTED: Final = ("event_id", "station_id", "phase", "time", "reason")


@dataclass(frozen=True)
class ArrivalTable:
    """Picks that may be used, row by row, and those that may not."""

    event_id: list[str]
    """B ids in the order of their first picks."""
    table: pd.DataFrame
    """``event_id, station_id, phase, time_ns, sigma_s`` and the columns of `NUMBERS`; from their order ``event`` and
    ``pick`` numbers."""
    refused: pd.DataFrame
    """The columns of `REJECTED`."""

    def array(self, name: str, fill: Any = np.nan) -> np.ndarray:
        """Values (B, S) of a column, ``fill`` for padding."""
        values = np.full((len(self.event_id), int(self.table["pick"].max()) + 1), fill)
        values[self.table["event"], self.table["pick"]] = self.table[name]
        return values

    @property
    def first_ns(self) -> np.ndarray:
        """(B,) time of the first pick, from which the seconds of an event count."""
        return self.table.groupby("event")["time_ns"].min().to_numpy(np.int64)


def arrival_table(picks: pd.DataFrame) -> ArrivalTable:
    """Order picks by event; rows with a text in column ``reason`` are refused."""
    rejected = picks["reason"] != ""
    table = picks[~rejected].drop(columns="reason").reset_index(drop=True)
    table["event"], names = pd.factorize(table["event_id"])
    table["pick"] = table.groupby("event").cumcount()
    refused = picks[rejected].assign(time=_times(picks.loc[rejected, "time_ns"]))
    return ArrivalTable([str(name) for name in names], table, refused[list(REJECTED)])


def locate_table(
    picks: ArrivalTable,
    travel_times: TravelTimes,
    depth_limits_km: tuple[float, float] | None = None,
    default_sigma_s: float | None = None,
) -> Hypocentres:
    """Locate every event of a table; ``origin_time_s`` counts from `ArrivalTable.first_ns`.

    Where any pick lacks a sigma, and none is given for all, the size of the errors is estimated event by event.
    """
    table = picks.table
    since = table.assign(since_s=(table["time_ns"] - picks.first_ns[table["event"]]) / NS)
    whole = ArrivalTable(picks.event_id, since, picks.refused)
    sigma = None
    if default_sigma_s is not None or since["sigma_s"].notna().all():
        sigma = whole.array("sigma_s")
        sigma = np.where(np.isfinite(sigma), sigma, default_sigma_s or np.nan)
    latitude_deg, longitude_deg, elevation_km = (whole.array(name) for name in NUMBERS)
    since_s, phase = whole.array("since_s"), whole.array("phase", fill="?")
    return locate_arrivals(
        latitude_deg,
        longitude_deg,
        elevation_km,
        phase,
        since_s,
        sigma,
        travel_times,
        mask=np.isfinite(since_s),
        depth_limits_km=depth_limits_km,
    )


def hypocentres_table(picks: ArrivalTable, found: Hypocentres) -> pd.DataFrame:
    """One row an event; empty where there is no value."""
    columns: dict[str, Any] = {"event_id": picks.event_id, "origin_time": origin_times(picks, found)}
    for name in ("origin_sigma_s", "latitude_deg", "longitude_deg", "depth_km", "depth_sigma_km", "depth95_km"):
        columns[name] = getattr(found, name).cpu().numpy()
    for level, ellipse in (("68", found.ellipse68), ("95", found.ellipse95)):
        columns[f"ellipse{level}_major_km"] = ellipse.major_km.cpu().numpy()
        columns[f"ellipse{level}_minor_km"] = ellipse.minor_km.cpu().numpy()
    columns["ellipse_azimuth_deg"] = found.ellipse95.azimuth_deg.cpu().numpy()
    covariance = found.covariance_km2.cpu().numpy()
    for name, (i, j) in {"nn": (0, 0), "ne": (0, 1), "ee": (1, 1), "nd": (0, 2), "ed": (1, 2), "dd": (2, 2)}.items():
        columns[f"covariance_{name}_km2"] = covariance[:, i, j]
    for name in ("rms_s", "scale", "n_picks", "n_stations", "gap_deg", "ambiguous", "second_latitude_deg"):
        columns[name] = getattr(found, name).cpu().numpy()
    for name in ("second_longitude_deg", "second_depth_km"):
        columns[name] = getattr(found, name).cpu().numpy()
    table = pd.DataFrame(columns | {"reason": found.reason})
    decimals = {name: 6 if "itude" in name or "cov" in name else 3 for name in table.select_dtypes("floating").columns}
    return table.round(decimals)


def origin_times(picks: ArrivalTable, found: Hypocentres) -> list[str]:
    """Origin times as text, empty where there is none."""
    seconds = found.origin_time_s.cpu().numpy()
    there = np.isfinite(seconds)
    ns = picks.first_ns + np.round(np.where(there, seconds, 0.0) * NS).astype(np.int64)
    return [text if known else "" for text, known in zip(_times(ns), there, strict=True)]


def rejected_table(picks: ArrivalTable, found: Hypocentres) -> pd.DataFrame:
    """Picks that were not used, and why."""
    table = picks.table
    reasons = {(e, p): said for e, texts in enumerate(found.left_out) for p, said in texts.items()}
    said = [reasons.get(key, "") for key in zip(table["event"], table["pick"], strict=True)]
    more = table.assign(reason=said, time=_times(table["time_ns"]))
    return pd.concat([picks.refused, more.loc[more["reason"] != "", list(REJECTED)]], ignore_index=True)


def _times(ns: Any) -> list[str]:
    """Times as text to the microsecond; empty for NaN."""
    moments = pd.to_datetime(pd.Series(np.asarray(ns)), unit="ns", utc=True)
    return [moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if pd.notna(moment) else "" for moment in moments]
