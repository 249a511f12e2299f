"""Write a network that picks for another program.

RUN is a run folder, a checkpoint or a file of weights. With --to seisbench, OUT.pt.v1 and OUT.json.v1 are written,
which seisbench.models.PhaseNet.load(OUT, version_str="1") opens; only networks of model=unet1d can go there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision export``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder, checkpoint or weights")
    parser.add_argument("--to", choices=("seisbench",), required=True, help="for which program")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="beginning of the paths to write")


def run(args: argparse.Namespace) -> int:
    """Write, and print the paths."""
    from seisvision.experiments.waveforms.pickers import export_to_seisbench

    for path in export_to_seisbench(args.run, args.out):
        say(str(path))
    return 0
