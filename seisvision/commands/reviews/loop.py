"""Train folds, review their labels, train folds again, and report tests that the review did and did not touch.

The experiment is given as to train.py: ``seisvision review loop experiment=mt_baker_waveform --out cleaning``. It waits
for people where labels are to be decided; the same command goes on then. ``--plant 0.05 --simulate truth`` needs none.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from seisvision.plain_text import say

CONF = Path(__file__).resolve().parents[3] / "conf"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision review loop``."""
    from seisvision.data.corrections.standing import REFUSE, RULES

    parser.add_argument("overrides", nargs="*", help="the experiment, as for train.py; before any option")
    parser.add_argument("--out", type=Path, required=True, help="folder of queue, decisions and report")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--output", metavar="NAME", help="output whose labels are reviewed, where a task has several")
    parser.add_argument("--most", type=int, default=1000, help="labels in the queue (default 1000)")
    parser.add_argument("--controls", type=float, default=0.05, help="share of labels beside them that nobody suspects")
    parser.add_argument("--test-share", type=float, default=0.5, help="share of the test events that is reviewed")
    parser.add_argument("--plant", type=float, default=0.0, metavar="SHARE", help="labels that are planted wrong first")
    parser.add_argument(
        "--simulate", choices=("truth", "advice"), help="no people: decide by the truth, or take advice"
    )
    parser.add_argument("--rule", choices=RULES, default=REFUSE, help="where reviewers disagree (default refuse)")
    parser.add_argument("--arbiter", metavar="NAME", help="reviewer whose decision stands over those of others")
    parser.add_argument("--go-on", action="store_true", help="do not wait for labels that nobody has decided")


def run(args: argparse.Namespace) -> int:
    """Do what is missing; print the report once there is one."""
    from hydra import compose, initialize_config_dir

    from seisvision.data.corrections.standing import Rule
    from seisvision.files import check_writable
    from seisvision.records.configuration import to_plain
    from seisvision.records.words.quoting import quoted_paths
    from seisvision.reviewing.loop import Loop, run_loop
    from seisvision.reviewing.make import Wanted
    from seisvision.runs.terminal import quiet_libraries

    quiet_libraries()
    check_writable(args.out, "--out")

    def composed(words: Any) -> dict[str, Any]:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return to_plain(compose("train", overrides=quoted_paths(words)))

    wanted = Wanted(args.output, args.most, args.controls, test_share=args.test_share)
    report = run_loop(Loop(
        composed, args.overrides, args.out, args.folds, wanted, args.simulate, args.plant,
        Rule(args.rule, args.arbiter), args.go_on,
    ))  # fmt: skip
    if report is not None:
        say(report.read_text(encoding="utf-8"))
        say(report)
    return 0
