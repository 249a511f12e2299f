"""Events around stations that stay, as a local network sees them: where a place can be learnt."""

from __future__ import annotations

from typing import Final

import numpy as np

from seisvision.data.synthesis.geometry import COORDINATE_DECIMALS, EventGeometry
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.geodesics import geodesic
from seisvision.earth.sphere import destination
from seisvision.seeding import numpy_stream

SWARM_KM: Final = 1.5
"""Radius of a swarm."""
HIGHEST_LATITUDE: Final = 60.0


def swarm_geometry(parameters: LocalSynthesisParameters, index: int) -> EventGeometry:
    """Epicentre in one of the swarms; the stations are the first of those that all events have in common.

    Swarms lie evenly within two thirds of the largest offset about a place, stations within one third.
    """
    network = numpy_stream(parameters.seed, "synthesis_local/network", 0)
    rng = numpy_stream(parameters.seed, "synthesis_local/geometry", index)
    middle = network.uniform(-HIGHEST_LATITUDE, HIGHEST_LATITUDE), network.uniform(-180, 180)
    reach_km = parameters.offset_range_km[1]
    stations = _about(middle, reach_km / 3, parameters.n_stations[1], network)
    swarms = _about(middle, 2 * reach_km / 3, parameters.swarms, network)
    chosen = rng.integers(parameters.swarms)
    swarm = float(swarms[0, chosen]), float(swarms[1, chosen])
    latitude, longitude = (float(one) for one in _about(swarm, SWARM_KM, 1, rng)[:, 0])
    n = int(rng.integers(parameters.n_stations[0], parameters.n_stations[1] + 1))
    return _recorded_by(np.arange(n), stations, latitude, longitude)


def network_geometry(parameters: LocalSynthesisParameters, index: int) -> EventGeometry:
    """Epicentre within the radius of a network; some of its stations, drawn anew for every event."""
    network = numpy_stream(parameters.seed, "synthesis_local/network", 0)
    rng = numpy_stream(parameters.seed, "synthesis_local/geometry", index)
    middle = network.uniform(-HIGHEST_LATITUDE, HIGHEST_LATITUDE), network.uniform(-180, 180)
    stations = _about(middle, parameters.network_km, parameters.n_stations[1], network)
    latitude, longitude = (float(one) for one in _about(middle, parameters.network_km, 1, rng)[:, 0])
    n = int(rng.integers(parameters.n_stations[0], parameters.n_stations[1] + 1))
    return _recorded_by(np.sort(rng.permutation(parameters.n_stations[1])[:n]), stations, latitude, longitude)


def _recorded_by(numbers: np.ndarray, stations: np.ndarray, latitude: float, longitude: float) -> EventGeometry:
    """An event and the stations (2, M) with these numbers, the nearest first."""
    places = stations[:, numbers]
    offset_km, azimuth, back_azimuth = geodesic(latitude, longitude, *places)
    codes = np.array([f"N{number:03d}" for number in numbers])
    order = np.argsort(offset_km, kind="stable")
    columns = (codes, *places, offset_km, azimuth, back_azimuth)
    return EventGeometry(latitude, longitude, *(column[order] for column in columns))


def _about(middle: tuple[float, float], radius_km: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Latitudes and longitudes (2, n), evenly within a circle, as tables hold them."""
    distance_deg = np.degrees(radius_km * np.sqrt(rng.uniform(0, 1, n)) / EARTH_RADIUS_KM)
    return np.round(destination(*middle, rng.uniform(0, 360, n), distance_deg), COORDINATE_DECIMALS)
