"""What simpler ways of clustering find in the same samples: a network that does not beat them has learnt nothing."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from seisvision import keys
from seisvision.clustering.features import fit_preparation
from seisvision.clustering.kmeans import Clustering, agreement
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.errors import DataError
from seisvision.evaluation.agreement import agreement_difference, agreement_measures
from seisvision.evaluation.baselines.feature_table import compute_feature_table
from seisvision.experiments.clustering.found import Extracted, KnownClasses, extract
from seisvision.experiments.waveforms.hand_made import feature_settings, features_key
from seisvision.experiments.waveforms.network import build_task
from seisvision.experiments.waveforms.settings import Settings
from seisvision.runs.trainers import build_predictor
from seisvision.tasks.deep_cluster import DeepClusterTask

log = logging.getLogger(__name__)

DESCRIPTIONS = {
    "band_power": "k-means on log power in frequency bands",
    "physics": "k-means on P, S, Rayleigh and Love power ratios; knows origin time and offsets",
    "spectral_ratio": "k-means on the log power ratio of two frequency bands",
    "pictures": "k-means on principal components of the pictures as drawn",
    "pictures_seen": "k-means on the pictures behind the fixed front end, prepared like the features of the network",
    "untrained": "k-means on the features of the network before its training, prepared like those after it",
}
HAND_MADE = {"event": ("band_power", "physics"), "trace": ("spectral_ratio",)}
"""Kinds of features by what a sample is."""
MOST_VALUES = 1e8
"""Pictures of all samples together are made coarser until they have no more values than this."""


def compare_with_simple_clusters(
    config: Settings,
    data: EventDataModule,
    task: DeepClusterTask,
    found: Extracted,
    clustering: Clustering,
    known: Mapping[str, KnownClasses],
) -> dict[str, Any]:
    """k-means at the same K on hand-made features, on pictures and on features of the untrained network.

    Returns:
        ``baselines``: by name, agreement with the known classes and with the clusters of the run; ``differences``: by
        column and baseline, adjusted Rand index of the run minus that of the baseline, paired.
    """
    log.info("k-means without training, on the same samples")
    level, epochs = config.level, config.trainer.max_epochs
    drawn = _pictures(task, data, torch.nn.Identity())
    points = _hand_made(config, data, found)
    points["pictures"] = fit_preparation(drawn, task.pca_dim, whiten=False, normalise=False)(drawn)
    if not isinstance(task.front, torch.nn.Identity):
        points["pictures_seen"] = task.prepare_points(_pictures(task, data, task.front))[1]
    points["untrained"] = _untrained(config, data, task)
    baselines: dict[str, Any] = {}
    differences: dict[str, Any] = {column: {} for column in known}
    for name, values in points.items():
        if isinstance(values, str):
            baselines[name] = {"description": DESCRIPTIONS[name], "skipped": values}
            continue
        # Made like the final clusters of the run: as many starts, from the same seed.
        simple = task.cluster(values, epochs)
        baselines[name] = {
            "description": DESCRIPTIONS[name],
            "skipped": None,
            "sizes": simple.sizes.tolist(),
            "nmi_with_clusters": agreement(simple.labels, clustering.labels),
            "agreement": {
                column: {
                    measure: value.to_dict()
                    for measure, value in agreement_measures(
                        simple.labels, classes.numbers, found.ids.source_ids, level
                    ).items()
                }
                for column, classes in known.items()
            },
        }
        for column, classes in known.items():
            differences[column][name] = agreement_difference(
                clustering.labels, simple.labels, classes.numbers, found.ids.source_ids, level
            )
    return {"baselines": baselines, "differences": differences}


def _hand_made(config: Settings, data: EventDataModule, found: Extracted) -> dict[str, np.ndarray | str]:
    """Standardised hand-made features (N, F), missing values at the median; or why there are none."""
    dataset = data.variant(["train"], components=keys.COMPONENTS)
    settings = feature_settings(config)
    made: dict[str, np.ndarray | str] = {}
    for kind in HAND_MADE.get(data.unit, ()):
        try:
            table = compute_feature_table(
                dataset,
                kind,
                settings.get(kind),
                config.system.features_dir,
                features_key(config, data, len(dataset)),
            )
        except DataError as error:
            log.info("k-means on %s is left out: %s", kind, error)
            made[kind] = str(error)
        else:
            made[kind] = _standardised(table.select(found.ids.ids))
    return made


def _standardised(values: np.ndarray) -> np.ndarray:
    middle = np.nan_to_num(np.nanmedian(values, axis=0))
    values = np.where(np.isfinite(values), values, middle)
    return (values - values.mean(0)) / np.maximum(values.std(0), 1e-12)


def _pictures(task: DeepClusterTask, data: EventDataModule, front: torch.nn.Module) -> np.ndarray:
    """Pixels (N, F) of the pictures behind a fixed layer."""
    n_values = len(data.parts["train"]) * math.prod(task.view.image_shape)
    is_line = len(task.view.image_shape) == 2
    pool = torch.nn.functional.avg_pool1d if is_line else torch.nn.functional.avg_pool2d
    coarser = max(1, math.ceil((n_values / MOST_VALUES) ** (1 if is_line else 1 / 2)))
    rows = []
    with torch.inference_mode():
        for batch in data.loader("train"):
            rows.append(pool(front(task.view(batch)), coarser).flatten(1).numpy())
    return np.concatenate(rows)


def _untrained(config: Settings, data: EventDataModule, task: DeepClusterTask) -> np.ndarray:
    """Points (N, P) that the network made before its first step."""
    fresh = build_task(config, task.view)
    trained = config.trainer
    trainer = build_predictor(trained, config.system, trained.accelerator, trained.devices)
    return task.prepare_points(extract(trainer, fresh, data.loader("train")).features)[1]
