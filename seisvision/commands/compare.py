"""Compare runs: one report that opens without network or server, and the same as tables.

RUN is a run folder, a folder of runs (such as a sweep) or a pattern. Beside report.html, comparison.csv (one row a run)
and comparison.md are written. Folders that cannot be compared are listed with the reason.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from seisvision.own_files import add_overwrite, check_own
from seisvision.plain_text import say

if TYPE_CHECKING:
    from seisvision.reports.comparing.collect import Cache
    from seisvision.reports.comparing.groups import Comparison

log = logging.getLogger(__name__)

DEFAULT_WATCH_S = 15.0
MARKS = ("group,", "# Comparison of ", "by seisvision compare.")
"""What tables, text and page of this command hold, by which it knows its own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision compare``."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders, folders of runs, or patterns")
    parser.add_argument(
        "--out", type=Path, default=Path("report.html"), metavar="REPORT.html", help="report to write (default here)"
    )
    parser.add_argument(
        "--top",
        type=int,
        default=8,
        metavar="N",
        help="best configurations that are tested against each other and shown in detail (default 8)",
    )
    parser.add_argument(
        "--measure",
        metavar="NAME",
        help="measure of the leaderboard that pairs are tested on, such as balanced_accuracy (default its first)",
    )
    parser.add_argument(
        "--show-test",
        action="store_true",
        help="show test numbers also of the points of a sweep over settings, among which one is to be chosen",
    )
    parser.add_argument(
        "--watch",
        type=float,
        nargs="?",
        const=DEFAULT_WATCH_S,
        metavar="SECONDS",
        help=f"write the report again every so many seconds (default {DEFAULT_WATCH_S:g}) until Ctrl-C",
    )
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Compare, write, print the leaderboard and, last, the path of the report."""
    from seisvision.errors import ConfigurationError, DataError
    from seisvision.files import check_writable_file
    from seisvision.leftovers import clear_files

    if not 1 <= args.top <= 26:
        raise ConfigurationError(f"--top {args.top} is not allowed; give a number from 1 to 26.")
    if args.watch is not None and not args.watch >= 1:
        raise ConfigurationError(f"--watch {args.watch:g} is not allowed; give at least 1 second.")
    if args.out.is_dir() or args.out.suffix.lower() not in (".html", ".htm"):
        raise ConfigurationError(f"--out '{args.out}' is not the name of a page; give a name that ends in .html.")
    check_writable_file(args.out, "--out")
    check_own(dict(zip(_files(args.out), MARKS, strict=True)), "--out", args.overwrite)
    clear_files(args.out.parent)
    cache: Cache = {}
    comparison = _write(args, cache, args.watch)
    if args.watch is None and not comparison.groups and not comparison.others:
        reasons = "; ".join(f"{one.path}: {one.reason}" for one in comparison.left_out[:3]) or "there is no run folder"
        raise DataError(f"None of the runs can be compared ({reasons}). See {args.out}.")
    if args.watch is not None:
        _watch(args, cache, comparison)
    _show(comparison)
    say(args.out)
    return 0


def _watch(args: argparse.Namespace, cache: Cache, comparison: Comparison) -> NoReturn:
    """Write again and again; when interrupted, once more, so that the page that stays does not load itself again."""
    try:
        while True:
            log.info("%d runs compared, %d left out: %s", len(comparison.runs), len(comparison.left_out), args.out)
            time.sleep(args.watch)
            comparison = _write_or_warn(args, cache, args.watch) or comparison
    except KeyboardInterrupt:
        _write_or_warn(args, cache, None)
        raise


def _write_or_warn(args: argparse.Namespace, cache: Cache, reload_s: float | None) -> Comparison | None:
    try:
        return _write(args, cache, reload_s)
    except Exception as error:
        # A run may be deleted or started afresh while it is read; the next round sees it as it is then.
        log.warning("not written this time: %s: %s", type(error).__name__, error)
        return None


def _write(args: argparse.Namespace, cache: Cache, reload_s: float | None) -> Comparison:
    """Read what is new and write the three files, each at once."""
    from seisvision.files import write_text
    from seisvision.records.finding import matches

    # What is not there is told before numpy is imported.
    for name in args.runs:
        matches(name)
    from seisvision.reports.comparing.collect import collect
    from seisvision.reports.comparing.report import Shown, make_report
    from seisvision.reports.comparing.selection import without_test

    collected, hint = collect(args.runs, cache), ""
    if not args.show_test:
        collected, hint = without_test(collected, args.runs)
    report = make_report(collected, cache, Shown(args.top, reload_s, args.measure, hint))
    for path, text in zip(_files(args.out), (report.csv, report.markdown, report.page), strict=True):
        write_text(path, text)
    return report.comparison


def _files(page: Path) -> tuple[Path, Path, Path]:
    return page.with_name("comparison.csv"), page.with_name("comparison.md"), page


def _show(comparison: Comparison) -> None:
    from seisvision.reports.comparing.tables import leaderboard

    say(leaderboard(comparison, "text"))
    for warning in comparison.warnings:
        log.warning("Warning: %s", warning)
    for one in comparison.left_out[:10]:
        log.warning("left out %s: %s", one.path, one.reason)
    if len(comparison.left_out) > 10:
        log.warning("and %d more; the report lists them all", len(comparison.left_out) - 10)
