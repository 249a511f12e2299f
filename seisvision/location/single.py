"""Epicentre, depth and origin time from one station: a distance, a back azimuth and a travel time of P, each uncertain.

What is likely is an arc around the station, broad where the direction is uncertain and thin where the distance is well
known: a banana, which no ellipse describes. It is given by draws.

Errors of distance and direction are counted in units that hold 68 % of each by itself; the region of a level is all
places within a radius in these units, and the radius is that within which the true places of other events lie
(:class:`Calibrated`). Depths follow from travel times of a model, given the distance of each draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.sphere import destination
from seisvision.earth.travel_time_table import PHASES, TravelTimes

LEVELS: Final = (0.68, 0.95)
N_DRAWS: Final = 1000
N_DEPTHS: Final = 81
BORDER_POINTS: Final = 181
WIDTH_STEPS: Final = 101
HALF_TURN_DEG: Final = 180.0


@dataclass(frozen=True)
class Calibrated:
    """How large joint errors of distance and direction are, in units of each, as events that are not located tell."""

    radii: np.ndarray
    """(K,) sorted joint errors of other events."""
    weights: np.ndarray
    """(K,) of each in draws; they sum to 1."""
    radius68: float
    """Radius within which 68 % of new places lie; infinite where there are too few events to say."""
    radius95: float

    def radius(self, level: float) -> float:
        """Radius of the region of a level, one of `LEVELS`."""
        return {LEVELS[0]: self.radius68, LEVELS[1]: self.radius95}[level]


@dataclass(frozen=True)
class StationView:
    """What N stations say of one event each, and how sure they are."""

    station_latitude_deg: np.ndarray
    station_longitude_deg: np.ndarray
    distance_at: Callable[[np.ndarray], np.ndarray]
    """Distances (N, D) in km at so many units (N, D) above the predicted ones."""
    back_azimuth_deg: np.ndarray
    """(N,) predicted, clockwise from north."""
    back_azimuth_unit_deg: np.ndarray
    """(N,) the unit of its error."""
    p_travel_s: np.ndarray
    """(N,) predicted travel times of P; NaN: neither depth nor origin time are told."""
    p_travel_unit_s: np.ndarray
    """(N,) half widths of their 68 % intervals."""


@dataclass(frozen=True)
class SingleLocations:
    """Where N events are, each from its one station; NaN where nothing was said."""

    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    draws_latitude_deg: np.ndarray
    """(N, D) places, as often where they are likely."""
    draws_longitude_deg: np.ndarray
    draws_depth_km: np.ndarray
    """(N, D) of each place, below the datum; NaN without a travel time."""
    area_km2: dict[float, np.ndarray]
    """(N,) of the region of each level; infinite where the level cannot be told."""
    depth_km: np.ndarray
    """(N,) median of the draws."""
    depth_ends_km: np.ndarray
    """(N, 2, 2) ends of the central 68 and 95 % intervals of the depth."""


def locate_single(
    view: StationView,
    calibrated: Calibrated,
    times: TravelTimes,
    max_depth_km: float,
    seed: int,
    n_draws: int = N_DRAWS,
) -> SingleLocations:
    """Locate N events, each from one station.

    The travel time tells the depth of each draw and leaves its place alone: its error and that of the distance are read
    from the same record and go together, so that it is no second witness of the distance.

    Args:
        view: of the stations.
        calibrated: size of the joint errors.
        times: table of travel times.
        max_depth_km: depths from the datum to here are equally likely beforehand.
        seed: of the draws; those of each event are the same whatever events stand beside it.
        n_draws: D.
    """
    n = len(view.back_azimuth_deg)
    generator = np.random.default_rng(seed)
    turn = generator.uniform(0, 2 * np.pi, n_draws)
    # One from each of D equal shares of the radii, so that few draws hold what many would.
    strata = (generator.permutation(n_draws) + generator.uniform(0, 1, n_draws)) / n_draws
    place = np.searchsorted(np.cumsum(calibrated.weights), strata)
    radius = calibrated.radii[np.minimum(place, len(calibrated.radii) - 1)]
    share = generator.uniform(0, 1, n_draws)
    distance = view.distance_at(np.broadcast_to(radius * np.cos(turn), (n, n_draws)))
    azimuth = view.back_azimuth_deg[:, None] + view.back_azimuth_unit_deg[:, None] * radius * np.sin(turn)
    draws = _places(view, azimuth, distance)
    middle = _places(view, view.back_azimuth_deg[:, None], view.distance_at(np.zeros((n, 1))))
    depths = _depths(view, distance, times, max_depth_km, share)
    quantiles = [0.5, *(0.5 + sign * level / 2 for level in LEVELS for sign in (-1, 1))]
    known = np.isfinite(depths).all(axis=1)
    depth, *ends = np.where(known, np.quantile(np.where(known[:, None], depths, 0.0), quantiles, axis=1), np.nan)
    return SingleLocations(
        latitude_deg=middle[0][:, 0],
        longitude_deg=middle[1][:, 0],
        draws_latitude_deg=draws[0],
        draws_longitude_deg=draws[1],
        draws_depth_km=depths,
        area_km2={level: region_area_km2(view, calibrated.radius(level)) for level in LEVELS},
        depth_km=depth,
        depth_ends_km=np.stack(ends, axis=1).reshape(n, 2, 2),
    )


def region_border(view: StationView, row: int, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes and longitudes (P,) of the border of the region of one event; empty where it has none."""
    if not np.isfinite(radius):
        return np.zeros(0), np.zeros(0)
    turn = np.linspace(0, 2 * np.pi, BORDER_POINTS)
    n = len(view.back_azimuth_deg)
    distance = view.distance_at(np.broadcast_to(radius * np.cos(turn), (n, BORDER_POINTS)))[row]
    half_deg = np.clip(view.back_azimuth_unit_deg[row] * radius * np.sin(turn), -HALF_TURN_DEG, HALF_TURN_DEG)
    station = view.station_latitude_deg[row], view.station_longitude_deg[row]
    return destination(*station, view.back_azimuth_deg[row] + half_deg, distance / KM_PER_DEG)


def region_area_km2(view: StationView, radius: float) -> np.ndarray:
    """Area (N,) of the region of a radius: strips of equal distance, no longer than the whole circle."""
    n = len(view.back_azimuth_deg)
    if not np.isfinite(radius):
        return np.full(n, np.inf)
    steps = np.linspace(-radius, radius, WIDTH_STEPS)
    distance = view.distance_at(np.broadcast_to(steps, (n, WIDTH_STEPS)))
    half_deg = view.back_azimuth_unit_deg[:, None] * np.sqrt(np.maximum(radius**2 - steps**2, 0))
    length = 2 * np.radians(np.minimum(half_deg, HALF_TURN_DEG)) * distance
    return np.trapezoid(length, distance, axis=1)


def _places(view: StationView, azimuth_deg: np.ndarray, distance_km: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    station = view.station_latitude_deg[:, None], view.station_longitude_deg[:, None]
    return destination(*station, azimuth_deg, distance_km / KM_PER_DEG)


def _depths(
    view: StationView, distance_km: np.ndarray, times: TravelTimes, max_depth_km: float, share: np.ndarray
) -> np.ndarray:
    """A depth (N, D) for each draw, from the probabilities that the travel time gives to depths on a grid."""
    depth = np.linspace(0, min(max_depth_km, times.max_depth_km), N_DEPTHS)
    reach = np.linspace(0, times.max_distance_km, 400)
    table_s = _table(times, depth, reach)
    found = np.full(distance_km.shape, np.nan)
    for row in np.flatnonzero(np.isfinite(view.p_travel_s + view.p_travel_unit_s) & np.isfinite(distance_km).all(1)):
        # Draws beyond the table are as deep as those at its end.
        at = np.minimum(distance_km[row], reach[-1])
        expected_s = np.stack([np.interp(at, reach, of_depth) for of_depth in table_s], axis=1)
        off = (expected_s - view.p_travel_s[row]) / max(view.p_travel_unit_s[row], 1e-3)
        off = off**2 / 2
        likely = np.cumsum(np.exp(off.min(axis=1, keepdims=True) - off), axis=1)
        place = (likely < share[:, None] * likely[:, -1:]).sum(axis=1)
        found[row] = depth[np.minimum(place, N_DEPTHS - 1)]
    return found


def _table(times: TravelTimes, depth_km: Sequence[float] | np.ndarray, distance_km: np.ndarray) -> np.ndarray:
    """Travel times of P in s, (depths, distances), to a station on the datum."""
    depth, distance = torch.meshgrid(torch.as_tensor(depth_km), torch.as_tensor(distance_km), indexing="ij")
    phase = torch.full(depth.shape, PHASES.index("P"))
    time_s, _, _ = times.times_s(phase, depth.double(), distance.double(), torch.zeros_like(depth).double())
    return time_s.numpy()
