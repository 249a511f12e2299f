"""The ``seisvision`` command: work on data beside ``train.py`` and ``evaluate.py``."""

from __future__ import annotations

import argparse
import importlib
import inspect
import logging
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

import seisvision
from seisvision.errors import did_you_mean
from seisvision.plain_text import shown

log = logging.getLogger(__name__)

WIDEST = 100
"""Characters of a line of help, however wide the terminal."""
STANDS_ALONE = re.compile(r"\s+\S|- ")
"""Lines of a description that are not joined with others: indented, or of a list."""
COMMANDS = {
    ("data", "synth"): ("seisvision.commands.sets.data_synth", "make a physics-based waveform set"),
    ("data", "import"): ("seisvision.commands.sets.data_import", "turn recordings into a waveform set"),
    ("data", "merge"): ("seisvision.commands.sets.data_merge", "join the shards of a large import"),
    ("data", "show"): ("seisvision.commands.sets.data_show", "draw one event of a waveform set"),
    ("data", "card"): ("seisvision.commands.sets.data_card", "print what is known of a waveform set"),
    ("data", "audit"): ("seisvision.commands.sets.data_audit", "look a waveform set over before training on it"),
    ("data", "fetch"): ("seisvision.commands.sets.data_fetch", "ask data centres for recordings of events"),
    ("pick",): ("seisvision.commands.pick", "pick arrivals in an archive of continuous recordings"),
    ("score",): ("seisvision.commands.score", "compare two tables of picks"),
    ("locate",): ("seisvision.commands.locate", "find epicentres from distances at stations"),
    ("catalogue", "run"): ("seisvision.commands.catalogues.run", "make a catalogue from continuous recordings"),
    ("catalogue", "score"): ("seisvision.commands.catalogues.score", "compare a catalogue with another"),
    ("early-warning",): ("seisvision.commands.early_warning", "ask networks while events arrive, by seconds"),
    ("stream",): ("seisvision.commands.stream", "replay recordings packet by packet: what was said when"),
    ("fibre", "synth"): ("seisvision.commands.fibre.synth", "make a set of a simulated fibre"),
    ("fibre", "import"): ("seisvision.commands.fibre.recordings", "turn recordings of a fibre into a waveform set"),
    ("fibre", "locate"): ("seisvision.commands.fibre.locate", "locate along a fibre as channels trigger"),
    ("forecast", "references"): ("seisvision.commands.forecast_references", "fit what forecasts must beat"),
    ("atlas",): ("seisvision.commands.atlas", "do every experiment of the Seismic Atlas and report"),
    ("sweep", "status"): ("seisvision.commands.runs.sweep_status", "show what has become of the points of a sweep"),
    ("sweep", "best"): ("seisvision.commands.runs.sweep_best", "print the settings of the best point"),
    ("sweep", "wandb"): ("seisvision.commands.runs.sweep_wandb", "write a sweep file for the agent of W&B"),
    ("config",): ("seisvision.commands.configure", "print, explain and check a configuration"),
    ("tune",): ("seisvision.commands.tune", "find a learning rate or a batch size"),
    ("predict",): ("seisvision.commands.runs.predict", "ask a trained network about recordings"),
    ("explain",): ("seisvision.commands.explain", "draw what the network of a run looked at"),
    ("shift",): ("seisvision.commands.shift", "see who still covers where the world is another"),
    ("export",): ("seisvision.commands.export", "write a network for another program, and its card"),
    ("compare",): ("seisvision.commands.compare", "compare runs in one report"),
    ("rerun",): ("seisvision.commands.runs.rerun", "do a stored run again and say whether its numbers agree"),
    ("transfer", "curve"): (
        "seisvision.commands.transfers.curve",
        "learn a new region from scratch and from a network",
    ),
    ("transfer", "matrix"): ("seisvision.commands.transfers.matrix", "test networks of regions in each other's"),
    ("transfer", "prototypes"): ("seisvision.commands.transfers.prototypes", "tell classes by a few examples"),
    ("review", "make"): ("seisvision.commands.reviews.make", "rank the labels of folds and make a queue of them"),
    ("review", "serve"): ("seisvision.commands.reviews.serve", "decide on labels in a page of this machine"),
    ("review", "page"): ("seisvision.commands.reviews.page", "write a queue as one page without a server"),
    ("review", "agree"): ("seisvision.commands.reviews.agree", "show where reviewers agree, and join their files"),
    ("review", "apply"): ("seisvision.commands.reviews.apply", "write a waveform set with its corrections"),
    ("review", "loop"): ("seisvision.commands.reviews.loop", "folds, review, folds again, and what came of it"),
    ("runs", "check"): ("seisvision.commands.runs.check", "see whether files of finished runs were changed"),
    ("completion",): ("seisvision.commands.completion", "print a script for completion in the shell"),
    ("clusters",): ("seisvision.commands.clusters", "find out how many clusters there are"),
}
"""Words of each command (a group and a name, or a name), the module that implements it, and one line of help.

A command module has ``add_arguments(parser)`` and ``run(arguments) -> int``; heavy imports belong inside ``run``.
"""


GROUPS = {
    "data": "make, import, fetch, show and audit waveform sets",
    "catalogue": "from continuous recordings to a catalogue, and what it is worth",
    "fibre": "recordings along fibres",
    "forecast": "rates of earthquakes",
    "sweep": "how a sweep stands, its best point, agents of W&B",
    "transfer": "what a network is worth in another region",
    "review": "labels that are likely wrong, decided on by people",
    "runs": "finished runs",
}


class Paragraphs(argparse.HelpFormatter):
    """Fills the paragraphs of a description to the width of the terminal; what is indented or listed stays as it is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=min(shutil.get_terminal_size().columns - 2, WIDEST))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Called by :mod:`argparse` for descriptions."""
        lines: list[str] = []
        for line in inspect.cleandoc(text).splitlines():
            joins = lines and lines[-1] and not STANDS_ALONE.match(lines[-1]) and line and not STANDS_ALONE.match(line)
            lines[-1:] = [f"{lines[-1]} {line}"] if joins else [*lines[-1:], line]
        filled = [line if STANDS_ALONE.match(line) else textwrap.fill(line, width) for line in lines]
        return textwrap.indent("\n".join(filled), indent)


class Parser(argparse.ArgumentParser):
    """Shows no secret, and nothing that steers a terminal, of a command line that it does not understand."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **{"formatter_class": Paragraphs} | settings)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Called by :mod:`argparse` for everything that has choices: says which one was meant."""
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(
                action, f"'{value}' is not there. {did_you_mean(str(value), list(action.choices))}"
            )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit with 2."""
        super().error(shown(message))


def build_parser(words: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """Return the parser of all commands.

    Args:
        words: what was typed: then only the command that it begins with knows its options, and is imported.
    """
    parser = Parser("seisvision", description=seisvision.__doc__)
    parser.add_argument("--version", action="version", version=seisvision.__version__)
    top = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    commands: dict[tuple[str, ...], argparse._SubParsersAction] = {(): top}
    for (*group, name), (module_name, summary) in COMMANDS.items():
        if tuple(group) not in commands:
            group_parser = top.add_parser(
                group[0], help=GROUPS[group[0]], description=f"{GROUPS[group[0]]}.".capitalize()
            )
            commands[tuple(group)] = group_parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
        path = [*group, name]
        if words is not None and list(words[: len(path)]) != path:
            commands[tuple(group)].add_parser(name, help=summary)
            continue
        module = importlib.import_module(module_name)
        command = commands[tuple(group)].add_parser(name, help=summary, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(command=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 finished, 1 failed, 2 bad usage, 70 a fault of seisvision, 130 interrupted."""
    from seisvision.runs.terminal import INTERRUPTED, output_done, set_up_logging, tell_error

    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = build_parser(words)
    if not words:
        parser.print_help()
        return 0
    parsed = parser.parse_args(words)
    set_up_logging()
    try:
        return output_done(parsed.command(parsed))
    except KeyboardInterrupt:
        log.error("Interrupted. Nothing half-written was left behind.")
        return INTERRUPTED
    except Exception as error:
        return output_done(tell_error(error, "train", words))


if __name__ == "__main__":
    sys.exit(main())
