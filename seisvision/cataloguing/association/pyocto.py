"""Association by PyOcto (Munchmeyer 2024, doi:10.26443/seismica.v3i1.1130), where it is installed."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pandas as pd

from seisvision.cataloguing.association.protocol import Associated, Network, Picks, Rules
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.travel_time_table import PHASES, TravelTimes
from seisvision.errors import ConfigurationError

INSTALL = "pip install --no-deps pyocto pyproj certifi"
"""Its 0.2.2 says that it refuses numpy 2 below Python 3.12; it runs there all the same."""
BEFORE_S = 300.0


class PyOcto:
    """PyOcto with uniform velocities: those that best fit the table of travel times within the network."""

    def associate(self, picks: Picks, network: Network, travel_times: TravelTimes, rules: Rules) -> Associated:
        """Events of the picks.

        Raises:
            ConfigurationError: PyOcto is not installed.
        """
        try:
            pyocto = importlib.import_module("pyocto")
        except ImportError as error:
            raise ConfigurationError(f"associate=pyocto needs PyOcto ({error}); {INSTALL}.") from error
        latitude, longitude = float(network.latitude_deg.mean()), float(network.longitude_deg.mean())
        shrink = float(np.cos(np.radians(latitude)))
        x = (network.longitude_deg - longitude) * KM_PER_DEG * shrink
        y = (network.latitude_deg - latitude) * KM_PER_DEG
        names = [str(number) for number in range(len(x))]
        stations = pd.DataFrame({"id": names, "x": x, "y": y, "z": -network.elevation_km})
        table = pd.DataFrame(
            {
                "station": [names[number] for number in picks.station],
                "phase": [PHASES[number] for number in picks.phase],
                "time": picks.time_s,
            }
        )
        associator = pyocto.OctoAssociator(
            xlim=(x.min() - rules.margin_km, x.max() + rules.margin_km),
            ylim=(y.min() - rules.margin_km, y.max() + rules.margin_km),
            zlim=rules.depth_km,
            time_before=BEFORE_S,
            velocity_model=_velocities(pyocto, network, travel_times, rules),
            n_picks=rules.fewest_picks,
            n_p_picks=rules.fewest_p,
            n_s_picks=rules.fewest_s,
            n_p_and_s_picks=rules.fewest_both,
            n_threads=1,
        )
        events, assignments = associator.associate(table, stations)
        return _result(events, assignments, len(picks.time_s), (latitude, longitude, shrink))


def _velocities(pyocto: Any, network: Network, travel_times: TravelTimes, rules: Rules) -> Any:
    import torch

    depth = torch.full((20,), float(np.mean(rules.depth_km)), dtype=torch.float64)
    distance = torch.linspace(1, max(30.0, rules.margin_km), 20, dtype=torch.float64)
    level = torch.zeros(20, dtype=torch.float64)
    way = (depth.square() + distance.square()).sqrt()
    speed = [
        float(way.mean() / travel_times.times_s(torch.full((20,), phase), depth, distance, level)[0].mean())
        for phase in range(len(PHASES))
    ]
    return pyocto.VelocityModel0D(
        p_velocity=speed[0],
        s_velocity=speed[1],
        tolerance=rules.tolerance_s,
        association_cutoff_distance=rules.max_distance_km,
    )


def _result(
    events: pd.DataFrame, assignments: pd.DataFrame, n_picks: int, centre: tuple[float, float, float]
) -> Associated:
    event = np.full(n_picks, -1)
    if not len(events):
        empty = np.empty(0)
        return Associated(event, empty, empty, empty, empty)
    events = events.sort_values("time", kind="stable")
    number = {idx: row for row, idx in enumerate(events["idx"])}
    event[assignments["pick_idx"].to_numpy(int)] = [number[idx] for idx in assignments["event_idx"]]
    latitude, longitude, shrink = centre
    return Associated(
        event,
        events["time"].to_numpy(float),
        latitude + events["y"].to_numpy(float) / KM_PER_DEG,
        longitude + events["x"].to_numpy(float) / KM_PER_DEG / shrink,
        events["z"].to_numpy(float),
    )
