"""What a sweep has come to: a line a point, the finished runs side by side, and the best of them."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.evaluation.tables import format_seconds, render_table
from seisvision.files import write_text
from seisvision.plain_files import check_plain
from seisvision.plain_text import visible
from seisvision.plain_types import fits_type
from seisvision.records.folder import FINISHED, RunFolder
from seisvision.records.sweeps.folder import SweepFolder
from seisvision.records.sweeps.states import PointState, is_number
from seisvision.records.winner import CHOSEN, winner
from seisvision.sweeps.ending import means_over_repeats
from seisvision.yaml_files import FAST_LOADER, read_yaml

SHARE_OF_TIME = 0.05
"""Largest share of a sweep's time that goes into bringing its comparison up to date."""


class SweepReport:
    """Writes the files of a sweep that people read.

    Args:
        folder: of the sweep.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder
        self._next = 0.0

    def update(self, at_once: bool = False) -> list[PointState]:
        """Write ``points.csv`` and ``best.yaml``, and ``comparison.txt`` where it is due; returns the states.

        Args:
            at_once: bring the comparison up to date however long that takes.
        """
        states = self._folder.states()
        self._folder.write_points(states)
        is_current = _is_current(self._folder, states)
        if (at_once or time.monotonic() >= self._next) and not is_current:
            started = time.monotonic()
            write_comparison(self._folder, states)
            write_best(self._folder, states, with_correction=True)
            self._next = started + (time.monotonic() - started) / SHARE_OF_TIME
        elif not is_current or not self._folder.best_file.exists():
            write_best(self._folder, states)
        return states


def _is_current(folder: SweepFolder, states: Sequence[PointState]) -> bool:
    """Whether the comparison is younger than all results; reading them again would only cost time."""
    # A run is finished some time after its metrics are there: another one's table may be written in between.
    results = [state.folder.status_file for state in states if state.state == FINISHED and state.folder]
    if not results or not folder.comparison_file.exists():
        return not results
    return folder.comparison_file.stat().st_mtime_ns > max(path.stat().st_mtime_ns for path in results)


def write_comparison(folder: SweepFolder, states: Sequence[PointState]) -> str | None:
    """Write the finished runs side by side, each once, and return the table; None where none is finished."""
    from seisvision.records.telling import sweep_table

    runs = {state.folder.path: state.folder for state in states if state.state == FINISHED and state.folder}
    if not runs:
        return None
    try:
        table = sweep_table(list(runs.values()))
    except (SeisvisionError, KeyError) as error:
        table = visible(f"The finished runs cannot be shown side by side: {error}")
    write_text(folder.comparison_file, table + "\n")
    return table


def best_point(states: Sequence[PointState]) -> PointState | None:
    """The finished point with the best objective, the first of equals; None where none has a finite one."""
    finished = [state for state in states if state.state == FINISHED and state.monitor and is_number(state.objective)]
    if not finished:
        return None
    sign = 1.0 if finished[0].monitor[1] == "max" else -1.0  # type: ignore[index]
    return max(finished, key=lambda state: sign * state.objective)  # type: ignore[operator]


def write_best(folder: SweepFolder, states: Sequence[PointState], with_correction: bool = False) -> None:
    """Write the best point with what does it again; ``with_correction`` reads the predictions of all points."""
    best = best_point(states)
    if best is None:
        return
    assert best.folder is not None and best.monitor is not None
    name, mode = best.monitor
    content = {
        "point": best.number,
        "objective": {"name": name, "mode": mode, "value": best.objective, "note": CHOSEN},
        "expected_on_other_events": _expected(states) if with_correction else None,
        "of_points": len([state for state in states if state.state == FINISHED]),
        "run": folder.relative(best.folder),
        "command": shlex.join(["python", "train.py", *best.overrides]),
        "overrides": best.overrides,
    }
    write_text(folder.best_file, yaml.safe_dump(content, sort_keys=False, width=1000, allow_unicode=True))


def _expected(states: Sequence[PointState]) -> float | None:
    """The objective of the best point, corrected for its choice; None where no correction can be given."""
    runs = {state.folder.path: state.folder for state in states if state.state == FINISHED and state.folder}
    found = winner(list(runs.values()))
    return None if found is None else round(found.corrected, 6)


def read_best(folder: SweepFolder) -> dict[str, Any]:
    """Content of ``best.yaml``.

    Raises:
        ConfigurationError: there is none, or it is damaged.
    """
    if not folder.best_file.exists():
        raise ConfigurationError(f"{folder.path} has no best.yaml: no point is finished yet, or this is no sweep.")
    check_plain(folder.path)
    best = read_yaml(folder.best_file, FAST_LOADER)
    if not fits_type(best, dict[str, Any]) or not all(fits_type(best.get(name), BEST[name]) for name in BEST):
        raise ConfigurationError(f"{folder.best_file} is damaged: it does not say what was best, as a sweep writes it.")
    objective = best["objective"]
    if not isinstance(objective.get("name"), str) or not fits_type(objective.get("value"), float):
        raise ConfigurationError(f"{folder.best_file} is damaged: its objective has no name or no value.")
    return best


BEST = {
    "overrides": list[str],
    "objective": dict[str, Any],
    "of_points": int,
    "expected_on_other_events": float | None,
}
"""Types of what is read of ``best.yaml``."""


def describe_best(best: dict[str, Any]) -> str:
    """What the best point was chosen on, and what it is worth elsewhere."""
    objective, expected = best["objective"], best.get("expected_on_other_events")
    text = f"{objective['name']} {objective['value']:.4g}, {CHOSEN}: the best of {best['of_points']} points"
    return text if expected is None else f"{text}; about {expected:.4g} is to be expected on others"


def status_table(states: Sequence[PointState]) -> str:
    """One line a point: state, objective, epochs, time, host, run, and its settings or its error."""
    names = {state.monitor[0] for state in states if state.monitor}
    objective = names.pop() if len(names) == 1 else "objective"
    head = ["point", "state", objective, "epochs", "time", "host", "run", "settings"]
    shared = set.intersection(*(set(state.overrides) for state in states)) if len(states) > 1 else set()
    rows = [_status_row(state, shared) for state in states]
    counts = {state.state: sum(one.state == state.state for one in states) for state in states}
    summary = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    if any(state.objective is not None for state in states):
        summary += f". {objective}: {CHOSEN} (the best epoch of each run), so it looks better than on others"
    errors = [f"point {state.number}: {state.error}" for state in states if state.error and state.state != FINISHED]
    means = means_over_repeats(states)
    table = render_table(head, rows, "text")
    return "\n".join([table, "", *([means, ""] if means else []), f"{len(states)} points: {summary}", *errors])


def status_list(states: Sequence[PointState]) -> list[dict[str, Any]]:
    """The same for programs: plain values, the run as the path of its folder."""
    kept = ("number", "state", "overrides", "epoch", "max_epochs", "seconds", "host", "error", "monitor")
    return [
        {
            **{name: getattr(state, name) for name in kept},
            "objective": state.objective if is_number(state.objective) else None,
            "run": None if state.folder is None else str(state.folder.path),
        }
        for state in states
    ]


def _status_row(state: PointState, shared: set[str]) -> list[str]:
    epochs = f"{state.epoch}/{state.max_epochs}" if state.max_epochs else str(state.epoch)
    return [
        str(state.number),
        state.state,
        "-" if state.objective is None else f"{state.objective:.4g}",
        epochs,
        "-" if state.seconds is None else format_seconds(state.seconds),
        state.host or "-",
        "-" if state.folder is None else state.folder.run_id,
        " ".join(one for one in state.overrides if one not in shared) or "-",
    ]


def runs_below(top: Path) -> list[PointState]:
    """States of all runs below a folder, in the order of their paths."""
    from seisvision.records.finding import find_run_folders
    from seisvision.records.sweeps.states import read_state

    states = []
    for number, path in enumerate(find_run_folders([str(top)]), start=1):
        config, overrides = _read_yaml(path / "config.yaml") or {}, _read_yaml(path / "overrides.yaml") or []
        monitor = (config.get("task") or {}).get("monitor")
        epochs = (config.get("trainer") or {}).get("max_epochs")
        typed = [str(one) for one in overrides]
        states.append(read_state(RunFolder(path), number, typed, monitor=monitor, max_epochs=epochs))
    return states


def _read_yaml(path: Path) -> Any:
    try:
        return read_yaml(path, FAST_LOADER)
    except (OSError, ConfigurationError):
        return None
