"""What a sweep says at its end: what failed and why, what the seeds say together, and what W&B has not got yet."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from seisvision.evaluation.tables import render_table
from seisvision.records.folder import FINISHED, RunFolder
from seisvision.records.sweeps.states import PointState, is_number
from seisvision.records.winner import CHOSEN

REPEATS = ("seed=", "split.fold=")
"""Settings whose points are the same experiment again."""
MOST_TOLD = 10
"""Points that did not finish and are told one by one; ``points.csv`` has all."""


def sweep_end(states: Sequence[PointState], folder: Path) -> str:
    """What people read below the table of finished runs.

    Args:
        states: of all points.
        folder: of the sweep.
    """
    parts = [means_over_repeats(states), _counts(states), *_not_finished(states, folder), _unsent(states)]
    return "\n\n".join(part for part in parts if part)


def means_over_repeats(states: Sequence[PointState]) -> str:
    """Mean, standard deviation and range of the objective over the seeds and folds of each setting.

    Points that share a run count once. Settings without a second finished run have no spread, and where no setting has
    one there is no table. No interval is given: two to five runs, each at the epoch that was best on these events, are
    too few for one, and ``seisvision compare`` gives those of stored predictions.
    """
    groups: dict[tuple[str, str], dict[Path | int, float | None]] = {}
    common = set.intersection(*(set(state.overrides) for state in states)) if states else set()
    for state in states:
        apart = [one for one in state.overrides if one not in common and not one.startswith(REPEATS)]
        group = (" ".join(apart) or "all points", state.monitor[0] if state.monitor else "-")
        is_done = state.state == FINISHED and is_number(state.objective)
        run = state.number if state.folder is None else state.folder.path
        groups.setdefault(group, {})[run] = state.objective if is_done else None
    rows = []
    for group, found in groups.items():
        values = [value for value in found.values() if value is not None]
        rows.append([*group, f"{len(values)} of {len(found)}", *_numbers(values)])
    if all(row[4] == "-" for row in rows):
        return ""
    head = ["settings", "objective", "finished", "mean", "sd", "lowest", "highest"]
    note = f"Mean over seeds and folds of the best epoch of each run, {CHOSEN}; intervals: seisvision compare."
    return f"{render_table(head, rows, 'text')}\n{note}"


def _numbers(values: Sequence[float]) -> list[str]:
    """Mean, standard deviation, lowest and highest, as far as there are any."""
    if not values:
        return ["-"] * 4
    spread = f"{stdev(values):.2g}" if len(values) > 1 else "-"
    return [f"{fmean(values):.4g}", spread, f"{min(values):.4g}", f"{max(values):.4g}"]


def _counts(states: Sequence[PointState]) -> str:
    counts: dict[str, int] = {}
    for state in states:
        counts[state.state] = counts.get(state.state, 0) + 1
    return f"{len(states)} points: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def _not_finished(states: Sequence[PointState], folder: Path) -> list[str]:
    """A line for each point that went wrong, with its reason and where its messages are, and what to do next."""
    wrong = [state for state in states if state.error and state.state != FINISHED]
    if not wrong:
        return []
    lines = []
    for state in wrong[:MOST_TOLD]:
        lines.append(f"point {state.number} {state.state}: {' '.join(state.overrides)}\n  {state.error}")
        if state.folder is not None and state.folder.log_file.exists():
            lines.append(f"  {state.folder.log_file}")
    if len(wrong) > MOST_TOLD:
        lines.append(f"and {len(wrong) - MOST_TOLD} more: {folder / 'points.csv'}")
    lines.append("The same command tries them again and leaves finished points as they are.")
    return ["\n".join(lines)]


def _unsent(states: Sequence[PointState]) -> str:
    """How runs that W&B stored offline are sent."""
    runs = {state.folder.path: state.folder for state in states if state.folder is not None}
    parts = [part for run in runs.values() for part in unsent_parts(run)]
    if not parts:
        return ""
    tops = sorted({str(part.parents[2]) for part in parts})
    found = f"find {shlex.join(tops)} -type d -name 'offline-run-*'"
    return f"W&B keeps {len(parts)} runs offline; this sends all that lie there:\n  wandb sync $({found})"


def unsent_parts(run: RunFolder) -> list[Path]:
    """Folders of W&B in a run folder that were written offline and not sent since; W&B marks those that were."""
    parts = sorted(run.path.glob("wandb/offline-run-*"))
    return [part for part in parts if part.is_dir() and not any(part.glob("*.wandb.synced"))]
