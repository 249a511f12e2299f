"""Checks of numbers that a network learns, and of values that stand for "none" in columns it may learn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seisvision.data.audit.findings import Finding, worst_of
from seisvision.data.audit.magnitudes import check_magnitudes
from seisvision.data.audit.table import AuditTable

COLUMNS = {"source_depth_km": "depth", "source_magnitude": "magnitude", "path_ep_distance_km": "distance"}
"""What is looked at whether it is learnt or not, and what its findings are called."""
POSITIVE_STAND_INS = (99, 99.9, 99.99, 999, 999.9, 999.99, 9999, 99999, 12345)
STAND_INS = (0, -1, -5, -9, -9.9, -9.99, 9.9, 9.99, *POSITIVE_STAND_INS, *(-value for value in POSITIVE_STAND_INS))
"""Numbers that catalogues write for "none"; where they are also possible, they stand apart from the other values."""
PLAIN = 99
"""From here on such a number is suspicious among the other values too."""
MIN_VALUES = 10
MIN_COUNT, MIN_SHARE = 3, 0.01
"""A stand-in repeats at least so often."""
OFTEN = 5
"""A value repeats suspiciously where it does so many times as often as the others."""
FIXED_DEPTHS_KM = (5.0, 10.0, 33.0, 35.0)
"""Depths that catalogues give events whose depth could not be found; at 0 km lie many true ones."""
FIXED_SHARE, FIXED_SHARE_LEARNT = 0.1, 0.2
MISSING_SHARE = 0.5
SAME = 1e-3
"""Share by which values of one event may differ from trace to trace."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """A number that a network learns.

    Args:
        column: of the metadata table.
        kind: ``scalar`` or ``angle``, in degrees.
        rows: bool (N,), the traces it is learnt from; None for all.
        fits: whether it is trained on, and not only measured.
    """

    column: str
    kind: str = "scalar"
    rows: np.ndarray | None = None
    fits: bool = True

    @property
    def label(self) -> str:
        """Short name for findings."""
        return COLUMNS.get(self.column, "target")


def check_targets(table: AuditTable, learnt: Sequence[Learnt] = ()) -> Iterator[Finding]:
    """Findings on numbers learnt, fatal where they would be learnt wrong, and on depths, magnitudes and distances."""
    columns = {item.column: item for item in learnt if table.has(item.column)}
    for item in columns.values():
        yield from _unreadable(table, item)
        yield from _missing(table, item)
        yield from _constant(table, item)
        yield from _contradictory(table, item)
        if item.kind == "angle":
            yield from _angles(table, item)
    others = [Learnt(column, fits=False) for column in COLUMNS if column not in columns]
    for item in (*columns.values(), *others):
        yield from _stand_ins(table, item, item.column in columns)
    yield from _fixed_depths(table, columns.get("source_depth_km"))
    magnitude = columns.get("source_magnitude")
    yield from check_magnitudes(table, magnitude is not None, magnitude.rows if magnitude else None)


def _chosen(table: AuditTable, item: Learnt) -> np.ndarray:
    """Rows that count: all of a path, one of each event of a source."""
    wanted = np.ones(table.n_traces, dtype=bool) if item.rows is None else item.rows
    if not item.column.startswith("source_"):
        return np.flatnonzero(wanted)
    known = np.flatnonzero(wanted & np.isfinite(table.numbers(item.column)))
    rows = np.concatenate([known, np.flatnonzero(wanted)])
    return rows[np.unique(table.event[rows], return_index=True)[1]]


def _finding(
    table: AuditTable, item: Learnt, code: str, severity: str, title: str, rows: np.ndarray, of: int, remedy: str
) -> Iterator[Finding]:
    """The finding for some rows of :func:`_chosen`, counted as events or as traces."""
    if item.column.startswith("source_"):
        bad = np.zeros(table.n_events, dtype=bool)
        bad[table.event[rows]] = True
        yield from table.event_finding(code, severity, title, bad, remedy, of)
    else:
        bad = np.zeros(table.n_traces, dtype=bool)
        bad[rows] = True
        yield from table.trace_finding(code, severity, title, bad, remedy, of)


def _unreadable(table: AuditTable, item: Learnt) -> Iterator[Finding]:
    rows = _chosen(table, item)
    given = table.metadata[item.column].iloc[rows].notna().to_numpy()
    bad = rows[given & ~np.isfinite(table.numbers(item.column)[rows])]
    remedy = f"They would be left out without a word: write plain numbers into {item.column}, or leave it empty."
    severity = worst_of(len(bad), len(rows), 0.1)
    title = f"values of {item.column} that are no number"
    yield from _finding(table, item, "target_unreadable", severity, title, bad, len(rows), remedy)


def _missing(table: AuditTable, item: Learnt) -> Iterator[Finding]:
    # Distances and azimuths that lack are computed from the coordinates.
    if item.column.startswith("path_"):
        return
    rows = _chosen(table, item)
    bad = rows[np.isnan(table.numbers(item.column)[rows])]
    if len(bad) > MISSING_SHARE * len(rows):
        remedy = "These teach nothing and are left out; what is left may not be like them."
        title = f"no {item.column}"
        yield from _finding(table, item, "target_missing", "warning", title, bad, len(rows), remedy)


def _constant(table: AuditTable, item: Learnt) -> Iterator[Finding]:
    rows = _chosen(table, item)
    values = table.numbers(item.column)[rows]
    known = rows[np.isfinite(values)]
    if item.fits and len(known) > 1 and np.ptp(table.numbers(item.column)[known]) == 0:
        title = f"{item.column} is {table.numbers(item.column)[known[0]]:g} everywhere"
        remedy = "There is nothing to learn, and every score would be perfect: choose another target or another set."
        yield from _finding(table, item, "target_constant", "fatal", title, known, len(rows), remedy)


def _contradictory(table: AuditTable, item: Learnt) -> Iterator[Finding]:
    if not item.column.startswith("source_"):
        return
    values, first = table.numbers(item.column), _chosen(table, item)
    reference = np.full(table.n_events, np.nan)
    reference[table.event[first]] = values[first]
    reference = reference[table.event]
    differs = np.abs(values - reference) > SAME * np.maximum(1, np.abs(reference))
    bad = table.any_of_event(differs)
    remedy = f"One source_id must have one {item.column}: correct the table, or give the events ids of their own."
    title = f"events with several values of {item.column}"
    yield from table.event_finding("target_contradicts", "fatal", title, bad, remedy, len(first))


def _angles(table: AuditTable, item: Learnt) -> Iterator[Finding]:
    rows = _chosen(table, item)
    values = table.numbers(item.column)[rows]
    bad = rows[np.abs(values) > 360]
    remedy = f"{item.column} is in degrees from -360 to 360, empty where it is not known."
    title = f"values of {item.column} that are no angle"
    yield from _finding(table, item, "angle_impossible", "fatal", title, bad, len(rows), remedy)
    known = rows[np.isfinite(values)]
    if len(known) < MIN_VALUES:
        return
    low, high = np.min(table.numbers(item.column)[known]), np.max(table.numbers(item.column)[known])
    if low >= -2 * np.pi - SAME and high <= 2 * np.pi + SAME and high - low > 2:
        remedy = f"Multiply {item.column} by 180/pi: angles are in degrees."
        title = f"{item.column} looks like radians ({low:.2f} to {high:.2f})"
        yield from _finding(table, item, "angle_radians", "fatal", title, known, len(rows), remedy)


def _stand_ins(table: AuditTable, item: Learnt, is_learnt: bool) -> Iterator[Finding]:
    rows = _chosen(table, item)
    values = table.numbers(item.column)[rows]
    never_zero = item.column == "path_ep_distance_km"
    for value in stand_ins(values, ordered=item.kind != "angle", never_zero=never_zero):
        bad = rows[values == value]
        title = f"{item.column} is {value:g}, apart from the other values: it may stand for 'none'"
        remedy = f"Leave {item.column} empty where it is not known; a number would be learnt as it stands."
        severity = "fatal" if is_learnt else "warning"
        yield from _finding(table, item, f"{item.label}_sentinel", severity, title, bad, len(rows), remedy)


def stand_ins(values: np.ndarray, ordered: bool = True, never_zero: bool = False) -> list[float]:
    """Values (of N, NaN for none) that repeat suspiciously and stand apart from the others.

    The usual ones stand apart where the next value is farther than the next twentieth of the values is wide. Any other
    number must lie three times as far off as all others are wide. ``ordered`` is false for angles, which have no ends.
    ``never_zero`` says that 0 does not come about by itself, as in distances.
    """
    known = values[np.isfinite(values)]
    unique, counts = np.unique(known, return_counts=True)
    if len(known) < MIN_VALUES or len(unique) < 4:
        return []
    often = counts >= max(MIN_COUNT, MIN_SHARE * len(known))
    usual = float(np.median(counts))
    found = []
    for value, count in zip(unique[often], counts[often], strict=True):
        rest = known[known != value]
        listed = bool(np.isclose(value, STAND_INS, rtol=0, atol=1e-6).any())
        at_end = ordered and value in (unique[0], unique[-1])
        plain = not ordered or abs(value) >= PLAIN or (at_end and value < 0) or (never_zero and value == 0)
        if (listed and plain and count >= OFTEN * usual) or (at_end and _stands_apart(value, rest, listed)):
            found.append(float(value))
    return found


def _stands_apart(value: float, rest: np.ndarray, listed: bool) -> bool:
    gap = rest.min() - value if value < rest.min() else value - rest.max()
    low, edge_low, edge_high, high = np.quantile(rest, [0.0, 0.05, 0.95, 1.0])
    below = value < low
    edge = edge_low - low if below else high - edge_high
    width = float(np.diff(np.quantile(rest, [0.1, 0.9]))[0])
    return bool(gap > edge and gap > 0.1 * width) if listed else bool(gap > 3 * (high - low))


def _fixed_depths(table: AuditTable, learnt: Learnt | None) -> Iterator[Finding]:
    item = learnt or Learnt("source_depth_km", fits=False)
    rows = _chosen(table, item)
    depths = table.numbers(item.column)[rows]
    known = depths[np.isfinite(depths)]
    unique, counts = np.unique(known, return_counts=True)
    if len(known) < MIN_VALUES or len(unique) < 2:
        return
    for depth in FIXED_DEPTHS_KM:
        share = float(np.mean(known == depth))
        if share < FIXED_SHARE or share * len(known) < OFTEN * np.median(counts[unique != depth]):
            continue
        severity = "warning" if learnt and share >= FIXED_SHARE_LEARNT else "note"
        title = f"depths of exactly {depth:g} km, which catalogues give where they found none"
        remedy = "Leave these out or empty where depth is learnt, unless the sources are known to lie there."
        yield from _finding(table, item, "depth_fixed", severity, title, rows[depths == depth], len(known), remedy)
