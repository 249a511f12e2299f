"""How many clusters are there? A report over clustering runs with different numbers of clusters and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def write_cluster_report(asked: Sequence[str | Path], out: Path) -> Path | None:
    """Judge the number of clusters over runs and write the report.

    Args:
        asked: run folders, folders of runs at any depth, or patterns.
        out: folder of ``clusters.html``, ``clusters.md``, ``clusters.csv`` and figures.

    Returns:
        The page; None where no finished clustering run is among the folders.
    """
    raise NotImplementedError
