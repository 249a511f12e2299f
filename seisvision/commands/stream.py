"""Replay recordings packet by packet and write what would have been said when.

Networks of RUN..., and triggers with a locator, are asked after each packet. LOG.csv has a row for each statement:
the time at which it could have been made, who made it, place with standard deviations, magnitude.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.commands.early_warning import add_what_is_asked
from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision stream``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_what_is_asked(parser)
    parser.add_argument("--packet", type=float, default=1.0, metavar="S", help="length of a packet (default 1 s)")
    parser.add_argument("--out", type=Path, required=True, metavar="LOG.csv", help="table of statements to write")


def run(args: argparse.Namespace) -> int:
    """Replay, and print how much was said and, last, the path of the table."""
    import pandas as pd

    from seisvision.evaluation.warning.replay import COLUMNS, replayed
    from seisvision.experiments.waveforms.early_warning import recordings
    from seisvision.files import check_writable_file, whole_file

    check_writable_file(args.out, "--out")
    asked = recordings(args.runs, args.part, args.velocity, args.data_dir)
    rows = list(replayed(asked.estimators, asked.truth, asked.start_ns.tolist(), args.packet))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("time_ns", kind="stable")
    table["time_ns"] = pd.to_datetime(table["time_ns"], utc=True).dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with whole_file(args.out) as partial:
        table.rename(columns={"time_ns": "time"}).round(4).to_csv(partial, index=False)
    said = table.groupby("estimator", sort=False)["source_id"].agg(["size", "nunique"])
    for name, (statements, events) in said.iterrows():
        say(f"{name}: {statements} statements about {events} of {len(asked.truth.source_id)} recordings")
    say(args.out)
    return 0
