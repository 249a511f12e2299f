"""The table of predictions of a run: written after an evaluation, read back to compare runs without any network."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seisvision import keys, spreadsheets
from seisvision.base.sample_ids import SampleIds
from seisvision.base.units import EVENT, unit_of_columns
from seisvision.errors import DataError
from seisvision.files import write_text
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.predictions import Predictions
from seisvision.plain_files import check_file

if TYPE_CHECKING:
    import pandas as pd


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
        metadata: the set's table, where the ids of samples number its rows; else ``None`` will do.
        marks: further columns about the samples, before the outputs.

    Raises:
        DataError: the samples are rows of a table, and it is not given or another one.
    """
    write_columns(path, prediction_columns(predictions, metadata, marks))


def prediction_columns(
    predictions: Mapping[str, Predictions],
    metadata: pd.DataFrame | None = None,
    marks: Mapping[str, Sequence[Any]] | None = None,
) -> dict[str, Any]:
    """Columns of the table that :func:`write_predictions` writes, and which says what is asked."""
    columns = sample_columns(next(iter(predictions.values())).ids, metadata) | dict(marks or {})
    for name, said in predictions.items():
        told = said.columns() | {column: values.tolist() for column, values in said.apart.items()}
        columns |= {f"{name}_{column}": values for column, values in told.items()}
    return columns


def write_columns(path: Path, columns: Mapping[str, Any]) -> None:
    """Write what :func:`prediction_columns` gave."""
    text = io.StringIO()
    writer = spreadsheets.Writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    write_text(path, text.getvalue())


def sample_columns(ids: SampleIds, metadata: pd.DataFrame | None) -> dict[str, Any]:
    """Columns that tell N samples: event, id and, of single traces, their station.

    Args:
        ids: the samples.
        metadata: the set's table, where the ids number its rows; else ``None`` will do.

    Raises:
        DataError: the samples are rows of a table, and it is not given or another one.
    """
    columns: dict[str, Any] = {"source_id": ids.source_ids, ids.kind.id_column: ids.ids}
    if ids.kind.row_columns:
        if metadata is None:
            raise DataError(f"{ids.kind.plural} are told by their rows of the metadata table. Give that table.")
        rows = ids.table(metadata)
        columns |= {name: rows[name].tolist() for name in ids.kind.row_columns if name in rows}
    return columns


def read_predictions(path: Path, about: Mapping[str, Any]) -> Predictions:
    """Read the predictions of one output back from what :func:`write_predictions` wrote.

    Args:
        path: the CSV.
        about: the output, as its ``describe`` gives it.

    Raises:
        DataError: the file is damaged, holds no such output, or names a class that the output does not have.
    """
    name, kind = about["name"], predictions_class(about["kind"])
    needed = [f"{name}_{column}" for column in kind.needed_columns(about)]
    numbers = [f"{name}_{column}" for column in kind.number_columns(about)]
    told_apart = {column: f"{name}_{column}" for column in kind.apart_names}
    try:
        table = _read_cells(path, [*numbers, *told_apart.values()])
        missing = [column for column in ("source_id", *needed) if column not in table]
        if missing:
            raise DataError(
                f"{path} holds no predictions of '{name}' ({missing[0]} is missing); evaluate that output again"
            )
        told = [kind.read_targets(about, table[f"{name}_{one}"].tolist()) for one in kind.target_columns(about)]
        target = told[0] if len(told) == 1 else np.stack(told, axis=1)
    except (ValueError, TypeError, OverflowError) as error:
        said = " ".join(str(error).split())[:200]
        raise DataError(f"{path} is no table of predictions ({said}); evaluate that run again") from error
    decoded = table.reindex(columns=numbers).to_numpy(dtype=float)
    unit = unit_of_columns(list(table)) or EVENT
    ids = SampleIds(unit.name, table[unit.id_column].tolist(), table[keys.SOURCE_ID].tolist())
    apart = {name: table[column].to_numpy(dtype=float) for name, column in told_apart.items() if column in table}
    return kind.from_decoded(about, ids, target, decoded, apart)


def read_sample_ids(path: Path) -> frozenset[str]:
    """Ids of the samples of a table of predictions, whatever its samples are.

    Raises:
        DataError: the file has no ids.
        OSError: it cannot be read.
    """
    check_file(path)
    with path.open(encoding="utf-8", newline="") as lines:
        rows = spreadsheets.Reader(lines)
        try:
            head = next(rows, [])
            unit = unit_of_columns(head)
            if unit is None:
                raise DataError(f"{path} has no column source_id; evaluate that run again")
            number = head.index(unit.id_column)
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
        # The word nan is a number to some versions of pandas and none to others.
        table[column] = pd.to_numeric(table[column].where(table[column] != ""))
    return table


def _cell(value: Any) -> Any:
    """Numbers in six digits, nothing where there is none."""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value
