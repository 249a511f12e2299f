"""Ask a trained network about recordings, without labels and without configuration.

NET is a run folder, a checkpoint, weights, or the name of a network of the package, such as pick-small; DATA a waveform
set, or files, folders or patterns of recordings. The network knows its window, classes and pictures, and recordings are
processed as those that it learnt from, as far as it knows how. A network that picks writes its picks.
PREDICTIONS.refused.csv lists what was not asked about, and why.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.own_files import add_overwrite, check_own
from seisvision.plain_text import say

MARKS = ("source_id,", "network,")
"""How the tables of this command begin: answers about samples, and picks."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision predict``."""
    parser.add_argument(
        "net",
        type=Path,
        metavar="NET",
        help="run folder, checkpoint, pick-small or another network of the package, PhaseNet weights",
    )
    parser.add_argument("data", metavar="DATA", help="waveform set, or a file, folder or pattern of recordings")
    parser.add_argument("--events", metavar="FILE", help="of recordings: QuakeML or a table; sac for SAC headers")
    parser.add_argument("--stations", metavar="FILE", help="of recordings: StationXML or a table")
    parser.add_argument("--picks", metavar="FILE", help="of recordings: a table or QuakeML, or events; P is the onset")
    parser.add_argument("--associate", metavar="HOW", help="how files find events: time (default), name, folder, ...")
    parser.add_argument("--response", choices=("none", "gain", "remove"), help="default: as in the training")
    parser.add_argument("--unit", help="of recordings whose response is not taken away (default counts)")
    parser.add_argument("--as-they-are", action="store_true", help="recordings were processed before")
    parser.add_argument(
        "--training-events", choices=("mark", "leave_out", "keep"),
        help="what is done with events that it has seen in its training (default mark: column seen)",
    )  # fmt: skip
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("predictions.csv"),
        metavar="PREDICTIONS.csv",
        help="table (default here)",
    )
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, write both tables, and print how many answers there are and, last, the path of the table."""
    from seisvision.errors import ConfigurationError
    from seisvision.files import check_writable_file
    from seisvision.records.checkpoint import find_checkpoint
    from seisvision.records.prediction_table import write_columns

    if args.out.suffix != ".csv":
        raise ConfigurationError(f"--out {args.out} is not allowed; give a name that ends with .csv.")
    refused = args.out.with_suffix(".refused.csv")
    check_writable_file(args.out, "--out")
    find_checkpoint(args.net)  # a network that is not there is told before what opens it is imported
    from seisvision.api.networks import Picker, is_set, load

    network = load(args.net)
    # A network that picks answers about the windows of a set as any other does.
    mark = MARKS[isinstance(network, Picker) and not is_set(args.data)]
    check_own({args.out: mark, refused: mark}, "--out", args.overwrite)
    options = {
        "inventory": args.stations, "events": args.events, "picks": args.picks, "associate": args.associate,
        "response": args.response, "unit": args.unit, "processing": "none" if args.as_they_are else None,
        "training_events": args.training_events,
    }  # fmt: skip
    given = {name: value for name, value in options.items() if value is not None}
    answers = network.predict(args.data, **given)
    answers.to_csv(args.out)
    write_columns(refused, {name: answers.refused[name].tolist() for name in answers.refused})
    say(f"{len(answers)} answers, {len(answers.refused)} refused")
    for reason, number in answers.refused["reason"].value_counts().head(8).items():
        say(f"  {number} x {reason}")
    say(refused)
    say(args.out)
    return 0
