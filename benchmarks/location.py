"""Events located per second, against scipy.optimize.least_squares one event at a time.

    OMP_NUM_THREADS=1 python benchmarks/location.py [--events 1000] [--stations 20] [--reference-events 100] [--json]

One thread, processor time. All minimise the same robust cost (Student-t, four degrees of freedom, given sigmas) of the
same distances on WGS84. scipy is told the region and starts at the best point of a grid over it. It is timed with
distances from ObsPy and its own derivatives, as a user would write it, and with distances of all stations at once and
derivatives by formula; once from one start, which finds no second solution, and once from four. The best it can do
takes distances and azimuths from one computation and starts at the station with the least distance, without a grid.
seisvision is not told the region, descends from four starts, and also returns ellipses, gaps and second solutions.
All take turns; medians are compared. Also one event a call, as a program does that locates an event when it comes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from measuring import tell_machine
from obspy.geodetics import gps2dist_azimuth
from scipy.optimize import least_squares

from seisvision.earth.geodesics import geodesic
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


def student(z: np.ndarray) -> np.ndarray:
    return np.array([(NU + 1) * np.log1p(z / NU), (NU + 1) / (NU + z), -(NU + 1) / (NU + z) ** 2])


def grid_starts(latitude: np.ndarray, longitude: np.ndarray, offset_km: np.ndarray) -> np.ndarray:
    """Best point (4, 2) of each quarter of a grid of 256 over the region, the best of all first."""
    north, east = np.meshgrid(np.linspace(61, 69, 16), np.linspace(-26, -10, 16))
    distance_km = geodesic(north[..., None], east[..., None], latitude, longitude)[0]
    misfit = np.log1p(((distance_km - offset_km) / 30) ** 2).sum(-1)
    quarter = (2 * (north > 65) + (east > -18)).ravel()
    best = [min(np.flatnonzero(quarter == q), key=lambda k: misfit.flat[k]) for q in range(4)]
    best.sort(key=lambda k: misfit.flat[k])
    return np.stack([north.flat[best], east.flat[best]], axis=1)


def by_formulas(n_starts: int, latitude: np.ndarray, longitude: np.ndarray, offset_km: np.ndarray) -> np.ndarray:
    """Epicentre (2,) of one event, all stations in one call, derivatives by azimuths."""

    def residual(place: np.ndarray) -> np.ndarray:
        return (geodesic(place[0], place[1], latitude, longitude)[0] - offset_km) / SIGMA_KM

    def derivative(place: np.ndarray) -> np.ndarray:
        azimuth = np.radians(geodesic(place[0], place[1], latitude, longitude)[1])
        east = np.sin(azimuth) * np.cos(np.radians(place[0]))
        return -KM_PER_DEG / SIGMA_KM * np.stack([np.cos(azimuth), east], axis=1)

    starts = grid_starts(latitude, longitude, offset_km)[:n_starts]
    found = [least_squares(residual, start, derivative, loss=student) for start in starts]
    return min(found, key=lambda result: result.cost).x


def by_shared_formulas(latitude: np.ndarray, longitude: np.ndarray, offset_km: np.ndarray) -> np.ndarray:
    """Epicentre (2,) of one event from one start without a grid; values and derivatives share their geodesics."""
    last: dict[bytes, tuple[np.ndarray, ...]] = {}

    def ways(place: np.ndarray) -> tuple[np.ndarray, ...]:
        key = place.tobytes()
        if key not in last:
            last.clear()
            last[key] = geodesic(place[0], place[1], latitude, longitude)
        return last[key]

    def residual(place: np.ndarray) -> np.ndarray:
        return (ways(place)[0] - offset_km) / SIGMA_KM

    def derivative(place: np.ndarray) -> np.ndarray:
        azimuth = np.radians(ways(place)[1])
        east = np.sin(azimuth) * np.cos(np.radians(place[0]))
        return -KM_PER_DEG / SIGMA_KM * np.stack([np.cos(azimuth), east], axis=1)

    nearest = int(np.argmin(offset_km))
    start = np.array([latitude[nearest], longitude[nearest]])
    return least_squares(residual, start, derivative, loss=student).x


def by_obspy(n_starts: int, latitude: np.ndarray, longitude: np.ndarray, offset_km: np.ndarray) -> np.ndarray:
    """Epicentre (2,) of one event, distances station by station, numerical derivatives."""

    def residual(place: np.ndarray) -> np.ndarray:
        ways = (gps2dist_azimuth(place[0], place[1], *there)[0] for there in zip(latitude, longitude, strict=True))
        return (np.fromiter(ways, float) / 1000 - offset_km) / SIGMA_KM

    # ObsPy refuses places beyond the pole, where a wild step may lead.
    bounds = [50, -60], [80, 30]
    starts = grid_starts(latitude, longitude, offset_km)[:n_starts]
    found = [least_squares(residual, start, loss=student, bounds=bounds) for start in starts]
    return min(found, key=lambda result: result.cost).x


REFERENCES: dict[str, Callable[..., np.ndarray]] = {
    "scipy, ObsPy distances, one start": partial(by_obspy, 1),
    "scipy, ObsPy distances, four starts": partial(by_obspy, 4),
    "scipy, formulas, one start": partial(by_formulas, 1),
    "scipy, formulas, four starts": partial(by_formulas, 4),
    "scipy, shared geodesics, one start, no grid": by_shared_formulas,
}


def compare(events: int, stations: int, reference_events: int, repeats: int) -> dict[str, dict[str, float]]:
    """Median milliseconds an event, and how far the answers of scipy lie from ours."""
    observed = made_events(events, stations)
    result = located(observed)
    ours: list[float] = []
    alone: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in REFERENCES}
    answers: dict[str, list[np.ndarray]] = {name: [] for name in REFERENCES}
    for turn in np.array_split(np.arange(reference_events), repeats):
        started = time.process_time()
        located(observed)
        ours.append(1000 * (time.process_time() - started) / events)
        started = time.process_time()
        for event in turn:
            located({name: values[event : event + 1] for name, values in observed.items()})
        alone.append(1000 * (time.process_time() - started) / len(turn))
        for name, reference in REFERENCES.items():
            started = time.process_time()
            answers[name] += [reference(*(values[event] for values in observed.values())) for event in turn]
            theirs[name].append(1000 * (time.process_time() - started) / len(turn))
    here = (values[:reference_events].numpy() for values in (result.latitude_deg, result.longitude_deg))
    here_deg = tuple(here)
    results = {
        "seisvision": {"ms_per_event": statistics.median(ours)},
        "seisvision, one event a call": {"ms_per_event": statistics.median(alone)},
    }
    for name in REFERENCES:
        apart_km = geodesic(*here_deg, *np.array(answers[name]).T)[0]
        spent = statistics.median(theirs[name])
        results[name] = {
            "ms_per_event": spent,
            "times_slower": spent / results["seisvision"]["ms_per_event"],
            "share_within_100_m": float((apart_km < AGREEMENT_KM).mean()),
        }
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--stations", type=int, default=20)
    parser.add_argument("--reference-events", type=int, default=100, help="events that scipy locates")
    parser.add_argument("--repeats", type=int, default=5, help="turns of every competitor")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.json:
        tell_machine()
    results = compare(arguments.events, arguments.stations, arguments.reference_events, arguments.repeats)
    if arguments.json:
        print(json.dumps({"events": arguments.events, "stations": arguments.stations, "results": results}, indent=2))
        return
    heading = f"ms an event of {arguments.stations} stations"
    print(f"{heading:46s} {'cpu':>8s} {'times slower':>13s} {'same to 0.1 km':>15s}")
    ours = f"seisvision, {arguments.events} at once"
    print(f"{ours:46s} {results['seisvision']['ms_per_event']:8.3f}")
    print(f"{'seisvision, one event a call':46s} {results['seisvision, one event a call']['ms_per_event']:8.3f}")
    for name in REFERENCES:
        result = results[name]
        same = f"{100 * result['share_within_100_m']:.0f} %"
        print(f"{name:46s} {result['ms_per_event']:8.3f} {result['times_slower']:13.0f} {same:>15s}")


if __name__ == "__main__":
    main()
