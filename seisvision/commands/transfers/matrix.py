"""Test networks of several regions in each other's: trained on rows, tested on the test events of columns.

RUN is a finished run. Each network is asked as it is; classes and units have to be the same. Test events of one run
that another has learnt from are left out for it and counted.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seisvision.own_files import add_overwrite, check_own
from seisvision.plain_text import say

if TYPE_CHECKING:
    from seisvision.evaluation.intervals import Measure

MARK = "trained_on,"
COLUMNS = ("trained_on", "tested_on", "value", "low", "high", "n", "seen_events", "reason")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision transfer matrix``."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of finished runs, a region each")
    parser.add_argument("--measure", metavar="NAME", help="default: the headline of the first output")
    parser.add_argument(
        "--out", type=Path, default=Path("matrix.csv"), metavar="MATRIX.csv", help="table (default here)"
    )
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, print the matrix and, last, the path of the table."""
    from seisvision.api.runs import open_run
    from seisvision.errors import ConfigurationError
    from seisvision.evaluation.tables import format_measure, is_share, render_table
    from seisvision.experiments.supervised.transfer.elsewhere import matrix
    from seisvision.files import check_writable_file
    from seisvision.records.prediction_table import write_columns
    from seisvision.runs.terminal import quietly

    if len(args.runs) < 2:
        raise ConfigurationError("A matrix needs two runs or more; for one set use evaluate.py ckpt=RUN dataset=...")
    check_writable_file(args.out, "--out")
    check_own({args.out: MARK}, "--out", args.overwrite)
    opened = [open_run(path) for path in args.runs]
    stored = opened[0].metrics["test"][opened[0].metrics["outputs"][0]["name"]]
    measure = args.measure or str(stored["headline"])
    with quietly():
        answers = matrix([one.folder for one in opened], measure)
    names = [f"{one.metrics['data']['name']} {one.id}" for one in opened]
    percent = is_share(measure)
    body = [
        [name, *(format_measure(one.measure, percent) for one in row)] for name, row in zip(names, answers, strict=True)
    ]
    say(f"{measure}: trained on rows, tested on columns\n\n{render_table(['', *names], body, 'text')}")
    rows = [
        [mine, other, *_numbers(one.measure), one.n_seen, one.reason]
        for mine, row in zip(names, answers, strict=True)
        for other, one in zip(names, row, strict=True)
    ]
    for row in rows:
        if row[-2] or row[-1]:
            say(f"{row[0]} on {row[1]}: {row[-2]} events seen in its training were left out. {row[-1]}".rstrip())
    write_columns(args.out, {name: [row[i] for row in rows] for i, name in enumerate(COLUMNS)})
    say(args.out)
    return 0


def _numbers(measure: Measure | None) -> list[Any]:
    return [""] * 4 if measure is None else [measure.value, measure.low, measure.high, measure.n]
