"""One tolerance for all runs: shares of predictions within different tolerances say nothing of which is better."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from seisvision.errors import SeisvisionError
from seisvision.files import parse_json
from seisvision.records.prediction_table import read_predictions
from seisvision.reports.comparing.collect import ComparedRun, LeftOut

TOLERANCES = ("tolerance_relative", "tolerance_absolute", "tolerance_deg")

Tolerances = tuple[tuple[str, Any], ...]


def with_one_tolerance(runs: Sequence[ComparedRun]) -> tuple[list[ComparedRun], list[LeftOut], list[str]]:
    """Runs of one task, measured within the tolerance that most of them have.

    The others are measured again from their predictions; those without predictions are left out.

    Returns:
        The runs, those left out, and warnings that say what was measured again.
    """
    kept, left_out, warnings = list(runs), list[LeftOut](), list[str]()
    for number, about in enumerate(runs[0].outputs if runs else ()):
        usual = Counter(_tolerances(run, number) for run in kept).most_common(1)[0][0]
        others = [run for run in kept if _tolerances(run, number) != usual]
        if not others:
            continue
        again: dict[Path, ComparedRun | LeftOut] = {run.path: _measured_again(run, number, usual) for run in others}
        found = [again.get(run.path, run) for run in kept]
        kept = [run for run in found if isinstance(run, ComparedRun)]
        left_out += [one for one in found if isinstance(one, LeftOut)]
        n_again = sum(isinstance(one, ComparedRun) for one in again.values())
        if n_again:
            warnings.append(
                f"{n_again} of {len(runs)} runs called {about['name']} right within another tolerance: they were "
                f"measured again, from their predictions, with {_text(usual)}."
            )
    return kept, left_out, warnings


def _tolerances(run: ComparedRun, number: int) -> Tolerances:
    about = run.outputs[number]
    return tuple((key, about[key]) for key in TOLERANCES if key in about)


def _text(tolerances: Tolerances) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in tolerances)


def _measured_again(run: ComparedRun, number: int, tolerances: Tolerances) -> ComparedRun | LeftOut:
    """The run as if its output had these tolerances."""
    about = {**run.outputs[number], **dict(tolerances)}
    name = str(about["name"])
    metrics = {**run.metrics, "outputs": [*run.outputs[:number], about, *run.outputs[number + 1 :]]}
    try:
        for part in ("val", "test"):
            if name in (metrics.get(part) or {}):
                path = run.folder.predictions(part)
                again = _measures(path, path.stat().st_mtime_ns, json.dumps(about), run.level)
                metrics[part] = {**metrics[part], name: {**metrics[part][name], **again}}
    except (OSError, ValueError, SeisvisionError) as error:
        reason = f"{name} is right within {_text(_tolerances(run, number))}, in most runs within {_text(tolerances)}, "
        return LeftOut(run.path, f"{reason}and it cannot be measured again ({error})", "finished")
    # Baselines keep no predictions, so theirs stay those of another tolerance: they are not shown.
    metrics["baselines"] = tuple(output for output in run.metrics["baselines"] if output != name)
    return replace(run, metrics=metrics)


@lru_cache(maxsize=256)
def _measures(path: Path, modified_ns: int, about: str, level: float) -> dict[str, Any]:
    """What ``metrics.json`` holds of an output, from its predictions as they were at that time."""
    said = read_predictions(path, parse_json(about))
    return {**{name: one.to_dict() for name, one in said.measures(level).items()}, **said.details()}
