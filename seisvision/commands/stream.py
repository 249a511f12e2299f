"""Replay recordings packet by packet and write what would have been said when.

Networks of RUN..., and triggers with a locator, are asked after each packet. LOG.csv has a row for each statement:
the time at which it could have been made, who made it, place with standard deviations, magnitude.

Replayed are the recordings of a part of the set that RUN was trained on or, with --archive, continuous recordings of
its stations, such as day files of miniSEED: whenever four stations have triggered on what may be one source, the window
about them is asked about, packet by packet.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.commands.early_warning import add_what_is_asked
from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision stream``."""
    add_what_is_asked(parser)
    parser.add_argument(
        "--archive", nargs="+", metavar="ARCHIVE", help="folder, files or pattern of recordings instead"
    )
    parser.add_argument("--stations", metavar="FILE", help="sensitivities and angles of the channels of the archive")
    parser.add_argument("--lead", type=float, metavar="S", help="of a window before the first trigger, as in training")
    parser.add_argument("--packet", type=float, default=1.0, metavar="S", help="length of a packet (default 1 s)")
    parser.add_argument("--out", type=Path, required=True, metavar="LOG.csv", help="table of statements to write")


def run(args: argparse.Namespace) -> int:
    """Replay, and print how much was said and, last, the path of the table."""
    import pandas as pd

    from seisvision.archives.streaming import archive_recordings
    from seisvision.errors import ConfigurationError
    from seisvision.evaluation.warning.one_source import FEWEST_TRIGGERS
    from seisvision.evaluation.warning.replay import COLUMNS, replayed
    from seisvision.experiments.waveforms.early_warning import recordings
    from seisvision.files import check_writable_file
    from seisvision.location.catalogue import write_table

    check_writable_file(args.out, "--out")
    from_s, since = None, "since_first_p_s"
    if args.archive is None:
        if args.lead is not None or args.stations is not None:
            raise ConfigurationError("--lead and --stations are for --archive, which is not given.")
        asked = recordings(args.runs, args.part, args.velocity, args.data_dir)
    else:
        if args.lead is None:
            raise ConfigurationError(
                "--archive needs --lead, the seconds before the first P in windows of the training."
            )
        asked, from_s = archive_recordings(args.runs, args.archive, args.lead, args.velocity, args.stations)
        since = "since_first_trigger_s"
    rows = list(replayed(asked.estimators, asked.truth, asked.start_ns.tolist(), args.packet, from_s))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("time_ns", kind="stable")
    table["time_ns"] = pd.to_datetime(table["time_ns"], utc=True).dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    write_table(table.rename(columns={"time_ns": "time", "since_first_p_s": since}).round(4), args.out)
    n_recordings = len(asked.truth.source_id)
    if not n_recordings:
        say(f"no {FEWEST_TRIGGERS} stations triggered on one source")
    said = table.groupby("estimator", sort=False)["source_id"].agg(["size", "nunique"])
    for name, (statements, events) in said.iterrows():
        say(f"{name}: {statements} statements about {events} of {n_recordings} recordings")
    say(args.out)
    return 0
