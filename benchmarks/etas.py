"""What ETAS costs, and whether it finds what was simulated.

``python benchmarks/etas.py recovery --catalogues 50``   simulated parameters against the standard errors of fits
``python benchmarks/etas.py speed --events 20000``       seconds and processor seconds of one fit
``python benchmarks/etas.py grids --events 1000000``     a million events to daily grids

Of the parameters of 50 catalogues, 95 % should lie within 1.96 standard errors; each alone between 86 and 100 %.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
from measuring import spread, tell_machine

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.completeness import Completeness
from seisvision.catalogues.counting import Windows, count_events
from seisvision.catalogues.grid import Grid
from seisvision.catalogues.region import Region
from seisvision.forecasting.etas.background import EvenBackground
from seisvision.forecasting.etas.data import EtasData
from seisvision.forecasting.etas.fitting import EtasFit, fit_etas
from seisvision.forecasting.etas.parameters import NAMES, EtasParameters
from seisvision.forecasting.etas.simulation import as_catalogue, simulate

REGION = Region.box(33.0, 34.0, -117.0, -116.0)
TRUE = EtasParameters(0.8, 0.4, 1.3, 0.01, 1.2, 1.0, 1.7, 0.7, 2.0, 1.0, 6.0)
HISTORY_DAYS = 100.0


def fitted(true: EtasParameters, days: float, seed: int, background: str = "even") -> EtasFit:
    events = simulate(true, EvenBackground(REGION), (0.0, days), np.random.default_rng(seed))
    catalogue = as_catalogue(events, REGION, (0.0, days))
    span = (HISTORY_DAYS, days)
    data = EtasData.of(catalogue, REGION, span, Completeness(2.0), true.b, true.largest_magnitude)
    return fit_etas(data, background)


def recovery(n_catalogues: int) -> None:
    apart = []
    for seed in range(n_catalogues):
        fit = fitted(TRUE, 500.0, seed)
        apart.append((fit.parameters.to_vector() - TRUE.to_vector()) / fit.errors())
        print(f"{seed}: {fit.n_targets} events, {np.round(apart[-1], 2)}", flush=True)
    table = np.array(apart)
    print(f"within two standard errors: {(np.abs(table) < 2).mean():.1%} of {table.size}")
    for name, column in zip(NAMES, table.T, strict=True):
        print(
            f"{name:20} within 2: {(np.abs(column) < 2).mean():.0%}  mean {column.mean():+.2f}  sd {column.std():.2f}"
        )


def speed(n_events: int, repeats: int) -> None:
    # Twice the background in the same time is twice the events.
    days, per_day = 1500.0, TRUE.background_per_day
    few = len(simulate(TRUE, EvenBackground(REGION), (0.0, days), np.random.default_rng(0)))
    true = replace(TRUE, background_per_day=per_day * n_events / few)
    walls, processors, fits = [], [], []
    for _ in range(repeats):
        begun, used = time.perf_counter(), time.process_time()
        fit = fitted(true, days, 1)
        fits.append(fit.seconds)
        walls.append(time.perf_counter() - begun)
        processors.append(time.process_time() - used)
    print(
        f"{fit.n_sources} sources, {fit.n_targets} targets, {fit.n_pairs:,} pairs, decrement {fit.decrement:.4f}: fit "
        f"{spread(fits, ' s', 1)}, with the simulation {spread(walls, ' s', 1)} and "
        f"{spread(processors, ' s of processors', 1)}; {repeats} repeats"
    )


def grids(n_events: int, repeats: int) -> None:
    draws = np.random.default_rng(0)
    days = np.sort(draws.uniform(0, 3650, n_events))
    catalogue = EventCatalogue(
        days, draws.uniform(33, 34, n_events), draws.uniform(-117, -116, n_events), draws.exponential(0.4, n_events),
        np.zeros(n_events), np.arange(n_events), 0.0, 3650.0,
    )  # fmt: skip
    for grid in (Grid.of_degrees(REGION, 0.1), Grid.of_km(REGION, 2.0)):
        walls, processors = [], []
        for _ in range(repeats):
            begun, used = time.perf_counter(), time.process_time()
            table = count_events(catalogue, grid, Windows.between(0, 3650, 1.0)).dense()
            walls.append(time.perf_counter() - begun)
            processors.append(time.process_time() - used)
        print(
            f"{n_events:,} events to {table.shape[0]} days x {table.shape[1]} cells: {spread(walls, ' s')}, "
            f"{spread(processors, ' s of processors')}; {repeats} repeats"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("recovery", "speed", "grids"))
    parser.add_argument("--catalogues", type=int, default=50)
    parser.add_argument("--events", type=int)
    parser.add_argument("--repeats", type=int, default=3, help="of speed and grids")
    arguments = parser.parse_args()
    tell_machine()
    if arguments.what == "recovery":
        recovery(arguments.catalogues)
    elif arguments.what == "speed":
        speed(arguments.events or 20_000, arguments.repeats)
    else:
        grids(arguments.events or 1_000_000, arguments.repeats)


if __name__ == "__main__":
    main()
