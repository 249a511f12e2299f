"""What has become of a run, told from its files alone, while it runs or afterwards, on any machine."""

from __future__ import annotations

import csv
import math
import os
import socket
import time
from calendar import timegm
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from seisvision.errors import SeisvisionError
from seisvision.plain_files import read_text
from seisvision.plain_types import fits_type
from seisvision.records.folder import FAILED, FINISHED, PENDING, RUNNING, TIME_FORMAT, RunFolder, read_json

KILLED = "killed"
"""State of a run whose status says running but whose process is gone; the same command resumes it."""


@dataclass(frozen=True)
class PointState:
    """One line of the table of a sweep.

    Args:
        number: of the point, from 1.
        state: of the run, or ``failed`` where there is none.
        overrides: what was typed for it.
        folder: of the run.
        objective: best monitored value so far.
        epoch: epochs trained.
        max_epochs: epochs to train at most.
        seconds: since the run was started or, once it ended, of all attempts.
        host: machine that worked on it last.
        error: what went wrong.
        monitor: name of the objective, and ``max`` or ``min``.
    """

    number: int
    state: str
    overrides: list[str]
    folder: RunFolder | None = None
    objective: float | None = None
    epoch: int = 0
    max_epochs: int | None = None
    seconds: float | None = None
    host: str | None = None
    error: str | None = None
    monitor: list[str] | None = field(default=None)


def read_state(
    folder: RunFolder | None,
    number: int,
    overrides: Sequence[str],
    error: str | None = None,
    monitor: list[str] | None = None,
    max_epochs: int | None = None,
) -> PointState:
    """The state of a run; damaged files are its error, never an exception.

    Args:
        folder: of the run; ``None`` where the overrides led to none, for the reason ``error``.
        number: of the point.
        overrides: what was typed.
        error: why there is no run.
        monitor: name of the objective, and ``max`` or ``min``.
        max_epochs: epochs to train at most.
    """
    if folder is None:
        return PointState(number, FAILED, list(overrides), error=error)
    try:
        status = folder.status()
        values = monitored_values(folder, monitor[0]) if monitor else {}
        training = _training(folder) if status["state"] == FINISHED else {}
        seconds = _seconds(status)
    except (SeisvisionError, OSError, LookupError, ValueError, ArithmeticError, csv.Error) as damage:
        return PointState(number, "damaged", list(overrides), folder, error=str(damage))
    best = training.get("best_value")
    so_far = [value for value in values.values() if is_number(value)]
    if best is None and so_far and monitor:
        best = max(so_far) if monitor[1] == "max" else min(so_far)
    return PointState(
        number,
        _true_state(status),
        list(overrides),
        folder,
        objective=best,
        epoch=training.get("epochs") or (max(values) + 1 if values else 0),
        max_epochs=max_epochs,
        seconds=seconds,
        host=status.get("host"),
        error=status.get("error"),
        monitor=monitor,
    )


def _training(folder: RunFolder) -> dict[str, Any]:
    """What ``metrics.json`` says of the training.

    Raises:
        SeisvisionError: it is damaged.
    """
    metrics = read_json(folder.metrics_file)
    training = metrics.get("training", {}) if isinstance(metrics, dict) else None
    kinds = {"best_value": float | None, "epochs": int | None}
    if not isinstance(training, dict) or not all(fits_type(training.get(name), kinds[name]) for name in kinds):
        raise SeisvisionError(f"{folder.metrics_file} does not say how the training went, as every run does")
    return training


def is_number(value: float | None) -> bool:
    """Whether an objective can be compared: there is one, and it is neither infinite nor NaN."""
    return value is not None and math.isfinite(value)


def monitored_values(folder: RunFolder, name: str) -> dict[int, float]:
    """Values of a logged quantity by epoch, from 0; a line that is being written is left for the next time."""
    if not folder.history_file.exists():
        return {}
    text = read_text(folder.history_file)
    rows = csv.reader(text[: text.rfind("\n") + 1].splitlines())
    return {int(row[0]): float(row[3]) for row in rows if len(row) == 4 and row[2] == name}


def _true_state(status: dict[str, Any]) -> str:
    """The stored state, unless its process died without a word on this machine."""
    here = status.get("host") == socket.gethostname()
    if status["state"] == RUNNING and here and not _is_alive(status.get("pid")):
        return KILLED
    return str(status["state"])


def _is_alive(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid is not None


def _seconds(status: dict[str, Any]) -> float | None:
    if "seconds" in status or status["state"] == PENDING or "started" not in status:
        return status.get("seconds")
    started = timegm(time.strptime(status["started"], TIME_FORMAT))
    return round(status.get("seconds_before", 0.0) + time.time() - started, 1)
