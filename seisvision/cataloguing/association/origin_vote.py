"""Association by a vote of origin times: every pick says, for every place of a grid, when the event began.

Where many picks name one time at one place there is an event (after PAL, Zhou et al. 2022, doi:10.1785/0220210111,
which lets pairs of P and S vote for times and then searches the grid; here every pick votes at every place, so that
stations with one phase count). The place is refined, picks that fit are taken, and the vote goes on without them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from seisvision.cataloguing.association.geometry import aperture_km, sphere_distance_km
from seisvision.cataloguing.association.protocol import Associated, Network, Picks, Rules
from seisvision.earth.projection import Projection
from seisvision.earth.travel_time_table import PHASES, TravelTimes
from seisvision.errors import ConfigurationError

REFINED = (1.0, 0.5, 0.25)
"""Spacings of the finer grids, as shares of that of the first."""
REACH = 2
"""Steps of the finer grids to each side."""
DEPTHS = 5
LOOKUP_KM = 0.5
TRIES = 12
"""Places with the most votes that are refined before a stretch of time is given up."""
MOST_AT_ONCE = 400
"""Picks of a stretch; longer ones are cut, with an overlap, so that time grows with the number of picks only."""
AT_ONCE = 2_000_000
"""Places times picks, or stations, that are looked at together."""
MOST_TIMES = 200_000_000
"""Places times stations of a grid, with two times each of 8 bytes."""


@dataclass(frozen=True)
class Grid:
    """G places.

    Args:
        latitude_deg: (G,).
        longitude_deg: (G,).
        depth_km: (G,).
        travel_s: (G, S, 2) to the stations, P and S; infinite where a station is too far to count.
    """

    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    depth_km: np.ndarray
    travel_s: np.ndarray


class OriginVote:
    """See above."""

    def associate(self, picks: Picks, network: Network, travel_times: TravelTimes, rules: Rules) -> Associated:
        """Events of the picks.

        Raises:
            ConfigurationError: the grid is too fine for the size of the network.
        """
        search = _Search(picks, network, travel_times, rules)
        event = np.full(len(picks.time_s), -1)
        found: list[tuple[float, float, float, float]] = []
        for rows in stretches(picks.time_s, search.longest_s):
            left = rows[event[rows] < 0]
            while len(left) >= rules.fewest_picks:
                one = search.best(left)
                if one is None:
                    break
                members, place = one
                event[members] = len(found)
                found.append(place)
                left = left[event[left] < 0]
        values = np.array(found).reshape(-1, 4)
        order = np.argsort(values[:, 0], kind="stable")
        rank = np.empty(len(order), int)
        rank[order] = np.arange(len(order))
        event = np.where(event >= 0, rank[event] if len(rank) else event, -1)
        return Associated(event, *values[order].T)


def stretches(time_s: np.ndarray, longest_s: float) -> list[np.ndarray]:
    """Numbers of picks that may belong together: apart from the others by more than the longest travel time."""
    if not len(time_s):
        return []
    cuts = np.flatnonzero(np.diff(time_s) > longest_s) + 1
    found: list[np.ndarray] = []
    for rows in np.split(np.arange(len(time_s)), cuts):
        begin = 0
        while len(rows) - begin > MOST_AT_ONCE:
            found.append(rows[begin : begin + MOST_AT_ONCE])
            # What began in the overlap is seen whole by one of both.
            late = time_s[rows[begin + MOST_AT_ONCE - 1]] - longest_s
            begin = max(begin + MOST_AT_ONCE // 2, int(np.searchsorted(time_s[rows], late)))
        found.append(rows[begin:])
    return found


class _Search:
    def __init__(self, picks: Picks, network: Network, travel_times: TravelTimes, rules: Rules) -> None:
        self._picks, self._network, self._rules = picks, network, rules
        self._slack_s = rules.tolerance_s + 0.5 * rules.spacing_km / 4.0
        reach_km = aperture_km(network) + 3 * (rules.margin_km + rules.spacing_km)
        elevation_km = float(network.elevation_km.mean())
        self._lookup = _Lookup(travel_times, rules.depth_km, reach_km, elevation_km)
        self._plane = Projection.about(network.latitude_deg, network.longitude_deg)
        self._grid = self._first_grid()
        finite = self._grid.travel_s[np.isfinite(self._grid.travel_s)]
        self.longest_s = float(finite.max()) if finite.size else 0.0

    def best(self, rows: np.ndarray) -> tuple[np.ndarray, tuple[float, float, float, float]] | None:
        """Picks of the event with the most votes among ``rows``, and its origin time and place; None: there is none."""
        station, phase, time_s = self._picks.station[rows], self._picks.phase[rows], self._picks.time_s[rows]
        width = 2 * self._slack_s
        n_places = len(self._grid.depth_km)
        top, middle = np.empty(n_places, int), np.empty(n_places)
        for some in _chunks(n_places, len(rows)):
            ordered = np.sort(time_s - self._grid.travel_s[some, station, phase], axis=1)
            votes = _within(ordered, width)
            top[some] = votes.max(1)
            middle[some] = np.take_along_axis(ordered, votes.argmax(1)[:, None], 1)[:, 0] + width / 2
        for place in np.argsort(-top, kind="stable")[:TRIES]:
            if top[place] < self._rules.fewest_picks:
                return None
            late = np.abs(time_s - self._grid.travel_s[place, station, phase] - middle[place])
            # What the rough place does not allow, a better one near it will not.
            if not self._is_event(rows[late <= 2 * self._slack_s]):
                continue
            event = self._refined(rows, int(place), float(middle[place]))
            if event is not None:
                return event
        return None

    def _refined(
        self, rows: np.ndarray, place: int, origin_s: float
    ) -> tuple[np.ndarray, tuple[float, float, float, float]] | None:
        grid = self._grid
        centre = (grid.latitude_deg[place], grid.longitude_deg[place], grid.depth_km[place])
        travel = grid.travel_s[place, self._picks.station[rows], self._picks.phase[rows]]
        near = rows[np.abs(self._picks.time_s[rows] - travel - origin_s) < 2 * self._slack_s]
        for share in REFINED:
            finer = self._grid_about(centre, share)
            travel_s = finer.travel_s[:, self._picks.station[near], self._picks.phase[near]]
            late = self._picks.time_s[near] - travel_s
            origin = _most_agreed(late, self._rules.tolerance_s)
            misfit = np.minimum(np.abs(late - origin[:, None]) / self._rules.tolerance_s, 1).sum(1)
            best = int(misfit.argmin())
            centre = (finer.latitude_deg[best], finer.longitude_deg[best], finer.depth_km[best])
            origin_s = float(origin[best])
            residual = np.abs(late[best] - origin_s)
        members = self._one_each(near, residual)
        place_of = (origin_s, float(centre[0]), float(centre[1]), float(centre[2]))
        return (members, place_of) if self._is_event(members) else None

    def _one_each(self, rows: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Picks that fit, the best of each station and phase."""
        kept: dict[tuple[int, int], int] = {}
        for at in np.argsort(residual, kind="stable"):
            if residual[at] <= self._rules.tolerance_s:
                row = int(rows[at])
                kept.setdefault((int(self._picks.station[row]), int(self._picks.phase[row])), row)
        return np.array(sorted(kept.values()), int)

    def _is_event(self, members: np.ndarray) -> bool:
        station, phase = self._picks.station[members], self._picks.phase[members]
        p, s = set(station[phase == 0].tolist()), set(station[phase == 1].tolist())
        rules = self._rules
        return bool(
            len(members) >= rules.fewest_picks
            and len(p) >= rules.fewest_p
            and len(s) >= rules.fewest_s
            and len(p | s) >= rules.fewest_stations
            and len(p & s) >= rules.fewest_both
        )

    def _first_grid(self) -> Grid:
        network, rules = self._network, self._rules
        x, y = self._plane.to_km(network.latitude_deg, network.longitude_deg)
        y_km, x_km = (
            _steps(one.min() - rules.margin_km, one.max() + rules.margin_km, rules.spacing_km) for one in (y, x)
        )
        n_depths = min(DEPTHS, max(2, round((rules.depth_km[1] - rules.depth_km[0]) / rules.spacing_km)))
        n_places = len(y_km) * len(x_km) * n_depths
        if n_places * len(x) > MOST_TIMES:
            raise ConfigurationError(
                f"associate.spacing_km={rules.spacing_km:g} makes a grid of {n_places} places for {len(x)} stations, "
                f"more than memory holds; give associate.spacing_km={self._spacing_that_fits(n_places):.0f} or more."
            )
        return self._filled(y_km, x_km, np.linspace(*rules.depth_km, n_depths))

    def _spacing_that_fits(self, n_places: int) -> float:
        too_many = n_places * len(self._network.station_id) / MOST_TIMES
        return float(np.ceil(1.05 * self._rules.spacing_km * np.sqrt(too_many)))

    def _grid_about(self, centre: tuple[float, float, float], share: float) -> Grid:
        step = np.arange(-REACH, REACH + 1) * share * self._rules.spacing_km
        x, y = (float(one) for one in self._plane.to_km(np.array(centre[0]), np.array(centre[1])))
        return self._filled(y + step, x + step, np.unique(np.clip(centre[2] + step, *self._rules.depth_km)))

    def _filled(self, y_km: np.ndarray, x_km: np.ndarray, depth_km: np.ndarray) -> Grid:
        """Places at all combinations of coordinates on the plane and depths."""
        y, x, depth = (one.ravel() for one in np.meshgrid(y_km, x_km, depth_km, indexing="ij"))
        latitude, longitude = self._plane.to_degrees(x, y)
        network = self._network
        travel = np.empty((len(depth), len(network.station_id), len(PHASES)))
        for some in _chunks(len(depth), len(network.station_id)):
            distance = sphere_distance_km(
                latitude[some, None], longitude[some, None], network.latitude_deg, network.longitude_deg
            )
            travel[some] = self._lookup.travel_s(depth[some, None], distance)
            if self._rules.max_distance_km is not None:
                travel[some][distance > self._rules.max_distance_km] = np.inf
        return Grid(latitude, longitude, depth, travel)


class _Lookup:
    """Times by depth and distance, looked up a thousand times for what is computed once.

    Stations count as at their mean elevation: what that costs is far below what picks may be off.
    """

    def __init__(self, table: TravelTimes, depth_km: tuple[float, float], reach_km: float, elevation_km: float) -> None:
        self._low, n_depths = depth_km[0], max(2, math.ceil((depth_km[1] - depth_km[0]) / LOOKUP_KM) + 1)
        n_distances = math.ceil(reach_km / LOOKUP_KM) + 2
        depth = self._low + LOOKUP_KM * torch.arange(n_depths, dtype=torch.float64)[:, None].expand(-1, n_distances)
        distance = LOOKUP_KM * torch.arange(n_distances, dtype=torch.float64).expand(n_depths, -1)
        level = torch.full_like(depth, elevation_km)
        times = [
            table.times_s(torch.full(depth.shape, phase), depth.contiguous(), distance.contiguous(), level)[0].numpy()
            for phase in range(len(PHASES))
        ]
        self._times = np.stack(times, -1)

    def travel_s(self, depth_km: np.ndarray, distance_km: np.ndarray) -> np.ndarray:
        """Times (..., 2) of P and S, linear between what is tabulated."""
        y = np.clip((depth_km - self._low) / LOOKUP_KM, 0, len(self._times) - 1.001)
        x = np.clip(distance_km / LOOKUP_KM, 0, self._times.shape[1] - 1.001)
        row, column = y.astype(int), x.astype(int)
        down, across = (y - row)[..., None], (x - column)[..., None]
        upper = self._times[row, column] * (1 - across) + self._times[row, column + 1] * across
        lower = self._times[row + 1, column] * (1 - across) + self._times[row + 1, column + 1] * across
        return np.asarray(upper * (1 - down) + lower * down)


def _steps(low: float, high: float, spacing_km: float) -> np.ndarray:
    n = max(2, int(np.ceil((high - low) / spacing_km)) + 1)
    return np.linspace(low, high, n)


def _chunks(n_rows: int, n_columns: int) -> list[slice]:
    """Rows of a table, so many at a time that memory stays small."""
    step = max(1, AT_ONCE // max(1, n_columns))
    return [slice(begin, min(begin + step, n_rows)) for begin in range(0, n_rows, step)]


def _within(ordered: np.ndarray, width: float) -> np.ndarray:
    """How many values (G, n) of each ascending row lie within ``width`` from each value on; 0 for infinite ones."""
    finite = np.isfinite(ordered)
    if not finite.any():
        return np.zeros(ordered.shape, int)
    low = float(ordered[finite].min())
    span = float(ordered[finite].max()) - low + 2 * width
    # All rows as one ascending line, so that one search serves them all.
    shift = 2 * span * np.arange(len(ordered))[:, None]
    line = (np.where(finite, ordered - low, 1.5 * span) + shift).ravel()
    place = np.arange(len(line))
    found = np.searchsorted(line, line + width, "right") - place
    return np.where(finite, found.reshape(ordered.shape), 0)


def _most_agreed(late: np.ndarray, tolerance_s: float) -> np.ndarray:
    """Origin times (G,): of the window of twice the tolerance with the most picks the median."""
    ordered = np.sort(late, axis=1)
    n = np.arange(ordered.shape[1])
    reach = (ordered[:, None, :] <= ordered[:, :, None] + 2 * tolerance_s).sum(2)
    count = reach - n
    first = count.argmax(1)
    last = first + count.max(1) - 1
    rows = np.arange(len(ordered))
    return np.asarray(0.5 * (ordered[rows, (first + last) // 2] + ordered[rows, (first + last + 1) // 2]))
