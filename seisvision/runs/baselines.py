"""The baselines of a run: on its own split, cached beside the data, compared sample by sample."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.data.collate import collate_events
from seisvision.data.datamodule import EventDataModule
from seisvision.evaluation.baselines import Baseline, event_baselines, trace_baselines
from seisvision.evaluation.force_azimuth import ForceAzimuthEstimator
from seisvision.evaluation.predictions import AnglePredictions, Predictions
from seisvision.evaluation.scalar_baselines import regression_baselines
from seisvision.tasks.output import Output
from seisvision.tasks.supervised import SupervisedTask

log = logging.getLogger(__name__)

FORCE_AZIMUTH = "source_force_azimuth_deg"


def compare_with_baselines(
    config: Mapping[str, Any],
    data: EventDataModule,
    task: SupervisedTask,
    predictions: Mapping[str, Mapping[str, Predictions]],
) -> dict[str, Any]:
    """Baselines of every output, and how far the network is from each on the same samples.

    Args:
        config: resolved configuration of the run.
        data: the parts; baselines are fitted on the training samples alone.
        task: gives outputs and classes.
        predictions: of the network, by part and output.

    Returns:
        ``baselines``: by output and baseline; ``differences``: headline measure of the network minus that of the
        baseline, by part, output and baseline, with the paired interval and a p-value, on the samples that both answer.
    """
    log.info("baselines on the same split")
    baselines: dict[str, Any] = {}
    differences: dict[str, Any] = {part: {} for part in predictions}
    level = config["evaluation"]["level"]
    for output in task.outputs:
        fitted = _fit(config, data, output, tuple(predictions))
        baselines[output.name] = {name: baseline.to_dict() for name, baseline in fitted.items()}
        for part, said in predictions.items():
            differences[part][output.name] = {
                name: said[output.name].difference(baseline.predictions[part], level)
                for name, baseline in fitted.items()
                if not baseline.skipped
            }
    return {"baselines": baselines, "differences": differences}


def features_key(config: Mapping[str, Any], data: EventDataModule, n_samples: int) -> str:
    """All that stored features of the samples depend on."""
    section = "samples" if data.unit == "event" else "traces"
    cut = [data.unit, config["dataset"][section], config.get("offset_hash"), config["seed"], n_samples]
    return json.dumps([data.waveform_set.fingerprint, *cut], sort_keys=True)


def _fit(
    config: Mapping[str, Any], data: EventDataModule, output: Output, evaluated: tuple[str, ...]
) -> dict[str, Baseline]:
    """Fit the baselines that belong to the kind of the output."""
    about = output.describe()
    dataset = data.variant(list(data.parts), components=keys.COMPONENTS)
    bands_hz = config["dataset"]["baselines"]["bands_hz"]
    common: dict[str, Any] = {
        "cache_dir": Path(config["system"]["data_dir"]) / "features",
        "key": features_key(config, data, len(dataset)),
        "level": config["evaluation"]["level"],
    }
    parts = {part: data.parts[part] for part in ("train", *evaluated)}
    settings = {"band_power": {"bands_hz": bands_hz}}
    if output.kind != "class":
        fitted = regression_baselines(dataset, about, parts, settings=settings, **common)
        if output.target == FORCE_AZIMUTH and data.unit == "event":
            judged = {part: parts[part] for part in evaluated}
            dataset = data.variant(evaluated, components=keys.COMPONENTS)
            fitted["linear_physics"] = _linear_physics(dataset, about, judged, common["level"])
        return fitted
    common["class_weight"] = "balanced" if getattr(output, "weights_are_automatic", False) else None
    if data.unit == "trace":
        ratio_hz = config["dataset"]["baselines"].get("ratio_bands_hz") or [bands_hz[-1], bands_hz[0]]
        return trace_baselines(dataset, about, parts, bands_hz=ratio_hz, **common)
    labels = {
        source_id: int(number)
        for samples in data.parts.values()
        for source_id, number in zip(samples.source_ids, samples.targets[output.target], strict=True)
    }
    ids = {part: samples.source_ids for part, samples in parts.items()}
    return event_baselines(dataset, labels, ids, about["class_names"], settings=settings, **common)


def _linear_physics(dataset: Any, about: dict[str, Any], parts: Mapping[str, Any], level: float) -> Baseline:
    """Force azimuths by weighted least squares on back-propagated surface waves; nothing is learnt."""
    estimator = ForceAzimuthEstimator()
    azimuth_deg: dict[str, float] = {}
    for batch in DataLoader(dataset, batch_size=32, collate_fn=collate_events):
        azimuth_deg |= dict(zip(batch[keys.SOURCE_ID], estimator(batch).azimuth_deg.tolist(), strict=True))
    said: dict[str, Predictions] = {}
    for part, samples in parts.items():
        found = np.array([azimuth_deg[source_id] for source_id in samples.source_ids])
        decoded = np.stack([found, np.full(len(found), np.nan)], axis=1)
        target = samples.targets[FORCE_AZIMUTH]
        said[part] = AnglePredictions.from_decoded(about, samples.sample_ids, samples.source_ids, target, decoded)
    metrics = {part: one.measures(level) for part, one in said.items()}
    return Baseline("linear_physics", "least squares for the force on back-propagated surface waves", [], metrics, said)
