"""What happens beside the training: checkpoints, early stopping, progress."""

from __future__ import annotations

import logging
import math
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Callback, Checkpoint

from seisvision.base.interrupts import postponed_interrupt
from seisvision.errors import ConfigurationError, DiskFullError, SeisvisionError, did_you_mean
from seisvision.files import disk_fault, put_in_place
from seisvision.records.integrity.seals import write_tensors
from seisvision.runs.epoch_clock import epoch_clock
from seisvision.runs.loggers import HistoryLogger
from seisvision.runs.terminal import stop_on_signals

log = logging.getLogger(__name__)


class KeepCheckpoints(Checkpoint):
    """Keep the last and the best epoch, and stop when nothing gets better.

    The best epoch has the best monitored value; ties go to the lower validation loss, then to the earlier epoch
    (A-23 of the Seismic Atlas). Without a validation split the last epoch is the best.

    Args:
        best: file of the best epoch: weights, without the state of the optimiser.
        last: file of the last epoch, from which an interrupted run resumes.
        mode: whether a larger (``max``) or smaller (``min``) monitored value is better.
        patience: epochs without improvement before the training stops; ``None`` never stops it.
    """

    def __init__(self, best: Path, last: Path, mode: str, patience: int | None = None) -> None:
        self._best, self._last, self._patience = best, last, patience
        self.best_epoch = -1
        self._best_value: list[float] | None = None
        self._is_stopped = False
        self._n_epochs = 0
        self._sign = 1.0 if mode == "max" else -1.0
        self._seconds_before = 0.0
        self._started: float | None = None

    def state_dict(self) -> dict[str, Any]:
        """What resuming needs."""
        return {
            "best_epoch": self.best_epoch,
            "best_value": self._best_value,
            "is_stopped": self._is_stopped,
            "n_epochs": self._n_epochs,
            "seconds": self._seconds(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of an interrupted run."""
        self.best_epoch = state_dict["best_epoch"]
        self._best_value = state_dict["best_value"]
        self._is_stopped = state_dict["is_stopped"]
        self._n_epochs = state_dict["n_epochs"]
        self._seconds_before = state_dict["seconds"]

    def summary(self) -> dict[str, Any]:
        """Epochs trained, the best of them with its values, and seconds of training over all attempts."""
        value, loss = self._best_value or (None, None)
        return {
            "epochs": self._n_epochs,
            "best_epoch": self.best_epoch,
            "best_value": None if value is None else self._sign * value,
            "best_val_loss": None if loss is None else -loss,
            "seconds": round(self._seconds(), 1),
        }

    def _seconds(self) -> float:
        return self._seconds_before + (0.0 if self._started is None else time.monotonic() - self._started)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Listen to a second Ctrl-C, to which Lightning turns a deaf ear."""
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            stop_on_signals()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do not train on when the run was interrupted after it had decided to stop."""
        if trainer.world_size > 1:
            # Lightning's handler of SIGTERM, set just before, makes processes wait for each other and so for ever.
            stop_on_signals()
        self._started = time.monotonic()
        epoch_clock.start(self._seconds_before / self._n_epochs if self._n_epochs else None)
        trainer.should_stop = self._is_stopped

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self._seconds_before, self._started = self._seconds(), None
        epoch_clock.stop()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Judge the epoch that just ended and write the files."""
        loss = float(trainer.callback_metrics.get("train/loss", 0.0))
        if not math.isfinite(loss):
            raise SeisvisionError(
                f"The training loss of epoch {trainer.current_epoch + 1} is {loss}: the network has diverged. Lower "
                f"optimizer.lr, or set trainer.precision=32-true; the epoch before is kept in {self._last}."
            )
        value = self._judge(trainer, pl_module)
        if value is None and self._patience is not None and self._n_epochs == 0 and trainer.is_global_zero:
            log.warning(
                "trainer.early_stopping_patience=%d stops nothing: there are no validation samples by which epochs "
                "could be compared%s. All epochs are done; set it to null, or lower trainer.max_epochs.",
                self._patience,
                f", and {reason}" if (reason := getattr(pl_module, "without_validation", "")) else "",
            )
        self._n_epochs = trainer.current_epoch + 1
        is_better = self._best_value is None or value is None or value > self._best_value
        if is_better:
            self._best_value, self.best_epoch = value, trainer.current_epoch
        elif self._patience is not None and trainer.current_epoch - self.best_epoch >= self._patience:
            self._is_stopped = trainer.should_stop = True
        if is_better:
            # Before the last one: whoever is killed in between repeats this epoch and finds the same.
            trainer.save_checkpoint(self._best, weights_only=True)
            kept: Any = getattr(pl_module, "kept_answers", None)
            if kept is not None:
                kept.are_best()
        _write_history(trainer)
        trainer.save_checkpoint(self._last, weights_only=False)
        if epoch_clock.epoch_is_stored():
            trainer.should_stop = True

    def _judge(self, trainer: pl.Trainer, task: Any) -> list[float] | None:
        """Values in falling order of importance, larger is better and NaN the worst; None without validation."""
        if "val/loss" not in trainer.callback_metrics:
            return None
        if task.monitor not in trainer.callback_metrics:
            logged = sorted(name for name in trainer.callback_metrics if name.startswith("val/"))
            raise ConfigurationError(f"task.monitor names '{task.monitor}'. {did_you_mean(task.monitor, logged)}")
        values = (
            self._sign * float(trainer.callback_metrics[task.monitor]),
            -float(trainer.callback_metrics["val/loss"]),
        )
        return [value if math.isfinite(value) else -math.inf for value in values]


def _write_history(trainer: pl.Trainer) -> None:
    """Write the training values of an epoch before its checkpoint; Lightning itself does so only after it.

    A run that was killed between the two would miss them for ever, because it goes on with the next epoch.
    """
    values = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("train/")}
    for logger in trainer.loggers:
        if values and isinstance(logger, HistoryLogger):
            # The step that Lightning gives the values of the whole epoch.
            step = trainer.fit_loop.epoch_loop._batches_that_stepped - 1
            logger.log_metrics({**values, "epoch": trainer.current_epoch}, step)


class WholeCheckpoints(TorchCheckpointIO):
    """Writes each checkpoint whole or not at all: the one before stays until the new one is on the disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write under a temporary name and rename; Ctrl-C waits until that is done.

        Raises:
            DiskFullError: the disk does not take it.
        """
        path = Path(path)
        temporary = path.with_suffix(".tmp")
        try:
            with postponed_interrupt():
                write_tensors(checkpoint, temporary)
                put_in_place(temporary, path)
        except (OSError, RuntimeError) as error:
            # torch reports a full disk as a RuntimeError.
            why = disk_fault(error, path) or f"{path} cannot be written: {error}. What was stored before is whole."
            raise DiskFullError(f"{why} The same command resumes after the last stored epoch.") from error
        finally:
            temporary.unlink(missing_ok=True)


class ReportProgress(Callback):
    """One line an epoch, and in a terminal a bar with the time that is left.

    Args:
        show_bar: draw the bar; by default where standard error is a terminal.
    """

    def __init__(self, show_bar: bool | None = None) -> None:
        self._show_bar = sys.stderr.isatty() if show_bar is None else show_bar
        self._bar: Any = None
        self._started = 0.0
        self._first_epoch = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock and the bar."""
        self._started, self._first_epoch = time.monotonic(), trainer.current_epoch
        if not (self._show_bar and trainer.is_global_zero):
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        batches = int(trainer.num_training_batches)
        done = trainer.current_epoch * batches
        self._bar.add_task("training", total=(trainer.max_epochs or 1) * batches, completed=done)
        self._bar.start()

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say how the epoch went."""
        if not trainer.is_global_zero:
            return
        done = trainer.current_epoch + 1 - self._first_epoch
        left = (time.monotonic() - self._started) / done * ((trainer.max_epochs or 0) - trainer.current_epoch - 1)
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        shown = ("train/loss", "val/loss", str(pl_module.monitor))
        text = "  ".join(f"{name} {values[name]:.3f}" for name in dict.fromkeys(shown) if name in values)
        log.info("epoch %3d/%s  %s  %s left", trainer.current_epoch + 1, trainer.max_epochs, text, _duration(left))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the bar away."""
        self._stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Take the bar away."""
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _duration(seconds: float) -> str:
    """Seconds as 1:02:03 or 2:03."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
