"""What all dashboards have in common: they never block and never fail a run."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

log = logging.getLogger(__name__)

MOST_ROWS = 200
"""Rows of a table that are sent; the whole table is in the run folder."""


class Dashboard(Logger):
    """A logger that also takes final values, figures, tables and checkpoints; only the first process sends anything.

    A table's cell that is a ``Path`` is a picture. What a dashboard cannot show is left out: everything is in the run
    folder anyway.
    """

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration was handed over at the start."""

    def log_summary(self, values: dict[str, Any]) -> None:
        """Store final values beside the curves."""

    def log_pictures(self, files: Sequence[Path]) -> None:
        """Send figures as images, named by their file names."""

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Send a table."""

    def log_model(self, path: Path, aliases: Sequence[str]) -> None:
        """Send a checkpoint, where that was asked for."""

    def close(self, succeeded: bool) -> None:
        """End the run on the dashboard."""


def guarded(what: str, action: Callable[[], Any]) -> Any:
    """Run ``action``; a dashboard that fails never stops a run, and is only told at the level of debugging."""
    try:
        return action()
    except Exception as error:
        log.debug("%s: %s", what, error)
        return None
