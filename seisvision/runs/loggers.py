"""Where logged values go: metrics.csv always, Weights & Biases and TensorBoard on request."""

from __future__ import annotations

import csv
import logging
import netrc
import os
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from pytorch_lightning.loggers import Logger
from pytorch_lightning.loggers import TensorBoardLogger as LightningTensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.runs.folder import write_text

log = logging.getLogger(__name__)

WANDB_MODES = ("auto", "online", "offline", "disabled")
HISTORY_COLUMNS = ("epoch", "step", "name", "value")


class HistoryLogger(Logger):
    """One line a value in ``metrics.csv``: epoch, optimiser step, name, value.

    Lines are added as values come, so a killed run keeps its history; a resumed run first forgets the
    epochs it is going to repeat.

    Args:
        path: the csv file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._epoch = 0

    name = "history"
    version = ""

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration has a file of its own."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append the values of one step."""
        self._epoch = int(metrics.get("epoch", self._epoch))
        is_new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            if is_new:
                writer.writerow(HISTORY_COLUMNS)
            for name, value in metrics.items():
                if name != "epoch":
                    writer.writerow([self._epoch, step, name, repr(float(value))])

    @rank_zero_only
    def forget_from(self, epoch: int) -> None:
        """Drop the lines of ``epoch`` and later."""
        if not self._path.exists():
            return
        with self._path.open(newline="", encoding="utf-8") as handle:
            header, *rows = handle.read().splitlines() or [",".join(HISTORY_COLUMNS)]
        kept = [row for row in rows if row.count(",") == len(HISTORY_COLUMNS) - 1 and int(row.split(",")[0]) < epoch]
        write_text(self._path, "\n".join([header, *kept]) + "\n")


class WandbLogger(Logger):
    """Weights & Biases that never blocks and never fails a run.

    The W&B run id is experiment and run id, so that a resumed run continues its own curve. Without a key, or when the
    server does not answer within 15 s, the run is stored offline in the run folder; ``wandb sync`` sends it later.

    Args:
        folder: run folder; files go to its ``wandb`` sub-folder.
        run_id: id of the run.
        group: the experiment, by which runs are grouped on the dashboard.
        config: resolved configuration, shown beside the run.
        project: W&B project.
        entity: W&B team or user; ``None`` for the default of the key.
        mode: ``auto`` (online with a key, else offline), ``online``, ``offline`` or ``disabled``.
        tags: labels of the run.

    Raises:
        ConfigurationError: ``mode`` is unknown.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        group: str,
        config: dict[str, Any],
        project: str = "seisvision",
        entity: str | None = None,
        mode: str = "auto",
        tags: Sequence[str] = (),
    ) -> None:
        super().__init__()
        if mode not in WANDB_MODES:
            raise ConfigurationError(f"logger.wandb.mode='{mode}' is unknown. {did_you_mean(mode, list(WANDB_MODES))}")
        self._run_id, self._mode = f"{group}-{run_id}".replace("/", "-"), mode
        self._arguments: dict[str, Any] = {
            "id": self._run_id,
            "name": self._run_id,
            "resume": "allow",
            "dir": str(folder),
            "project": project,
            "entity": entity,
            "group": group,
            "tags": list(tags),
            "config": config,
        }
        self._run: Any = None
        self._is_dead = mode == "disabled"

    @property
    def name(self) -> str:
        """Name of the project."""
        return str(self._arguments["project"])

    @property
    def version(self) -> str:
        """Id of the run."""
        return self._run_id

    @rank_zero_only
    def start(self) -> None:
        """Open the run, online if possible."""
        if self._run is not None or self._is_dead:
            return
        os.environ.setdefault("WANDB_SILENT", "true")
        logging.getLogger("wandb").setLevel(logging.CRITICAL)
        mode = os.environ.get("WANDB_MODE", "") if self._mode == "auto" else self._mode
        mode = mode or ("online" if _has_key() else "offline")
        if mode == "online":
            self._run = self._guarded(lambda: self._open("online"))
            if self._run is None:
                # The id stays taken by the failed attempt until its service is gone.
                self._guarded(_stop_service)
                log.warning("W&B does not answer; the run is stored offline and can be sent later with 'wandb sync'.")
        if self._run is None:
            self._run = self._guarded(lambda: self._open("offline" if mode == "online" else mode))
        self._is_dead = self._run is None

    def _open(self, mode: Any) -> Any:
        import wandb

        settings = wandb.Settings(init_timeout=15, login_timeout=10, silent=True, console="off")
        return wandb.init(mode=mode, settings=settings, **self._arguments)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration was handed over at the start."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Send the values of one optimiser step."""
        self.start()
        if self._run is not None:
            self._guarded(lambda: self._run.log({**metrics, "trainer/step": step}))

    @rank_zero_only
    def log_summary(self, values: dict[str, Any]) -> None:
        """Store final values beside the curves."""
        self.start()
        if self._run is not None:
            self._guarded(lambda: self._run.summary.update(values))

    @rank_zero_only
    def log_pictures(self, files: Sequence[Path]) -> None:
        """Send figures as images, named by their file names."""
        self.start()
        if self._run is not None:
            import wandb

            self._guarded(lambda: self._run.log({file.stem: wandb.Image(str(file)) for file in files}))

    @rank_zero_only
    def close(self, succeeded: bool) -> None:
        """End the run on the dashboard."""
        if self._run is not None:
            self._guarded(lambda: self._run.finish(exit_code=0 if succeeded else 1))
        self._run, self._is_dead = None, True

    def _guarded(self, action: Callable[[], Any]) -> Any:
        """Run ``action``; a dashboard that fails never stops a run, and is only told at the level of debugging."""
        try:
            return action()
        except Exception as error:
            log.debug("W&B: %s", error)
            return None


class TensorBoardLogger(LightningTensorBoardLogger):
    """TensorBoard event files in the run folder.

    Args:
        folder: run folder; files go to its ``tensorboard`` sub-folder.
        run_id: unused, named for symmetry with the other loggers.
        group: unused.
        config: unused; the configuration is in the run folder.

    Raises:
        ConfigurationError: the tensorboard package is not installed.
    """

    def __init__(self, folder: Path, run_id: str, group: str, config: dict[str, Any]) -> None:
        try:
            super().__init__(save_dir=folder, name="tensorboard", version="")
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                "logger=tensorboard needs the package tensorboard: pip install 'seisvision[tensorboard]'."
            ) from error


def _stop_service() -> None:
    import wandb

    wandb.teardown()


def _has_key() -> bool:
    """Whether a W&B key is set in the environment or stored for the server in ~/.netrc."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    try:
        return netrc.netrc().authenticators(host or "") is not None
    except (OSError, netrc.NetrcParseError):
        return False
