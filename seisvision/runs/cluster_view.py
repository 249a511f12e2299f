"""What the clusters of a run look like: figures, tables, and what else would explain them.

Called by the clustering run when its clusters are final; everything it needs is in its arguments and ``config.yaml``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seisvision.data.samples import EventSamples
from seisvision.data.traces import TraceSamples
from seisvision.evaluation.cluster_tables import Clustered
from seisvision.runs.folder import RunFolder
from seisvision.views.view import View


def describe_clusters(
    folder: RunFolder, samples: EventSamples | TraceSamples, view: View, clusters: Clustered
) -> dict[str, Any]:
    """Write what a person needs to judge the clusters of a run.

    Files: ``clusters_*.csv`` in the run folder, PNGs in ``figures/``.

    Args:
        folder: the run; its ``config.yaml`` names the labels that may exist.
        samples: what was clustered, in the order of ``clusters``; labels among its targets are not needed.
        view: draws the pictures that the network saw.
        clusters: the final clusters.

    Returns:
        Plain values for the ``clustering`` section of ``metrics.json``: agreement with labels where there are any, and
        the columns that explain the clusters best.
    """
    raise NotImplementedError


def send_cluster_tables(loggers: Sequence[Any], folder: RunFolder) -> None:
    """Put the tables that :func:`describe_clusters` wrote on the dashboards that can show tables."""
    raise NotImplementedError
