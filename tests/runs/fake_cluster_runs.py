"""Clustering runs as training leaves them, made from numbers alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans

from seisvision.files import write_text
from seisvision.records.folder import RunFolder, write_json


def make_run(
    path: Path,
    events: np.ndarray,
    k: int,
    seed: int,
    *,
    pull: float = 0.6,
    ids: list[str] | None = None,
    train_k: int | None = None,
) -> RunFolder:
    """A run whose network sees random rectified mixtures of ``events`` (N, F) and pulls them into its own heaps.

    The heaps are K, or ``train_k``: then runs of one seed have one network, up to what an accelerator rounds.
    """
    told_apart = train_k or k
    rng = np.random.default_rng([seed, told_apart])
    scaled = (events - events.mean(axis=0)) / events.std()
    mixed = np.maximum(scaled @ rng.normal(size=(events.shape[1], 12)) + 0.3 * rng.normal(size=12), 0)
    heaps = KMeans(told_apart, n_init=3, random_state=seed).fit(mixed)
    features = (1 - pull) * mixed + pull * heaps.cluster_centers_[heaps.labels_]
    if train_k:
        features = features + 1e-6 * np.random.default_rng(k).normal(size=features.shape)
    found = KMeans(k, n_init=3, random_state=seed).fit(features) if train_k else heaps
    labels = found.labels_
    names = ids or [f"event-{number:04d}" for number in range(len(events))]
    folder = RunFolder(path)
    path.mkdir(parents=True)
    task = f"{{k: {k}, train_k: {train_k or 'null'}, final_n_init: {k}}}"
    write_text(folder.config_file, f"name: fake\nseed: {seed}\ntask: {task}\ndataset: {{labels: {{}}}}\n")
    write_json(folder.status_file, {"state": "finished", "attempts": 1, "error": None})
    clustered = features if train_k else mixed
    loss = float(((clustered - found.cluster_centers_[labels]) ** 2).sum(axis=1).mean())
    clustering = {"k": k, "kmeans_loss": loss, "sizes": np.bincount(labels).tolist()}
    write_json(folder.metrics_file, {"data": {"fingerprint": "abc"}, "clustering": clustering})
    loss = np.log(told_apart)
    write_text(folder.history_file, f"epoch,step,name,value\n0,1,train/loss,{loss}\n1,2,train/loss,{0.5 * loss}\n")
    np.savez_compressed(
        path / "features.npz",
        sample_ids=np.array(names),
        source_ids=np.array(names),
        features=features.astype(np.float32),
        points=features.astype(np.float32),
        labels=labels,
        centres=found.cluster_centers_.astype(np.float32),
    )
    return folder


def three_groups(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Events (n, 4) of three groups of unequal sizes, and the group of each."""
    rng = np.random.default_rng(seed)
    group = rng.choice(3, size=n, p=[0.5, 0.3, 0.2])
    centres = np.array([[0, 0, 0, 0], [7, 0, 0, 0], [0, 7, 0, 0]], float)
    return centres[group] + rng.normal(size=(n, 4)), group
