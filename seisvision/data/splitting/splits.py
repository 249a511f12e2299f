"""Draws splits: random, stratified, by whole groups, in time order, or in folds."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from seisvision.data.sets.same_event import ToldTwice, joined_groups, told_by_origin
from seisvision.data.splitting.cells import CLOSE_KM, cell_names, close_apart, coarser_groups
from seisvision.data.splitting.split import UNITS, Split, check_leakage
from seisvision.data.splitting.words import BY_EVENT, PLACE, PLACES, no_column
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.seeding import DEFAULT_SEED, numpy_stream

__all__ = ["Split", "check_leakage", "make_split"]

logger = logging.getLogger(__name__)


MOST_STATIONS_SHARE = 0.9
"""With more stations than this share of the traces, a split by station hardly keeps any two together."""
MOST_OFF = 0.05
"""A part may miss the share asked for by so much before linked places are cut to fill it."""


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
    told: ToldTwice | None = None,
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
            such as ``"source_cell"``. A row without a value is a group of its own. Source cells with sources closer
            than 2 km are joined as far as the parts can be filled then, and a table without cells is grouped by its
            coordinates alone.
        stratify_by: column whose classes keep their shares in every part.
        seed: base seed.
        fold: with ``n_folds``, which fold of what is left beside test is val. Test is the same in all folds.
        n_folds: number of folds, at least 2; replaces ``val_fraction``.
        unit: ``"event"`` or ``"trace"``.
        told: events that the set tells under several ids, which stay together unless the split is by trace or station;
            default, those of the table whose origins are those of one event.

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
    # One event under two names must not train and test; by trace and station it stands on both sides by intention.
    if by not in ("trace", "station"):
        groups = _joined(groups, table, ids, unit, told)
    places = _places(table) if by == PLACE else None
    if by == "station" and len(set(groups)) > MOST_STATIONS_SHARE * len(ids):
        raise DataError(
            f"by='station' needs stations that recorded several events, but {len(ids)} traces come from "
            f"{len(set(groups))} stations, so it would deal traces at random; use by='event', or a set with a fixed "
            "network (synthetic sets: geometry=network)"
        )
    classes = np.zeros(len(ids), dtype=int)
    if stratify_by is not None:
        classes, _ = pd.factorize(_column(table, stratify_by).astype(object).fillna("none").astype(str))
    if by == "time":
        order, group_sizes = _chronological(table, groups)
        test, rest = _last_groups(order, group_sizes, test_fraction)
        val, train = _last_groups(rest, group_sizes, val_fraction)
    else:
        shares = [1 / n_folds] * n_folds if n_folds else [val_fraction, 1 - val_fraction]
        fractions = [test_fraction, *(share * (1 - test_fraction) for share in shares)]
        draw = partial(
            _draw,
            classes=classes,
            stratified=stratify_by is not None,
            test=test_fraction,
            shares=shares,
            folds=bool(n_folds),
            seed=seed,
        )
        if places is None:
            test, *others = draw(groups)
        else:
            groups, (test, *others) = _draw_places(groups, places, classes, np.array(fractions), draw)
        val, train = _folded(others, fold) if n_folds else others
    parts = {"train": train, "val": val, "test": test}
    _refuse_empty(parts, test_fraction, val_fraction, len(set(groups)), by)
    if places is not None:
        _tell_close(places, parts)
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


def _joined(groups: list[str], table: pd.DataFrame, ids: list[str], unit: str, told: ToldTwice | None) -> list[str]:
    """The groups, where one event has several ids joined."""
    events = ids if unit == "event" or "source_id" not in table else [str(name) for name in table["source_id"]]
    told = told_by_origin(table, events) if told is None else told.among(events)
    if told:
        logger.warning("%s; they stay on one side of the split", told.describe())
    return joined_groups(groups, events, told)


def _column(table: pd.DataFrame, name: str, hint: str = "") -> pd.Series:
    if name not in table:
        raise no_column(name, table, hint)
    return table[name]


def station_names(table: pd.DataFrame) -> list[str]:
    """Network and code of the station of each row.

    Raises:
        DataError: the table has no stations.
    """
    networks = table["station_network_code"] if "station_network_code" in table else [""] * len(table)
    return [f"{network}.{code}" for network, code in zip(networks, _column(table, "station_code"), strict=True)]


def _groups(table: pd.DataFrame, ids: list[str], by: str, unit: str) -> list[str]:
    """Return the group of each row."""
    if by == "trace":
        return ids
    if by in ("event", "time"):
        return ids if unit == "event" else [str(value) for value in _column(table, "source_id")]
    if by == "station":
        return station_names(table)
    if by == PLACE and _places(table) is not None:
        return _cells(table, ids)
    values = _column(table, by, BY_EVENT)
    n_missing = int(values.isna().sum())
    if n_missing:
        logger.warning("%d of %d rows have no %s; each counts as a group of its own", n_missing, len(table), by)
    return [
        f"none:{name}" if missing else str(value)
        for name, value, missing in zip(ids, values, values.isna(), strict=True)
    ]


def _cells(table: pd.DataFrame, ids: list[str]) -> list[str]:
    """Source cell of each row, made from its place where the table names none."""
    cells = table[PLACE].astype(object) if PLACE in table else pd.Series(None, index=table.index, dtype=object)
    lacking = np.flatnonzero(cells.isna() | (cells == ""))
    latitude, longitude = _places(table) or (np.full(len(ids), np.nan),) * 2
    found = [str(value) for value in cells]
    for i, name in zip(lacking, cell_names(latitude[lacking], longitude[lacking]), strict=True):
        found[i] = name or f"none:{ids[i]}"
    n_alone = len([name for name in found if name.startswith("none:")])
    if n_alone:
        logger.warning("%d of %d rows have no %s and no place; each is a group of its own", n_alone, len(ids), PLACE)
    return found


def _places(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray] | None:
    """Latitude and longitude of the sources (N,); None where no row has a place."""
    if not set(PLACES) <= set(table):
        return None
    latitude, longitude = (
        pd.to_numeric(table[name], errors="coerce").to_numpy(float, na_value=np.nan) for name in PLACES
    )
    return (latitude, longitude) if np.isfinite(latitude + longitude).any() else None


def _draw_places(
    groups: list[str],
    places: tuple[np.ndarray, np.ndarray],
    classes: np.ndarray,
    asked: np.ndarray,
    draw: Callable[[list[str]], list[np.ndarray]],
) -> tuple[list[str], list[np.ndarray]]:
    """Draw with the places joined as far as the parts can then be filled; ``asked`` is their share of all.

    Returns:
        Group of each source, and the rows of each part.
    """
    n_parts = int(np.count_nonzero(asked))
    # A class of one place can be in one part only.
    n_possible = sum(min(n_parts, len({groups[i] for i in np.flatnonzero(classes == k)})) for k in np.unique(classes))
    tried: list[tuple[tuple[int, float], list[str], list[np.ndarray]]] = []
    for joined in coarser_groups(groups, *places):
        dealt = draw(joined)
        off = float(np.abs(np.array([len(part) for part in dealt]) / len(groups) - asked).max())
        n_served = sum(len(set(classes[part])) for part in dealt)
        tried.append(((-n_served, off), joined, dealt))
        if off <= MOST_OFF and n_served >= n_possible:
            return joined, dealt
    return min(tried, key=lambda item: item[0])[1:]


def _tell_close(places: tuple[np.ndarray, np.ndarray], parts: Mapping[str, np.ndarray]) -> None:
    """Say how many sources lie close to one of another part, as in dense catalogues they must."""
    part = np.full(len(places[0]), -1)
    for number, rows in enumerate(parts.values()):
        part[rows] = number
    n_close = int(close_apart(*places, part).sum())
    if n_close:
        logger.warning(
            "%d of %d sources lie within %g km of one in another part: they form groups too large for the parts, which "
            "were cut where fewest sources lie",
            n_close,
            len(part),
            CLOSE_KM,
        )


def _draw(
    groups: list[str],
    *,
    classes: np.ndarray,
    stratified: bool,
    test: float,
    shares: Sequence[float],
    folds: bool,
    seed: int,
) -> list[np.ndarray]:
    """Return the rows of test, and of the parts of the rest that have these shares of it."""
    if not stratified and len(set(groups)) == len(groups):
        chosen, rest = _take(numpy_stream(seed, "split").permutation(len(groups)), test)
        return [chosen, *(np.array_split(rest, len(shares)) if folds else _take(rest, shares[0]))]
    chosen, rest = _deal(np.arange(len(groups)), [test, 1 - test], groups, classes, seed)
    return [chosen, *_deal(rest, shares, groups, classes, seed)]


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
