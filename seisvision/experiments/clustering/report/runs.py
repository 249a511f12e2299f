"""Clustering runs of one set of samples, read from their folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.errors import DataError, SeisvisionError
from seisvision.records.finding import LeftOut, find_run_folders
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.history import read_history
from seisvision.records.identity import run_identity, scientific_part
from seisvision.records.trust.allowed import check_numbers
from seisvision.stored_arrays import read_arrays

ONLY_LAST_CLUSTERING = ("k", "final_n_init")
"""Settings of the task that its training does not see, unless ``train_k`` is null."""


@dataclass(frozen=True)
class ClusterRun:
    """One finished clustering run.

    Args:
        path: its folder.
        k: number of clusters asked for.
        train_k: number of clusters that the network learnt to tell apart.
        network: names the network; runs that differ only in their last clustering share it.
        seed: of the run.
        fingerprint: of the waveform set.
        sample_ids: N ids, sorted; all arrays are in this order.
        source_ids: N ids of their events.
        labels: int (N,).
        features: float32 (N, F), as the network gives them.
        points: float32 (N, P), as they were clustered.
        cross_entropy: last training loss; NaN where it was not logged.
        kmeans_loss: mean squared distance from the centres.
    """

    path: Path
    k: int
    train_k: int
    network: str
    seed: int
    fingerprint: str
    sample_ids: tuple[str, ...]
    source_ids: tuple[str, ...]
    labels: np.ndarray
    features: np.ndarray
    points: np.ndarray
    cross_entropy: float
    kmeans_loss: float


def read_cluster_runs(asked: Sequence[str | Path]) -> tuple[list[ClusterRun], list[LeftOut]]:
    """Read all clustering runs; of runs over different samples the largest group stays.

    Args:
        asked: run folders, folders of runs at any depth, or patterns.

    Returns:
        Runs by K and seed, and folders left out with the reason.

    Raises:
        ConfigurationError: nothing lies under a name.
    """
    runs, left_out = [], []
    for path in find_run_folders([str(one) for one in asked]):
        try:
            runs.append(_read(RunFolder(path)))
        except SeisvisionError as error:
            left_out.append(LeftOut(path, str(error)))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            left_out.append(LeftOut(path, f"broken: {type(error).__name__}: {error}"))
    if not runs:
        return [], left_out
    kinds = Counter((run.fingerprint, run.sample_ids) for run in runs)
    usual = kinds.most_common(1)[0][0]
    for run in runs:
        if (run.fingerprint, run.sample_ids) != usual:
            left_out.append(LeftOut(run.path, "other samples or another waveform set than most of the runs"))
    kept = [run for run in runs if (run.fingerprint, run.sample_ids) == usual]
    return sorted(kept, key=lambda run: (run.k, run.seed, str(run.path))), left_out


def _read(folder: RunFolder) -> ClusterRun:
    if not folder.is_finished():
        raise DataError(f"{folder.status()['state']}: no result yet")
    metrics, config = read_json(folder.metrics_file), folder.config()
    if "clustering" not in metrics:
        raise DataError("not a clustering run")
    check_numbers(config)
    arrays = _read_arrays(folder.path / "features.npz")
    losses = read_history(folder.history_file).get("train/loss")
    fingerprint = str(metrics["data"]["fingerprint"])
    return ClusterRun(
        folder.path,
        int(config["task"]["k"]),
        _train_k(config),
        network_identity(config, fingerprint),
        int(config["seed"]),
        fingerprint,
        tuple(arrays["sample_ids"].tolist()),
        tuple(arrays["source_ids"].tolist()),
        arrays["labels"].astype(int),
        arrays["features"],
        arrays["points"],
        losses[-1][1] if losses else float("nan"),
        float(metrics["clustering"]["kmeans_loss"]),
    )


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a run in the order of its samples; features and points as finite float32 (N, 1 or more)."""
    names = ("sample_ids", "source_ids", "labels", "features", "points")
    stored = read_arrays(path, names)
    arrays = {name: stored[name] for name in names}
    if [values.ndim for values in arrays.values()] != [1, 1, 1, 2, 2]:
        raise DataError("broken: the arrays of features.npz are not of the shapes that a run writes")
    if [arrays[name].dtype.kind for name in names] not in ([*"UUiff"], [*"UUuff"]):
        raise DataError("broken: the arrays of features.npz are not of the types that a run writes")
    order = np.argsort(arrays["sample_ids"], kind="stable")
    if len({len(values) for values in arrays.values()}) != 1 or len(set(arrays["sample_ids"].tolist())) != len(order):
        raise DataError("broken: the arrays of features.npz do not belong together, or a sample is there twice")
    with np.errstate(over="ignore"):
        arrays |= {name: arrays[name].astype(np.float32, copy=False) for name in ("features", "points")}
    if not all(np.isfinite(arrays[name]).all() and arrays[name].shape[1] for name in ("features", "points")):
        raise DataError("broken: the features or points of features.npz are none, or not finite")
    return {name: values[order] for name, values in arrays.items()}


def network_identity(config: Mapping[str, Any], fingerprint: str) -> str:
    """Names the network that a configuration trains: what is done with its features afterwards does not matter.

    Args:
        config: of a clustering run.
        fingerprint: of its waveform set.
    """
    task = {key: value for key, value in config["task"].items() if key not in ONLY_LAST_CLUSTERING}
    whole = {"trainer": {}, "run": {}, **config, "task": {**task, "train_k": _train_k(config)}}
    whole["run"] = {"test": whole["run"].get("test", False)}
    part = scientific_part(whole, fingerprint)
    return run_identity({key: value for key, value in part.items() if key != "evaluation"})


def _train_k(config: Mapping[str, Any]) -> int:
    train_k = config["task"].get("train_k")
    return int(config["task"]["k"] if train_k is None else train_k)
