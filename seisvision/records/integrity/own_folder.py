"""What a run finds in its own folder when it is taken up again: its checkpoints are looked over before any work."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seisvision.errors import CheckpointError
from seisvision.records.checkpoint import load_checkpoint, load_last_checkpoint
from seisvision.records.folder import RunFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """What an earlier attempt at a run has left.

    Args:
        epochs: that are done.
        git: state of the code that wrote the last checkpoint.
    """

    epochs: int = 0
    git: Mapping[str, Any] = field(default_factory=dict)


def stored_epochs(folder: RunFolder) -> Stored:
    """Look over the checkpoints of a run that is taken up again, and say how far it came.

    Raises:
        CheckpointError: one is damaged, missing, or of another run; the message says what to do about it.
    """
    if not os.path.lexists(folder.last_checkpoint):
        return Stored()
    last = load_last_checkpoint(folder.last_checkpoint)["seisvision"]
    _check_run(folder, folder.last_checkpoint, last)
    again = f"Delete {folder.checkpoints}, and the same command starts this run from its beginning."
    try:
        best = load_checkpoint(folder.best_checkpoint)["seisvision"]
    except CheckpointError as error:
        raise CheckpointError(f"{error} Without the weights of the best epoch there is no result. {again}") from error
    _check_run(folder, folder.best_checkpoint, best)
    epochs = int(last["epoch"]) + 1
    if int(best["epoch"]) >= epochs:
        raise CheckpointError(f"{folder.best_checkpoint} is of a later epoch than {folder.last_checkpoint}. {again}")
    _tell_lost_history(folder.history_file, epochs)
    return Stored(epochs, last.get("git") or {})


def _check_run(folder: RunFolder, path: Path, content: Mapping[str, Any]) -> None:
    """Refuse the checkpoint of another run; copies that ``run.fresh`` numbered count as themselves."""
    if content["run_id"] != folder.run_id:
        raise CheckpointError(
            f"{path} is of run {content['run_id']}, not of {folder.run_id}. Put back the checkpoint of this run, or "
            f"delete {folder.checkpoints}, and the same command starts it from its beginning."
        )


def _tell_lost_history(path: Path, epochs: int) -> None:
    """Say which epochs have no line in ``metrics.csv``: they cannot be repeated."""
    known = set()
    if path.is_file():
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            known = {row[0] for row in csv.reader(line.replace("\0", "") for line in file) if row}
    lost = [epoch + 1 for epoch in range(epochs) if str(epoch) not in known]
    if lost:
        log.warning(
            "%s has no line of %d of the %d epochs that are done: curves lack them, the result does not. "
            "run.fresh=true trains all of it.", path, len(lost), epochs,
        )  # fmt: skip
