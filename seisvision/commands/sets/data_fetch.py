"""``seisvision data fetch``: recordings of events from FDSN data centres to one waveform set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seisvision.errors import ConfigurationError
from seisvision.files import check_writable
from seisvision.plain_text import say

if TYPE_CHECKING:
    from seisvision.data.fetching.recipe import Requests
    from seisvision.data.fetching.report import FetchReport

DESCRIPTION = """Ask FDSN data centres for recordings of events and make a waveform set of them.

  seisvision data fetch conf/fetch/pnw_exotic.yaml --out data/pnw \\
      span.after_s=120 stations.maximum=8

Every answer is kept in OUT.download as it comes. Interrupted in whatever way, the same command goes on where it
stopped; nothing is asked for twice. requests.csv in that folder has a line for every request, rejected.csv in the set
tells what could not be had or used, and why. Only the servers that the recipe names are asked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    parser.add_argument("recipe", help="YAML file that says which events, stations and windows; see conf/fetch")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="change a setting of the recipe")
    parser.add_argument("--out", metavar="DIR", help="folder of the new set (default: data/NAME of the recipe)")
    parser.add_argument("--root", metavar="DIR", help="what ${root} stands for in the recipe")
    parser.add_argument("--dry-run", action="store_true", help="ask for events and stations only, tell how much it is")
    parser.add_argument("--retry", action="store_true", help="of a finished set, ask again for what failed")
    parser.add_argument("--overwrite", action="store_true", help="replace a set that another recipe made")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that make the set (default: one a core)")
    _accept_settings_anywhere(parser)


def _accept_settings_anywhere(parser: argparse.ArgumentParser) -> None:
    """Let KEY=VALUE stand before, between and after options, which argparse does for one method only."""
    plain = parser.parse_known_args

    def intermixed(args: Any = None, namespace: Any = None) -> Any:
        # The method below calls parse_known_args itself.
        parser.parse_known_args = plain  # type: ignore[method-assign]
        try:
            return parser.parse_known_intermixed_args(args, namespace)
        finally:
            parser.parse_known_args = intermixed  # type: ignore[method-assign]

    parser.parse_known_args = intermixed  # type: ignore[method-assign]


def run(args: argparse.Namespace) -> int:
    """Fetch, print what became of everything and, last, the path of the set."""
    from seisvision.data.fetching.recipe import load_recipe
    from seisvision.data.fetching.report import finished_report

    for change in args.changes:
        if "=" not in change:
            raise ConfigurationError(f"'{change}' is no setting; write KEY=VALUE, such as stations.maximum=8")
    recipe = load_recipe(args.recipe, args.root, args.changes)
    out = Path(args.out or f"data/{recipe.name}")
    if not args.dry_run:
        check_writable(out.absolute().parent, "--out")
    report = None if args.retry or args.dry_run else finished_report(out, recipe)
    if report is None:
        from seisvision.data.fetching.fetcher import run_fetch

        options = {"overwrite": args.overwrite, "retry": args.retry, "dry_run": args.dry_run, "workers": args.workers}
        report = run_fetch(recipe, out, **options)
    say(summary(report))
    if report.imported is not None:
        from seisvision.data.importing.summary import summary as import_summary

        say("\n" + import_summary(report.imported))
    say(_estimate(report, recipe.requests) if args.dry_run else report.out)
    return 0


def _estimate(report: FetchReport, limits: Requests) -> str:
    n_left = sum(report.not_had.values())
    least_min = n_left / limits.stations_per_request * limits.min_interval_s / 60
    return f"dry run: {n_left} recordings to come, about {report.estimate_mb:.0f} MB, at least {least_min:.0f} min"


def summary(report: FetchReport) -> str:
    """What was asked for, what came, what did not."""
    lines = ["the set is complete already; nothing was asked for"] if report.already else []
    lines.append(f"recordings asked for {report.asked}, had {report.had}")
    lines += [f"  {outcome:<16}{number:>8}" for outcome, number in sorted(report.not_had.items())]
    outcomes = ", ".join(f"{name} {number}" for name, number in report.requests["by_outcome"].items())
    lines.append(f"requests {report.requests['total']} ({outcomes}), {report.requests['bytes'] / 1e6:.1f} MB")
    passing = [name for name in report.not_had if name not in ("no_data", "restricted", "refused", "not_asked")]
    if passing:
        lines.append(f"what failed ({', '.join(passing)}) may work later: repeat the command with --retry")
    return "\n".join(lines)
