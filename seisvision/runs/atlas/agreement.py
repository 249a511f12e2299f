"""Do clusterings of the same events agree, however their pictures were made? (ATLAS W11)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.clustering.features import fit_preparation
from seisvision.clustering.kmeans import kmeans
from seisvision.errors import DataError
from seisvision.evaluation.agreement import agreement_measures
from seisvision.evaluation.tables import format_measure, render_table
from seisvision.files import write_text
from seisvision.runs.folder import RunFolder, write_json
from seisvision.runs.results import stored_measures

COMPONENTS = 32
"""Principal components of averaged features that are clustered."""


@dataclass(frozen=True)
class Found:
    """Clusters of events.

    Attributes:
        source_ids: N events.
        labels: int (N,) cluster of each.
        classes: known class of each as text, "" where there is none; empty where the set has no labels.
    """

    source_ids: list[str]
    labels: np.ndarray
    classes: list[str]


def write_agreement(folders: Mapping[str, Path], out: Path) -> Path:
    """Compare the clusters of runs, pair by pair and with known classes, and write ``out.json`` and ``out.md``.

    Runs over single traces are compared by their events: features are averaged over an event's traces and clustered
    into as many clusters as the run has. Every comparison is over the events that both have.

    Args:
        folders: name to finished clustering run.
        out: file name without its ending.

    Returns:
        The JSON file.
    """
    found = {name: read_event_clusters(RunFolder(folder)) for name, folder in folders.items()}
    pairs = [
        {"a": a, "b": b, **_compared(found[a], dict(zip(found[b].source_ids, map(str, found[b].labels), strict=True)))}
        for a, b in combinations(found, 2)
    ]
    known = [
        {"a": name, "b": "known classes", **_compared(one, dict(zip(one.source_ids, one.classes, strict=True)))}
        for name, one in found.items()
        if any(one.classes)
    ]
    path = out.with_suffix(".json")
    write_json(path, {"runs": {name: str(folder) for name, folder in folders.items()}, "pairs": [*pairs, *known]})
    rows = [
        [
            pair["a"],
            pair["b"],
            str(pair["n"]),
            *(format_measure(stored_measures(pair)[name]) for name in ("ari", "nmi")),
        ]
        for pair in [*pairs, *known]
    ]
    write_text(
        out.with_suffix(".md"),
        render_table(["clusters of", "against", "events", "ARI", "NMI"], rows, "markdown") + "\n",
    )
    return path


def read_event_clusters(folder: RunFolder) -> Found:
    """Clusters of events from the files of a clustering run.

    Raises:
        DataError: the run has no ``clusters.csv`` or ``features.npz``.
    """
    import pandas as pd

    try:
        table = pd.read_csv(folder.path / "clusters.csv", dtype={"source_id": str, "sample_id": str})
        with np.load(folder.path / "features.npz", allow_pickle=False) as stored:
            features, source_ids = stored["features"], stored["source_ids"].astype(str)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder.path} is no finished clustering run ({error})") from error
    column = next((name for name in folder.config()["dataset"]["labels"] if name in table), None)
    classes = table[column].fillna("").astype(str).tolist() if column else [""] * len(table)
    events, first = np.unique(source_ids, return_index=True)
    if len(events) == len(source_ids):
        return Found(source_ids.tolist(), table["cluster"].to_numpy(), classes)
    labels = cluster_event_means(features, source_ids, folder.config()["task"]["k"], folder.config()["seed"])
    return Found(events.tolist(), labels, [classes[row] for row in first])


def cluster_event_means(features: np.ndarray, source_ids: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Clusters (events,) of the features (N, F) of traces averaged by event, events in alphabetical order."""
    events, group = np.unique(source_ids, return_inverse=True)
    means = np.zeros((len(events), features.shape[1]))
    np.add.at(means, group, features)
    means /= np.bincount(group)[:, None]
    points = fit_preparation(means, COMPONENTS)(means)
    return kmeans(points, k, seed=seed).labels


def _compared(one: Found, other: Mapping[str, str]) -> dict[str, Any]:
    """ARI and NMI over the events that both know."""
    kept = [i for i, source_id in enumerate(one.source_ids) if other.get(source_id)]
    numbers = np.unique([other[one.source_ids[i]] for i in kept], return_inverse=True)[1]
    events = [one.source_ids[i] for i in kept]
    measures = agreement_measures(one.labels[kept], numbers, events)
    return {"n": len(kept), "ari": measures["ari"].to_dict(), "nmi": measures["nmi"].to_dict()}
