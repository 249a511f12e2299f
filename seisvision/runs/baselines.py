"""The baselines of a run: on its own split, cached beside the data, compared sample by sample."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.data.datamodule import EventDataModule
from seisvision.data.samples import EventSamples
from seisvision.evaluation.baselines import Baseline, event_baselines
from seisvision.evaluation.predictions import PREDICTIONS, Predictions
from seisvision.keys import COMPONENTS
from seisvision.runs.build import sample_settings
from seisvision.tasks.output import Output
from seisvision.tasks.supervised import SupervisedTask

log = logging.getLogger(__name__)


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
        baseline, by part, output and baseline, with the paired interval and a p-value.
    """
    log.info("baselines on the same split")
    baselines: dict[str, Any] = {}
    differences: dict[str, Any] = {part: {} for part in predictions}
    for output in task.outputs:
        fitted = _fit(config, data, task, output, tuple(predictions))
        baselines[output.name] = {name: baseline.to_dict() for name, baseline in fitted.items()}
        for part, said in predictions.items():
            differences[part][output.name] = {
                name: said[output.name].difference(_as_said(baseline, part, output), config["evaluation"]["level"])
                for name, baseline in fitted.items()
                if not baseline.skipped
            }
    return {"baselines": baselines, "differences": differences}


def _as_said(baseline: Baseline, part: str, output: Output) -> Predictions:
    """Predictions of a baseline in the form of the network's."""
    said = baseline.predictions[part]
    kind = PREDICTIONS[output.kind]
    return kind.from_decoded(output.describe(), said.source_ids, said.source_ids, said.target, said.probability)


def _fit(
    config: Mapping[str, Any], data: EventDataModule, task: SupervisedTask, output: Any, evaluated: tuple[str, ...]
) -> dict[str, Baseline]:
    if output.kind != "class" or task.view.unit != "event":
        return {}
    settings = {**sample_settings(config, task.view, COMPONENTS), "seed": config["seed"]}
    ids = [source_id for events in data.parts.values() for source_id in events.source_ids]
    in_file_order = sorted(ids, key={name: i for i, name in enumerate(data.waveform_set.source_ids)}.__getitem__)
    dataset = EventSamples(data.waveform_set, in_file_order, **settings)
    asked = config["dataset"]["baselines"]
    key = json.dumps([data.waveform_set.fingerprint, config["dataset"]["samples"], config["seed"]], sort_keys=True)
    labels = {
        source_id: int(number)
        for events in data.parts.values()
        for source_id, number in zip(events.source_ids, events.targets[output.target], strict=True)
    }
    parts = {part: data.parts[part].source_ids for part in ("train", *evaluated)}
    return event_baselines(
        dataset,
        labels,
        parts,
        output.class_names,
        cache_dir=Path(config["system"]["data_dir"]) / "features",
        key=key,
        settings={"band_power": {"bands_hz": asked["bands_hz"]}},
        class_weight="balanced" if output.weights_are_automatic else None,
        level=config["evaluation"]["level"],
    )
