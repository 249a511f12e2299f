"""What a trained network says about samples, and how good that is."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.data.labels import check_labels
from seisvision.data.targets import target_arrays, trace_target_arrays
from seisvision.data.traces import build_trace_index
from seisvision.data.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.output import Output
from seisvision.outputs.predictions import Predictions
from seisvision.tasks.exact import rank_and_size
from seisvision.tasks.supervised import SupervisedTask

log = logging.getLogger(__name__)


def predict(trainer: pl.Trainer, task: SupervisedTask, loader: DataLoader) -> dict[str, Predictions]:
    """Predictions of every output for all samples of a loader, in the order of its data set.

    Where several processes work together each predicts its share, and all return the whole.
    """
    try:
        batches: list[Any] = trainer.predict(task, loader) or []
    except SystemExit:
        # Lightning turns Ctrl-C into an exit of its own.
        raise KeyboardInterrupt from None
    batches = from_all_processes(batches)
    source_ids = [source_id for batch in batches for source_id in batch[keys.SOURCE_ID]]
    sample_ids = [sample_id for batch in batches for sample_id in batch.get(keys.TRACE_ID, batch[keys.SOURCE_ID])]
    rows = in_data_order(sample_ids, batches, loader)
    predictions = {}
    for output in task.outputs:
        decoded = torch.cat([batch["decoded"][output.name] for batch in batches])[rows].double().numpy()
        target = torch.cat([true_values(batch, output) for batch in batches])[rows].numpy()
        predictions[output.name] = predictions_class(output.kind).from_decoded(
            output.describe(), [sample_ids[row] for row in rows], [source_ids[row] for row in rows], target, decoded
        )
    return predictions


def from_all_processes(batches: list[Any]) -> list[Any]:
    """Batches of all processes, in all of them."""
    _, n_ranks = rank_and_size()
    if n_ranks == 1:
        return batches
    everywhere: list[Any] = [None] * n_ranks
    torch.distributed.all_gather_object(everywhere, batches)
    return [batch for of_rank in everywhere for batch in of_rank]


def in_data_order(sample_ids: list[str], batches: list[Any], loader: DataLoader) -> list[int]:
    """Rows of the samples that count, each once, in the order of the loader's data set."""
    if keys.COUNTS not in batches[0]:
        return list(range(len(sample_ids)))
    counts = torch.cat([batch[keys.COUNTS] for batch in batches]).tolist()
    row_of = {sample_id: row for row, sample_id in enumerate(sample_ids) if counts[row]}
    return [row_of[sample_id] for sample_id in loader.dataset.sample_ids]  # type: ignore[attr-defined]


def true_values(batch: dict[str, Any], output: Output) -> torch.Tensor:
    """True values of a batch; unknown where the data have no such column."""
    known = batch[keys.TARGETS].get(output.target)
    return known if known is not None else unknown_targets(output, len(batch[keys.SOURCE_ID]))


def unknown_targets(output: Output, n: int) -> torch.Tensor:
    """True values (n,) of samples that have none."""
    return torch.from_numpy(predictions_class(output.kind).unknown(n))


def with_targets(
    predictions: dict[str, Predictions], task: SupervisedTask, config: dict[str, Any], waveform_set: WaveformSet
) -> dict[str, Predictions]:
    """Add the true values of another set where it has them, classes in the numbers of the checkpoint."""
    known = {}
    for output in task.outputs:
        said = predictions[output.name]
        class_map = _known_classes(output, config) if "class_names" in output.describe() else None
        try:
            target = _targets(said, output.target, class_map, waveform_set, task.view.unit)
        except DataError as error:
            log.warning("%s is predicted but cannot be measured: %s", output.name, error)
        else:
            said = type(said).from_decoded(said.about, said.sample_ids, said.source_ids, target, said.decoded)
        known[output.name] = said
    return known


def _targets(
    said: Predictions, column: str, class_map: dict[str, int] | None, waveform_set: WaveformSet, unit: str
) -> np.ndarray:
    """True values (N,) of the samples of a set; a DataError where it has no such column."""
    targets = {column: class_map}
    if unit == "event":
        return target_arrays(waveform_set, said.source_ids, targets)[column]
    rows = np.array([int(sample_id) for sample_id in said.sample_ids])
    return trace_target_arrays(waveform_set, rows, build_trace_index(waveform_set, rows).paths, targets)[column]


def _known_classes(output: Output, config: dict[str, Any]) -> dict[str, int]:
    """Values of the other set's column and the class numbers of the checkpoint that they mean."""
    labels = {name: values for name, values in (config["dataset"]["labels"].get(output.target) or {}).items() if values}
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
        train_targets: true values of the training samples by target, for guesses to compare with; may be empty.
    """
    measured: dict[str, Any] = {}
    for name, said in predictions.items():
        if said.n_labelled:
            measures = said.measures(level, train_target=train_targets.get(outputs[name].target))
            plain = {measure: value.to_dict() for measure, value in measures.items()}
            measured[name] = {**plain, **said.details()}
    return measured
