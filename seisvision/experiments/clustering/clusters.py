"""The end of a clustering run: final clusters, what they agree with, what simpler ways would have found."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from seisvision import spreadsheets
from seisvision.base.sample_ids import SampleIds
from seisvision.clustering.features import Preparation, effective_rank, fit_preparation
from seisvision.clustering.kmeans import Clustering, agreement, assign
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import CheckpointError
from seisvision.evaluation.agreement import agreement_measures, cross_table
from seisvision.experiments.clustering.baselines import compare_with_simple_clusters
from seisvision.experiments.clustering.found import Extracted, KnownClasses, extract, known_classes
from seisvision.experiments.waveforms.settings import Settings
from seisvision.files import whole_file, write_text
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.folder import RunFolder, write_json
from seisvision.records.integrity.seals import write_tensors
from seisvision.records.known_events import Seen
from seisvision.records.prediction_table import sample_columns
from seisvision.records.trust.contents import built_from
from seisvision.tasks.deep_cluster import DeepClusterTask

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clusters:
    """What was learnt: how features become points, where the clusters are, and how wide."""

    preparation: Preparation
    centres: np.ndarray
    """Centres (K, P)."""
    widths: np.ndarray
    """Median distance (K,) of the members of every cluster from its centre."""
    plane: Preparation
    """From points to the plane of their two strongest principal components, for maps."""

    def to_tensors(self) -> dict[str, Any]:
        """Tensors and plain values, for a checkpoint."""
        return {
            "preparation": _tensors(self.preparation.to_dict()),
            "plane": _tensors(self.plane.to_dict()),
            "centres": torch.from_numpy(self.centres),
            "widths": torch.from_numpy(self.widths),
        }

    @classmethod
    def from_tensors(cls, stored: Mapping[str, Any]) -> Clusters:
        """Inverse of :meth:`to_tensors`."""
        preparation, plane = (Preparation(**_arrays(stored[name])) for name in ("preparation", "plane"))
        return cls(preparation, stored["centres"].numpy(), stored["widths"].numpy(), plane)


def judge_clusters(
    config: Settings, folder: RunFolder, data: EventDataModule, task: DeepClusterTask, found: Extracted
) -> dict[str, Any]:
    """Cluster the features that the trained network found, write ``clusters.csv`` and ``features.npz``, and measure.

    The checkpoint gets what assigns other samples to the clusters.

    Returns:
        ``clustering`` and, unless switched off, ``baselines`` and ``differences`` for ``metrics.json``.
    """
    checkpoint = load_checkpoint(folder.best_checkpoint)
    preparation, points = task.prepare_points(found.features)
    clustering = task.cluster(points, config.trainer.max_epochs)
    widths, plane = cluster_widths(clustering, points), fit_preparation(points, 2, whiten=False, normalise=False)
    clusters = Clusters(preparation, clustering.centres, widths, plane)
    checkpoint["seisvision"]["clustering"] = clusters.to_tensors()
    _save(checkpoint, folder.best_checkpoint)

    known = known_classes(config, data.waveform_set, found)
    assert task.learnt is not None
    nmi = [epoch["nmi"] for epoch in task.history[1:]]
    if task.train_k == task.k:
        # Of clusterings into different numbers of clusters it could not reach 1.
        nmi.append(agreement(task.learnt, clustering.labels))
    metrics: dict[str, Any] = {
        "clustering": {
            **describe(clustering, found.features),
            "k": task.k,
            "nmi_history": nmi,
            "kmeans_loss_history": [epoch["kmeans_loss"] for epoch in task.history],
            "agreement": measure_agreement(clustering, known, found.ids.source_ids, config.level),
        }
    }
    if config.with_baselines:
        metrics |= compare_with_simple_clusters(config, data, task, found, clustering, known)
    write_text(
        folder.path / "clusters.csv", clusters_table(clusters, clustering, points, found, known, data.waveform_set)
    )
    _write_features(folder.path / "features.npz", found, points, clustering)
    return metrics


def assign_clusters(
    folder: Path,
    config: Settings,
    trainer: pl.Trainer,
    task: DeepClusterTask,
    data: EventDataModule,
    part: str,
    content: Mapping[str, Any],
    about: Mapping[str, Any],
    seen: Seen,
) -> str:
    """Put samples into the clusters of a checkpoint; write ``clusters.csv``, ``features.npz`` and ``metrics.json``.

    Args:
        folder: where the files go.
        config: configuration of the checkpoint, with the data set that is assigned and the ``level`` of intervals.
        trainer: predicts.
        task: the trained network.
        data: the samples.
        part: which of them; ``all`` for every part.
        content: what the checkpoint says of itself.
        about: what ``metrics.json`` says of checkpoint and set.
        seen: events that the network has seen in its training, which get a column ``seen``.

    Returns:
        A sentence for people.

    Raises:
        CheckpointError: the training was not finished, so there are no final clusters.
    """
    if "clustering" not in content:
        raise CheckpointError("the checkpoint holds no final clusters: its run did not finish. Repeat its command.")
    with built_from(f"The checkpoint of {content['run_id']}", "what it says of its clusters"):
        clusters = Clusters.from_tensors(content["clustering"])
    parts = list(data.parts) if part not in data.parts else [part]
    pieces = [extract(trainer, task, data.loader(name)) for name in parts]
    found = Extracted(
        SampleIds.concatenate([piece.ids for piece in pieces]), np.concatenate([piece.features for piece in pieces])
    )
    points = clusters.preparation(found.features)
    assigned = assign(points, clusters.centres)
    known = known_classes(config, data.waveform_set, found)
    marks = {"seen": seen.column(found.ids.source_ids)} if seen.part_of else {}
    table = clusters_table(clusters, assigned, points, found, known, data.waveform_set, marks)
    write_text(folder / "clusters.csv", table)
    _write_features(folder / "features.npz", found, points, assigned)
    agreed = measure_agreement(assigned, known, found.ids.source_ids, config.level)
    measured = {**describe(assigned, found.features), "agreement": agreed}
    write_json(folder / "metrics.json", {**about, "clustering": measured})
    return f"{len(points)} samples assigned to {len(clusters.centres)} clusters, sizes {assigned.sizes.tolist()}"


def describe(clustering: Clustering, features: np.ndarray) -> dict[str, Any]:
    """Number, sizes and loss of clusters, and how many directions their features (N, F) have."""
    return {
        "n_samples": len(clustering.labels),
        "n_clusters": len(clustering.centres),
        "sizes": clustering.sizes.tolist(),
        "kmeans_loss": clustering.loss,
        "feature_rank": effective_rank(features),
    }


def measure_agreement(
    clustering: Clustering, known: Mapping[str, KnownClasses], source_ids: Sequence[str], level: float
) -> dict[str, Any]:
    """Measures with intervals and the cross table, by column, as plain values."""
    measured: dict[str, Any] = {}
    for column, classes in known.items():
        measures = agreement_measures(clustering.labels, classes.numbers, source_ids, level)
        table = cross_table(clustering.labels, classes.numbers, len(clustering.centres), len(classes.names))
        measured[column] = {
            **{name: value.to_dict() for name, value in measures.items()},
            "class_names": classes.names,
            "cross_table": table.tolist(),
        }
    return measured


def cluster_widths(clustering: Clustering, points: np.ndarray) -> np.ndarray:
    """Median distance (K,) of the members of each cluster from its centre."""
    own = np.linalg.norm(points - clustering.centres[clustering.labels], axis=1)
    return np.array([np.median(own[clustering.labels == number]) for number in range(len(clustering.centres))])


def clusters_table(
    clusters: Clusters,
    assigned: Clustering,
    points: np.ndarray,
    found: Extracted,
    known: Mapping[str, KnownClasses],
    waveform_set: WaveformSet,
    marks: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The text of ``clusters.csv``, one row a sample.

    ``distance`` from the centre of its cluster and ``margin`` to the next one are in the space that was clustered;
    ``strangeness`` is the distance over the median distance of the members, so 1 is usual; ``map_x`` and ``map_y`` are
    places on the plane of the two strongest principal components.
    """
    distances = np.sort(assigned.distances(points), axis=1)
    own = distances[:, 0]
    margin = distances[:, 1] - own if distances.shape[1] > 1 else np.full(len(own), np.nan)
    # Points of a single dimension lie on a line of the map.
    place = np.pad(clusters.plane(points), ((0, 0), (0, 2)))[:, :2]
    told = sample_columns(found.ids, waveform_set.table)
    columns = {"sample_id": told.pop(found.ids.kind.id_column), "source_id": found.ids.source_ids, **told}
    columns |= dict(marks or {}) | {
        "cluster": assigned.labels,
        "distance": _digits(own),
        "margin": _digits(margin),
        "strangeness": _digits(own / np.maximum(clusters.widths[assigned.labels], 1e-12)),
        "map_x": _digits(place[:, 0]),
        "map_y": _digits(place[:, 1]),
    }
    for column, classes in known.items():
        columns[column] = [classes.names[number] if number >= 0 else "" for number in classes.numbers]
    text = io.StringIO()
    writer = spreadsheets.Writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def _digits(values: np.ndarray) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.6g}" for value in values]


def _write_features(path: Path, found: Extracted, points: np.ndarray, clustering: Clustering) -> None:
    """Write what reports on the number of clusters start from."""
    with whole_file(path) as partial:
        np.savez_compressed(
            partial,
            sample_ids=np.array(found.ids.ids),
            source_ids=np.array(found.ids.source_ids),
            features=found.features.astype(np.float32),
            points=points.astype(np.float32),
            labels=clustering.labels,
            centres=clustering.centres.astype(np.float32),
        )


def _save(checkpoint: dict[str, Any], path: Path) -> None:
    with whole_file(path) as partial:
        write_tensors(checkpoint, partial)


def _tensors(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: torch.from_numpy(np.ascontiguousarray(value)) if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }


def _arrays(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.numpy() if isinstance(value, torch.Tensor) else value for name, value in values.items()}
