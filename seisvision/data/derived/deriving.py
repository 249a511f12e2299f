"""Derived columns of a whole set: which samples have them, fitted on those of the training, and put into its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from seisvision.base.sample_ids import row_numbers
from seisvision.data.derived.column import DerivedColumn, Fitted
from seisvision.data.samples.columns import PATH_COLUMNS
from seisvision.data.samples.paths import table_paths
from seisvision.data.sets.stored.texts import is_text
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError

Columns = Mapping[str, DerivedColumn]


def with_known(waveform_set: WaveformSet, columns: Columns) -> WaveformSet:
    """The set with 0 in every derived column where it will have a value, and NaN elsewhere: nothing is fitted yet."""
    known = {name: column.known(_table(waveform_set, column)) for name, column in columns.items()}
    return waveform_set.with_columns(
        {name: _of_rows(waveform_set, columns[name], np.where(one, 0.0, np.nan)) for name, one in known.items()}
    )


def fit_columns(waveform_set: WaveformSet, columns: Columns, training: Sequence[str], unit: str) -> dict[str, Fitted]:
    """What the samples of the training decide; nothing else is looked at.

    Args:
        waveform_set: the set.
        columns: derived columns by name.
        training: ids of the training part: of events, or of traces as ``unit`` says.
        unit: ``event`` or ``trace``.

    Raises:
        DataError: they are too few.
    """
    events = list(training)
    if unit != "event":
        rows = row_numbers(list(training))
        events = waveform_set.table["source_id"].iloc[rows].unique().tolist()
    else:
        rows = np.concatenate([waveform_set.rows(name) for name in events])
    fitted = {}
    for name, column in columns.items():
        table = _table(waveform_set, column)
        try:
            fitted[name] = column.fit(table.loc[events] if column.of_event else table.iloc[rows])
        except DataError as error:
            raise DataError(f"dataset.derive.{name} of {waveform_set.path}: {error}") from error
    return fitted


def with_derived(waveform_set: WaveformSet, columns: Columns, fitted: Mapping[str, Fitted]) -> WaveformSet:
    """The set with the derived columns in its table, by values that were fitted here or on another set."""
    if not columns:
        return waveform_set
    values = {name: column.apply(_table(waveform_set, column), fitted[name]) for name, column in columns.items()}
    return waveform_set.with_columns({name: _of_rows(waveform_set, columns[name], one) for name, one in values.items()})


def lacking(waveform_set: WaveformSet, column: DerivedColumn) -> list[str]:
    """Columns that a derived one is made of and that a set has not."""
    return [name for name in column.columns if name not in waveform_set.table and name not in PATH_COLUMNS]


def _table(waveform_set: WaveformSet, column: DerivedColumn) -> pd.DataFrame:
    """What a column is made of: a row an event, or a row a trace with what its coordinates say of its path."""
    if column.of_event:
        return waveform_set.event_table()
    whole = waveform_set.table
    table = whole.rows(slice(None), [name for name in whole if name in column.columns or not is_text(name)])
    if not set(column.columns) & set(PATH_COLUMNS):
        return table
    return table.assign(**dict(zip(PATH_COLUMNS, table_paths(table), strict=True)))


def _of_rows(waveform_set: WaveformSet, column: DerivedColumn, values: np.ndarray) -> np.ndarray:
    """Values of traces (N,) from those of events, or as they are."""
    if not column.of_event:
        return values
    events = waveform_set.event_table().index
    return values[events.get_indexer(waveform_set.table["source_id"])]
