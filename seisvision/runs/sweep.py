"""What happens around the points of a sweep: none stops the others, and a table closes it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

log = logging.getLogger(__name__)


class SweepTable(Callback):
    """Collect the runs of a sweep and show them side by side when it ends."""

    def __init__(self) -> None:
        self._points: list[dict[str, Any]] = []

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Say which point comes now."""
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        hydra = HydraConfig.get()
        if hydra.mode == RunMode.MULTIRUN:
            log.info("point %d: %s", hydra.job.num + 1, hydra.job.override_dirname or "defaults")

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        """Remember the configuration of a point."""
        self._points.append(OmegaConf.to_container(config, resolve=True))  # type: ignore[arg-type]

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the table of all points, store it, and print the sweep folder as the last line."""
        from seisvision.runs.experiment import identify
        from seisvision.runs.folder import write_text
        from seisvision.runs.results import sweep_table
        from seisvision.runs.terminal import show

        plain = [{key: value for key, value in point.items() if key != "hydra"} for point in self._points]
        folders = [identify(point) for point in plain]
        finished = [folder for folder in folders if folder.is_finished()]
        sweep = Path(str(config.hydra.sweep.dir))
        if finished:
            table = sweep_table(finished)
            write_text(sweep / "comparison.txt", table + "\n")
            show(table)
        failed = [folder for folder in folders if not folder.is_finished()]
        for folder in failed:
            log.error("failed: %s (%s)", folder.path, folder.status().get("error"))
        show(str(sweep))
