"""What a trained network says about samples, and how good that is."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.errors import DataError
from seisvision.evaluation.predictions import PREDICTIONS, Predictions
from seisvision.runs.folder import write_text
from seisvision.tasks.class_output import NO_CLASS
from seisvision.tasks.output import Output
from seisvision.tasks.supervised import SupervisedTask

SAMPLE_COLUMNS = ("source_id", "trace_id", "station_network_code", "station_code")
"""Columns of ``predictions.csv`` that say what a row is about; the last three for single traces only."""

DECODED = {"scalar": ("sigma", "low68", "high68", "low95", "high95"), "angle": ("sigma",)}
"""Columns of ``predictions.csv`` behind the prediction, in the order in which outputs decode them."""


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


def write_predictions(path: Path, predictions: Mapping[str, Predictions], metadata: pd.DataFrame | None = None) -> None:
    """Write one row per sample: what it is, then target and prediction of every output.

    Args:
        path: CSV to write.
        predictions: by output name, all of the same samples.
        metadata: table whose rows the ids of single traces number; ``None`` for samples that are events.
    """
    first = next(iter(predictions.values()))
    columns: dict[str, Any] = {"source_id": first.source_ids}
    if metadata is not None and first.sample_ids != first.source_ids:
        rows = metadata.iloc[[int(sample_id) for sample_id in first.sample_ids]]
        columns["trace_id"] = first.sample_ids
        columns |= {name: rows[name].tolist() for name in SAMPLE_COLUMNS if name in rows and name not in columns}
    for name, said in predictions.items():
        columns |= {f"{name}_{column}": values for column, values in said.columns().items()}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    write_text(path, text.getvalue())


def read_predictions(path: Path, about: Mapping[str, Any]) -> Predictions:
    """Read the predictions of one output back from what :func:`write_predictions` wrote.

    Args:
        path: the CSV.
        about: the output, as its ``describe`` gives it.

    Raises:
        DataError: the file holds no such output.
    """
    table = pd.read_csv(path, dtype={"source_id": str, "trace_id": str})
    name = about["name"]
    if f"{name}_prediction" not in table:
        raise DataError(f"{path} holds no predictions of '{name}'; evaluate that output again")
    target = table[f"{name}_target"]
    if about["kind"] == "class":
        number_of = {class_name: number for number, class_name in enumerate(about["class_names"])}
        target = target.map(number_of).fillna(NO_CLASS).astype(int)
        columns = [f"probability_{class_name}" for class_name in about["class_names"]]
    else:
        columns = ["prediction", *DECODED[about["kind"]]]
    decoded = table.reindex(columns=[f"{name}_{column}" for column in columns]).to_numpy(dtype=float)
    ids = table["trace_id"] if "trace_id" in table else table["source_id"]
    kind = PREDICTIONS[about["kind"]]
    return kind.from_decoded(about, ids.tolist(), table["source_id"].tolist(), target.to_numpy(), decoded)


def _cell(value: Any) -> Any:
    """Numbers in six digits, nothing where there is none."""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value
