"""What a network is to predict, from columns of the metadata table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError, did_you_mean

ClassMap = Mapping[Any, int]


def target_arrays(
    waveform_set: WaveformSet, source_ids: Sequence[str], targets: Mapping[str, ClassMap | None]
) -> dict[str, np.ndarray]:
    """Return per target column int64 class numbers (-1: not in the map) or float32 values (NaN: none), (N,).

    Values and class map are compared as text.

    Raises:
        DataError: the set has no such column.
    """
    if not targets:
        return {}
    table = waveform_set.event_table().loc[list(source_ids)]
    return {column: _target(event_column(table, column, waveform_set), classes) for column, classes in targets.items()}


def trace_target_arrays(
    waveform_set: WaveformSet,
    rows: np.ndarray,
    paths: Mapping[str, np.ndarray],
    targets: Mapping[str, ClassMap | None],
) -> dict[str, np.ndarray]:
    """Return the targets of single traces (N,), as :func:`target_arrays` does for events.

    Args:
        waveform_set: the set.
        rows: (N,) metadata rows.
        paths: columns that are known even where the table lacks them (distance, azimuths), (N,) each.
        targets: column to class map or ``None``. What the table says of the event (``source_*``) is taken from the
            first trace that says it, any other column from the trace itself.

    Raises:
        DataError: the set has no such column.
    """
    return {
        column: _target(trace_column(waveform_set, rows, paths, column), classes) for column, classes in targets.items()
    }


def trace_column(
    waveform_set: WaveformSet, rows: np.ndarray, paths: Mapping[str, np.ndarray], column: str
) -> pd.Series:
    """Return one column for single traces (N,); see :func:`trace_target_arrays`."""
    if column in paths:
        return pd.Series(paths[column])
    table = waveform_set.table
    if column.startswith("source_"):
        events = waveform_set.event_table()
        return event_column(events, column, waveform_set).loc[table["source_id"].iloc[rows]]
    if column not in table:
        names = sorted({*(str(name) for name in table.columns), *paths})
        raise DataError(f"{waveform_set.path} has no column '{column}'. {did_you_mean(column, names)}")
    return table[column].iloc[rows]


def event_column(table: pd.DataFrame, column: str, waveform_set: WaveformSet) -> pd.Series:
    """Return a column of the event table.

    Raises:
        DataError: there is no such column.
    """
    if column not in table:
        names = [str(name) for name in table.columns]
        raise DataError(f"{waveform_set.path} has no event column '{column}'. {did_you_mean(column, names)}")
    return table[column]


def _target(values: pd.Series, class_map: ClassMap | None) -> np.ndarray:
    if class_map is None:
        return pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float32, na_value=np.nan)
    number_of = {str(value): int(number) for value, number in class_map.items()}
    return np.array([number_of.get(str(value), -1) for value in values], dtype=np.int64)
