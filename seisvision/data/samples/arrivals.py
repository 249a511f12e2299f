"""P and S of each trace, as the metadata table gives them: picks, or times that a generator knows."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

PHASES = ("P", "S")
SPELLINGS = {
    "P": (("p",), ("pn", "pb", "pg", "p1", "pdiff", "pkp", "pkikp")),
    "S": (("s",), ("sn", "sb", "sg", "s1", "sdiff")),
}
"""Columns ``trace_X_arrival_sample`` of each phase, in any case: first X by itself, then the earliest by its path, as
ETHZ and GEOFON name them."""
FURTHER = re.compile(r"trace_(?P<phase>[ps])_arrival_(?P<number>\d+)_sample")
"""Columns of the second event in a recording, the third, ..."""
THEORETICAL = "theoretical"
"""``trace_p_status`` of a time that was computed and not observed: an arrival, but no onset that anybody found."""


def column_numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column as float64 (N,), NaN where the table gives no number."""
    if column not in table:
        return np.full(len(table), np.nan)
    return pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def table_arrivals_s(table: pd.DataFrame, n_samples: np.ndarray | None = None) -> np.ndarray:
    """P and S after the start of each trace, seconds, float64 (N, 2); NaN where none is known.

    Args:
        table: N rows of the metadata.
        n_samples: (N,) length of the recordings, -1 where not known; arrivals outside them are NaN.
    """
    rate_hz = column_numbers(table, "trace_sampling_rate_hz")
    arrivals_s = np.stack([_phase_s(table, phase, rate_hz) for phase in PHASES], axis=1)
    if n_samples is None:
        return arrivals_s
    length_s = np.where(n_samples < 0, np.inf, n_samples / rate_hz)[:, None]
    return np.where((arrivals_s >= 0) & (arrivals_s < length_s), arrivals_s, np.nan)


def more_arrivals_s(table: pd.DataFrame, n_samples: np.ndarray) -> np.ndarray:
    """P and S of further events in each recording, seconds after its start, float64 (N, E, 2); NaN for none.

    Columns ``trace_p_arrival_2_sample`` and ``trace_s_arrival_2_sample`` tell those of the second event, and so on.

    Args:
        table: N rows of the metadata.
        n_samples: (N,) length of the recordings; arrivals outside them are NaN.
    """
    told = [FURTHER.fullmatch(str(column).lower()) for column in table.columns]
    numbers = sorted({int(match["number"]) for match in told if match})
    rate_hz = column_numbers(table, "trace_sampling_rate_hz")
    found = np.full((len(table), len(numbers), len(PHASES)), np.nan)
    for column, match in zip(table.columns, told, strict=True):
        if match:
            place = numbers.index(int(match["number"])), PHASES.index(match["phase"].upper())
            found[:, *place] = column_numbers(table, str(column)) / rate_hz
    length_s = (n_samples / rate_hz)[:, None, None]
    return np.where((found >= 0) & (found < length_s), found, np.nan)


def observed_arrival_s(table: pd.DataFrame, phase: str) -> np.ndarray:
    """``P`` or ``S`` that somebody picked, after the start of each trace, seconds (N,); NaN where none was."""
    picked_s = _picked_s(table, phase, column_numbers(table, "trace_sampling_rate_hz"))
    return np.where(_is_theoretical(table, phase), np.nan, picked_s)


def _phase_s(table: pd.DataFrame, phase: str, rate_hz: np.ndarray) -> np.ndarray:
    picked_s = _picked_s(table, phase, rate_hz)
    if "source_set" in table:
        # Earlier versions combined sets without moving the times below.
        return picked_s
    # Local sets made by earlier versions hold the times under this name only.
    computed_s = column_numbers(table, f"trace_theoretical_{phase.lower()}_s")
    return np.where(np.isnan(picked_s), computed_s, picked_s)


def _picked_s(table: pd.DataFrame, phase: str, rate_hz: np.ndarray) -> np.ndarray:
    found = np.full(len(table), np.nan)
    for names in SPELLINGS[phase]:
        columns = arrival_columns(table, names)
        if columns:
            earliest = np.fmin.reduce([column_numbers(table, column) for column in columns])
            found = np.where(np.isnan(found), earliest / rate_hz, found)
    return found


def arrival_columns(table: pd.DataFrame, names: tuple[str, ...]) -> list[str]:
    """Columns of a table that hold the arrivals of these phases (in small letters), whatever their case."""
    wanted = {f"trace_{name}_arrival_sample" for name in names}
    return [column for column in map(str, table.columns) if column.lower() in wanted]


def picked_columns(table: pd.DataFrame, phase: str) -> list[str | None]:
    """Of each row of a table the column that its pick of a phase comes from, None where no column holds one.

    Of several paths (Pn, Pg) that is the column of the earliest, which differs from row to row.
    """
    found: list[str | None] = [None] * len(table)
    for names in SPELLINGS[phase]:
        columns = arrival_columns(table, names)
        if columns:
            times = np.stack([column_numbers(table, column) for column in columns])
            earliest = np.where(np.isnan(times), np.inf, times).argmin(axis=0)
            for row in np.flatnonzero(~np.isnan(times).all(axis=0)):
                found[row] = found[row] or columns[earliest[row]]
    return found


def _is_theoretical(table: pd.DataFrame, phase: str) -> np.ndarray:
    columns = [column for column in map(str, table.columns) if column.lower() == f"trace_{phase.lower()}_status"]
    said = [table[column].astype(str).str.lower().eq(THEORETICAL).to_numpy(dtype=bool) for column in columns]
    return np.any(said, axis=0) if said else np.zeros(len(table), dtype=bool)
