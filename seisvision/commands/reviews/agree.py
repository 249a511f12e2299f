"""Show how far reviewers agree (Cohen's kappa) and on which labels they do not; join decisions of several files.

--out writes all decisions into one file; --third makes a queue of the labels in conflict, for another reviewer. With
--queue it also says how many labels that nobody suspected each reviewer changed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.plain_text import say

MOST_SHOWN = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision review agree``."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="corrections.csv, also of several reviewers"
    )
    parser.add_argument("--out", type=Path, help="file that gets the decisions which it does not hold yet")
    parser.add_argument("--queue", type=Path, help="queue that the labels are from")
    parser.add_argument("--third", type=Path, metavar="FOLDER", help="queue to make of the labels in conflict")


def run(args: argparse.Namespace) -> int:
    """Print agreement and conflicts."""
    from seisvision.data.corrections.standing import LEAVE, Rule, answer, joined, outcome, rounds_of
    from seisvision.data.corrections.table import append_decisions, read_decisions
    from seisvision.errors import ConfigurationError
    from seisvision.reviewing.agreement import agreements, describe
    from seisvision.reviewing.queue import Queue, subset
    from seisvision.reviewing.session import control_errors

    if args.third is not None and args.queue is None:
        raise ConfigurationError("--third needs the queue that the labels are from; give it with --queue.")
    queue = None if args.queue is None else Queue.read(args.queue)
    decisions = joined(read_decisions(path) for path in args.files)
    for one in agreements(decisions):
        say(describe(one))
    # A later round is about what the earlier one left, so that a label may be in conflict in each of them.
    conflicts = {of: outcome(said, Rule(LEAVE)).conflicts for of, said in rounds_of(decisions).items()}
    listed = [(label, said) for of_round in conflicts.values() for label, said in of_round.items()]
    say(f"{len(listed)} labels in conflict")
    for (sample, column), said in listed[:MOST_SHOWN]:
        told = "; ".join(f"{name}: {' '.join(answer(one)).strip()}" for name, one in said.items())
        say(f"  {column} of {sample}: {told}")
    if queue is not None:
        of_queue = rounds_of(decisions).get(str(queue.about["set_fingerprint"]), [])
        for name in sorted({one.reviewer for one in of_queue}):
            n_changed, n_decided = control_errors(queue, of_queue, name)
            say(f"{name} changed or discarded {n_changed} of {n_decided} labels that nobody suspects (controls)")
    if args.out is not None:
        held = read_decisions(args.out) if args.out.exists() else []
        append_decisions(args.out, joined([held, decisions])[len(held) :])
        say(args.out)
    if args.third is not None and queue is not None:
        chosen = conflicts.get(str(queue.about["set_fingerprint"]), {})
        if chosen:
            say(subset(queue, args.third, set(chosen)).path)
        else:
            say(f"There is no conflict in {args.queue} for a third reviewer to settle; {args.third} is not made.")
    return 0
