"""The table of predictions of a run: written after an evaluation, read back to compare runs without any network."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seisvision import spreadsheets
from seisvision.errors import DataError
from seisvision.evaluation.predictions import PREDICTIONS, Predictions
from seisvision.files import write_text
from seisvision.plain_files import check_file

if TYPE_CHECKING:
    import pandas as pd

NO_CLASS = -1
"""Class number of samples without label, as outputs of classes have it."""

SAMPLE_COLUMNS = ("source_id", "trace_id", "station_network_code", "station_code")
"""Columns of ``predictions.csv`` that say what a row is about; the last three for single traces only."""

DECODED = {"scalar": ("sigma", "low68", "high68", "low95", "high95"), "angle": ("sigma",)}
"""Columns of ``predictions.csv`` behind the prediction, in the order in which outputs decode them."""


def write_predictions(
    path: Path,
    predictions: Mapping[str, Predictions],
    metadata: pd.DataFrame | None = None,
    marks: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Write one row per sample: what it is, then target and prediction of every output.

    Args:
        path: CSV to write.
        predictions: by output name, all of the same samples.
        metadata: table whose rows the ids of single traces number; ``None`` for samples that are events.
        marks: further columns about the samples, before the outputs.
    """
    first = next(iter(predictions.values()))
    columns: dict[str, Any] = {"source_id": first.source_ids}
    if metadata is not None:
        rows = metadata.iloc[[int(sample_id) for sample_id in first.sample_ids]]
        columns["trace_id"] = first.sample_ids
        columns |= {name: rows[name].tolist() for name in SAMPLE_COLUMNS if name in rows and name not in columns}
    columns |= marks or {}
    for name, said in predictions.items():
        columns |= {f"{name}_{column}": values for column, values in said.columns().items()}
    text = io.StringIO()
    writer = spreadsheets.Writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    write_text(path, text.getvalue())


def read_predictions(path: Path, about: Mapping[str, Any]) -> Predictions:
    """Read the predictions of one output back from what :func:`write_predictions` wrote.

    Args:
        path: the CSV.
        about: the output, as its ``describe`` gives it.

    Raises:
        DataError: the file is damaged, holds no such output, or names a class that the output does not have.
    """
    name, is_class = about["name"], about["kind"] == "class"
    columns = [f"probability_{one}" for one in about["class_names"]] if is_class else ["prediction"]
    needed = [f"{name}_{column}" for column in ("target", "prediction", *columns)]
    numbers = [f"{name}_{column}" for column in (*columns, *DECODED.get(about["kind"], ()))]
    try:
        table = _read_cells(path, [*numbers] if is_class else [*numbers, f"{name}_target"])
    except (ValueError, TypeError, OverflowError) as error:
        said = " ".join(str(error).split())[:200]
        raise DataError(f"{path} is no table of predictions ({said}); evaluate that run again") from error
    missing = [column for column in ("source_id", *needed) if column not in table]
    if missing:
        raise DataError(
            f"{path} holds no predictions of '{name}' ({missing[0]} is missing); evaluate that output again"
        )
    target = table[f"{name}_target"].to_numpy()
    if is_class:
        target = _class_numbers(target, [str(one) for one in about["class_names"]], path)
    decoded = table.reindex(columns=numbers).to_numpy(dtype=float)
    ids = table["trace_id"] if "trace_id" in table else table["source_id"]
    kind = PREDICTIONS[about["kind"]]
    return kind.from_decoded(about, ids.tolist(), table["source_id"].tolist(), target, decoded)


def read_sample_ids(path: Path) -> frozenset[str]:
    """Ids of the samples of a table of predictions: of traces where it has them, else of events.

    Raises:
        DataError: the file has no ids.
        OSError: it cannot be read.
    """
    check_file(path)
    with path.open(encoding="utf-8", newline="") as lines:
        rows = spreadsheets.Reader(lines)
        try:
            head = next(rows, [])
            column = next((name for name in ("trace_id", "source_id") if name in head), None)
            if column is None:
                raise DataError(f"{path} has no column source_id; evaluate that run again")
            number = head.index(column)
            return frozenset(row[number] for row in rows if len(row) > number)
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path} is no table of predictions ({error}); evaluate that run again") from error


def _read_cells(path: Path, numbers: Sequence[str]) -> pd.DataFrame:
    """The table as it was written: only the columns of numbers are numbers, and only there is nothing NaN.

    Left to itself, pandas would read classes called 1 and 2 as numbers, true as a boolean, and NA or None as nothing.
    """
    import pandas as pd

    check_file(path)
    spreadsheets.check_columns(path)
    table = spreadsheets.frame_from_cells(pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False))
    for column in set(numbers) & set(table):
        table[column] = pd.to_numeric(table[column].replace("", "nan"))
    return table


def _class_numbers(names: np.ndarray, class_names: Sequence[str], path: Path) -> np.ndarray:
    """int (N,): numbers of the classes that were written by name; those without label are empty.

    Raises:
        DataError: a name is none of the classes.
    """
    number_of = {"": NO_CLASS} | {name: number for number, name in enumerate(class_names)}
    unknown = sorted({str(name) for name in names} - number_of.keys())
    if unknown:
        raise DataError(
            f"{path} names the class '{unknown[0]}', which is none of {', '.join(class_names)}; evaluate that run again"
        )
    return np.array([number_of[name] for name in names], dtype=int)


def _cell(value: Any) -> Any:
    """Numbers in six digits, nothing where there is none."""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value
