"""Print the configuration that words compose, with what each setting means, and check it.

WORDS are those of train.py. With --only KEY, such as trainer or view.width, only that part is printed; with --groups
the choices of each group. A setting that is wrong is told as train.py would tell it, without any training; last comes
the folder of the run, where its data set is there.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision config``."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="as for train.py; before any option")
    parser.add_argument(
        "--only", action="append", default=[], metavar="KEY", help="a setting or section; may be repeated"
    )
    parser.add_argument("--groups", action="store_true", help="list the choices of every group instead")
    parser.add_argument("--json", action="store_true", help="print the checked configuration as JSON, for scripts")


def run(args: argparse.Namespace) -> int:
    """Print, check, and say what the run would be called."""
    from seisvision.records.words.composing import choices_of, compose_experiment, groups

    if args.groups:
        for group, names in groups().items():
            say(f"{group}: {', '.join(names)}")
        return 0
    if args.json:
        say(json.dumps(compose_experiment(args.words), indent=2))
        return 0
    composed, choices = choices_of(args.words)
    tell(composed, choices, args.only)
    config = compose_experiment(args.words)
    say("\nThese settings are in order.")
    say(_name(config))
    return 0


def tell(composed: dict[str, Any], choices: dict[str, str], only: list[str]) -> None:
    """Print what was composed, with its comments.

    Raises:
        ConfigurationError: a key that was asked for is none.
    """
    from seisvision.errors import ConfigurationError, did_you_mean
    from seisvision.records.words.explaining import comments_of, explained

    for key in only:
        lines = list(explained(composed, {}, [key]))
        if not lines:
            raise ConfigurationError(f"--only {key}: there is no such setting. {did_you_mean(key, list(composed))}")
    for line in explained(composed, comments_of(choices), only):
        say(line)


def _name(config: dict[str, Any]) -> str:
    """Where the run would lie, or why that is not known yet."""
    from seisvision.errors import SeisvisionError
    from seisvision.runs.ensure import identify

    try:
        folder = identify(config)
    except SeisvisionError as error:
        return f"Its run folder is not known yet: {error}"
    return f"{folder.path}{' (finished)' if folder.is_finished() else ''}"
