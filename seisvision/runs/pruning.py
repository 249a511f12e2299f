"""Stop a run of a search early, once it is worse than the finished ones were at the same epoch.

The search writes the limits into the run's folder and the run reads them there, so that it makes no difference whether
it runs in the process of the search, in a process of its own, in several or on another machine.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from seisvision.errors import PrunedError
from seisvision.files import parse_json


class StopHopeless(Callback):
    """Stop the training at the end of an epoch whose limit the best value so far does not reach.

    Args:
        limits_file: ``limits.json`` in the run folder: ``monitor``, ``mode`` (``max`` or ``min``), ``limits`` by epoch
            from 0, ``n_trials``. The search writes it at any time; without it the run is never stopped.
    """

    def __init__(self, limits_file: Path) -> None:
        self._file = limits_file
        self._values: dict[int, float] = {}
        self._reason: str | None = None

    def state_dict(self) -> dict[str, Any]:
        """What resuming needs."""
        return {"values": {str(epoch): value for epoch, value in self._values.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the values of an interrupted run."""
        self._values = {int(epoch): value for epoch, value in state_dict["values"].items()}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare the best value so far with the limit of this epoch; all processes decide as the first does."""
        monitor = str(pl_module.monitor)
        if monitor in trainer.callback_metrics:
            self._values[trainer.current_epoch] = float(trainer.callback_metrics[monitor])
        reason = self._judge(trainer.current_epoch) if trainer.is_global_zero else None
        self._reason = trainer.strategy.broadcast(reason)
        if self._reason is not None:
            trainer.should_stop = True

    def check(self) -> None:
        """Say whether the training that just ended was stopped.

        Raises:
            PrunedError: it was; the message says why.
        """
        if self._reason is not None:
            raise PrunedError(self._reason)

    def _judge(self, epoch: int) -> str | None:
        if not self._file.exists() or not self._values:
            return None
        said = parse_json(self._file.read_text(encoding="utf-8"))
        limit = said["limits"].get(str(epoch))
        if limit is None:
            return None
        values = [value for value in self._values.values() if math.isfinite(value)] or [math.nan]
        best = max(values) if said["mode"] == "max" else min(values)
        is_worse = best < limit if said["mode"] == "max" else best > limit
        if not (is_worse or math.isnan(best)):
            return None
        return (
            f"{said['monitor']} {best:.4g} after epoch {epoch + 1} is worse than the {limit:.4g} that "
            f"{said['n_trials']} finished trials set"
        )
