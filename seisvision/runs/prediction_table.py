"""The table of predictions of a run: written after an evaluation, read back to compare runs without any network."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seisvision.errors import DataError
from seisvision.evaluation.predictions import PREDICTIONS, Predictions
from seisvision.files import write_text

if TYPE_CHECKING:
    import pandas as pd

NO_CLASS = -1
"""Class number of samples without label, as outputs of classes have it."""

SAMPLE_COLUMNS = ("source_id", "trace_id", "station_network_code", "station_code")
"""Columns of ``predictions.csv`` that say what a row is about; the last three for single traces only."""

DECODED = {"scalar": ("sigma", "low68", "high68", "low95", "high95"), "angle": ("sigma",)}
"""Columns of ``predictions.csv`` behind the prediction, in the order in which outputs decode them."""


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
    import pandas as pd

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
