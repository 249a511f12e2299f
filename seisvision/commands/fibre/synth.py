"""Make a waveform set of a simulated fibre beside which earthquakes happen; one station a channel."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from seisvision.plain_text import say

NUMBERS = ("n_events", "length_km", "n_channels", "bend_km", "reach_km", "signal", "delay_s", "correlation_km", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision fibre synth``."""
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the set")
    for name in NUMBERS:
        whole = name.startswith("n_") or name == "seed"
        parser.add_argument(f"--{name.replace('_', '-')}", type=int if whole else float, metavar="N" if whole else "X")


def run(args: argparse.Namespace) -> int:
    """Make the set and print its folder."""
    from seisvision.data.fibre.synthesis import FibreParameters, synthesise_fibre
    from seisvision.files import check_writable

    check_writable(args.out.absolute().parent, "--out")
    given = {field.name: getattr(args, field.name, None) for field in fields(FibreParameters)}
    parameters = FibreParameters(**{name: value for name, value in given.items() if value is not None})
    say(synthesise_fibre(parameters, args.out))
    return 0
