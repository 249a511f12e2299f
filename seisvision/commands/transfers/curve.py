"""Learn a new region from scratch and from a trained network, with more and more of its events.

NET is a run folder or checkpoint; WORDS are the experiment in the new region, as for train.py. Three ways are compared
at each share of the training and validation events, on the same test events: from scratch, a linear probe (the
backbone stays), and fine-tuned. Every run is one of train.py, stored and resumed like it; the same command goes on
where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.own_files import add_overwrite, check_own
from seisvision.plain_text import say

MARKS = ("way,", "Learning curve of ")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision transfer curve``."""
    parser.add_argument("net", type=Path, metavar="NET", help="run folder or checkpoint to begin with")
    parser.add_argument("words", nargs="*", metavar="WORD", help="the experiment in the new region; before any option")
    parser.add_argument(
        "--shares", default="5,10,20,50,100", metavar="PERCENT", help="of its events (default %(default)s)"
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="runs of each kind (default 3)")
    parser.add_argument("--ways", default="scratch,probe,tuned", metavar="NAMES", help="default %(default)s")
    parser.add_argument(
        "--way", action="append", default=[], metavar="'NAME WORD ...'",
        help="a further way, such as 'gradual fine_tune.unfreeze_every=2 fine_tune.layer_decay=0.7'",
    )  # fmt: skip
    parser.add_argument("--measure", metavar="NAME", help="default: the headline of the first output")
    parser.add_argument(
        "--longest", type=float, default=5.0, metavar="TIMES",
        help="few events make few steps an epoch: at most so many times the epochs then (default 5)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("transfer.csv"), metavar="CURVE.csv", help="table (default here)"
    )
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Do what is missing; write table, text and figure; print the text and, last, the path of the table."""
    from seisvision.errors import ConfigurationError, did_you_mean
    from seisvision.experiments.supervised.transfer.curve import COLUMNS, SCRATCH, WAYS, Asked, describe_curve, do_curve
    from seisvision.experiments.supervised.transfer.elsewhere import ask_elsewhere, is_known
    from seisvision.experiments.supervised.transfer.figures import draw_curve
    from seisvision.files import check_writable_file, write_text
    from seisvision.records.prediction_table import write_columns
    from seisvision.records.words.composing import compose_experiment
    from seisvision.runs.terminal import quietly

    if args.out.suffix != ".csv":
        raise ConfigurationError(f"--out {args.out} is not allowed; give a name that ends with .csv.")
    check_writable_file(args.out, "--out")
    text_file, figure_file = args.out.with_suffix(".md"), args.out.with_suffix(".png")
    check_own({args.out: MARKS[0], text_file: MARKS[1]}, "--out", args.overwrite)
    ways = {}
    for name in [SCRATCH, *args.ways.split(",")]:
        if name not in WAYS:
            raise ConfigurationError(f"--ways names '{name}'. {did_you_mean(name, list(WAYS))}")
        ways[name] = WAYS[name]
    ways |= {words[0]: tuple(words[1:]) for words in map(str.split, args.way) if words}
    asked = Asked(
        args.words, args.net, ways, _shares(args.shares), range(1, args.seeds + 1), args.longest, args.measure
    )
    with quietly():
        points = do_curve(asked, compose_experiment)
        zero = ask_elsewhere(args.net, points[0].folder, points[0].measure)
    as_it_is = zero.measure if is_known(zero) else None
    text = describe_curve(points, as_it_is)
    if as_it_is is None:
        text += f"\nThe network as it is cannot be asked here: {zero.reason or 'its answers cannot be measured'}"
    if zero.n_seen:
        text += (
            f"\n{zero.n_seen} test events were learnt from, or chosen on, by the network: what begins with it has seen "
            "them. Split both sets so that it has not."
        )
    say(text)
    rows = [one.row() for one in points]
    write_columns(args.out, {name: [row[i] for row in rows] for i, name in enumerate(COLUMNS)})
    write_text(text_file, f"{MARKS[1]}{points[0].metrics['data']['name']}\n\n{text}\n")
    draw_curve(figure_file, points, as_it_is)
    for path in (text_file, figure_file, args.out):
        say(path)
    return 0


def _shares(text: str) -> list[float]:
    from seisvision.errors import ConfigurationError

    try:
        return sorted({float(one) / 100 for one in text.split(",")})
    except ValueError as error:
        raise ConfigurationError(f"--shares {text} is not allowed; give percentages such as 5,20,100.") from error
