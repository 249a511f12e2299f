"""What a trained network says about samples, and how good that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.evaluation.predictions import PREDICTIONS, Predictions
from seisvision.tasks.class_output import NO_CLASS
from seisvision.tasks.output import Output
from seisvision.tasks.supervised import SupervisedTask


def predict(trainer: pl.Trainer, task: SupervisedTask, loader: DataLoader) -> dict[str, Predictions]:
    """Predictions of every output for all samples of a loader, in its order."""
    try:
        batches: list[Any] = trainer.predict(task, loader) or []
    except SystemExit:
        # Lightning turns Ctrl-C into an exit of its own.
        raise KeyboardInterrupt from None
    source_ids = [source_id for batch in batches for source_id in batch[keys.SOURCE_ID]]
    sample_ids = [sample_id for batch in batches for sample_id in batch.get(keys.TRACE_ID, batch[keys.SOURCE_ID])]
    predictions = {}
    for output in task.outputs:
        decoded = torch.cat([batch["decoded"][output.name] for batch in batches]).double().numpy()
        target = torch.cat([_target(batch, output) for batch in batches]).numpy()
        about = output.describe()
        predictions[output.name] = PREDICTIONS[output.kind].from_decoded(about, sample_ids, source_ids, target, decoded)
    return predictions


def _target(batch: dict[str, Any], output: Output) -> torch.Tensor:
    """True values of a batch; unknown where the data have no such column."""
    n = len(batch[keys.SOURCE_ID])
    unknown = torch.full((n,), NO_CLASS) if output.kind == "class" else torch.full((n,), torch.nan)
    return batch[keys.TARGETS].get(output.target, unknown)


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
