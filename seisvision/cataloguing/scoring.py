"""A catalogue against another: what was found, what is false, and how far apart the places are."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision.catalogues.completeness import estimate
from seisvision.data.importing.tables.catalogue import read_events
from seisvision.data.importing.tables.times import NS, time_ns
from seisvision.earth.geodesics import geodesic
from seisvision.errors import ConfigurationError, DataError
from seisvision.evaluation.intervals import wilson_interval
from seisvision.spreadsheets import frame_from_cells

WITHIN_S, WITHIN_KM = 2.0, 10.0
CONDITION = re.compile(r"\s*([A-Za-z_]\w*)\s*(>=|<=|!=|=|>|<)\s*(.+?)\s*")
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge, "<=": operator.le, "!=": operator.ne, "=": operator.eq, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


@dataclass(frozen=True)
class Events:
    """N events in the order of the file.

    Args:
        event_id: (N,).
        time_ns: (N,) int64.
        latitude_deg: (N,).
        longitude_deg: (N,).
        depth_km: (N,), NaN where it is not known.
        magnitude: (N,), NaN where it is not known.
        counts: (N,) bool, whether it must be found, or is judged.
    """

    event_id: np.ndarray
    time_ns: np.ndarray
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    depth_km: np.ndarray
    magnitude: np.ndarray
    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.event_id)


def read_catalogue(path: Path, conditions: Sequence[str] = ()) -> Events:
    """Events of a table or QuakeML.

    Args:
        path: the file.
        conditions: such as ``clear_stations>=6``: of a table, which events count.

    Raises:
        DataError: the file holds no events, or lacks a column.
        ConfigurationError: a condition cannot be understood.
    """
    known = read_events(str(path)).events
    names = list(known)

    def column(name: str) -> np.ndarray:
        return np.array([float(known[one].get(name, np.nan)) for one in names])

    counts = np.ones(len(names), bool)
    if conditions:
        table = frame_from_cells(pd.read_csv(path, dtype={"event_id": str}))
        if "event_id" not in table:
            raise DataError(f"{path} has no column event_id; conditions are for tables with one.")
        table = table.drop_duplicates("event_id").set_index("event_id").reindex(names)
        for text in conditions:
            counts &= _holds(table, text, path)
    times = np.array([time_ns(str(known[one]["source_origin_time"])) for one in names], np.int64)
    return Events(
        np.array(names), times, column("source_latitude_deg"), column("source_longitude_deg"),
        column("source_depth_km"), column("source_magnitude"), counts,
    )  # fmt: skip


def _holds(table: pd.DataFrame, text: str, path: Path) -> np.ndarray:
    match = CONDITION.fullmatch(text)
    if match is None:
        raise ConfigurationError(
            f"condition '{text}' is not allowed; give one such as clear_stations>=6 or kind=event."
        )
    name, sign, value = match.groups()
    if name not in table:
        raise DataError(f"{path} has no column '{name}'; it has {', '.join(table.columns)}.")
    cells = table[name]
    if pd.api.types.is_numeric_dtype(cells):
        return np.asarray(COMPARE[sign](cells.to_numpy(float), float(value)))
    return np.asarray(COMPARE[sign](cells.astype(str), value))


@dataclass(frozen=True)
class Score:
    """What a comparison came to.

    Args:
        pairs: (P, 2) rows of both that are one event.
        duplicates: rows of the judged catalogue that lie at an event that has a better one.
        false: rows that lie at none.
        missed: rows of the reference that count and were not found.
        shares: ``recall`` and ``precision`` as (value, low95, high95, n).
        apart: columns ``time_s, horizontal_km, depth_km, magnitude`` of the pairs, judged less reference.
        completeness: of both catalogues as (value, low95, high95); NaN below fifty magnitudes.
    """

    pairs: np.ndarray
    duplicates: np.ndarray
    false: np.ndarray
    missed: np.ndarray
    shares: dict[str, tuple[float, float, float, int]]
    apart: pd.DataFrame
    completeness: dict[str, tuple[float, float, float]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        quantiles = {
            name: None if self.apart[name].dropna().empty else [
                round(float(self.apart[name].abs().quantile(q)), 4) for q in (0.5, 0.9)
            ]
            for name in self.apart
        }  # fmt: skip
        return {
            **{name: {"value": v, "low95": lo, "high95": hi, "n": n} for name, (v, lo, hi, n) in self.shares.items()},
            "pairs": len(self.pairs),
            "duplicates": len(self.duplicates),
            "false": len(self.false),
            "missed": len(self.missed),
            "apart_median_and_90": quantiles,
            "completeness": {
                name: [None if np.isnan(one) else one for one in values] for name, values in self.completeness.items()
            },
        }


def score_catalogue(
    judged: Events, reference: Events, within_s: float = WITHIN_S, within_km: float = WITHIN_KM
) -> Score:
    """Compare two catalogues one to one, the nearest pairs first.

    An event of the reference that need not be found may be found: then the one that was found is not false. Recall and
    precision have Wilson's intervals, which take events for independent.

    Args:
        judged: the catalogue that is judged.
        reference: what it is judged against.
        within_s: difference of origin times of a pair.
        within_km: distance of epicentres of a pair.
    """
    order = np.argsort(reference.time_ns, kind="stable")
    times = reference.time_ns[order]
    found: list[tuple[float, int, int]] = []
    near: set[int] = set()
    for row in range(len(judged)):
        low, high = np.searchsorted(
            times, [judged.time_ns[row] - round(within_s * NS), judged.time_ns[row] + round(within_s * NS) + 1]
        )
        for at in order[low:high].tolist():
            away = float(
                geodesic(
                    judged.latitude_deg[row], judged.longitude_deg[row], reference.latitude_deg[at],
                    reference.longitude_deg[at],
                )[0]
            )  # fmt: skip
            if away <= within_km:
                late = abs(int(judged.time_ns[row] - reference.time_ns[at])) / NS
                found.append((late / within_s + away / within_km, row, at))
                near.add(row)
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, row, at in sorted(found):
        if row not in pairs and at not in taken:
            pairs[row] = at
            taken.add(at)
    table = np.array(sorted(pairs.items()), int).reshape(-1, 2)
    of_judged = np.flatnonzero(judged.counts)
    of_reference = np.flatnonzero(reference.counts)
    duplicates = np.array([row for row in of_judged if row in near and row not in pairs], int)
    false = np.array([row for row in of_judged if row not in near], int)
    missed = np.array([at for at in of_reference if at not in taken], int)
    n_right = len(of_judged) - len(duplicates) - len(false)
    shares = {
        "recall": _share(len(of_reference) - len(missed), len(of_reference)),
        "precision": _share(n_right, len(of_judged)),
    }
    complete = {name: _complete(one.magnitude) for name, one in (("judged", judged), ("reference", reference))}
    return Score(table, duplicates, false, missed, shares, _apart(judged, reference, table), complete)


def _share(k: int, n: int) -> tuple[float, float, float, int]:
    return (k / n if n else float("nan"), *wilson_interval(k, n), n)


def _complete(magnitude: np.ndarray) -> tuple[float, float, float]:
    found = estimate(magnitude[np.isfinite(magnitude)])
    return found.value, found.low95, found.high95


def _apart(judged: Events, reference: Events, pairs: np.ndarray) -> pd.DataFrame:
    a, b = pairs.T
    away = geodesic(
        reference.latitude_deg[b], reference.longitude_deg[b], judged.latitude_deg[a], judged.longitude_deg[a]
    )[0]
    return pd.DataFrame(
        {
            "time_s": (judged.time_ns[a] - reference.time_ns[b]) / NS,
            "horizontal_km": np.asarray(away, float).reshape(-1),
            "depth_km": judged.depth_km[a] - reference.depth_km[b],
            "magnitude": judged.magnitude[a] - reference.magnitude[b],
        }
    )


def completeness_by_magnitude(
    score: Score, reference: Events, width: float = 0.25
) -> list[tuple[float, float, float, float, int]]:
    """Middle of each bin of magnitude, share of the reference found with its interval, and how many there are."""
    size = reference.magnitude
    known = np.isfinite(size) & reference.counts
    found = np.zeros(len(reference), bool)
    found[score.pairs[:, 1]] = True
    rows = []
    for number in np.unique(np.floor(size[known] / width)):
        inside = known & (np.floor(size / width) == number)
        n, k = int(inside.sum()), int((inside & found).sum())
        rows.append((float((number + 0.5) * width), k / n, *wilson_interval(k, n), n))
    return rows
