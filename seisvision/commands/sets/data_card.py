"""Print the card of a waveform set: where it comes from, what it holds, what may be done with it."""

from __future__ import annotations

import argparse

from seisvision.data.sets.cards import card_lines
from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision data card``."""
    parser.add_argument("set", metavar="SET", help="folder of the waveform set, or its name in the data folder")
    parser.add_argument("--data-dir", default="data", metavar="DIR", help="folder of all sets (data)")


def run(args: argparse.Namespace) -> int:
    """Print the card and, last, the folder of the set."""
    from seisvision.data.sources.folder import FolderSource

    folder = FolderSource(args.set).prepare(args.data_dir)
    say("\n".join(card_lines(folder)))
    say(folder)
    return 0
