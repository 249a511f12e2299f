"""What is chosen by looking at a comparison: points of sweeps do without test numbers, and the best is corrected."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seisvision.errors import SeisvisionError
from seisvision.evaluation.differences import average
from seisvision.evaluation.selection import corrected_best
from seisvision.records.finding import SWEEP_FILE
from seisvision.records.sweeps.folder import SweepFolder
from seisvision.reports.comparing.collect import Collected, ComparedRun
from seisvision.reports.comparing.groups import Comparison, badness
from seisvision.reports.comparing.pairs import Said

OF_TEST = ("test", "location")
"""Sections of ``metrics.json`` that come from test events."""
SWEEPS_BELOW = ("", "sweeps/*/", "*/sweeps/*/")
"""Where sweeps lie, seen from a sweep, an experiment and a folder of experiments."""
MOST_RUNS = 100
"""Runs whose validation predictions are read for a correction; more would only make the page slower."""
HIDDEN = (
    "{n} runs are points of a sweep over settings that also looked at the test events. While there is something to "
    "choose, test numbers are not shown: whoever chooses by them has no test events any more. --show-test shows them."
)


def without_test(collected: Collected, asked: Sequence[str]) -> tuple[Collected, str]:
    """The runs without test numbers where they are points of a sweep over settings, and a warning that says so.

    Points that differ only in seed and fold keep theirs, and so do runs without validation numbers.

    Args:
        collected: what was found.
        asked: the folders and patterns that were asked for.
    """
    points = _selecting_points(collected.runs, asked)
    hidden = [run.path for run in collected.runs if run.path.resolve() in points and _has_both(run)]
    if not hidden:
        return collected, ""
    runs = [_stripped(run) if run.path in set(hidden) else run for run in collected.runs]
    return Collected(runs, collected.left_out, collected.others), HIDDEN.format(n=len(hidden))


def _selecting_points(runs: Sequence[ComparedRun], asked: Sequence[str]) -> set[Path]:
    """Folders of the points of all sweeps whose finished runs have more than one configuration."""
    by_path = {run.path.resolve(): run for run in runs}
    found: set[Path] = set()
    for file in _sweep_files(asked):
        try:
            sweep = SweepFolder(file.parent)
            folders = [sweep.run_folder(point) for point in sweep.points()]
        except (SeisvisionError, KeyError, TypeError):
            # A damaged sweep is listed among what was left out.
            continue
        points = {folder.path.resolve() for folder in folders if folder is not None}
        kinds = {by_path[path].configuration for path in points & by_path.keys()}
        found |= points if len(kinds) > 1 else set()
    return found


def _sweep_files(asked: Sequence[str]) -> list[Path]:
    matches = [match for name in asked for match in ([name] if Path(name).exists() else glob.glob(name))]  # noqa: PTH207
    return [file for match in matches for below in SWEEPS_BELOW for file in Path(match).glob(f"{below}{SWEEP_FILE}")]


def _has_both(run: ComparedRun) -> bool:
    return bool(run.metrics.get("val")) and any(run.metrics.get(name) for name in OF_TEST)


def _stripped(run: ComparedRun) -> ComparedRun:
    return replace(run, metrics={name: one for name, one in run.metrics.items() if name not in OF_TEST})


def expected_elsewhere(comparison: Comparison, output: str) -> float | None:
    """The headline of the first group, corrected for having been chosen on validation; None where it cannot be.

    Groups must be ordered by validation, and all runs have validated on the same events.
    """
    runs = comparison.runs
    same_events = len({(run.fingerprint, run.split_hash) for run in runs}) == 1
    if comparison.ordered_by != "val" or not 2 <= len(runs) <= MOST_RUNS or not same_events:
        return None
    about = next(one for one in comparison.outputs if one["name"] == output)
    said, name = Said(about, "val"), comparison.headline(output)
    try:
        found, _ = said.influences(runs, name)
    except SeisvisionError:
        return None
    by_run = dict(zip((run.path for run in runs), found, strict=True))
    candidates = [average([by_run[run.path] for run in group.runs]) for group in comparison.groups]
    return corrected_best(candidates, less_is_better=badness(name, 1.0) > 0)
