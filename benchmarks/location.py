"""Events located per second, against scipy.optimize.least_squares one event at a time.

    OMP_NUM_THREADS=1 python benchmarks/location.py [--events 1000] [--stations 20] [--reference-events 100] [--json]

One thread. Both minimise the same robust cost (Student-t, four degrees of freedom) of the same distances on WGS84.
scipy gets as favourable terms as a user would give it: one start, the best of a grid, and derivatives by formula; seisvision
descends from four starts and also returns ellipses and second solutions. Both take turns, medians are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from scipy.optimize import least_squares

from seisvision.data.geodesy import geodesic
from seisvision.location.locate import Locations, locate

SIGMA_KM, OUTLIERS, KM_PER_DEG = 10.0, 0.05, 111.19
NU = 4.0
AGREEMENT_KM = 0.1


def made_events(events: int, stations: int, seed: int = 3407) -> dict[str, np.ndarray]:
    """Distances with normal errors of 10 km, one in twenty wrong by up to 300 km; stations within 6 by 12 degrees."""
    rng = np.random.default_rng(seed)
    latitude, longitude = 65 + rng.uniform(-2, 2, (events, 1)), -18 + rng.uniform(-4, 4, (events, 1))
    stations_at = 65 + rng.uniform(-3, 3, (events, stations)), -18 + rng.uniform(-6, 6, (events, stations))
    offset_km = geodesic(latitude, longitude, *stations_at)[0] + rng.normal(0, SIGMA_KM, (events, stations))
    offset_km += (rng.random(offset_km.shape) < OUTLIERS) * rng.uniform(-300, 300, offset_km.shape)
    return {"latitude_deg": stations_at[0], "longitude_deg": stations_at[1], "offset_km": np.abs(offset_km)}


def located(observed: dict[str, np.ndarray]) -> Locations:
    sigma_km = np.full_like(observed["offset_km"], SIGMA_KM)
    place = observed["latitude_deg"], observed["longitude_deg"]
    return locate(*place, observed["offset_km"], offset_sigma_km=sigma_km)


def located_by_scipy(latitude: np.ndarray, longitude: np.ndarray, offset_km: np.ndarray) -> np.ndarray:
    """Epicentre of one event: the best point of a grid about the stations, then a trust region."""

    def student(z: np.ndarray) -> np.ndarray:
        return np.array([(NU + 1) * np.log1p(z / NU), (NU + 1) / (NU + z), -(NU + 1) / (NU + z) ** 2])

    def residual(place: np.ndarray) -> np.ndarray:
        return (geodesic(place[0], place[1], latitude, longitude)[0] - offset_km) / SIGMA_KM

    def derivative(place: np.ndarray) -> np.ndarray:
        azimuth = np.radians(geodesic(place[0], place[1], latitude, longitude)[1])
        east = np.sin(azimuth) * np.cos(np.radians(place[0]))
        return -KM_PER_DEG / SIGMA_KM * np.stack([np.cos(azimuth), east], axis=1)

    north, east = np.meshgrid(np.linspace(60, 70, 15), np.linspace(-30, -6, 15))
    distance_km = geodesic(north[..., None], east[..., None], latitude, longitude)[0]
    misfit = np.log1p(((distance_km - offset_km) / 30) ** 2).sum(-1)
    best = np.unravel_index(misfit.argmin(), misfit.shape)
    start = np.array([north[best], east[best]])
    return least_squares(residual, start, derivative, loss=student, xtol=1e-10, ftol=1e-12, gtol=1e-10).x


def compare(events: int, stations: int, reference_events: int, repeats: int) -> dict[str, float]:
    """Milliseconds an event of both, medians, and how far apart the answers lie."""
    observed = made_events(events, stations)
    located(observed)
    ours, theirs, answers = [], [], []
    for turn in np.array_split(np.arange(reference_events), repeats):
        started = time.perf_counter()
        result = located(observed)
        ours.append((time.perf_counter() - started) / events)
        started = time.perf_counter()
        answers += [located_by_scipy(*(values[event] for values in observed.values())) for event in turn]
        theirs.append((time.perf_counter() - started) / len(turn))
    answer = np.array(answers)
    latitude, longitude = (values[:reference_events].numpy() for values in (result.latitude_deg, result.longitude_deg))
    apart_km = geodesic(latitude, longitude, answer[:, 0], answer[:, 1])[0]
    seconds = statistics.median(ours), statistics.median(theirs)
    return {
        "seisvision_ms_per_event": 1000 * seconds[0],
        "scipy_ms_per_event": 1000 * seconds[1],
        "times_faster": seconds[1] / seconds[0],
        "median_apart_km": float(np.median(apart_km)),
        "p95_apart_km": float(np.quantile(apart_km, 0.95)),
        "share_within_100_m": float((apart_km < AGREEMENT_KM).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--stations", type=int, default=20)
    parser.add_argument("--reference-events", type=int, default=200, help="events that scipy locates")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = compare(arguments.events, arguments.stations, arguments.reference_events, arguments.repeats)
    if arguments.json:
        print(json.dumps({"events": arguments.events, "stations": arguments.stations, **result}, indent=2))
        return
    print(f"location of {arguments.events} events with {arguments.stations} stations, one thread")
    print(f"  scipy.optimize.least_squares   {result['scipy_ms_per_event']:8.3f} ms an event")
    print(f"  seisvision                     {result['seisvision_ms_per_event']:8.3f} ms an event")
    print(f"  times faster                   {result['times_faster']:8.0f}   (aim: at least 100)")
    print(f"  same answer within 0.1 km      {100 * result['share_within_100_m']:8.1f} %")


if __name__ == "__main__":
    main()
