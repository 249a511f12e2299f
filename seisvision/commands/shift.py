"""Table who still covers where the world is not as in the training: faster, louder, with other stations, elsewhere.

Synthetic sets like that of the training are made with velocities 10 % higher, 10 dB more noise, other events and
stations, and of a foreign region. For each condition it says how large errors are, whether intervals hold what they
state, how well what the network does not know tells the condition from the usual one (AUROC), and what is left if the
samples that are the least known are refused. Written to shift.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.errors import ConfigurationError
from seisvision.plain_text import say

METHODS = ("none", "mc_dropout", "laplace", "ensemble", "evidential")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision shift``."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folder or .ckpt; several are an ensemble")
    parser.add_argument("--method", choices=METHODS, default="mc_dropout", help="of uncertainty (default mc_dropout)")
    parser.add_argument("--passes", type=int, default=50, help="of mc_dropout and laplace (default 50)")
    parser.add_argument("--events", type=int, default=100, help="of each shifted set (default 100)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=FOLDER", help="a further waveform set")
    parser.add_argument("--data-dir", type=Path, help="where waveform sets lie (default: as in the training)")
    parser.add_argument("--out", type=Path, default=Path("shift.csv"), help="table to write (default shift.csv)")


def run(args: argparse.Namespace) -> int:
    """Ask under every condition; print the table, and its file last."""
    from seisvision.evaluation.tables import render_table
    from seisvision.experiments.supervised.shift import COLUMNS, ask_under, conditions_of
    from seisvision.files import check_writable_file
    from seisvision.records.checkpoint import load_checkpoint
    from seisvision.records.finding import checkpoints_of
    from seisvision.records.settings import EvaluateSettings
    from seisvision.records.tables import write_table
    from seisvision.records.trust.contents import check_content
    from seisvision.runs.terminal import quiet_libraries

    quiet_libraries()
    check_writable_file(args.out, "--out")
    checkpoints = checkpoints_of(args.runs)
    checkpoint = load_checkpoint(checkpoints[0])
    check_content(checkpoint, checkpoints[0])
    config = checkpoint["seisvision"]["config"]
    system = {**config["system"], **({"data_dir": str(args.data_dir)} if args.data_dir else {})}
    sets = dict(_named(one) for one in args.set)
    passes = {"passes": args.passes} if args.method in ("mc_dropout", "laplace") else {}
    uncertainty = None if args.method == "none" else {"method": args.method, **passes}
    asked_for = {"ckpt": args.runs, "part": "test", "system": system, "uncertainty": uncertainty}
    # Events of the training would be too well known; of the own set the test part has none.
    asked = EvaluateSettings.of({**asked_for, "training_events": "leave_out"})
    rows = list(ask_under(asked, checkpoints, conditions_of(config["dataset"], args.events, sets)))
    body = [[str(cell) if isinstance(cell, str | int) else f"{cell:.3g}" for cell in row] for row in rows]
    say(render_table(list(COLUMNS), body, "text"))
    write_table(args.out, COLUMNS, rows)
    say(args.out)
    return 0


def _named(text: str) -> tuple[str, str]:
    """Name and folder of a further set.

    Raises:
        ConfigurationError: it is not written so.
    """
    name, sign, folder = text.partition("=")
    if not (name and sign and folder):
        raise ConfigurationError(f"--set {text} is not allowed; write NAME=FOLDER.")
    return name, folder
