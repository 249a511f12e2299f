"""Which triggers of a network may be the P wave of one source, whatever else triggered on noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from seisvision.earth.projection import Projection
from seisvision.earth.travel_time_table import TravelTimes

FEWEST_TRIGGERS = 4
"""Stations that must have triggered on one source before there is an alert, or a place."""
NODES_ACROSS = 24
"""Places that are tried across the stations; as many again beyond them, half at either side."""
LEAST_STEP_KM = 1.0
DEPTH_KM = 8.0
"""Of the places that are tried: what depth changes of differences of arrivals is within the slack."""
SLACK_S = 1.0
"""Times of origin from triggers of one source lie within this, and within what a step between places takes."""
FAST_KM_S = 6.0
CHANCE_DEVIATIONS = 3.0
"""By so many standard deviations chance may exceed what is expected of it."""
SILENT_SHARE = 0.5
"""So many stations may be silent, per station that agrees, though they are nearer to the source."""


@dataclass(frozen=True)
class TriedPlaces:
    """Places within and about a network.

    Attributes:
        travel_s: (G, S) of the P wave from each place to the stations, NaN for stations without a place.
        slack_s: by how much times of origin may differ.
    """

    travel_s: np.ndarray
    slack_s: float

    @classmethod
    def about(cls, latitude_deg: np.ndarray, longitude_deg: np.ndarray, travel_times: TravelTimes) -> TriedPlaces:
        """A lattice over the stations (S,), NaN for padding, and half of their width beyond on all sides."""
        there = np.isfinite(latitude_deg) & np.isfinite(longitude_deg)
        plane = Projection.about(latitude_deg[there], longitude_deg[there])
        place_km = np.stack(plane.to_km(latitude_deg[there], longitude_deg[there]), 1)
        low, high = place_km.min(0), place_km.max(0)
        width_km = float((high - low).max())
        step_km = max(width_km / NODES_ACROSS, LEAST_STEP_KM)
        lines = [
            np.arange(a - width_km / 2, b + width_km / 2 + step_km, step_km) for a, b in zip(low, high, strict=True)
        ]
        nodes_km = np.stack(np.meshgrid(*lines, indexing="ij"), -1).reshape(-1, 1, 2)
        away_km = np.linalg.norm(nodes_km - place_km, axis=-1).clip(max=travel_times.max_distance_km)
        distance_km = torch.from_numpy(away_km)
        zero = torch.zeros_like(distance_km)
        depth_km = torch.full_like(zero, min(DEPTH_KM, travel_times.max_depth_km))
        time_s, _, _ = travel_times.times_s(zero.long(), depth_km, distance_km, zero)
        travel_s = np.full((len(away_km), len(there)), np.nan)
        travel_s[:, there] = time_s.numpy()
        return cls(travel_s, SLACK_S + float(np.hypot(step_km, step_km)) / FAST_KM_S)

    def agreeing(self, time_s: np.ndarray, station: np.ndarray, is_heard: np.ndarray, from_s: float) -> np.ndarray:
        """Triggers (M,) that fit one source best, one a station; none where fewer than :data:`FEWEST_TRIGGERS` do.

        Of a place so many count as agree, less the stations that have never triggered though they are nearer to it.
        Of places alike that one counts whose times of origin lie closest together. Where stations trigger often on
        noise, more are needed: :data:`FEWEST_TRIGGERS` beyond what triggers before suggest for the same time by chance.

        Args:
            time_s: (M,) of triggers.
            station: (M,) their stations, by number.
            is_heard: (S,) whether silence of a station means something.
            from_s: since when all is known.
        """
        chosen = np.zeros(len(time_s), dtype=bool)
        if len(np.unique(station)) < FEWEST_TRIGGERS:
            return chosen
        begun_s = time_s - self.travel_s[:, station]
        order = begun_s.argsort(1)
        sorted_s = np.take_along_axis(begun_s, order, 1)
        upto = _upto(sorted_s, self.slack_s)
        count = upto - np.arange(sorted_s.shape[1])
        last_s = np.take_along_axis(sorted_s, upto - 1, 1)
        n_before = np.searchsorted(np.sort(time_s), sorted_s)
        by_chance = n_before / np.maximum(sorted_s - from_s, self.slack_s) * self.slack_s
        is_enough = count >= FEWEST_TRIGGERS + by_chance + CHANCE_DEVIATIONS * np.sqrt(by_chance)
        worth = np.where(is_enough, count - 0.5 * (last_s - sorted_s) / self.slack_s, 0.0)
        first = worth.argmax(1)[:, None]
        n_agree, worth = (np.take_along_axis(one, first, 1)[:, 0] for one in (count, worth))
        n_silent = self._n_silent(order, first, n_agree, station, is_heard)
        allowed = (worth > 0) & (n_silent <= SILENT_SHARE * n_agree)
        if not allowed.any():
            return chosen
        node = int(np.where(allowed, worth - n_silent, -np.inf).argmax())
        members = order[node, first[node, 0] : first[node, 0] + n_agree[node]]
        # Where a station triggered twice the earlier one counts: what follows a wave is part of it.
        members = members[time_s[members].argsort()]
        _, earliest = np.unique(station[members], return_index=True)
        if len(earliest) >= FEWEST_TRIGGERS:
            chosen[members[earliest]] = True
        return chosen

    def _n_silent(
        self, order: np.ndarray, first: np.ndarray, n_agree: np.ndarray, station: np.ndarray, is_heard: np.ndarray
    ) -> np.ndarray:
        """Stations (G,) that never triggered though they are nearer to a place than those that agree (on average).

        Farther ones may have been too far for a small event.
        """
        quiet = is_heard & np.isfinite(self.travel_s[0])
        quiet[station] = False
        summed_s = np.cumsum(np.take_along_axis(self.travel_s[:, station], order, 1), 1)
        summed_s = np.concatenate([np.zeros((len(summed_s), 1)), summed_s], 1)
        upto, begin = (np.take_along_axis(summed_s, at, 1)[:, 0] for at in (first + n_agree[:, None], first))
        mean_s = (upto - begin) / n_agree
        return np.asarray((self.travel_s[:, quiet] < mean_s[:, None]).sum(1))


def _upto(sorted_s: np.ndarray, within_s: float) -> np.ndarray:
    """For each value of rows (G, M) in rising order, the number of values of its row up to ``within_s`` after it."""
    n_rows, n = sorted_s.shape
    row = np.arange(n_rows)[:, None]
    # One search in all rows: each is moved beyond the one before.
    apart_s = np.ptp(sorted_s) + within_s + 1.0
    moved_s = sorted_s - sorted_s.min() + row * apart_s
    return np.searchsorted(moved_s.ravel(), (moved_s + within_s).ravel(), side="right").reshape(n_rows, n) - row * n
