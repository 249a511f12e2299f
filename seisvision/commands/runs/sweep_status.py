"""Show one line a point of a sweep, or a line a run of a folder of runs: state, objective, epochs, time, host, error.

Reads files only, so it works while the sweep runs, on any machine that sees the folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``seisvision sweep status``."""
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of a sweep (its last line of output) or of runs"
    )
    parser.add_argument("--json", action="store_true", help="print a list with one entry a point, for scripts")


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    from seisvision.errors import ConfigurationError
    from seisvision.records.sweeps.folder import SweepFolder
    from seisvision.runs.terminal import show
    from seisvision.sweeps.report import runs_below, status_list, status_table

    sweep = SweepFolder(arguments.folder)
    states = sweep.states() if sweep.file.exists() else runs_below(arguments.folder)
    if not states:
        raise ConfigurationError(f"{arguments.folder} holds neither sweep.json nor run folders.")
    show(json.dumps(status_list(states), indent=2) if arguments.json else status_table(states))
    return 0
