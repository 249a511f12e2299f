"""Fit and judge what any forecast from a catalogue must beat.

CATALOGUE is a table (CSV, ComCat), QuakeML or what else `data import` takes for events. Five forecasts are fitted
before the test and judged on it, window by window, each from what was known when the window was issued: the mean rate
of each cell, last year's, smoothed seismicity, the same with Omori decay, and space-time ETAS. Written are
references.json (all measures with 95 % intervals, parameters, findings on the catalogue), references.csv, rates.npz
(rates by window and cell) and refused.csv (events that could not be used, each with its reason).

Gains are information per event in nats. Intervals draw blocks of time again. Spans without a catalogue must be declared
with --gap, or they are taken for quiet.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seisvision.own_files import add_overwrite, check_own
from seisvision.plain_text import say

if TYPE_CHECKING:
    from seisvision.catalogues.catalogue import EventCatalogue
    from seisvision.forecasting.references.etas import Etas
    from seisvision.forecasting.task import ForecastTask

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("catalogue", metavar="CATALOGUE", help="table or QuakeML of events")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the results")
    parser.add_argument("--fit", required=True, metavar="BEGIN/END", help="what is learnt from: 2009-01-01/2014-01-01")
    parser.add_argument("--test", required=True, metavar="BEGIN/END", help="what is judged: 2014-01-01/2016-01-01")
    parser.add_argument("--region", metavar="S/N/W/E|FILE", help="box in degrees, or table or .npy of vertices (all)")
    parser.add_argument("--complete", type=float, metavar="M", help="magnitude of completeness (maximum curvature)")
    parser.add_argument("--magnitude", type=float, metavar="M", help="least magnitude awaited (that of completeness)")
    cell = parser.add_mutually_exclusive_group()
    cell.add_argument("--cell-km", type=float, metavar="KM", help="side of the cells (10)")
    cell.add_argument("--cell-deg", type=float, metavar="DEG", help="or in degrees")
    parser.add_argument("--window-days", type=float, default=1.0, metavar="D", help="length of a window (1)")
    parser.add_argument("--lead-days", type=float, default=0.0, metavar="D", help="from issue to begin of a window (0)")
    parser.add_argument("--span", metavar="BEGIN/END", help="time that the catalogue covers (its first to last day)")
    parser.add_argument("--gap", action="append", default=[], metavar="SPAN", help="span or year without a catalogue")
    parser.add_argument("--types", nargs="+", default=[], metavar="TYPE", help="keep events of these types only")
    parser.add_argument(
        "--after-large", action="store_true", help="raise the completeness after large events (Helmstetter et al. 2006)"
    )
    parser.add_argument("--background", choices=("smoothed", "even"), default="smoothed", help="of ETAS (smoothed)")
    parser.add_argument("--block-days", type=float, default=30.0, metavar="D", help="blocks of the bootstrap (30)")
    parser.add_argument(
        "--simulations",
        type=int,
        default=200,
        metavar="N",
        help="catalogues drawn for numbers of ETAS (200; 0 none)",
    )
    parser.add_argument("--seed", type=int, default=3407, help="of everything drawn (3407)")
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Fit, judge, write, and print one table and, last, the path of the measures."""
    from seisvision.catalogues.audit import audit_catalogue, card
    from seisvision.files import check_writable
    from seisvision.forecasting import results
    from seisvision.forecasting.comparison import judge
    from seisvision.forecasting.references import references

    check_writable(args.out, "--out")
    check_own({args.out / name: mark for name, mark in results.MARKS.items()}, "--out", args.overwrite)
    catalogue = _catalogue(args)
    findings = audit_catalogue(catalogue)
    for finding in findings:
        log.warning("%s: %s", finding.severity, finding.sentence())
    task = _task(args, catalogue)
    fit_rates, test_rates, fitted = {}, {}, {}
    for reference in references(args.background):
        reference.fit(task)
        fitted[reference.name] = reference
        fit_rates[reference.name] = reference.rates(task.fit_windows)
        test_rates[reference.name] = reference.rates(task.test_windows)
        log.info("%s is fitted", reference.name)
    etas: Any = fitted["etas"]
    found = judge(task, fit_rates, test_rates, args.block_days, _drawn(etas, task, args))
    found["etas"] = results.described_etas(etas.result) | {"next_event": _next_event(etas, task)}
    found |= {"catalogue": card(catalogue), "findings": [one.to_dict() for one in findings]}
    results.write_rates(args.out, task, test_rates)
    path = results.write_results(args.out, found, catalogue)
    say(f"{found['events']} events in {len(task.test_windows)} windows and {task.grid.n_cells} cells; "
        f"PR AUC of a guess {found['base_rate']:.5f}")  # fmt: skip
    say(results.printed(found))
    say(path)
    return 0


def _catalogue(args: argparse.Namespace) -> EventCatalogue:
    from seisvision.catalogues.gaps import Gaps
    from seisvision.catalogues.reading import read_catalogue
    from seisvision.catalogues.times import span_of

    span = None if args.span is None else span_of(args.span, "--span")
    return read_catalogue(args.catalogue, Gaps.parse(args.gap), span, args.types)


def _task(args: argparse.Namespace, catalogue: EventCatalogue) -> ForecastTask:
    """What is to be forecast; the completeness, where none is given, is that of the fit and what is before."""
    import numpy as np

    from seisvision.catalogues.completeness import Completeness, estimate
    from seisvision.catalogues.grid import Grid
    from seisvision.catalogues.region import Region
    from seisvision.catalogues.times import span_of
    from seisvision.errors import DataError
    from seisvision.forecasting.task import ForecastTask

    fit, test = span_of(args.fit, "--fit"), span_of(args.test, "--test")
    if args.region is None:
        region = Region.around(catalogue.latitude_deg, catalogue.longitude_deg)
    else:
        region = Region.read(args.region)
    complete = args.complete
    if complete is None:
        complete = estimate(catalogue.magnitude[catalogue.time_days < fit[1]]).value
        if np.isnan(complete):
            raise DataError("too few events lie before the end of the fit to tell the completeness; give --complete")
        complete = round(float(complete), 2)
        log.warning("--complete is %g by maximum curvature", complete)
    completeness = Completeness(complete)
    if args.after_large:
        completeness = completeness.after_large(catalogue)
    if args.cell_deg is not None:
        grid = Grid.of_degrees(region, args.cell_deg)
    else:
        grid = Grid.of_km(region, 10.0 if args.cell_km is None else args.cell_km)
    magnitude = complete if args.magnitude is None else args.magnitude
    return ForecastTask(catalogue, grid, completeness, magnitude, fit, test, args.window_days, args.lead_days)


def _drawn(etas: Etas, task: ForecastTask, args: argparse.Namespace) -> dict[str, Any]:
    """Numbers of the whole test that ETAS draws, window by window, each after what really happened before it."""
    from seisvision.seeding import numpy_stream

    if args.simulations <= 0:
        return {}
    numbers = etas.numbers(task.test_windows, numpy_stream(args.seed, "forecast numbers"), args.simulations)
    return {"etas": numbers.sum(axis=0)}


def _next_event(etas: Etas, task: ForecastTask) -> dict[str, float]:
    """Log-likelihood when each next event is told from all before, and the gain over its background alone."""
    value, even, n = etas.log_likelihood(task.test)
    return {
        "events": n, "log_likelihood": value, "log_likelihood_per_event": value / max(n, 1),
        "gain_over_smoothed_poisson_per_event": (value - even) / max(n, 1),
    }  # fmt: skip
