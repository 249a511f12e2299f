"""trackio: a dashboard on this machine, without account."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities import rank_zero_only

from seisvision.errors import ConfigurationError
from seisvision.runs.loggers.dashboard import MOST_ROWS, Dashboard, guarded


class TrackioLogger(Dashboard):
    """One SQLite file for all runs of a project; ``trackio show`` serves it as a page on this machine.

    Nothing is sent anywhere. A resumed run continues its own curve.

    Args:
        folder: run folder; unused, because a page that compares runs needs them in one place.
        run_id: id of the run.
        group: the experiment, by which runs are grouped.
        config: resolved configuration, shown beside the run.
        project: name of the file.
        directory: where it lies, unless the environment's ``TRACKIO_DIR`` says so; ``None``: ``trackio`` below
            ``system.runs_dir``. One process writes to one folder.

    Raises:
        ConfigurationError: the trackio package is not installed.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        group: str,
        config: dict[str, Any],
        project: str = "seisvision",
        directory: str | None = None,
    ) -> None:
        from importlib.util import find_spec

        super().__init__()
        if find_spec("trackio") is None:
            raise ConfigurationError("logger=trackio needs the package trackio: pip install 'seisvision[trackio]'.")
        runs_dir = (config.get("system") or {}).get("runs_dir") or folder
        self._directory = Path(directory or Path(runs_dir) / "trackio").resolve()
        self._project, self._group, self._config = project, group, config
        self._run_id = f"{group}-{run_id}".replace("/", "-")
        self._run: Any = None
        self._is_dead = False

    @property
    def name(self) -> str:
        """Name of the project."""
        return self._project

    @property
    def version(self) -> str:
        """Id of the run."""
        return self._run_id

    @rank_zero_only
    def start(self) -> None:
        """Open the run."""
        if self._run is None and not self._is_dead:
            self._run = guarded("trackio", self._open)
            self._is_dead = self._run is None

    def _open(self) -> Any:
        # Both are read when the package is imported.
        os.environ.setdefault("TRACKIO_DIR", str(self._directory))
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        with contextlib.redirect_stdout(io.StringIO()):
            import trackio

            return trackio.init(
                self._project,
                name=self._run_id,
                group=self._group,
                config=self._config,
                resume="allow",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

    def _log(self, values: dict[str, Any], step: int | None = None) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            guarded("trackio", lambda: self._run.log(values, step=step))

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Store the values of one optimiser step."""
        self.start()
        if self._run is not None:
            self._log(dict(metrics), step)

    @rank_zero_only
    def log_summary(self, values: dict[str, Any]) -> None:
        """Store final values as the last row of the run, where the table of runs shows them."""
        self.start()
        if self._run is not None:
            self._log({f"summary/{name}": value for name, value in values.items()})

    @rank_zero_only
    def log_pictures(self, files: Sequence[Path]) -> None:
        """Store figures as images."""
        self.start()
        if self._run is not None and files:
            import trackio

            self._log({file.stem: trackio.Image(str(file)) for file in files})

    @rank_zero_only
    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Store a table, pictures as images."""
        self.start()
        if self._run is None or not rows:
            return
        import trackio

        data = [[trackio.Image(str(value)) if isinstance(value, Path) else value for value in row]
                for row in rows[:MOST_ROWS]]  # fmt: skip
        self._log({f"table/{name}": trackio.Table(columns=list(columns), data=data, allow_mixed_types=True)})

    @rank_zero_only
    def close(self, succeeded: bool) -> None:
        """End the run."""
        if self._run is not None:
            import trackio

            with contextlib.redirect_stdout(io.StringIO()):
                guarded("trackio", trackio.finish)
        self._run, self._is_dead = None, True
