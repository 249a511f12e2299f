"""What is said around the points of a sweep."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

log = logging.getLogger(__name__)


class SweepTable(Callback):
    """Name each point of a sweep, and show the finished runs side by side when it ends."""

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Say which point comes now."""
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        hydra = HydraConfig.get()
        if hydra.mode == RunMode.MULTIRUN:
            log.info("\npoint %d: %s", hydra.job.num + 1, hydra.job.override_dirname or "defaults")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print the table of the finished points, store it, and print the sweep folder as the last line."""
        from seisvision.runs.experiment import sweep_runs
        from seisvision.runs.folder import write_text
        from seisvision.runs.results import sweep_table
        from seisvision.runs.terminal import show

        sweep = Path(str(config.hydra.sweep.dir))
        if sweep_runs:
            table = sweep_table(sweep_runs)
            write_text(sweep / "comparison.txt", table + "\n")
            show(table)
        show(str(sweep))
