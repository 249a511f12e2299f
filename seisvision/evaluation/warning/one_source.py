"""Which triggers of a network may be the P wave of one source, whatever else triggered on noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from seisvision.earth.projection import Projection
from seisvision.earth.travel_time_table import TravelTimes

FEWEST_TRIGGERS = 4
"""Stations that must have triggered on one source before there is an alert, or a place."""
NODES_ACROSS = 16
"""Places that are tried across the stations; as many again beyond them, half at either side."""
LEAST_STEP_KM = 1.0
DEPTH_KM = 8.0
"""Of the places that are tried: what depth changes of differences of arrivals is within the slack."""
SLACK_S = 1.0
"""Times of origin from triggers of one source lie within this, and within what a step between places takes."""
FAST_KM_S = 6.0
SILENT_SHARE = 0.5
"""So many stations may be silent, per station that agrees, though the wave has passed them."""


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

    def agreeing(self, time_s: np.ndarray, is_heard: np.ndarray, now_s: float) -> np.ndarray:
        """Stations (S,) whose triggers fit one source best, none where fewer than :data:`FEWEST_TRIGGERS` do.

        Of a place so many count as agree, less the stations that are silent though its wave has passed them. Among
        places alike the one counts whose first trigger came last: an earlier one is rather noise.

        Args:
            time_s: (S,) of triggers, NaN where there is none yet.
            is_heard: (S,) whether silence of a station means something.
            now_s: until when all is known.
        """
        nobody = np.zeros(len(time_s), dtype=bool)
        triggered = np.flatnonzero(np.isfinite(time_s) & (time_s <= now_s) & is_heard)
        if len(triggered) < FEWEST_TRIGGERS:
            return nobody
        begun_s = time_s[triggered] - self.travel_s[:, triggered]
        after_s = begun_s[:, None, :] - begun_s[:, :, None]
        together = (after_s >= 0) & (after_s <= self.slack_s)
        count = together.sum(2)
        node, first = np.nonzero(count >= FEWEST_TRIGGERS)
        if not len(node):
            return nobody
        quiet = is_heard & np.isfinite(self.travel_s[0])
        quiet[triggered] = False
        passed_s = begun_s[node, first][:, None] + self.travel_s[node][:, quiet] + self.slack_s
        n_agree, n_silent = count[node, first], (passed_s < now_s).sum(1)
        worth = np.where(n_silent <= SILENT_SHARE * n_agree, n_agree - n_silent, 0)
        if not worth.max():
            return nobody
        best = np.flatnonzero(worth == worth.max())
        begins_s = np.where(together[node[best], first[best]], time_s[triggered], np.inf).min(1)
        chosen = best[int(begins_s.argmax())]
        nobody[triggered[together[node[chosen], first[chosen]]]] = True
        return nobody
