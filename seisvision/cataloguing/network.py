"""Stations of a catalogue and predicted arrivals at them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from seisvision.cataloguing.association.protocol import Network
from seisvision.data.importing.tables.station_table import Place, StationTable
from seisvision.earth.geodesics import geodesic
from seisvision.earth.travel_time_table import PHASES, TravelTimes
from seisvision.errors import DataError


def network_of(stations: StationTable) -> Network:
    """Every station once, in the order of its code; a station that was moved has its last place.

    Raises:
        DataError: no station has a place.
    """
    places: dict[str, tuple[float, Place]] = {}
    for (network, station, *_), epochs in sorted(stations.epochs.items(), key=lambda one: str(one[0])):
        for start_ns, _, place in sorted(epochs, key=lambda epoch: epoch[0]):
            if place.is_known:
                known = places.get(f"{network}.{station}")
                if known is None or start_ns >= known[0]:
                    places[f"{network}.{station}"] = (start_ns, place)
    if not places:
        raise DataError("The table of stations holds no place; give --stations with latitudes and longitudes.")
    names = sorted(places)
    chosen = [places[name][1] for name in names]
    elevation_m = np.nan_to_num(np.array([place.elevation_m for place in chosen], float))
    return Network(
        tuple(names),
        np.array([place.latitude_deg for place in chosen]),
        np.array([place.longitude_deg for place in chosen]),
        elevation_m / 1000,
    )


@dataclass(frozen=True)
class Arrivals:
    """Predicted times of M events at S stations.

    Attributes:
        travel_s: (M, S, 2) P and S.
        slowness: (M, S, 2, 3) change by km that the source moves north, east and down.
        distance_km: (M, S) epicentral.
    """

    travel_s: np.ndarray
    slowness: np.ndarray
    distance_km: np.ndarray


def predict(
    latitude_deg: np.ndarray, longitude_deg: np.ndarray, depth_km: np.ndarray, network: Network, table: TravelTimes
) -> Arrivals:
    """Times from M hypocentres to all stations."""
    distance, azimuth, _ = geodesic(
        latitude_deg[:, None], longitude_deg[:, None], network.latitude_deg, network.longitude_deg
    )
    shape = distance.shape
    depth = torch.from_numpy(np.array(np.broadcast_to(depth_km[:, None], shape), float))
    level = torch.from_numpy(np.array(np.broadcast_to(network.elevation_km, shape), float))
    travel, slowness = np.empty((*shape, 2)), np.empty((*shape, 2, 3))
    toward = np.radians(azimuth)
    for phase in range(len(PHASES)):
        number = torch.full(shape, phase, dtype=torch.long)
        time_s, by_depth, by_distance = (
            one.numpy() for one in table.times_s(number, depth, torch.from_numpy(np.array(distance, float)), level)
        )
        travel[..., phase] = time_s
        # A source that moves towards the station comes nearer.
        slowness[..., phase, 0] = -by_distance * np.cos(toward)
        slowness[..., phase, 1] = -by_distance * np.sin(toward)
        slowness[..., phase, 2] = by_depth
    return Arrivals(travel, slowness, np.asarray(distance))
