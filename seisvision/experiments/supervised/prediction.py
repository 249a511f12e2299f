"""What a trained network says about samples, and how good that is."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.data.samples.labels import check_labels
from seisvision.data.samples.traces import sample_targets
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.experiments.waveforms.asking import ask, from_all_processes, ids_in_data_order
from seisvision.experiments.waveforms.settings import Settings
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.output import Output
from seisvision.outputs.predictions import Predictions
from seisvision.outputs.truth import truth_of
from seisvision.tasks.supervised import SupervisedTask

log = logging.getLogger(__name__)


def predict(trainer: pl.Trainer, task: SupervisedTask, loader: DataLoader) -> dict[str, Predictions]:
    """Predictions of every output for all samples of a loader, in the order of its data set.

    Where several processes work together each predicts its share, and all return the whole.
    """
    return as_predictions(from_all_processes(ask(trainer, task, loader)), task, loader)


def as_predictions(batches: list[Any], task: SupervisedTask, loader: DataLoader) -> dict[str, Predictions]:
    """Predictions of every output from what ``predict_step`` returned for each batch of a loader, of all processes."""
    ids, rows = ids_in_data_order(task.view.unit, batches, loader)
    predictions = {}
    for output in task.outputs:
        decoded = torch.cat([batch["decoded"][output.name] for batch in batches])[rows].double().numpy()
        target = torch.cat([true_values(batch, output) for batch in batches])[rows].numpy()
        kind = predictions_class(output.kind)
        said = kind.from_decoded(output.describe(), ids, target, decoded)
        told = [batch["apart"][output.name] for batch in batches]
        apart = {name: torch.cat([one[name] for one in told])[rows].double().numpy() for name in told[0]}
        predictions[output.name] = replace(said, apart=apart)
    return predictions


def true_values(batch: dict[str, Any], output: Output) -> torch.Tensor:
    """True values of a batch as ``predict_step`` gives it; unknown where the data have no such columns."""
    known = batch["truth"].get(output.name)
    return known if known is not None else unknown_targets(output, len(batch[keys.SOURCE_ID]))


def unknown_targets(output: Output, n: int) -> torch.Tensor:
    """True values (n,) or (n, D) of samples that have none."""
    unknown = torch.from_numpy(predictions_class(output.kind).unknown(n))
    return unknown if len(output.columns) < 2 else unknown[:, None].repeat(1, len(output.columns))


def with_targets(
    predictions: dict[str, Predictions], task: SupervisedTask, config: Settings, waveform_set: WaveformSet
) -> dict[str, Predictions]:
    """Add the true values of another set where it has them, classes in the numbers of the checkpoint."""
    known = {}
    for output in task.outputs:
        said = predictions[output.name]
        if not output.columns:
            # What the network saw is the truth, and was predicted with.
            known[output.name] = said
            continue
        class_map = _known_classes(output, config) if "class_names" in output.describe() else None
        try:
            found = sample_targets(waveform_set, said.ids, dict.fromkeys(output.columns, class_map))
        except DataError as error:
            log.warning("%s is predicted but cannot be measured: %s", output.name, error)
        else:
            target = output.truth({keys.TARGETS: {name: torch.from_numpy(one) for name, one in found.items()}})
            said = replace(said, target=target.numpy())
        known[output.name] = said
    return known


def _known_classes(output: Output, config: Settings) -> dict[str, int]:
    """Values of the other set's column and the class numbers of the checkpoint that they mean."""
    labels = {name: values for name, values in (config.dataset.labels.get(output.target) or {}).items() if values}
    check_labels(labels, output.target)
    number_of = {class_name: number for number, class_name in enumerate(output.describe()["class_names"])}
    unknown = [class_name for class_name in labels if class_name not in number_of]
    if unknown:
        raise ConfigurationError(
            f"dataset.labels.{output.target} names the class '{unknown[0]}', which the checkpoint does not know. "
            f"{did_you_mean(unknown[0], list(number_of))}"
        )
    return {str(value): number_of[name] for name, values in labels.items() for value in values}


def measure(
    predictions: Mapping[str, Predictions],
    outputs: Mapping[str, Output],
    level: float,
    train_targets: Mapping[str, Any],
) -> dict[str, Any]:
    """Measures with intervals and details (curves, matrices, what a table shows) of every output, as plain values.

    Args:
        predictions: by output name; outputs without any true value are left out.
        outputs: by name.
        level: confidence level.
        train_targets: true values of the training samples by column, for guesses to compare with; may be empty.
    """
    measured: dict[str, Any] = {}
    for name, said in predictions.items():
        if said.n_labelled:
            is_known = set(outputs[name].columns) <= train_targets.keys()
            train_target = truth_of(said.about, train_targets) if is_known else None
            measures = said.measures(level, train_target=train_target)
            plain = {measure: value.to_dict() for measure, value in measures.items()}
            measured[name] = {**plain, **said.details()}
    return measured
