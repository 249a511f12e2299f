"""How far epicentres are off, and whether their ellipses hold what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from seisvision.earth.geodesics import geodesic
from seisvision.errors import DataError
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.evaluation.uncertainty.quantiles import quantile_interval
from seisvision.location.locate import Locations
from seisvision.location.uncertainty import Ellipse
from seisvision.seeding import DEFAULT_SEED

WITHIN_KM: Final = (10, 25, 50, 100)
STATION_EDGES: Final = (1, 3, 4, 5, 7, 10, 15, 30)
GAP_EDGES_DEG: Final = (0, 90, 135, 180, 225, 270, 360)


@dataclass(frozen=True)
class LocationSummary:
    """Errors of a set of epicentres."""

    error_km: np.ndarray
    """(N,) distance on WGS84 from the true epicentre; NaN where the event was not located or its place is not known."""
    measures: dict[str, Measure]
    """``median_error_km``, ``mean_error_km`` and ``p90_error_km`` of located events, with intervals; and with
    Wilson intervals, ``within_10km`` to ``within_100km``, ``unlocated`` and ``ambiguous`` as shares of all events (one
    that was not located is within nothing), ``coverage_68`` and ``coverage_95`` of the events with an ellipse."""
    by_stations: list[dict[str, Any]]
    """Rows ``low, high, n, median_error_km, p90_error_km, coverage_95`` for ``low <= stations < high``."""
    by_gap: list[dict[str, Any]]
    """The same for ``low <= gap in degrees < high``; the last row includes 360."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        measures = {name: measure.to_dict() for name, measure in self.measures.items()}
        return {"measures": measures, "by_stations": self.by_stations, "by_gap": self.by_gap}


def summarise_locations(
    locations: Locations,
    true_latitude_deg: np.ndarray,
    true_longitude_deg: np.ndarray,
    *,
    level: float = 0.95,
    seed: int = DEFAULT_SEED,
) -> LocationSummary:
    """Errors of N epicentres against the true ones.

    Args:
        locations: of N events.
        true_latitude_deg: (N,); events with NaN are left out everywhere.
        true_longitude_deg: (N,).
        level: confidence level of all intervals.
        seed: base seed of the bootstrap.

    Raises:
        DataError: lengths differ.
    """
    latitude, longitude = np.asarray(true_latitude_deg, float), np.asarray(true_longitude_deg, float)
    n = len(locations.latitude_deg)
    if latitude.shape != (n,) or longitude.shape != (n,):
        raise DataError(f"{n} locations need as many true places; got {latitude.shape} and {longitude.shape}.")
    known = np.isfinite(latitude) & np.isfinite(longitude)
    north_km, east_km = _offset_km(locations, latitude, longitude)
    error_km = np.hypot(north_km, east_km)
    located = np.isfinite(error_km)
    inside = {
        "68": _inside(locations.ellipse68, north_km, east_km),
        "95": _inside(locations.ellipse95, north_km, east_km),
    }
    bootstrap = EventBootstrap(np.flatnonzero(located), level, seed)
    measures = {
        "median_error_km": bootstrap.median(error_km[located]),
        "mean_error_km": bootstrap.mean_size(error_km[located]),
        "p90_error_km": _p90_measure(error_km[located], level),
    }
    for km in WITHIN_KM:
        measures[f"within_{km}km"] = Measure.proportion(int((error_km[located] <= km).sum()), int(known.sum()), level)
    for name, values in inside.items():
        judged = values[np.isfinite(values)]
        measures[f"coverage_{name}"] = Measure.proportion(int(judged.sum()), len(judged), level)
    measures["ambiguous"] = Measure.proportion(
        int((_array(locations.ambiguous) & known).sum()), int(known.sum()), level
    )
    measures["unlocated"] = Measure.proportion(int((known & ~located).sum()), int(known.sum()), level)
    return LocationSummary(
        error_km,
        measures,
        _binned(error_km, inside["95"], _array(locations.n_stations), STATION_EDGES, open_ended=True),
        _binned(error_km, inside["95"], _array(locations.gap_deg), GAP_EDGES_DEG, open_ended=False),
    )


def ellipse_radius(locations: Locations, true_latitude_deg: np.ndarray, true_longitude_deg: np.ndarray) -> np.ndarray:
    """How far (N,) true epicentres lie out, in radii of the 95 % ellipse; NaN without an ellipse or a true place.

    Args:
        locations: of N events.
        true_latitude_deg: (N,).
        true_longitude_deg: (N,).
    """
    return _radius(locations.ellipse95, *_offset_km(locations, true_latitude_deg, true_longitude_deg))


def _array(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy()


def _p90(values: np.ndarray) -> float:
    return float(np.quantile(values, 0.9))


def _p90_measure(values: np.ndarray, level: float) -> Measure:
    if not len(values):
        return Measure(float("nan"))
    return Measure.with_ends(_p90(values), quantile_interval(values, 0.9, level), len(values), "order statistics")


def _offset_km(locations: Locations, latitude: np.ndarray, longitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Way (N,) from the located to the true epicentre, north and east; NaN where either is missing."""
    here = _array(locations.latitude_deg), _array(locations.longitude_deg)
    missing = ~np.isfinite(here[0] + latitude + longitude)
    filled = [np.where(missing, 0.0, values) for values in (*here, latitude, longitude)]
    distance_km, azimuth_deg, _ = geodesic(*filled)
    distance_km = np.where(missing, np.nan, distance_km)
    return distance_km * np.cos(np.radians(azimuth_deg)), distance_km * np.sin(np.radians(azimuth_deg))


def _inside(ellipse: Ellipse, north_km: np.ndarray, east_km: np.ndarray) -> np.ndarray:
    """(N,) 1 where the true epicentre lies inside, 0 outside, NaN where there is no ellipse or no true epicentre."""
    radius = _radius(ellipse, north_km, east_km)
    return np.where(np.isfinite(radius), radius <= 1, np.nan)


def _radius(ellipse: Ellipse, north_km: np.ndarray, east_km: np.ndarray) -> np.ndarray:
    """Distance (N,) of the true epicentre from the centre, in radii of the ellipse in that direction."""
    azimuth = np.radians(_array(ellipse.azimuth_deg))
    along = north_km * np.cos(azimuth) + east_km * np.sin(azimuth)
    across = north_km * np.sin(azimuth) - east_km * np.cos(azimuth)
    return np.hypot(along / _array(ellipse.major_km), across / np.maximum(_array(ellipse.minor_km), 1e-9))


def _binned(
    error_km: np.ndarray, inside: np.ndarray, values: np.ndarray, edges: Sequence[float], *, open_ended: bool
) -> list[dict[str, Any]]:
    """Rows of the bins that hold located events."""
    highs: list[float | None] = [*edges[1:], None] if open_ended else [*edges[1:]]
    rows = []
    for low, high in zip(edges, highs, strict=False):
        last = high is None or (not open_ended and high == edges[-1])
        members = np.isfinite(error_km) & (values >= low) & (last | (values < (np.inf if high is None else high)))
        if not members.any():
            continue
        judged = inside[members][np.isfinite(inside[members])]
        rows.append(
            {
                "low": low,
                "high": high,
                "n": int(members.sum()),
                "median_error_km": float(np.median(error_km[members])),
                "p90_error_km": _p90(error_km[members]),
                "coverage_95": float(judged.mean()) if len(judged) else None,
            }
        )
    return rows
