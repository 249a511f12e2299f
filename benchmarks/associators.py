"""How well picks are joined to events in synthetic scenarios like those of a public comparison of associators.

PYTHONPATH=FOLDER_WITH_PYOCTO python benchmarks/associators.py [--hours 1] [--seed 1]

Puente Huerta et al. (2025, Seismica 4(2), doi:10.26443/seismica.v4i2.1559) compare PhaseLink, REAL, GaMMA, GENIE and
PyOcto on crustal and subduction scenarios with little and much noise, events outside of the network, high rates and
few stations. The scenarios here have these properties; stations, events and rates are drawn anew, for the published
ones are not at hand. Every station sees an event up to a distance that grows with its magnitude, and loses a fifth of
the arrivals even there; times are off by 1 % of the travel time, at least 0.1 s; false picks are uniform in time.

An associated event is right where more than half of its picks are of one true event of which it has more picks than
any other; F1 is the harmonic mean of the shares of events that are right and of true events that are found. An event
counts as true where it has the picks that the rules ask for.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from dataclasses import dataclass

import numpy as np
from measuring import tell_machine

from seisvision.cataloguing.association.origin_vote import OriginVote
from seisvision.cataloguing.association.protocol import Associated, Associator, Network, Picks, Rules
from seisvision.cataloguing.association.pyocto import INSTALL, PyOcto
from seisvision.cataloguing.network import predict
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.travel_time_table import TravelTimes

TOP_KM, VP_KM_S, VS_KM_S = [0.0, 5.0, 15.0, 30.0, 45.0], [5.2, 5.9, 6.3, 6.9, 8.0], [3.0, 3.4, 3.65, 3.95, 4.5]
LOST = 0.2
CENTRE_DEG = (-20.0, -69.0)


@dataclass(frozen=True)
class Scenario:
    """A network, its events and its noise.

    Args:
        name: what is printed.
        n_stations: drawn within the network.
        half_km: half of the side of the network.
        depth_km: of the events; in subduction they lie on a plane that dips to the east.
        is_slab: see above.
        events_per_hour: with enough picks.
        noise: false picks for each true one.
        away_km: epicentres lie so far beyond the network.
    """

    name: str
    n_stations: int
    half_km: float
    depth_km: tuple[float, float]
    is_slab: bool
    events_per_hour: float
    noise: float
    away_km: float = 0.0


CRUST = {"half_km": 50.0, "depth_km": (0.0, 25.0), "is_slab": False}
SLAB = {"half_km": 150.0, "depth_km": (10.0, 150.0), "is_slab": True}
SCENARIOS = (
    Scenario("crust, little noise", 25, events_per_hour=15, noise=0.3, **CRUST),  # type: ignore[arg-type]
    Scenario("crust, much noise", 25, events_per_hour=15, noise=3.0, **CRUST),  # type: ignore[arg-type]
    Scenario("crust, few stations", 10, events_per_hour=15, noise=1.0, **CRUST),  # type: ignore[arg-type]
    Scenario("crust, outside", 25, events_per_hour=15, noise=1.0, away_km=40.0, **CRUST),  # type: ignore[arg-type]
    Scenario("crust, high rate", 25, events_per_hour=150, noise=1.0, **CRUST),  # type: ignore[arg-type]
    Scenario("slab, little noise", 40, events_per_hour=15, noise=0.3, **SLAB),  # type: ignore[arg-type]
    Scenario("slab, much noise", 40, events_per_hour=15, noise=3.0, **SLAB),  # type: ignore[arg-type]
    Scenario("slab, high rate", 40, events_per_hour=60, noise=1.0, **SLAB),  # type: ignore[arg-type]
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    tell_machine()
    associators: dict[str, Associator] = {"vote": OriginVote()}
    if importlib.util.find_spec("pyocto") is None:
        print(f"without PyOcto: {INSTALL}")
    else:
        associators["pyocto"] = PyOcto()
    table = TravelTimes.layered(TOP_KM, VP_KM_S, VS_KM_S, max_distance_km=700, max_depth_km=200)
    for scenario in SCENARIOS:
        network, picks, true = made(scenario, table, args.hours, np.random.default_rng(args.seed))
        rules = rules_of(scenario)
        for name, associator in associators.items():
            begun = time.process_time()
            found = associator.associate(picks, network, table, rules)
            took_s = time.process_time() - begun
            precision, recall = shares(found, true)
            f1 = 2 * precision * recall / max(precision + recall, 1e-9)
            print(
                f"{scenario.name:20s} {name:7s} {true.max() + 1:4d} events {len(true):6d} picks  "
                f"F1 {f1:.3f}  precision {precision:.3f}  recall {recall:.3f}  {took_s:6.1f} s",
                flush=True,
            )


def rules_of(scenario: Scenario) -> Rules:
    """The same for everyone."""
    return Rules(
        fewest_picks=10, fewest_p=4, fewest_s=3, fewest_stations=5, fewest_both=3,
        tolerance_s=1.5 if scenario.is_slab else 1.0, spacing_km=12.0 if scenario.is_slab else 5.0,
        depth_km=(0.0, scenario.depth_km[1] + 10), margin_km=30.0 + scenario.away_km,
    )  # fmt: skip


def made(
    scenario: Scenario, table: TravelTimes, hours: float, rng: np.random.Generator
) -> tuple[Network, Picks, np.ndarray]:
    """Stations, picks in the order of time, and the true event of each pick, -1 for false ones."""
    half = scenario.half_km
    names = tuple(f"XX.S{number:03d}" for number in range(scenario.n_stations))
    north, east = rng.uniform(-half, half, (2, scenario.n_stations))
    network = Network(names, *degrees(north, east), np.zeros(scenario.n_stations))
    rules, duration_s = rules_of(scenario), 3600 * hours
    station, phase, moment, true = ([np.empty(0)] for _ in range(4))
    n_events = 0
    while n_events < round(scenario.events_per_hour * hours):
        y, x, depth_km = hypocentre(scenario, rng)
        latitude, longitude = degrees(np.array([y]), np.array([x]))
        arrivals = predict(latitude, longitude, np.array([depth_km]), network, table)
        travel, away = arrivals.travel_s[0], np.hypot(arrivals.distance_km[0], depth_km)
        reach_km = (30 if not scenario.is_slab else 120) * (1 + rng.exponential(0.6))
        sees = (
            rng.uniform(size=travel.shape) < ((1 - LOST) / (1 + np.exp((away - reach_km) / (0.1 * reach_km))))[:, None]
        )
        both, any_of = sees.all(1).sum(), sees.any(1).sum()
        counts = (sees.sum(), sees[:, 0].sum(), sees[:, 1].sum(), any_of, both)
        asked = (rules.fewest_picks, rules.fewest_p, rules.fewest_s, rules.fewest_stations, rules.fewest_both)
        if any(have < need for have, need in zip(counts, asked, strict=True)):
            continue
        at, which = np.nonzero(sees)
        late = rng.normal(0, np.maximum(0.1, 0.01 * travel[sees]))
        station.append(at)
        phase.append(which)
        moment.append(rng.uniform(0, duration_s) + travel[sees] + late)
        true.append(np.full(len(at), n_events))
        n_events += 1
    n_false = round(scenario.noise * sum(len(one) for one in true))
    columns = [
        np.concatenate([*station, rng.integers(0, scenario.n_stations, n_false)]).astype(int),
        np.concatenate([*phase, rng.integers(0, 2, n_false)]).astype(int),
        np.concatenate([*moment, rng.uniform(0, duration_s, n_false)]),
        np.concatenate([*true, np.full(n_false, -1)]).astype(int),
    ]
    order = np.argsort(columns[2], kind="stable")
    station_of, phase_of, time_s, event = (one[order] for one in columns)
    return network, Picks(station_of, phase_of, time_s), event


def hypocentre(scenario: Scenario, rng: np.random.Generator) -> tuple[float, float, float]:
    """North, east and depth, all in km."""
    north, east = rng.uniform(-scenario.half_km, scenario.half_km, 2)
    low, high = scenario.depth_km
    if scenario.away_km:
        east = scenario.half_km + rng.uniform(0.25, 1) * scenario.away_km
    if scenario.is_slab:
        depth = low + (high - low) * (east / scenario.half_km + 1) / 2 + rng.normal(0, 5)
        return float(north), float(east), float(np.clip(depth, low, high))
    return float(north), float(east), float(rng.uniform(low, high))


def degrees(north_km: np.ndarray, east_km: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes and longitudes."""
    latitude = CENTRE_DEG[0] + north_km / KM_PER_DEG
    return latitude, CENTRE_DEG[1] + east_km / (KM_PER_DEG * np.cos(np.radians(CENTRE_DEG[0])))


def shares(found: Associated, true: np.ndarray) -> tuple[float, float]:
    """Precision and recall of events."""
    best: dict[int, int] = {}
    for event in range(len(found.origin_s)):
        of = true[found.event == event]
        values, counts = np.unique(of[of >= 0], return_counts=True)
        if len(counts) and 2 * counts.max() > len(of):
            which = int(values[counts.argmax()])
            best[which] = max(best.get(which, 0), int(counts.max()))
    return len(best) / max(1, len(found.origin_s)), len(best) / max(1, int(true.max()) + 1)


if __name__ == "__main__":
    main()
