"""TensorBoard event files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger as LightningTensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from seisvision.errors import ConfigurationError
from seisvision.runs.loggers.dashboard import MOST_ROWS, guarded


class TensorBoardLogger(LightningTensorBoardLogger):
    """TensorBoard event files in the run folder: curves, settings with final values, figures, tables as text.

    Args:
        folder: run folder; files go to its ``tensorboard`` sub-folder.
        run_id: unused, named for symmetry with the other loggers.
        group: unused.
        config: its scientific settings stand beside the final values on the page of hyper-parameters.

    Raises:
        ConfigurationError: the tensorboard package is not installed.
    """

    def __init__(self, folder: Path, run_id: str, group: str, config: dict[str, Any]) -> None:
        self._config = {key: value for key, value in config.items() if key not in ("system", "logger", "run", "stages")}
        self._last_step = 0
        try:
            super().__init__(save_dir=folder, name="tensorboard", version="", default_hp_metric=False)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                "logger=tensorboard needs the package tensorboard: pip install 'seisvision[tensorboard]'."
            ) from error

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Write the values of one optimiser step."""
        self._last_step = self._last_step if step is None else step
        super().log_metrics(metrics, step)

    @rank_zero_only
    def log_summary(self, values: dict[str, Any]) -> None:
        """Write settings and final values as one row of the page of hyper-parameters."""
        numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
        guarded("TensorBoard", lambda: self.log_hyperparams(self._config, numbers, step=self._last_step))

    @rank_zero_only
    def log_pictures(self, files: Sequence[Path]) -> None:
        """Write figures as images."""
        from matplotlib.image import imread

        def send(file: Path) -> None:
            self.experiment.add_image(file.stem, imread(file)[..., :3], self._last_step, dataformats="HWC")

        for file in files:
            guarded("TensorBoard", partial(send, file))

    @rank_zero_only
    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Write a table as text, and its pictures as images beside it."""
        lines = [list(columns), ["---"] * len(columns), *rows[:MOST_ROWS]]
        text = "\n".join(f"| {' | '.join(_cell(value) for value in line)} |" for line in lines)
        guarded("TensorBoard", lambda: self.experiment.add_text(f"table/{name}", text, self._last_step))
        self.log_pictures([value for row in rows[:MOST_ROWS] for value in row if isinstance(value, Path)])

    def log_model(self, path: Path, aliases: Sequence[str]) -> None:
        """Do nothing: checkpoints are in the run folder."""

    @rank_zero_only
    def close(self, succeeded: bool) -> None:
        """Write what is left."""
        guarded("TensorBoard", lambda: self.finalize("success" if succeeded else "failed"))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value.name if isinstance(value, Path) else f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
