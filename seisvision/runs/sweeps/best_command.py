"""Print the settings of a sweep's best point: ``python train.py $(seisvision sweep best DIR) seed=1`` runs it again."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``seisvision sweep best``."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a sweep (its last line of output)")


def run(arguments: argparse.Namespace) -> int:
    """Print the overrides on one line."""
    from seisvision.runs.sweeps.folder import SweepFolder
    from seisvision.runs.sweeps.report import read_best
    from seisvision.runs.terminal import show

    show(" ".join(read_best(SweepFolder(arguments.folder))["overrides"]))
    return 0
