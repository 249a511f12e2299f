"""Write a waveform set with its corrections: the same waveforms, corrected labels, a fingerprint of its own.

It is the set that dataset.corrections=FILE makes. Labels that were discarded are empty in it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision review apply``."""
    from seisvision.data.corrections.standing import REFUSE, RULES

    parser.add_argument("set", type=Path, help="folder of the waveform set that was reviewed")
    parser.add_argument("--corrections", type=Path, required=True, help="corrections.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new set")
    parser.add_argument("--rule", choices=RULES, default=REFUSE, help="where reviewers disagree (default refuse)")
    parser.add_argument("--arbiter", metavar="NAME", help="reviewer whose decision stands over those of others")


def run(args: argparse.Namespace) -> int:
    """Write the set; print what changed and, last, its folder."""
    from seisvision.data.corrections.corrected import replay, write_corrected
    from seisvision.data.corrections.standing import Rule
    from seisvision.data.corrections.table import read_decisions
    from seisvision.data.sets.waveform_set import WaveformSet
    from seisvision.errors import DataError
    from seisvision.files import check_writable

    check_writable(args.out, "--out")
    before = WaveformSet(args.set)
    rule = Rule(args.rule, args.arbiter)
    replayed = replay(before, read_decisions(args.corrections), rule)
    n_decided = sum(one.decided for one in replayed.outcomes)
    n_left = sum(len(one.unsettled) for one in replayed.outcomes)
    n_emptied = sum(new is None for new in replayed.changes.values())
    say(f"{n_decided} labels decided: {len(replayed.changes) - n_emptied} corrected, {n_emptied} emptied")
    if n_left:
        say(f"{n_left} labels in conflict were left as they are")
    if not replayed.changes:
        raise DataError(f"{args.corrections} changes no label of {args.set}, so there is no other set to write.")
    about = {"file": args.corrections.name, "rule": rule.rule, "labels": len(replayed.changes)}
    say(f"fingerprint {before.fingerprint} becomes {replayed.fingerprint}")
    say(write_corrected(before, replayed, args.out, about))
    return 0
