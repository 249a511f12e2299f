"""Open a queue of labels as a page of this machine, and write every decision before the next label shows.

The address that is printed holds a token: whoever knows it, and nobody else, may decide. It is served on the loopback
alone. Ctrl-C ends it; the same command goes on where the decisions end.
"""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision review serve``."""
    parser.add_argument("queue", type=Path, help="folder of the queue")
    parser.add_argument("--corrections", type=Path, help="file of decisions (default corrections.csv of the queue)")
    parser.add_argument("--reviewer", help="who decides (default the name of the user)")
    parser.add_argument("--port", type=int, default=0, help="port of the loopback (default one that is free)")
    parser.add_argument("--open-eyed", action="store_true", help="show what the networks say before the decision")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from seisvision.errors import ConfigurationError
    from seisvision.files import check_writable_file
    from seisvision.reviewing.queue import Queue
    from seisvision.reviewing.server import ReviewServer
    from seisvision.reviewing.session import Session

    file = args.corrections or args.queue / "corrections.csv"
    check_writable_file(file, "--corrections")
    reviewer = args.reviewer if args.reviewer is not None else getpass.getuser()
    session = Session(Queue.read(args.queue), file, reviewer, blind=not args.open_eyed)
    if not 0 <= args.port < 65536:
        raise ConfigurationError(f"--port={args.port} is no port; give 0 to 65535.")
    try:
        server = ReviewServer(session, args.port)
    except OSError as error:
        raise ConfigurationError(f"--port={args.port} cannot be had ({error.strerror}). Give another.") from error
    with server:
        say(f"Decisions go to {file}. Open, on this machine only (Ctrl-C ends it):")
        say(server.address)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            state = session.state()
            say(f"{state['n_done']} of {state['n_items']} labels are decided.")
    return 0
