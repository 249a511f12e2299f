"""How well two tables of picks agree: found, false, how far apart, with intervals over events or times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seisvision.data.importing.tables.phases import PHASES
from seisvision.data.importing.tables.pick import Pick
from seisvision.data.importing.tables.times import DAY_S, NS
from seisvision.errors import DataError
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap

TOLERANCES_S = (0.1, 0.2, 0.5)
DUPLICATE_S = 0.1
"""Picks of one phase at one station that are closer are one, said twice."""
FEWEST_GROUPS = 5
"""Days that intervals are drawn over; where there are fewer, hours."""
Key = tuple[str, str]


@dataclass(frozen=True)
class PhaseScore:
    """Agreement of one phase.

    Args:
        n: picks of the table that is judged, without duplicates.
        n_reference: of the other.
        recall, precision, f1: by tolerance in s.
        residual: ``mean``, ``median``, ``mad`` and ``std`` in s of pairs within the largest tolerance; positive where
            the judged table is late.
        other_phase: picks of the reference that are missing, but of which the other phase was picked there.
    """

    n: int
    n_reference: int
    recall: dict[float, Measure]
    precision: dict[float, Measure]
    f1: dict[float, Measure]
    residual: dict[str, Measure]
    other_phase: int


@dataclass(frozen=True)
class Score:
    """Agreement of two tables.

    Args:
        phases: by phase.
        stations: rows ``station``, ``phase``, ``n``, ``n_reference``, ``matched``, ``median_s``.
        duplicates: left out of the judged table and of the reference.
        elsewhere: picks of the judged table at stations, or times, of which the reference says nothing: not judged.
        groups: what intervals are drawn over: ``events``, ``days`` or ``hours``; and how many there are.
        other: picks of either table that are neither P nor S, or without a time.
    """

    phases: dict[str, PhaseScore]
    stations: list[dict[str, Any]]
    duplicates: tuple[int, int]
    elsewhere: int
    groups: tuple[str, int]
    other: tuple[int, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "phases": {
                phase: {
                    "n": score.n,
                    "n_reference": score.n_reference,
                    "other_phase": score.other_phase,
                    **{
                        name: {
                            f"{tolerance:g}": measure.to_dict() for tolerance, measure in getattr(score, name).items()
                        }
                        for name in ("recall", "precision", "f1")
                    },
                    "residual_s": {name: measure.to_dict() for name, measure in score.residual.items()},
                }
                for phase, score in self.phases.items()
            },
            "stations": self.stations,
            "duplicates": list(self.duplicates),
            "elsewhere": self.elsewhere,
            "intervals_over": {"what": self.groups[0], "n": self.groups[1]},
            "other_phases": list(self.other),
        }


def _by_tolerance(measures: Mapping[float, Measure]) -> dict[str, Any]:
    return {f"{tolerance:g}": measure.to_dict() for tolerance, measure in measures.items()}


@dataclass
class _Table:
    """Picks of one phase in one table, in order of station and time."""

    keys: list[Key]
    times_s: np.ndarray
    groups: np.ndarray
    pairs: dict[int, int] = field(default_factory=dict)


def score_picks(
    judged: Sequence[Pick],
    reference: Sequence[Pick],
    tolerances_s: Sequence[float] = TOLERANCES_S,
    within_s: float | None = None,
) -> Score:
    """Compare two tables of picks.

    Pairs are made one to one, the closest first, of picks of one phase at one station. Networks are compared where
    both tables name them for all picks. Phases count as P and S by their families (Pg and Pn are P).

    Args:
        judged: the table that is judged, such as of a picker.
        reference: what it is judged against.
        tolerances_s: how far the two picks of a pair may lie apart.
        within_s: judge only picks so close to any pick of the reference at their station, for a reference that does not
            claim to know everything; None judges all at the stations of the reference.

    Raises:
        DataError: one of them has no P and no S, or they share no station.
    """
    with_network = all(pick.network for pick in (*judged, *reference))
    ours, ours_doubled, ours_other = _plain(judged, with_network)
    theirs, theirs_doubled, theirs_other = _plain(reference, with_network)
    for name, picks in (("the table that is judged", ours), ("the reference", theirs)):
        if not picks:
            raise DataError(f"{name} holds no picks of P or S with a time")
    known = {key for key, _ in theirs}
    if not known & {key for key, _ in ours}:
        shown = [", ".join(sorted({".".join(key).strip(".") for key, _ in one})[:5]) for one in (ours, theirs)]
        raise DataError(f"the tables share no station: {shown[0]} and {shown[1]}")
    judged_here = [one for one in ours if one[0] in known and _is_near(one, theirs, within_s)]
    what, group_of = _groups(theirs)
    phases, rows = {}, []
    tables = {}
    for phase in PHASES:
        mine, other = (
            _table([one for one in picks if one[1].family == phase], group_of) for picks in (judged_here, theirs)
        )
        mine.pairs = _pair(mine, other, max(tolerances_s))
        tables[phase] = (mine, other)
    for phase, (mine, other) in tables.items():
        if len(other.keys) or len(mine.keys):
            opposite = tables["S" if phase == "P" else "P"][0]
            phases[phase] = _score(mine, other, opposite, tolerances_s)
            rows += _by_station(phase, mine, other)
    n_groups = len({group for mine, other in tables.values() for group in (*mine.groups, *other.groups)})
    return Score(
        phases,
        sorted(rows, key=lambda row: (row["station"], row["phase"])),
        (ours_doubled, theirs_doubled),
        len(ours) - len(judged_here),
        (what, n_groups),
        (ours_other, theirs_other),
    )


def _plain(picks: Sequence[Pick], with_network: bool) -> tuple[list[tuple[Key, Pick]], int, int]:
    """P and S with times by station, in order; how many were said twice, and how many are something else."""
    usable = [pick for pick in picks if pick.family and pick.time_ns is not None and not pick.is_unused]
    keyed = [((pick.network if with_network else "", pick.station), pick) for pick in usable]
    keyed.sort(key=lambda one: (one[0], one[1].family, one[1].time_ns, -np.nan_to_num(one[1].probability)))
    kept: list[tuple[Key, Pick]] = []
    for key, pick in keyed:
        before = kept[-1] if kept else None
        if before is not None and before[0] == key and before[1].family == pick.family:
            assert pick.time_ns is not None and before[1].time_ns is not None
            if pick.time_ns - before[1].time_ns < DUPLICATE_S * NS:
                if np.nan_to_num(pick.probability) > np.nan_to_num(before[1].probability):
                    kept[-1] = (key, pick)
                continue
        kept.append((key, pick))
    return kept, len(keyed) - len(kept), len(picks) - len(usable)


def _is_near(one: tuple[Key, Pick], reference: Sequence[tuple[Key, Pick]], within_s: float | None) -> bool:
    if within_s is None:
        return True
    key, pick = one
    return any(
        key == other and abs((pick.time_ns or 0) - (known.time_ns or 0)) <= within_s * NS for other, known in reference
    )


def _groups(reference: Sequence[tuple[Key, Pick]]) -> tuple[str, Any]:
    """What intervals are drawn over, and a function from times in s to its names: a pick goes with the nearest one."""
    times = np.array([pick.time_ns for _, pick in reference], dtype=np.int64) / NS
    order = np.argsort(times, kind="stable")
    times = times[order]
    events = [reference[at][1].event_id for at in order]
    if all(event is not None for event in events) and len(set(events)) > 1:
        names = np.array([str(event) for event in events])

        def event_of(moments: np.ndarray) -> np.ndarray:
            after = np.clip(np.searchsorted(times, moments), 1, max(1, len(times) - 1))
            before = after - 1
            after = np.minimum(after, len(times) - 1)
            return names[np.where(np.abs(times[after] - moments) < np.abs(moments - times[before]), after, before)]

        return "events", event_of
    step_s = DAY_S if len(np.unique(times // DAY_S)) >= FEWEST_GROUPS else 3600
    what = "days" if step_s == DAY_S else "hours"
    return what, lambda moments: np.char.mod("%d", (np.asarray(moments) // step_s).astype(np.int64))


def _table(picks: Sequence[tuple[Key, Pick]], group_of: Any) -> _Table:
    times = np.array([pick.time_ns for _, pick in picks], dtype=np.int64)
    groups = group_of(times / NS) if len(times) else np.empty(0, dtype=str)
    return _Table([key for key, _ in picks], times / NS, groups)


def _pair(mine: _Table, other: _Table, most_s: float) -> dict[int, int]:
    """Rows of both that belong together, the closest first, each once."""
    at_station: dict[Key, list[int]] = {}
    for row, key in enumerate(other.keys):
        at_station.setdefault(key, []).append(row)
    found: list[tuple[float, int, int]] = []
    for row, key in enumerate(mine.keys):
        rows = at_station.get(key, [])
        times = other.times_s[rows]
        # Times are in order within a station.
        first, last = np.searchsorted(times, [mine.times_s[row] - most_s - 1e-9, mine.times_s[row] + most_s + 1e-9])
        found += [(abs(float(times[at] - mine.times_s[row])), row, rows[at]) for at in range(first, last)]
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, row, at in sorted(found):
        if row not in pairs and at not in taken:
            pairs[row] = at
            taken.add(at)
    return pairs


def _score(mine: _Table, other: _Table, opposite: _Table, tolerances_s: Sequence[float]) -> PhaseScore:
    apart = {row: mine.times_s[row] - other.times_s[at] for row, at in mine.pairs.items()}
    recall, precision, f1 = {}, {}, {}
    of_reference = EventBootstrap(other.groups) if len(other.keys) else None
    of_mine = EventBootstrap(mine.groups) if len(mine.keys) else None
    for tolerance in tolerances_s:
        pairs = {row: at for row, at in mine.pairs.items() if abs(apart[row]) <= tolerance + 1e-9}
        found, true = np.zeros(len(other.keys), bool), np.zeros(len(mine.keys), bool)
        found[list(pairs.values())] = True
        true[list(pairs)] = True
        recall[tolerance] = Measure(np.nan) if of_reference is None else of_reference.share(found)
        precision[tolerance] = Measure(np.nan) if of_mine is None else of_mine.share(true)
        f1[tolerance] = _f1(mine.groups, other.groups, true)
    residual = {}
    if apart:
        rows = sorted(apart)
        values = np.array([apart[row] for row in rows])
        bootstrap = EventBootstrap(mine.groups[rows])
        residual = {
            "mean": bootstrap.mean(values),
            "median": bootstrap.median(values),
            "mad": bootstrap.median(np.abs(values - np.median(values))),
            "std": Measure(float(values.std()), n=len(values), kind="none"),
        }
    missing = set(range(len(other.keys))) - set(mine.pairs.values())
    rest = _Table([other.keys[at] for at in sorted(missing)], other.times_s[sorted(missing)], other.groups[:0])
    confused = len(_pair(opposite, rest, min(0.5, max(tolerances_s))))
    return PhaseScore(len(mine.keys), len(other.keys), recall, precision, f1, residual, confused)


def _f1(mine: np.ndarray, other: np.ndarray, true: np.ndarray) -> Measure:
    """Twice the pairs over the picks of both tables; every pick of either is a sample."""
    groups = np.concatenate([mine, other])
    if not len(groups):
        return Measure(np.nan)
    paired = np.concatenate([true.astype(float), np.zeros(len(other))])
    bootstrap = EventBootstrap(groups)
    return bootstrap.measure(2 * float(paired.mean()), 2 * bootstrap.means(paired[:, None])[:, 0])


def _by_station(phase: str, mine: _Table, other: _Table) -> list[dict[str, Any]]:
    n, n_reference = Counter(mine.keys), Counter(other.keys)
    apart: dict[Key, list[float]] = {}
    for row, at in mine.pairs.items():
        apart.setdefault(mine.keys[row], []).append(float(mine.times_s[row] - other.times_s[at]))
    return [
        {
            "station": ".".join(key).strip("."),
            "phase": phase,
            "n": n[key],
            "n_reference": n_reference[key],
            "matched": len(apart.get(key, [])),
            "median_s": float(np.median(apart[key])) if key in apart else None,
        }
        for key in sorted({*n, *n_reference})
    ]


def summary_rows(score: Score) -> tuple[list[str], list[list[Any]]]:
    """Head and rows of a table for people: phase, tolerance, recall, precision, F1."""
    head = ["phase", "within s", "recall", "precision", "F1"]
    body = [
        [phase, f"{tolerance:g}", one.recall[tolerance], one.precision[tolerance], one.f1[tolerance]]
        for phase, one in score.phases.items()
        for tolerance in one.recall
    ]
    return head, body


def residual_text(values: Mapping[str, Measure]) -> str:
    """Residuals in one line, in ms."""
    return ", ".join(f"{name} {1000 * measure.value:+.0f} ms" for name, measure in values.items()) or "no pairs"
