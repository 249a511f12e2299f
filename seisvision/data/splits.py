"""Draws splits: random, stratified, by whole groups, in time order, or in folds."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from seisvision.data.split import UNITS, Split, check_leakage
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.seeding import DEFAULT_SEED, numpy_stream

__all__ = ["Split", "check_leakage", "make_split"]

logger = logging.getLogger(__name__)


def make_split(
    table: pd.DataFrame,
    *,
    test_fraction: float = 0.2,
    val_fraction: float = 0.3,
    by: str = "event",
    stratify_by: str | None = None,
    seed: int = DEFAULT_SEED,
    fold: int | None = None,
    n_folds: int | None = None,
    unit: str = "event",
) -> Split:
    """Draw train, val and test.

    The default is the published protocol (Seismic Atlas, A-14 and A-15): uniformly random, not stratified,
    ``ceil(0.2 N)`` events to test, then ``ceil(0.3 (N - n_test))`` of the rest to val. With groups or strata, whole
    groups are dealt, largest first and otherwise in random order, each to the part that keeps the share of
    every class closest to the fractions asked for; sizes then follow as closely as the groups allow.

    Args:
        table: one row per id, the index being the id: ``WaveformSet.event_table()`` for events,
            ``WaveformSet.metadata`` for traces.
        test_fraction: share of all for test, 0 for none.
        val_fraction: share of the rest for val, 0 for none.
        by: what stays whole: ``"event"``, ``"station"`` (traces only), ``"time"`` (train before val before test),
            ``"trace"`` (nothing: traces of one event on both sides, which leaks; traces only) or any column,
            such as ``"source_cell"``. A row without a value is a group of its own.
        stratify_by: column whose classes keep their shares in every part.
        seed: base seed.
        fold: with ``n_folds``, which fold of what is left beside test is val. Test is the same in all folds.
        n_folds: number of folds, at least 2; replaces ``val_fraction``.
        unit: ``"event"`` or ``"trace"``.

    Raises:
        ConfigurationError: settings not allowed or not together.
        DataError: missing column, ids that repeat, or too few groups for the parts.
    """
    _check_settings(test_fraction, val_fraction, by, stratify_by, fold, n_folds, unit)
    ids = [str(name) for name in table.index]
    if not ids:
        raise DataError(
            f"there is nothing to split: no {unit} is left; check the class map, what is selected, the window"
        )
    if len(set(ids)) < len(ids):
        raise DataError(f"the table has {len(ids)} rows but {len(set(ids))} different ids; index it by {unit}")
    groups = _groups(table, ids, by, unit)
    classes = np.zeros(len(ids), dtype=int)
    if stratify_by is not None:
        classes, _ = pd.factorize(_column(table, stratify_by).astype(object).fillna("none").astype(str))
    if by == "time":
        order, group_sizes = _chronological(table, groups)
        test, rest = _last_groups(order, group_sizes, test_fraction)
        val, train = _last_groups(rest, group_sizes, val_fraction)
    elif stratify_by is None and len(set(groups)) == len(groups):
        test, rest = _take(numpy_stream(seed, "split").permutation(len(ids)), test_fraction)
        val, train = _folded(np.array_split(rest, n_folds), fold) if n_folds else _take(rest, val_fraction)
    else:
        test, rest = _deal(np.arange(len(ids)), [test_fraction, 1 - test_fraction], groups, classes, seed)
        shares = [1 / n_folds] * n_folds if n_folds else [val_fraction, 1 - val_fraction]
        dealt = _deal(rest, shares, groups, classes, seed)
        val, train = _folded(dealt, fold) if n_folds else dealt
    parts = {"train": train, "val": val, "test": test}
    _refuse_empty(parts, test_fraction, val_fraction, len(set(groups)), by)
    group_of = dict(zip(ids, groups, strict=True))
    return Split({name: tuple(ids[i] for i in chosen) for name, chosen in parts.items()}, unit, by, seed, group_of)


def _check_settings(
    test_fraction: float,
    val_fraction: float,
    by: str,
    stratify_by: str | None,
    fold: int | None,
    n_folds: int | None,
    unit: str,
) -> None:
    for name, value in (("test_fraction", test_fraction), ("val_fraction", val_fraction)):
        if not 0 <= value < 1:
            raise ConfigurationError(f"{name}={value} must lie in [0, 1)")
    if unit not in UNITS:
        raise ConfigurationError(f"unit='{unit}' is not known. {did_you_mean(unit, list(UNITS))}")
    if (fold is None) != (n_folds is None):
        raise ConfigurationError(f"fold={fold} and n_folds={n_folds} must be given together")
    if fold is not None and n_folds is not None and (n_folds < 2 or not 0 <= fold < n_folds):
        raise ConfigurationError(f"fold={fold} must lie in 0 to n_folds - 1, and n_folds={n_folds} be at least 2")
    if by == "time" and (stratify_by is not None or n_folds is not None):
        raise ConfigurationError("a split by time is neither stratified nor folded; drop stratify_by and n_folds")
    if by == "trace" and unit == "event":
        raise ConfigurationError("by='trace' deals single traces, but the samples are whole events; use by='event'")
    if by == "station" and unit == "event":
        raise ConfigurationError(
            "by='station' cannot split events: one event is recorded by many stations, and events that share a "
            "station would lie on both sides; split traces by station (unit='trace'), or events by 'source_cell'"
        )


def _column(table: pd.DataFrame, name: str, hint: str = "") -> pd.Series:
    if name not in table:
        raise DataError(
            f"the set has no column '{name}'. {did_you_mean(name, [str(column) for column in table])}{hint}"
        )
    return table[name]


def _groups(table: pd.DataFrame, ids: list[str], by: str, unit: str) -> list[str]:
    """Return the group of each row."""
    if by == "trace":
        return ids
    if by in ("event", "time"):
        return ids if unit == "event" else [str(value) for value in _column(table, "source_id")]
    if by == "station":
        networks = table["station_network_code"] if "station_network_code" in table else [""] * len(table)
        return [f"{network}.{code}" for network, code in zip(networks, _column(table, "station_code"), strict=True)]
    values = _column(table, by, " To split by event, which needs no column, set split.by=event.")
    n_missing = int(values.isna().sum())
    if n_missing:
        logger.warning("%d of %d rows have no %s; each counts as a group of its own", n_missing, len(table), by)
    return [
        f"none:{name}" if missing else str(value)
        for name, value, missing in zip(ids, values, values.isna(), strict=True)
    ]


def _take(order: np.ndarray, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Split off ``ceil(fraction n)`` from the front."""
    n = _ceil(fraction * len(order))
    return order[:n], order[n:]


def _ceil(value: float) -> int:
    # 0.1 * 30 is 3.0000000000000004; rounding first keeps it at 3.
    return math.ceil(round(value, 9))


def _folded(folds: Sequence[np.ndarray], fold: int | None) -> tuple[np.ndarray, np.ndarray]:
    others = [members for i, members in enumerate(folds) if i != fold]
    return folds[fold or 0], np.concatenate(others)


def _chronological(table: pd.DataFrame, groups: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return rows in time order, events whole, and for each row the number of its event in that order."""
    column = "source_origin_time" if "source_origin_time" in table else "trace_start_time"
    times = pd.to_datetime(_column(table, column), utc=True, errors="coerce", format="mixed")
    if times.isna().any():
        name = table.index[int(times.isna().to_numpy().argmax())]
        raise DataError(
            f"{int(times.isna().sum())} rows have no {column}, first '{name}', so they cannot be split by time; "
            "leave them out or split by another column"
        )
    start = times.groupby(np.array(groups)).transform("min").to_numpy()
    order = np.lexsort((np.array(groups), start))
    numbers = np.empty(len(groups), dtype=int)
    numbers[order] = pd.factorize(np.array(groups)[order])[0]
    return order, numbers


def _last_groups(order: np.ndarray, number_of: np.ndarray, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Split off the last ``ceil(fraction n)`` events of ``order``."""
    events = np.unique(number_of[order])
    n = _ceil(fraction * len(events))
    late = np.isin(number_of[order], events[len(events) - n :])
    return order[late], order[~late]


def _deal(
    members: np.ndarray, fractions: Sequence[float], groups: list[str], classes: np.ndarray, seed: int
) -> list[np.ndarray]:
    """Deal whole groups to parts, keeping the share of every class near ``fractions``.

    Each group goes where it adds least to the sum of (class share held)^2 / fraction, which is smallest when
    every part holds its fraction of every class.
    """
    order = numpy_stream(seed, "split").permutation(members)
    numbers, _ = pd.factorize(np.array(groups, dtype=object)[order])
    shares = np.zeros((numbers.max(initial=-1) + 1, classes.max(initial=0) + 1))
    np.add.at(shares, (numbers, classes[order]), 1.0)
    largest_first = np.argsort(-shares.sum(axis=1), kind="stable")
    shares /= np.maximum(shares.sum(axis=0), 1)
    usable = [part for part, fraction in enumerate(fractions) if fraction > 0]
    weights = 1 / np.array([fractions[part] for part in usable])
    held = np.zeros((len(usable), shares.shape[1]))
    part_of_group = np.empty(len(shares), dtype=int)
    for group in largest_first:
        cost = weights * (shares[group] * (2 * held + shares[group])).sum(axis=1)
        chosen = int(cost.argmin())
        held[chosen] += shares[group]
        part_of_group[group] = usable[chosen]
    return [order[part_of_group[numbers] == part] for part in range(len(fractions))]


def _refuse_empty(
    parts: dict[str, np.ndarray], test_fraction: float, val_fraction: float, n_groups: int, by: str
) -> None:
    wanted = {"train": 1.0, "val": val_fraction, "test": test_fraction}
    empty = [name for name, chosen in parts.items() if wanted[name] > 0 and len(chosen) == 0]
    if empty:
        raise DataError(
            f"{n_groups} groups ({by}) are too few: nothing is left for {', '.join(empty)}; "
            "add events, group by something finer, or set the fraction of that part to 0"
        )
