"""How often the ellipses of ``seisvision locate`` hold the epicentre: nominal against measured.

    OMP_NUM_THREADS=1 python benchmarks/ellipses.py [--events 1000] [--short] [--errors normal] [--seed 1] [--json]
    OMP_NUM_THREADS=1 python benchmarks/ellipses.py --stations 5 6 --sigmas "from residuals"

Stations are drawn around known epicentres, distances get normal errors of their own that are proportional to them (and,
with ``--common-share``, a part that all distances of an event have in common), and the true epicentre is inside or not.
A row is a cell of stations, gap, distances, error and sigmas, with draws of its own; the simulation error is twice the
standard error of a share. Events with a second solution are flagged by the command and counted apart. The last lines
pool the cells of a number of stations.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from measuring import tell_machine

from seisvision.earth.geodesics import geodesic
from seisvision.location.locate import Locations, locate
from seisvision.location.uncertainty import Ellipse

STATIONS = (4, 5, 6, 8, 12, 20)
GAPS_DEG = (90.0, 180.0, 270.0)
DISTANCES_KM = {"30-300": (30.0, 300.0), "300-4000": (300.0, 4000.0), "30-4000": (30.0, 4000.0)}
RELATIVE_ERRORS = (0.02, 0.05, 0.1, 0.125)
SIGMAS = ("known", "from residuals")
KM_PER_RAD = 6371.0
NOMINAL = {"68": 0.68, "95": 0.95}
TOLERANCE = 0.02
SEED = 3407


@dataclass(frozen=True)
class Cell:
    """One row of the table."""

    n_stations: int
    gap_deg: float
    distances: str
    relative_error: float
    sigmas: str
    common_share: float = 0.0


@dataclass(frozen=True)
class Coverage:
    """Shares of the events with an ellipse and one solution whose ellipse holds the epicentre."""

    n: int
    inside: dict[str, float]
    no_ellipse: float
    ambiguous: float
    inside_first: dict[str, float]
    """The same of events with a second solution where the first is the right one."""

    def simulation_error(self, level: str) -> float:
        """Twice the standard error of a share at the nominal level."""
        nominal = NOMINAL[level]
        return 2 * math.sqrt(nominal * (1 - nominal) / max(self.n, 1))


def azimuths_deg(rng: np.random.Generator, events: int, n_stations: int, gap_deg: float) -> np.ndarray:
    """Azimuths (B, S) with a largest gap of ``gap_deg`` where so many stations can have it, else evenly spread."""
    spacing = rng.dirichlet(np.ones(n_stations - 1), events) * (360 - gap_deg)
    even = (360 - gap_deg) / (n_stations - 1)
    largest = spacing.max(1, keepdims=True)
    blend = np.minimum(1.0, (gap_deg - even) / np.maximum(largest - even, 1e-9))
    spacing = even + blend.clip(0) * (spacing - even)
    first = rng.uniform(0, 360, (events, 1))
    return np.concatenate([first, first + spacing.cumsum(1)], axis=1)


def made_events(rng: np.random.Generator, events: int, cell: Cell) -> dict[str, np.ndarray]:
    """True epicentres (B,), stations and exact distances (B, S), distances drawn evenly in their logarithm."""
    low_km, high_km = DISTANCES_KM[cell.distances]
    shape = (events, cell.n_stations)
    arc = np.exp(rng.uniform(math.log(low_km), math.log(high_km), shape)) / KM_PER_RAD
    azimuth = np.radians(azimuths_deg(rng, events, cell.n_stations, cell.gap_deg))
    latitude_deg, longitude_deg = rng.uniform(-60, 60, events), rng.uniform(-180, 180, events)
    latitude = np.radians(latitude_deg)[:, None]
    sine = np.sin(latitude) * np.cos(arc) + np.cos(latitude) * np.sin(arc) * np.cos(azimuth)
    east = np.arctan2(np.sin(azimuth) * np.sin(arc) * np.cos(latitude), np.cos(arc) - np.sin(latitude) * sine)
    stations = np.degrees(np.arcsin(sine)), longitude_deg[:, None] + np.degrees(east)
    offset_km = geodesic(latitude_deg[:, None], longitude_deg[:, None], *stations)[0]
    return {
        "latitude_deg": latitude_deg,
        "longitude_deg": longitude_deg,
        "station_latitude_deg": stations[0],
        "station_longitude_deg": (stations[1] + 180) % 360 - 180,
        "offset_km": offset_km,
    }


def observed_km(rng: np.random.Generator, offset_km: np.ndarray, cell: Cell, errors: str = "log") -> np.ndarray:
    """Distances (B, S) with errors: ``log`` (normal in the logarithm, as networks' are) or ``normal``."""
    own, common = rng.normal(size=offset_km.shape), rng.normal(size=(len(offset_km), 1))
    error = math.sqrt(1 - cell.common_share) * own + math.sqrt(cell.common_share) * common
    relative = cell.relative_error * error
    return offset_km * (np.exp(relative) if errors == "log" else np.maximum(1 + relative, 0.05))


def is_inside(found: Locations, ellipse: Ellipse, events: dict[str, np.ndarray]) -> np.ndarray:
    """Whether the true epicentre lies in the ellipse, from its axes and direction as a reader would use them."""
    here = found.latitude_deg.numpy(), found.longitude_deg.numpy()
    distance_km, azimuth_deg, _ = geodesic(*here, events["latitude_deg"], events["longitude_deg"])
    turned = np.radians(azimuth_deg - ellipse.azimuth_deg.numpy())
    along, across = distance_km * np.cos(turned), distance_km * np.sin(turned)
    return (along / ellipse.major_km.numpy()) ** 2 + (across / ellipse.minor_km.numpy()) ** 2 <= 1


def measure(cell: Cell, events: int = 1000, errors: str = "log", seed: int = SEED) -> Coverage:
    """Coverage in one cell, whose draws no other cell shares."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{cell} {errors}".encode())])
    true = made_events(rng, events, cell)
    offset_km = observed_km(rng, true["offset_km"], cell, errors)
    sigma_km = cell.relative_error * offset_km if cell.sigmas == "known" else None
    share = {"common_share": np.full_like(offset_km, cell.common_share)} if cell.common_share else {}
    place = true["station_latitude_deg"], true["station_longitude_deg"]
    found = locate(*place, offset_km, offset_sigma_km=sigma_km, **share)
    ambiguous = found.ambiguous.numpy()
    drawn = np.isfinite(found.ellipse95.major_km.numpy())
    judged = drawn & ~ambiguous
    chosen = drawn & ambiguous & _nearer_to_first(found, true)
    shares = [
        {
            level: float(is_inside(found, ellipse, true)[some].mean()) if some.any() else math.nan
            for level, ellipse in (("68", found.ellipse68), ("95", found.ellipse95))
        }
        for some in (judged, chosen)
    ]
    return Coverage(int(judged.sum()), shares[0], float(1 - drawn.mean()), float(ambiguous.mean()), shares[1])


def _nearer_to_first(found: Locations, true: dict[str, np.ndarray]) -> np.ndarray:
    """Bool (B,): the true epicentre is nearer to the first solution than to the second."""
    places = (found.latitude_deg, found.longitude_deg), (found.second_latitude_deg, found.second_longitude_deg)
    first_km, second_km = (
        geodesic(*(values.nan_to_num(0.0).numpy() for values in place), true["latitude_deg"], true["longitude_deg"])[0]
        for place in places
    )
    return first_km <= second_km


def cells(
    short: bool = False, common_shares: Sequence[float] = (0.0,), sigmas_of: Sequence[str] = SIGMAS
) -> Iterator[Cell]:
    """Rows of the table; the short one has the hard corners only."""
    stations, gaps, errors = (STATIONS, GAPS_DEG, RELATIVE_ERRORS) if not short else ((5, 12), (90, 270), (0.05, 0.125))
    for sigmas, share in itertools.product(sigmas_of, common_shares):
        for row in itertools.product(stations, gaps, DISTANCES_KM, errors):
            yield Cell(*row, sigmas, share)


def holds(coverage: Coverage) -> bool:
    """Whether both levels are within two points of nominal, plus simulation error, or no ellipse is stated."""
    return coverage.n == 0 or all(
        abs(coverage.inside[level] - nominal) <= TOLERANCE + coverage.simulation_error(level)
        for level, nominal in NOMINAL.items()
    )


HEADER = "sigmas          common stations  gap      km     error    68 %    95 %  +-95  no ellipse  second  of these"


def print_cell(cell: Cell, coverage: Coverage) -> None:
    """One row of the table."""
    print(
        f"{cell.sigmas:15s} {cell.common_share:6.2f} {cell.n_stations:8d} {cell.gap_deg:4.0f} "
        f"{cell.distances:>8s} {100 * cell.relative_error:6.1f} % {100 * coverage.inside['68']:6.1f}  "
        f"{100 * coverage.inside['95']:6.1f} {100 * coverage.simulation_error('95'):5.1f} "
        f"{100 * coverage.no_ellipse:9.1f} % {100 * coverage.ambiguous:5.1f} % "
        f"{100 * coverage.inside_first['95']:7.1f}"
        f"{'' if holds(coverage) else '  off'}",
        flush=True,
    )


def print_pooled(measured: Sequence[tuple[Cell, Coverage]]) -> None:
    """Cells of equal sigmas and stations in one: share, smallest and largest cell, how many hold."""
    for sigmas, n_stations in dict.fromkeys((cell.sigmas, cell.n_stations) for cell, _ in measured):
        some = [found for cell, found in measured if (cell.sigmas, cell.n_stations) == (sigmas, n_stations) and found.n]
        if not some:
            continue
        texts = []
        for level in NOMINAL:
            shares, n = np.array([100 * one.inside[level] for one in some]), np.array([one.n for one in some])
            texts.append(f"{np.average(shares, weights=n):.1f} % ({shares.min():.1f} to {shares.max():.1f})")
        second = 100 * np.mean([one.ambiguous for one in some])
        held = f"{sum(map(holds, some))} of {len(some)} cells hold"
        print(f"{n_stations:3d} stations, sigmas {sigmas}: {', '.join(texts)}, second {second:.1f} %, {held}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1000, help="events a cell")
    parser.add_argument("--short", action="store_true", help="the corners of the table only")
    parser.add_argument("--errors", choices=("log", "normal"), default="log", help="kind of the relative errors")
    parser.add_argument("--common-share", type=float, nargs="+", default=[0.0], help="variance common to an event")
    parser.add_argument("--stations", type=int, nargs="+", choices=STATIONS, default=STATIONS)
    parser.add_argument("--sigmas", nargs="+", choices=SIGMAS, default=SIGMAS)
    parser.add_argument("--seed", type=int, default=SEED, help=f"default {SEED}")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measured: list[tuple[Cell, Coverage]] = []
    if not arguments.json:
        tell_machine()
        print(HEADER)
    for cell in cells(arguments.short, arguments.common_share, arguments.sigmas):
        if cell.n_stations not in arguments.stations:
            continue
        measured.append((cell, measure(cell, arguments.events, arguments.errors, arguments.seed)))
        if not arguments.json:
            print_cell(*measured[-1])
    if arguments.json:
        rows = [asdict(cell) | asdict(found) | {"holds": holds(found)} for cell, found in measured]
        print(json.dumps(rows, indent=2))
        return
    print_pooled(measured)
    n_held = sum(holds(found) for _, found in measured)
    print(f"{n_held} of {len(measured)} cells hold to 2 points plus simulation error")


if __name__ == "__main__":
    main()
