"""Do clusterings of the same events agree, however their pictures were made? (ATLAS W11)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from seisvision import spreadsheets
from seisvision.clustering.features import fit_preparation
from seisvision.clustering.kmeans import kmeans
from seisvision.errors import DataError, SeisvisionError
from seisvision.evaluation.agreement import agreement_measures
from seisvision.evaluation.tables import format_measure, render_table
from seisvision.files import write_text
from seisvision.records.folder import RunFolder, read_json, write_json
from seisvision.records.measures import stored_measures
from seisvision.stored_arrays import read_arrays


@dataclass(frozen=True)
class Found:
    """Clusters of events.

    Attributes:
        source_ids: N events.
        labels: int (N,) cluster of each.
        classes: known class of each as text, "" where there is none; empty where the set has no labels.
        fingerprint: of the waveform set.
    """

    source_ids: list[str]
    labels: np.ndarray
    classes: list[str]
    fingerprint: str


def write_agreement(folders: Mapping[str, Path], out: Path) -> Path:
    """Compare the clusters of runs, pair by pair and with known classes, and write ``out.json`` and ``out.md``.

    Runs over single traces are compared by their events: features are averaged over an event's traces and clustered
    as the run clustered its traces, into as many clusters. Every comparison is over the events that both have.

    Args:
        folders: name to finished clustering run.
        out: file name without its ending.

    Returns:
        The JSON file.

    Raises:
        DataError: a run is not finished, or the runs are of different waveform sets.
    """
    found = {name: read_event_clusters(RunFolder(folder)) for name, folder in folders.items()}
    if len({one.fingerprint for one in found.values()}) > 1:
        sets = ", ".join(f"{name} of {one.fingerprint}" for name, one in found.items())
        raise DataError(f"clusters of different waveform sets cannot be compared: {sets}. Give all runs one dataset.")
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
        DataError: the run has no ``clusters.csv``, ``features.npz`` or ``metrics.json``.
    """
    import pandas as pd

    try:
        spreadsheets.check_columns(folder.path / "clusters.csv")
        names = {"source_id": str, "sample_id": str}
        text = pd.read_csv(folder.path / "clusters.csv", dtype=names, keep_default_na=False, na_values=[""])
        table = spreadsheets.frame_from_cells(text)
        stored = read_arrays(folder.path / "features.npz", ["features", "source_ids"])
        features, source_ids = stored["features"], stored["source_ids"].astype(str)
        fingerprint, config = str(read_json(folder.metrics_file)["data"]["fingerprint"]), folder.config()
    except (OSError, ValueError, KeyError, SeisvisionError) as error:
        raise DataError(f"{folder.path} is no finished clustering run ({error})") from error
    column = next((name for name in config["dataset"]["labels"] if name in table), None)
    classes = table[column].fillna("").astype(str).tolist() if column else [""] * len(table)
    events, first = np.unique(source_ids, return_index=True)
    if len(events) == len(source_ids):
        return Found(source_ids.tolist(), table["cluster"].to_numpy(), classes, fingerprint)
    labels = cluster_event_means(features, source_ids, config["task"], config["seed"])
    return Found(events.tolist(), labels, [classes[row] for row in first], fingerprint)


def cluster_event_means(features: np.ndarray, source_ids: np.ndarray, task: Mapping[str, Any], seed: int) -> np.ndarray:
    """Clusters (events,) of the features (N, F) of traces averaged by event, events in alphabetical order.

    Args:
        features: of the traces.
        source_ids: N events.
        task: settings of :class:`~seisvision.tasks.deep_cluster.DeepClusterTask` by which the run ended: clusters that
            were found otherwise would differ for that alone.
        seed: of the starts.
    """
    events, group = np.unique(source_ids, return_inverse=True)
    means = np.zeros((len(events), features.shape[1]))
    np.add.at(means, group, features)
    means /= np.bincount(group)[:, None]
    points = fit_preparation(means, task["pca_dim"], whiten=task["whiten"], normalise=task["normalise"])(means)
    return kmeans(
        points,
        task["k"],
        seed=seed,
        n_init=task["final_n_init"],
        backend=task["backend"],
        min_cluster_size=task["min_cluster_size"],
    ).labels


def _compared(one: Found, other: Mapping[str, str]) -> dict[str, Any]:
    """ARI and NMI over the events that both know."""
    kept = [i for i, source_id in enumerate(one.source_ids) if other.get(source_id)]
    numbers = np.unique([other[one.source_ids[i]] for i in kept], return_inverse=True)[1]
    events = [one.source_ids[i] for i in kept]
    measures = agreement_measures(one.labels[kept], numbers, events)
    return {"n": len(kept), "ari": measures["ari"].to_dict(), "nmi": measures["nmi"].to_dict()}
