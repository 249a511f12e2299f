"""Tell classes of a new region by a few examples of each, without any training.

NET gives the features; RUN is a finished run of the new region, such as one of transfer curve, whose split counts. The
same is done with the features of an untrained network and with hand-made ones. Test events that NET has learnt from are
left out for all of them, and their number is told.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision transfer prototypes``."""
    parser.add_argument("net", type=Path, metavar="NET", help="run folder or checkpoint")
    parser.add_argument("run", type=Path, metavar="RUN", help="finished run of the new region")
    parser.add_argument("--shots", default="1,2,5", metavar="N", help="events of each class (default 1,2,5)")
    parser.add_argument("--draws", type=int, default=50, metavar="N", help="of events (default 50)")


def run(args: argparse.Namespace) -> int:
    """Print a table with a row a kind of features."""
    import numpy as np

    from seisvision.api.runs import open_run
    from seisvision.errors import ConfigurationError
    from seisvision.evaluation.tables import render_table
    from seisvision.experiments.supervised.transfer.prototypes import HIGH, LOW, few_shots
    from seisvision.runs.terminal import quietly

    try:
        shots = [int(one) for one in args.shots.split(",")]
    except ValueError as error:
        raise ConfigurationError(f"--shots {args.shots} is not allowed; give numbers such as 1,5.") from error
    if min(shots) < 1 or args.draws < 1:
        raise ConfigurationError("--shots and --draws need to be 1 or more.")
    with quietly():
        told = few_shots(args.net, open_run(args.run).folder, shots, args.draws)
    cells: dict[str, list[str]] = {}
    for one in told.rows:
        low, high = np.percentile(100 * one.balanced_accuracy, [LOW, HIGH])
        mean = 100 * one.balanced_accuracy.mean()
        cells.setdefault(one.features, []).append(f"{mean:.1f} % ({low:.0f} to {high:.0f})")
    head = ["features", *(f"{k} a class" for k in shots)]
    say(f"Balanced accuracy of the nearest prototype, mean and {LOW} to {HIGH} % of {args.draws} draws\n")
    say(render_table(head, [[name, *row] for name, row in cells.items()], "text"))
    if told.n_seen:
        say(f"\n{told.n_seen} test events that the network has learnt from are left out, for all features.")
    if told.n_seen_examples:
        say(f"It has learnt from {told.n_seen_examples} of the events that examples are drawn from, too.")
    return 0
