"""The ``seisvision`` command: work on data beside ``train.py`` and ``evaluate.py``."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence
from typing import NoReturn

import seisvision
from seisvision.plain_text import shown

log = logging.getLogger(__name__)

COMMANDS = {
    ("data", "synth"): ("seisvision.data.synthesis.command", "make a physics-based waveform set"),
    ("data", "import"): ("seisvision.data.importing.command", "turn recordings into a waveform set"),
    ("data", "merge"): ("seisvision.data.importing.merge_command", "join the shards of a large import"),
    ("data", "card"): ("seisvision.data.cards", "print what is known of a waveform set"),
    ("data", "audit"): ("seisvision.data.audit.command", "look a waveform set over before training on it"),
    ("data", "fetch"): ("seisvision.data.fetching.command", "ask data centres for recordings of events"),
    ("locate",): ("seisvision.location.command", "find epicentres from distances at stations"),
    ("atlas",): ("seisvision.runs.atlas.command", "do every experiment of the Seismic Atlas and report"),
    ("sweep", "status"): ("seisvision.runs.sweeps.status_command", "show what has become of the points of a sweep"),
    ("sweep", "best"): ("seisvision.runs.sweeps.best_command", "print the settings of the best point"),
    ("sweep", "wandb"): ("seisvision.runs.sweeps.wandb_command", "write a sweep file for the agent of W&B"),
    ("tune",): ("seisvision.runs.tune_command", "find a learning rate or a batch size"),
    ("explain",): ("seisvision.runs.explain_command", "draw what the network of a run looked at"),
    ("compare",): ("seisvision.runs.comparing.command", "compare runs in one report"),
    ("runs", "check"): ("seisvision.runs.integrity.check_command", "see whether files of finished runs were changed"),
    ("clusters",): ("seisvision.runs.cluster_command", "find out how many clusters there are"),
}
"""Words of each command (a group and a name, or a name), the module that implements it, and one line of help.

A command module has ``add_arguments(parser)`` and ``run(arguments) -> int``; heavy imports belong inside ``run``.
"""


class Parser(argparse.ArgumentParser):
    """Shows no secret, and nothing that steers a terminal, of a command line that it does not understand."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit with 2."""
        super().error(shown(message))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = Parser("seisvision", description=seisvision.__doc__)
    parser.add_argument("--version", action="version", version=seisvision.__version__)
    top = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    commands: dict[tuple[str, ...], argparse._SubParsersAction] = {(): top}
    for (*group, name), (module_name, summary) in COMMANDS.items():
        if tuple(group) not in commands:
            group_parser = top.add_parser(group[0], help=f"commands on {group[0]}")
            commands[tuple(group)] = group_parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
        module = importlib.import_module(module_name)
        command = commands[tuple(group)].add_parser(name, help=summary, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 finished, 1 failed, 2 bad usage, 70 a fault of seisvision, 130 interrupted."""
    from seisvision.runs.terminal import INTERRUPTED, output_done, set_up_logging, tell_error

    parsed = build_parser().parse_args(arguments)
    set_up_logging()
    try:
        return output_done(parsed.run(parsed))
    except KeyboardInterrupt:
        log.error("Interrupted. Nothing half-written was left behind.")
        return INTERRUPTED
    except Exception as error:
        return output_done(tell_error(error))


if __name__ == "__main__":
    sys.exit(main())
