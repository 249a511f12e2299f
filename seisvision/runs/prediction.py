"""What a trained network says about events, and how good that is."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.evaluation.classification import classification_metrics, confusion_matrix
from seisvision.evaluation.comparison import ClassPredictions
from seisvision.runs.folder import write_text
from seisvision.tasks.class_output import NO_CLASS
from seisvision.tasks.supervised import SupervisedTask


def predict(trainer: pl.Trainer, task: SupervisedTask, loader: DataLoader) -> dict[str, ClassPredictions]:
    """Predictions of every output for all events of a loader, in its order."""
    try:
        batches: list[Any] = trainer.predict(task, loader) or []
    except SystemExit:
        # Lightning turns Ctrl-C into an exit of its own.
        raise KeyboardInterrupt from None
    source_ids = [source_id for batch in batches for source_id in batch[keys.SOURCE_ID]]
    predictions = {}
    for output in task.outputs:
        probability = torch.cat([batch["decoded"][output.name] for batch in batches])
        target = torch.cat([_target(batch, output.target) for batch in batches])
        predictions[output.name] = ClassPredictions(source_ids, target.numpy(), probability.double().numpy())
    return predictions


def _target(batch: dict[str, Any], column: Any) -> torch.Tensor:
    """Class numbers of a batch; of unlabelled events where the data have no such column."""
    unlabelled = torch.full((len(batch[keys.SOURCE_ID]),), NO_CLASS)
    return batch[keys.TARGETS].get(column, unlabelled)


def measure(
    task: SupervisedTask,
    predictions: dict[str, ClassPredictions],
    level: float,
    train_targets: dict[str, np.ndarray],
) -> dict[str, Any]:
    """Metrics with intervals and the confusion matrix of every output, as plain values.

    Args:
        task: gives the class names.
        predictions: by output.
        level: confidence level.
        train_targets: class numbers of the training events by target, for the majority guess; may be empty.
    """
    measured = {}
    for output in task.outputs:
        said = predictions[output.name]
        if not (said.target >= 0).any():
            continue
        measures = classification_metrics(
            said.target,
            said.probability,
            output.class_names,
            level,
            train_target=train_targets.get(output.target),
        )
        known = said.target >= 0
        measured[output.name] = {
            **{name: value.to_dict() for name, value in measures.items()},
            "confusion": confusion_matrix(
                said.target[known],
                said.probability[known].argmax(axis=1),
                len(output.class_names),
            ),
        }
    return measured


def write_predictions(path: Path, task: SupervisedTask, predictions: dict[str, ClassPredictions]) -> None:
    """Write one row per event: id, then target, prediction and class probabilities of every output."""
    outputs: Sequence[Any] = list(task.outputs)
    header = ["source_id"]
    for output in outputs:
        header += [f"{output.name}_target", f"{output.name}_prediction"]
        header += [f"{output.name}_probability_{class_name}" for class_name in output.class_names]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row, source_id in enumerate(predictions[outputs[0].name].source_ids):
        cells: list[Any] = [source_id]
        for output in outputs:
            said = predictions[output.name]
            target = said.target[row]
            cells.append(output.class_names[target] if target >= 0 else "")
            cells.append(output.class_names[said.probability[row].argmax()])
            cells += [f"{probability:.6g}" for probability in said.probability[row]]
        writer.writerow(cells)
    write_text(path, text.getvalue())
