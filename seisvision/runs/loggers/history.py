"""``metrics.csv``: the history of a run that is always written."""

from __future__ import annotations

import csv
import re
from argparse import Namespace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from seisvision.files import told_when_full, write_text

HISTORY_COLUMNS = ("epoch", "step", "name", "value")
LINE = re.compile(r"\d{1,9},[^,]*,[^,]*,[^,]*", re.ASCII)


class HistoryLogger(Logger):
    """One line a value in ``metrics.csv``: epoch, optimiser step, name, value.

    Lines are added as values come, so a killed run keeps its history; a resumed run first forgets the
    epochs it is going to repeat. A value that is logged twice in an epoch at one step is written once.

    Args:
        path: the csv file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._epoch = 0
        self._written: set[tuple[int | None, str]] = set()

    name = "history"
    version = ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration has a file of its own."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append the values of one step."""
        epoch = int(metrics.get("epoch", self._epoch))
        if epoch != self._epoch:
            self._epoch, self._written = epoch, set()
        is_new = not self._path.exists()
        with told_when_full(self._path), self._path.open("a", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            if is_new:
                writer.writerow(HISTORY_COLUMNS)
            for name, value in metrics.items():
                if name != "epoch" and (step, name) not in self._written:
                    self._written.add((step, name))
                    writer.writerow([self._epoch, step, name, repr(float(value))])

    @rank_zero_only
    def forget_from(self, epoch: int) -> None:
        """Drop the lines of ``epoch`` and later, and those that are none of this file."""
        if not self._path.exists():
            return
        with self._path.open(newline="", encoding="utf-8", errors="replace") as handle:
            rows = handle.read().splitlines()
        kept = [row for row in rows if LINE.fullmatch(row) and int(row.split(",")[0]) < epoch]
        write_text(self._path, "\n".join([",".join(HISTORY_COLUMNS), *kept]) + "\n")
