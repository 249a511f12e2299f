"""Print the settings of a sweep's best point: ``python train.py $(seisvision sweep best DIR) seed=1`` runs it again."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``seisvision sweep best``."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a sweep (its last line of output)")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON, for scripts")


def run(arguments: argparse.Namespace) -> int:
    """Print the overrides on one line, and what the point was chosen on beside them."""
    from seisvision.records.sweeps.folder import SweepFolder
    from seisvision.runs.terminal import show
    from seisvision.sweeps.report import describe_best, read_best

    best = read_best(SweepFolder(arguments.folder))
    if arguments.json:
        show(json.dumps(best, indent=2))
        return 0
    log.info("%s", describe_best(best))
    show(" ".join(best["overrides"]))
    return 0
