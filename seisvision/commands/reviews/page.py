"""Write a queue of labels as one page that needs no server, and whose reviewer sends back what it downloads.

What the networks say is in the file: hidden before a decision, but not from someone who looks into it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.own_files import add_overwrite, check_own
from seisvision.plain_text import say

MARK = "<title>Labels under review</title>"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision review page``."""
    parser.add_argument("queue", type=Path, help="folder of the queue")
    parser.add_argument("--out", type=Path, default=Path("review.html"), help="page to write")
    parser.add_argument("--reviewer", required=True, help="who will decide")
    parser.add_argument("--open-eyed", action="store_true", help="show what the networks say before the decision")
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Write the page and print its path."""
    from seisvision.files import check_writable_file
    from seisvision.reviewing.page import write_file
    from seisvision.reviewing.queue import Queue

    check_writable_file(args.out, "--out")
    check_own({args.out: MARK}, "--out", args.overwrite)
    say(write_file(Queue.read(args.queue), args.out, args.reviewer, blind=not args.open_eyed))
    return 0
