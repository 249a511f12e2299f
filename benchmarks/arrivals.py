"""What it takes to locate events by arrival times, beside scipy on the same picks and the same table of travel times.

    OMP_NUM_THREADS=1 python benchmarks/arrivals.py [--events 2000] [--stations 12] [--repeats 3]

Competitors take turns in one process, so that the ratio holds on a busy machine. scipy minimises the same robust loss
from one start, two kilometres beside the truth, with the derivatives of the table, and states no uncertainty.
seisvision looks for starts itself and states ellipses, ellipsoids and second solutions.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from measuring import spread, tell_machine
from scipy.optimize import least_squares

from seisvision.earth.geodesics import geodesic
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.earth.unit_vectors import coordinates_deg, moved, unit_vectors
from seisvision.location.arrivals.locate import locate_arrivals

DEPTHS_KM = (0.0, 30.0)
SIGMA_S = {"P": 0.05, "S": 0.1}
LAYERS = ([0.0, 2.0, 15.0, 32.0], [4.5, 6.0, 6.6, 8.0], [2.6, 3.46, 3.8, 4.6])


def table() -> TravelTimes:
    """The crust of these simulations."""
    return TravelTimes.layered(*LAYERS, max_distance_km=250, max_depth_km=32, elevations_km=(0, 2))


def simulated(
    times: TravelTimes,
    events: int,
    stations: int,
    *,
    gap_deg: float = 40.0,
    distance_km: tuple[float, float] = (5.0, 60.0),
    phases: str = "PS",
    outlier_s: float = 0.0,
    seed: int = 3407,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """True hypocentres (B,) and what `locate_arrivals` takes, with normal errors; one P is off by ``outlier_s``."""
    rng = np.random.default_rng(seed)
    latitude, longitude = 46 + rng.uniform(-0.2, 0.2, events), 10 + rng.uniform(-0.2, 0.2, events)
    depth, shape = rng.uniform(2, 15, events), (events, stations)
    turn = np.radians(rng.uniform(0, 360, (events, 1)) + rng.uniform(0, 360 - gap_deg, shape))
    away = np.sqrt(rng.uniform(distance_km[0] ** 2, distance_km[1] ** 2, shape))
    centre = unit_vectors(torch.tensor(latitude), torch.tensor(longitude))[:, None].expand(*shape, 3)
    place = coordinates_deg(moved(centre, torch.tensor(away * np.cos(turn)), torch.tensor(away * np.sin(turn))))
    station = [values.numpy() for values in place]
    elevation = rng.uniform(0, 1.5, shape)
    offset = geodesic(latitude[:, None], longitude[:, None], *station)[0]
    arrived, sigma = [], []
    for phase in phases:
        number = torch.full(shape, "PS".index(phase))
        depths = torch.tensor(depth)[:, None].expand(shape)
        travel = times.times_s(number, depths, torch.tensor(offset), torch.tensor(elevation))[0].numpy()
        arrived.append(travel + SIGMA_S[phase] * rng.standard_normal(shape))
        sigma.append(np.full(shape, SIGMA_S[phase]))
    arrived[0][:, 0] += outlier_s
    n = len(phases)
    observed = {
        "station_latitude_deg": np.tile(station[0], n),
        "station_longitude_deg": np.tile(station[1], n),
        "station_elevation_km": np.tile(elevation, n),
        "phase": np.repeat(np.array(list(phases)), stations)[None].repeat(events, 0),
        "time_s": 1000 + np.concatenate(arrived, 1),
        "sigma_s": np.concatenate(sigma, 1),
    }
    return {"latitude_deg": latitude, "longitude_deg": longitude, "depth_km": depth}, observed


def student(squared: np.ndarray) -> np.ndarray:
    """Student-t loss of four degrees of freedom for scipy: value and two derivatives by the squared residual."""
    return np.array([5 * np.log1p(squared / 4), 5 / (4 + squared), -5 / (4 + squared) ** 2])


def by_scipy(times: TravelTimes, one: dict[str, np.ndarray], start: np.ndarray) -> np.ndarray:
    """North and east (km from the start), depth and origin time of one event."""
    number = torch.tensor((one["phase"] == "S").astype(np.int64))
    elevation = torch.tensor(one["station_elevation_km"])
    north, east = 111.13 * (one["station_latitude_deg"] - start[0]), one["station_longitude_deg"] - start[1]
    east = east * 111.32 * np.cos(np.radians(start[0]))

    def predicted(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        to_north, to_east = north - place[0], east - place[1]
        distance = np.hypot(to_north, to_east)
        depth = torch.full((len(distance),), float(place[2]), dtype=torch.float64)
        travel, deeper, farther = (
            values.numpy() for values in times.times_s(number, depth, torch.tensor(distance), elevation)
        )
        slopes = [-farther * to_north / distance, -farther * to_east / distance, deeper, np.ones_like(travel)]
        return travel + place[3], np.stack(slopes, 1)

    return least_squares(
        lambda place: (predicted(place)[0] - one["time_s"]) / one["sigma_s"],
        np.array([0.0, 0.0, start[2], start[3]]),
        lambda place: predicted(place)[1] / one["sigma_s"][:, None],
        loss=student,
        bounds=([-500, -500, DEPTHS_KM[0], -np.inf], [500, 500, DEPTHS_KM[1], np.inf]),
        x_scale=[1, 1, 1, 0.2],
    ).x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--stations", type=int, default=12)
    parser.add_argument("--reference-events", type=int, default=20, help="events that scipy locates each turn")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tell_machine()
    times = table()
    truth, observed = simulated(times, arguments.events, arguments.stations)
    locate_arrivals(**observed, travel_times=times, depth_limits_km=DEPTHS_KM)
    ours, theirs = [], []
    for turn in range(arguments.repeats):
        began = time.process_time()
        found = locate_arrivals(**observed, travel_times=times, depth_limits_km=DEPTHS_KM)
        ours.append(1000 * (time.process_time() - began) / arguments.events)
        chosen = range(turn * arguments.reference_events, (turn + 1) * arguments.reference_events)
        began, apart = time.process_time(), []
        for event in chosen:
            start = np.array([truth["latitude_deg"][event] + 0.018, truth["longitude_deg"][event], 8.0, 1000.0])
            north, east = by_scipy(times, {name: values[event] for name, values in observed.items()}, start)[:2]
            place = start[0] + north / 111.13, start[1] + east / (111.32 * np.cos(np.radians(start[0])))
            apart.append(geodesic(*place, found.latitude_deg[event].item(), found.longitude_deg[event].item())[0])
        theirs.append(1000 * (time.process_time() - began) / arguments.reference_events)
        print(f"turn {turn}: {ours[-1]:.3f} ms, scipy {theirs[-1]:.3f} ms, apart {np.median(apart):.3f} km (median)")
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    each = f"seisvision {spread(ours, ' ms', 3)} an event, scipy {spread(theirs, ' ms', 3)}"
    print(f"{each}: {spread(ratios, digits=0)} times")


if __name__ == "__main__":
    main()
