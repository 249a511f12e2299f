"""Networks, events and picks of tests."""

from __future__ import annotations

import numpy as np

from seisvision.cataloguing.association.protocol import Network, Picks
from seisvision.cataloguing.network import predict
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.travel_time_table import TravelTimes

CENTRE = (38.0, 20.5)


def network(n: int = 10, radius_km: float = 25.0, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    place = rng.uniform(-radius_km, radius_km, (2, n)) / KM_PER_DEG
    names = tuple(f"XX.S{number:02d}" for number in range(n))
    longitude = CENTRE[1] + place[1] / np.cos(np.radians(CENTRE[0]))
    return Network(names, CENTRE[0] + place[0], longitude, np.zeros(n))


def uniform() -> TravelTimes:
    return TravelTimes.constant(6.0, 3.4)


def events(n: int, radius_km: float = 20.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    place = rng.uniform(-radius_km, radius_km, (2, n)) / KM_PER_DEG
    return CENTRE[0] + place[0], CENTRE[1] + place[1] / np.cos(np.radians(CENTRE[0])), rng.uniform(3, 12, n)


def picks_of(
    places: tuple[np.ndarray, np.ndarray, np.ndarray],
    origin_s: np.ndarray,
    stations: Network,
    n_false: int = 0,
    lost: float = 0.0,
    sigma_s: float = 0.05,
    seed: int = 2,
) -> tuple[Picks, np.ndarray]:
    """Picks in order, and the event of each, -1 for false ones."""
    rng = np.random.default_rng(seed)
    travel = predict(*places, stations, uniform()).travel_s
    event, station, phase = (one.ravel() for one in np.indices(travel.shape))
    time_s = (origin_s[:, None, None] + travel + rng.normal(0, sigma_s, travel.shape)).ravel()
    kept = rng.uniform(size=len(time_s)) >= lost
    event, station, phase, time_s = event[kept], station[kept], phase[kept], time_s[kept]
    event = np.concatenate([event, np.full(n_false, -1)])
    station = np.concatenate([station, rng.integers(0, len(stations.station_id), n_false)])
    phase = np.concatenate([phase, rng.integers(0, 2, n_false)])
    time_s = np.concatenate([time_s, rng.uniform(0, origin_s.max() + 30, n_false)])
    order = np.argsort(time_s)
    return Picks(station[order], phase[order], time_s[order]), event[order]
