"""Make a queue of labels from the folds of a sweep (sweep=kfold), the most suspect first.

Each label is judged by the network that was not trained on it. Writes the queue, ranking.csv of all labels and
stations.csv of stations whose labels are wrong as a whole.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision review make``."""
    parser.add_argument(
        "sweep", nargs="+", metavar="SWEEP", help="folder of a sweep, run folders of folds, or a pattern"
    )
    parser.add_argument("--out", type=Path, default=Path("queue"), metavar="FOLDER", help="folder of the queue")
    parser.add_argument("--output", metavar="NAME", help="output whose labels are looked at, where a task has several")
    parser.add_argument("--most", type=int, default=1000, help="labels in the queue (default 1000)")
    parser.add_argument("--controls", type=float, default=0.05, help="share of labels beside them that nobody suspects")
    parser.add_argument("--neighbours", type=int, default=5, help="samples alike to the network shown with each")
    parser.add_argument(
        "--test-share", type=float, default=0.0, help="share of the test events that is reviewed too (default none)"
    )
    parser.add_argument("--data-dir", type=Path, help="folder of waveform sets; default that of the runs")


def run(args: argparse.Namespace) -> int:
    """Write the queue; the last line printed is its folder."""
    from seisvision.files import check_writable
    from seisvision.reviewing.make import Wanted, make_queue
    from seisvision.runs.terminal import quiet_libraries

    quiet_libraries()
    check_writable(args.out, "--out")
    wanted = Wanted(args.output, args.most, args.controls, args.neighbours, args.test_share)
    queue = make_queue(args.sweep, args.out, wanted, args.data_dir)
    about = queue.about
    say(f"{about['n_labels']} labels of {', '.join(about['columns'])}, {about['n_suspect']} of them likely wrong")
    for one in about["stations"]:
        if one["is_suspect"]:
            say(f"station {one['name']}: residuals of {one['typical_sigmas']:.1f} sigmas in {one['n']} samples")
    for one in about["swaps"]:
        say(f"coordinates of {' and '.join(one['stations'])} look swapped")
    say(args.out)
    return 0
