"""Association by a vote of origin times: every pick says, for every place of a grid, when the event began.

Where many picks name one time at one place there is an event (after PAL, Zhou et al. 2022, doi:10.1785/0220210111,
which lets pairs of P and S vote for times and then searches the grid; here every pick votes at every place, so that
stations with one phase count). The place is refined, picks that fit are taken, and the vote goes on without them.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch

from seisvision.cataloguing.association.geometry import aperture_km, arc_km
from seisvision.cataloguing.association.protocol import Associated, Network, Picks, Rules
from seisvision.earth.projection import Projection, vectors_of
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
SAME_TRIES = 2
"""Of these, places with the same picks."""
MOST_AT_ONCE = 400
"""Picks of a stretch; longer ones are cut, with an overlap, so that time grows with the number of picks only."""
AT_ONCE = 2_000_000
"""Places times picks, or stations, that are looked at together."""
MOST_TIMES = 200_000_000
"""Places times stations of a grid, with two times each of 8 bytes."""


@dataclass(frozen=True)
class Grid:
    """G places: D depths below each of H epicentres.

    Args:
        x_km: (H,) to the east of the middle of the network, on a plane.
        y_km: (H,) to the north.
        depth_km: (D,).
        travel_s: (G, N) of N arrivals, each a phase at a station; infinite where the station is too far to count.
    """

    x_km: np.ndarray
    y_km: np.ndarray
    depth_km: np.ndarray
    travel_s: np.ndarray

    def place(self, number: int) -> tuple[float, float, float]:
        """Coordinates and depth of one of the places."""
        epicentre, depth = divmod(number, len(self.depth_km))
        return float(self.x_km[epicentre]), float(self.y_km[epicentre]), float(self.depth_km[depth])


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
        self._stations = vectors_of(network.latitude_deg, network.longitude_deg)
        self._grid = self._first_grid()
        finite = self._grid.travel_s[np.isfinite(self._grid.travel_s)]
        self.longest_s = float(finite.max()) if finite.size else 0.0

    def best(self, rows: np.ndarray) -> tuple[np.ndarray, tuple[float, float, float, float]] | None:
        """Picks of the event with the most votes among ``rows``, and its origin time and place; None: there is none."""
        station, phase, time_s = self._picks.station[rows], self._picks.phase[rows], self._picks.time_s[rows]
        width = 2 * self._slack_s
        n_places = len(self._grid.travel_s)
        top, middle = np.empty(n_places, int), np.empty(n_places)
        arrival = len(PHASES) * station + phase
        for some in _chunks(n_places, len(rows)):
            ordered = np.sort(time_s - self._grid.travel_s[some].take(arrival, axis=1), axis=1)
            top[some], first = most_within(ordered, width, self._rules.fewest_picks)
            middle[some] = ordered[np.arange(len(ordered)), first] + width / 2
        enough = np.flatnonzero(top)
        failed: Counter[bytes] = Counter()
        for place in enough[np.argsort(-top[enough], kind="stable")][:TRIES]:
            late = np.abs(time_s - self._grid.travel_s[place, arrival] - middle[place])
            near = rows[late <= 2 * self._slack_s]
            # What the rough place does not allow, a better one near it will not. Places beside each other have the
            # same picks, and come to the same end.
            if failed[near.tobytes()] >= SAME_TRIES or not self._is_event(near):
                continue
            event = self._refined(near, int(place))
            if event is not None:
                return event
            failed[near.tobytes()] += 1
        return None

    def _refined(self, near: np.ndarray, place: int) -> tuple[np.ndarray, tuple[float, float, float, float]] | None:
        """Those of the picks ``near`` a place that one place about it explains, and that place."""
        x_km, y_km, depth_km = self._grid.place(place)
        station, phase, time_s = self._picks.station[near], self._picks.phase[near], self._picks.time_s[near]
        for share in REFINED:
            step = np.arange(-REACH, REACH + 1) * share * self._rules.spacing_km
            depths_km = np.clip(depth_km + step, *self._rules.depth_km)
            finer = self._filled(y_km + step, x_km + step, depths_km, station, phase)
            late = time_s - finer.travel_s
            origin = _most_agreed(late, self._rules.tolerance_s)
            misfit = np.minimum(np.abs(late - origin[:, None]) / self._rules.tolerance_s, 1).sum(1)
            best = int(misfit.argmin())
            x_km, y_km, depth_km = finer.place(best)
            origin_s = float(origin[best])
            residual = np.abs(late[best] - origin_s)
        members = self._one_each(near, residual)
        if not self._is_event(members):
            return None
        latitude, longitude = self._plane.to_degrees(np.array(x_km), np.array(y_km))
        return members, (origin_s, float(latitude), float(longitude), depth_km)

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
        station, phase = (one.ravel() for one in np.indices((len(x), len(PHASES))))
        return self._filled(y_km, x_km, np.linspace(*rules.depth_km, n_depths), station, phase)

    def _spacing_that_fits(self, n_places: int) -> float:
        too_many = n_places * len(self._network.station_id) / MOST_TIMES
        return float(np.ceil(1.05 * self._rules.spacing_km * np.sqrt(too_many)))

    def _filled(
        self, y_km: np.ndarray, x_km: np.ndarray, depth_km: np.ndarray, station: np.ndarray, phase: np.ndarray
    ) -> Grid:
        """Places at all combinations of coordinates on the plane and depths, with times of arrivals (N,)."""
        n_depths, shape = len(depth_km), (len(y_km), len(x_km))
        y, x = np.broadcast_to(y_km[:, None], shape).ravel(), np.broadcast_to(x_km, shape).ravel()
        towards, stations = self._plane.to_vectors(x, y), self._stations[station]
        travel = np.empty((len(y), n_depths, len(station)))
        for some in _chunks(len(y), n_depths * len(station)):
            distance = arc_km(towards[some], stations)
            self._lookup.fill(travel[some], depth_km, distance, phase)
            if self._rules.max_distance_km is not None:
                travel[some].swapaxes(1, 2)[distance > self._rules.max_distance_km] = np.inf
        return Grid(x, y, depth_km, travel.reshape(-1, len(station)))


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

    def fill(self, travel_s: np.ndarray, depth_km: np.ndarray, distance_km: np.ndarray, phase: np.ndarray) -> None:
        """Fill in times (H, D, N) from depths (D,) of phases (N,) at distances (H, N), linear between the tabulated."""
        y = np.minimum(np.maximum((depth_km - self._low) / LOOKUP_KM, 0), len(self._times) - 1.001)
        x = np.minimum(distance_km / LOOKUP_KM, self._times.shape[1] - 1.001)
        row, column = y.astype(int), x.astype(int)
        down, across = (y - row)[:, None], x - column
        flat = self._times.reshape(len(self._times), -1)
        layers = flat[row] * (1 - down) + flat[row + 1] * down
        at, rest = len(PHASES) * column + phase, 1 - across
        for depth, layer in enumerate(layers):
            travel_s[:, depth] = layer.take(at) * rest + layer.take(at + len(PHASES)) * across


def _steps(low: float, high: float, spacing_km: float) -> np.ndarray:
    n = max(2, int(np.ceil((high - low) / spacing_km)) + 1)
    return np.linspace(low, high, n)


def _chunks(n_rows: int, n_columns: int) -> list[slice]:
    """Rows of a table, so many at a time that memory stays small."""
    step = max(1, AT_ONCE // max(1, n_columns))
    return [slice(begin, min(begin + step, n_rows)) for begin in range(0, n_rows, step)]


def most_within(ordered: np.ndarray, width: float, fewest: int) -> tuple[np.ndarray, np.ndarray]:
    """The most values of each ascending row (G, n) that lie within ``width`` of each other.

    Returns:
        Their number (G,), 0 where they are fewer than ``fewest``, and the place (G,) of the first of them. Infinite
        values have no say.
    """
    n_values = ordered.shape[1]
    rows = np.arange(len(ordered))
    number, first = np.zeros(len(ordered), int), np.zeros(len(ordered), int)
    with np.errstate(invalid="ignore"):
        for many in range(fewest, n_values + 1):
            is_close = ordered[:, many - 1 :] - ordered[:, : n_values - many + 1] <= width
            at = is_close.argmax(1)
            found = np.flatnonzero(is_close[np.arange(len(at)), at])
            if not len(found):
                break
            number[rows[found]], first[rows[found]] = many, at[found]
            # Where so many are not near, more are not either.
            if 2 * len(found) < len(rows):
                rows, ordered = rows[found], ordered[found]
    return number, first


def _most_agreed(late: np.ndarray, tolerance_s: float) -> np.ndarray:
    """Origin times (G,): of the window of twice the tolerance with the most picks (G, n) the median."""
    ordered = np.sort(late, axis=1).T
    # Few picks at few places: all against all costs less than a loop.
    reach = (ordered <= ordered[:, None] + 2 * tolerance_s).view(np.uint8).sum(1, dtype=np.int16)
    number = reach - np.arange(len(ordered))[:, None]
    if np.isinf(ordered[0]).any():
        number = np.where(np.isinf(ordered), 1, number)
    first, columns = number.argmax(0), np.arange(ordered.shape[1])
    last = first + number[first, columns] - 1
    return np.asarray(0.5 * (ordered[(first + last) // 2, columns] + ordered[(first + last + 1) // 2, columns]))
