"""What every associator takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from seisvision.earth.travel_time_table import TravelTimes


@dataclass(frozen=True)
class Network:
    """S stations.

    Args:
        station_id: (S,) ``NET.STA``.
        latitude_deg: (S,).
        longitude_deg: (S,).
        elevation_km: (S,).
    """

    station_id: tuple[str, ...]
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    elevation_km: np.ndarray


@dataclass(frozen=True)
class Picks:
    """N picks in the order of time.

    Args:
        station: (N,) number in the network.
        phase: (N,) number in ``PHASES``.
        time_s: (N,) on any clock.
    """

    station: np.ndarray
    phase: np.ndarray
    time_s: np.ndarray


@dataclass(frozen=True)
class Rules:
    """What makes an event.

    Args:
        fewest_picks: P and S together.
        fewest_p: P.
        fewest_s: S.
        fewest_stations: with any pick.
        fewest_both: stations with P and S.
        tolerance_s: a pick belongs to an event when it is so close to its predicted time.
        max_distance_km: of a station from an epicentre; None: all.
        depth_km: least and greatest.
        margin_km: epicentres may lie so far outside of the network.
        spacing_km: of the grid.
    """

    fewest_picks: int = 6
    fewest_p: int = 3
    fewest_s: int = 1
    fewest_stations: int = 4
    fewest_both: int = 1
    tolerance_s: float = 0.8
    max_distance_km: float | None = None
    depth_km: tuple[float, float] = (0.0, 20.0)
    margin_km: float = 15.0
    spacing_km: float = 3.0


@dataclass(frozen=True)
class Associated:
    """M events in the order of time.

    Args:
        event: (N,) number of the event of each pick, -1 for none.
        origin_s: (M,) preliminary.
        latitude_deg: (M,).
        longitude_deg: (M,).
        depth_km: (M,).
    """

    event: np.ndarray
    origin_s: np.ndarray
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    depth_km: np.ndarray


class Associator(Protocol):
    """Anything that joins picks to events."""

    def associate(self, picks: Picks, network: Network, travel_times: TravelTimes, rules: Rules) -> Associated:
        """Events of the picks; a pick belongs to one event at most."""
        ...
