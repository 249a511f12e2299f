"""The baselines of a run: on its own split, cached beside the data, compared sample by sample."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.base.units import unit_named
from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.evaluation.force_azimuth import ForceAzimuthEstimator
from seisvision.experiments.waveforms.hand_made import feature_settings, features_key
from seisvision.experiments.waveforms.settings import Settings
from seisvision.judging.baselines import (
    Choice,
    Features,
    Part,
    asked_beside,
    choose_strongest,
    fit_output,
    make_features,
    with_stations,
)
from seisvision.judging.stored_baselines import FILE, StoredBaselines
from seisvision.outputs.baseline import Baseline
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.output import Output
from seisvision.outputs.predictions import Predictions
from seisvision.tasks.supervised import SupervisedTask

log = logging.getLogger(__name__)

FORCE_AZIMUTH = "source_force_azimuth_deg"
STATION_COLUMNS = ("station_network_code", "station_code")


def compare_with_baselines(
    config: Settings,
    data: EventDataModule,
    task: SupervisedTask,
    predictions: Mapping[str, Mapping[str, Predictions]],
    folder: Path | None = None,
) -> dict[str, Any]:
    """Baselines of every output, and how far the network is from each on the same samples.

    Args:
        config: resolved configuration of the run.
        data: the parts; baselines are fitted on the training samples alone.
        task: gives outputs and classes.
        predictions: of the network, by part and output.
        folder: takes ``baselines.npz``, what they were fitted on, for evaluations on other sets.

    Returns:
        ``baselines``: by output and baseline; ``strongest_baseline``: by output, the name of the one to beat and where
        it was chosen, never on test samples; ``differences``: headline measure of the network minus that of the
        baseline, by part, output and baseline, with the paired interval and a p-value, on the samples that both answer.
    """
    log.info("baselines on the same split")
    level = config.level
    fitted: dict[str, dict[str, Baseline]] = {}
    choices: dict[str, Choice | None] = {}
    tables: dict[str, Any] = {}
    for output in task.outputs:
        features = _features(config, data, output.describe())
        said = {part: one[output.name] for part, one in predictions.items()}
        fitted[output.name], choices[output.name] = _fit(config, data, output, features, said)
        tables |= features.together
    if folder is not None:
        _store(folder / FILE, config, data, task, tables, choices)
    return {
        "baselines": {name: {one: b.to_dict() for one, b in some.items()} for name, some in fitted.items()},
        "strongest_baseline": {
            name: {"name": choice.name, "chosen_on": choice.chosen_on} for name, choice in choices.items() if choice
        },
        "differences": {
            part: {name: differences(said[name], fitted[name], part, level) for name in fitted}
            for part, said in predictions.items()
        },
    }


def differences(
    said: Predictions, baselines: Mapping[str, Baseline], part: str, level: float
) -> dict[str, dict[str, Any]]:
    """Headline measure of a network minus that of each baseline on the samples of a part, paired."""
    return {
        name: said.difference(baseline.predictions[part], level)
        for name, baseline in baselines.items()
        if not baseline.skipped
    }


def class_weight(output: Output) -> Any:
    """``balanced`` where the loss is weighted by inverse class frequency."""
    return "balanced" if getattr(output, "weights_are_automatic", False) else None


def _features(config: Settings, data: EventDataModule, about: Mapping[str, Any]) -> Features:
    dataset = data.variant(list(data.parts), components=keys.COMPONENTS)
    features = make_features(
        dataset,
        data.unit,
        about,
        feature_settings(config),
        cache_dir=config.system.features_dir,
        key=features_key(config, data, len(dataset)),
    )
    return with_stations(features, dataset, STATION_COLUMNS) if unit_named(data.unit).numbers_rows else features


def _fit(
    config: Settings, data: EventDataModule, output: Output, features: Features, said: Mapping[str, Predictions]
) -> tuple[dict[str, Baseline], Choice | None]:
    """Fit the baselines that belong to the kind of the output, and choose the one to beat."""
    about, level, seed = output.describe(), config.level, config.seed
    settings: dict[str, Any] = {"class_weight": class_weight(output), "level": level, "seed": seed}
    evaluated = list(said)
    parts = {part: data.parts[part] for part in ("train", *evaluated)}
    fitted = fit_output(features, about, parts, **settings) | asked_beside(said, level)
    if output.target == FORCE_AZIMUTH and data.unit == "event":
        judged = {part: parts[part] for part in evaluated}
        dataset = data.variant(evaluated, components=keys.COMPONENTS)
        fitted["linear_physics"] = linear_physics(dataset, about, judged, level)

    def refit(some: Mapping[str, Part]) -> Mapping[str, Baseline]:
        return fit_output(features, about, some, **settings)

    return fitted, choose_strongest(fitted, parts["train"], refit, seed)


def _store(
    path: Path,
    config: Settings,
    data: EventDataModule,
    task: SupervisedTask,
    tables: Mapping[str, Any],
    choices: Mapping[str, Choice | None],
) -> None:
    train = data.parts["train"]
    outputs = {}
    for output in task.outputs:
        choice = choices[output.name]
        outputs[output.name] = {
            "class_weight": class_weight(output),
            "strongest": choice and choice.name,
            "chosen_on": choice and choice.chosen_on,
        }
    part = Part(train.ids, train.targets)
    StoredBaselines(part, tables, feature_settings(config), outputs, config.seed).write(path)


def linear_physics(dataset: Any, about: Mapping[str, Any], parts: Mapping[str, Any], level: float) -> Baseline:
    """Force azimuths by weighted least squares on back-propagated surface waves; nothing is learnt."""
    estimator, kind = ForceAzimuthEstimator(), predictions_class(about["kind"])
    azimuth_deg: dict[str, float] = {}
    for batch in DataLoader(dataset, batch_size=32, collate_fn=collate_events):
        azimuth_deg |= dict(zip(batch[keys.SOURCE_ID], estimator(batch).azimuth_deg.tolist(), strict=True))
    said: dict[str, Predictions] = {}
    for part, samples in parts.items():
        found = np.array([azimuth_deg[source_id] for source_id in samples.ids.source_ids])
        decoded = np.stack([found, np.full(len(found), np.nan)], axis=1)
        target = samples.targets[FORCE_AZIMUTH]
        said[part] = kind.from_decoded(about, samples.ids, target, decoded)
    metrics = {part: one.measures(level) for part, one in said.items()}
    return Baseline("linear_physics", "least squares for the force on back-propagated surface waves", [], metrics, said)
