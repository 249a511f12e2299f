"""Run folders as training leaves them, made from numbers alone."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from seisvision.base.sample_ids import SampleIds
from seisvision.judging.error_sources import COLUMNS, error_against
from seisvision.outputs.kinds import predictions_class
from seisvision.records.prediction_table import write_predictions
from seisvision.records.tables import write_table

CLASS = {"kind": "class", "name": "source_type", "target": "source_type", "class_names": ["tectonic", "glacial"]}
SCALAR = {
    "kind": "scalar", "name": "offset", "target": "path_ep_distance_km", "unit": "km", "transform": "log1p",
    "tolerance_relative": 0.1, "tolerance_absolute": 10.0,
}  # fmt: skip
ANGLE = {
    "kind": "angle",
    "name": "force_azimuth",
    "target": "source_azimuth_deg",
    "period_deg": 360.0,
    "tolerance_deg": 15.0,
}

CONFIG: dict[str, Any] = {
    "name": "fake",
    "seed": 3407,
    "run": {"test": True},
    "dataset": {"name": "fake_set", "source": {"_target_": "seisvision.data.x", "path": "p"}},
    "split": {"by": "event", "fold": None},
    "view": {"_target_": "seisvision.views.trace.TraceView", "height": 64},
    "model": {"_target_": "seisvision.models.timm_backbone.TimmBackbone", "name": "resnet18"},
    "optimizer": {"lr": 0.001, "betas": [0.9, 0.999]},
    "trainer": {"batch_size": 32},
    "system": {"num_workers": 1},
}


def predictions(about: dict[str, Any], n: int, skill: float, seed: int = 0) -> Any:
    """Predictions of ``n`` events; ``skill`` 1 is always right, 0 is chance. Targets are those of every other call."""
    truth, rng = np.random.default_rng(7), np.random.default_rng(seed)
    ids = [f"event-{i:04d}" for i in range(n)]
    if about["kind"] == "class":
        target = truth.integers(0, len(about["class_names"]), n)
        right = rng.random(n) < 0.5 + skill / 2
        k = len(about["class_names"])
        decoded = np.full((n, k), 0.2 / (k - 1))
        decoded[np.arange(n), np.where(right, target, (target + 1) % k)] = 0.8
    elif about["kind"] == "scalar":
        target = truth.uniform(100, 2000, n)
        decoded = np.full((n, 6), np.nan)
        decoded[:, 0] = target * np.exp(rng.normal(0, 0.5 * (1 - skill), n))
    else:
        target = truth.uniform(0, 360, n)
        decoded = np.stack([(target + rng.normal(0, 90 * (1 - skill), n)) % 360, np.full(n, np.nan)], axis=1)
    return predictions_class(about["kind"]).from_decoded(about, SampleIds.of_events(ids), target, decoded)


def located(median_km: float) -> dict[str, Any]:
    """What ``metrics.json`` holds of located events."""
    values = {"median_error_km": median_km, "p90_error_km": 3 * median_km, "within_100km": 0.5, "coverage_68": 0.66,
              "coverage_95": 0.93, "unlocated": 0.01}  # fmt: skip
    measures = {key: {"value": x, "low": 0.9 * x, "high": 1.1 * x, "n": 60} for key, x in values.items()}
    rows = [{"low": low, "high": high, "n": 20, "median_error_km": median_km * 10 / low, "p90_error_km": 2 * median_km,
             "coverage_95": 0.9} for low, high in ((3, 5), (5, 10), (10, None))]  # fmt: skip
    return {"measures": measures, "by_stations": rows, "by_gap": rows}


def fake_clustering(path: Path, k: int = 3, ari: float = 0.4, seed: int = 3407) -> Path:
    """Write one folder of a clustering run; returns ``path``."""
    path.mkdir(parents=True)
    measure = {"value": ari, "low": ari - 0.1, "high": ari + 0.1, "n": 60}
    sizes = [10 * (i + 1) for i in range(k)]
    metrics = {
        "training": {"model": "alexnet_bn", "parameters": 1000, "seed": seed, "seconds": 61.0, "epochs": 3},
        "data": {"name": "fake_set", "fingerprint": "data1", "split_hash": "split1", "unit": "trace"},
        "clustering": {"n_clusters": k, "n_samples": sum(sizes), "sizes": sizes, "k": k, "kmeans_loss": 0.5,
                       "nmi_history": [0.2, 0.8], "agreement": {"source_type": {"ari": measure, "nmi": measure}}},
    }  # fmt: skip
    (path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (path / "overrides.yaml").write_text(yaml.safe_dump(["task=cluster", f"task.k={k}"]))
    (path / "status.json").write_text(json.dumps({"state": "finished", "attempts": 1, "error": None}))
    (path / "metrics.json").write_text(json.dumps(metrics))
    return path


def fake_run(
    path: Path,
    settings: dict[str, Any] | None = None,
    *,
    about: dict[str, Any] = CLASS,
    skill: float = 0.5,
    seed: int = 3407,
    fold: int | None = None,
    n: int = 60,
    parts: tuple[str, ...] = ("val", "test"),
    fingerprint: str = "data1",
    split_hash: str = "split1",
    state: str = "finished",
    overrides: list[str] | None = None,
    located_km: float | None = None,
) -> Path:
    """Write one run folder; ``settings`` are values by dotted key, ``located_km`` the median error of epicentres.

    Returns ``path``.
    """
    config = copy.deepcopy(CONFIG) | {"seed": seed}
    config["split"]["fold"] = fold
    for key, value in (settings or {}).items():
        *groups, last = key.split(".")
        section = config
        for group in groups:
            section = section.setdefault(group, {})
        section[last] = value
    path.mkdir(parents=True)
    typed = [f"{key}={value}" for key, value in (settings or {}).items()] if overrides is None else overrides
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    (path / "overrides.yaml").write_text(yaml.safe_dump([*typed, f"seed={seed}"]))
    (path / "status.json").write_text(json.dumps({"state": state, "attempts": 1, "error": None}))
    (path / "environment.json").write_text(json.dumps({"git": {"commit": "c0ffee" * 6, "dirty": False}}))
    monitor = f"val/{about['name']}_loss"
    metrics: dict[str, Any] = {
        "training": {"model": config["model"]["name"], "parameters": 1000, "seed": seed, "seconds": 61.0,
                     "epochs": 3, "best_epoch": 2, "monitor": [monitor, "min"], "best_value": 0.1},
        "outputs": [about],
        "data": {"name": "fake_set", "fingerprint": fingerprint, "split_hash": split_hash, "unit": "event",
                 "samples": dict.fromkeys(parts, n), "events": dict.fromkeys(parts, n), "excluded": 0},
    }  # fmt: skip
    for number, part in enumerate(parts):
        said = predictions(about, n, skill, seed + 1000 * number + int(1e6 * skill))
        measures = {name: one.to_dict() for name, one in said.measures().items()}
        metrics[part] = {about["name"]: {**measures, **said.details()}}
        name = "predictions.csv" if part == "test" else f"predictions_{part}.csv"
        write_predictions(path / name, {about["name"]: said})
        quantities = {"offset_km": np.linspace(100, 1000, n), "magnitude": np.tile([4.0, 5.0, 6.0], n)[:n]}
        rows = [one.row() for some in error_against(said, quantities).values() for one in some]
        write_table(path / "tables" / f"{about['name']}_{part}_error_against.csv", COLUMNS, rows)
    if located_km is not None:
        metrics["location"] = {"part": "test", "network": located(located_km), "s_minus_p": located(500.0)}
    (path / "metrics.json").write_text(json.dumps(metrics))
    rows = [f"{epoch},{epoch},{name},{1 / (epoch + 1) + 1 - skill}" for epoch in range(3)
            for name in (monitor, "val/loss", "train/loss")]  # fmt: skip
    (path / "metrics.csv").write_text("\n".join(["epoch,step,name,value", *rows, "9,9,val/lo"]))
    return path
