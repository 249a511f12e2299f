"""Whether two ids mean one event: told by another agency, under another name, or cut from the same recording.

Agencies locate one earthquake seconds and tens of kilometres apart, and a source placed farther away is timed earlier,
so that time and place are compared together: origins are those of one event where they differ by no more than
:data:`SAME_TIME_S` and what a P wave needs for the distance between the epicentres, which is at most
:data:`SAME_PLACE_KM`. Recordings are the same where one station has most of its time in both. Two shocks that follow
each other so closely count as one: whoever has seen the one has seen the motion of the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from seisvision.data.audit.table import AuditTable
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.cells import positions_km

SAME_TIME_S = 3.0
SAME_PLACE_KM = 50.0
P_KM_S = 8.0
"""Velocity of P below the crust."""
SAME_SPAN = 0.9
"""Recordings of one station that share more of the shorter one's time than this are the same."""
PLACES = ("source_latitude_deg", "source_longitude_deg")
MOST_IDS = 10
"""No event has more ids than this; longer chains are swarms, or times that are made up."""


@dataclass(frozen=True)
class EventFacts:
    """What tells E events, recorded by T traces, from others.

    Attributes:
        ids: (E,) as their set names them.
        origin_s: (E,) seconds since 1970, NaN where not known.
        latitude_deg: (E,) NaN where not known.
        longitude_deg: (E,) NaN where not known.
        event: int (T,) number of the event of each trace.
        station: (T,) ``NET.STA``; traces without station, start or length are left out.
        start_s: (T,) seconds since 1970.
        end_s: (T,)
    """

    ids: list[str]
    origin_s: np.ndarray
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    event: np.ndarray
    station: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray

    @classmethod
    def of(cls, waveform_set: WaveformSet) -> EventFacts:
        """Return the facts of all events of a set, in the order of its ``source_ids``."""
        table = AuditTable(waveform_set)
        rows = table.first_row
        number, names = table.station
        end_s = table.start_s + table.length_s
        kept = np.flatnonzero((number >= 0) & np.isfinite(end_s))
        latitude_deg, longitude_deg = (table.numbers(name)[rows] for name in PLACES)
        return cls(
            waveform_set.source_ids,
            table.origin_s[rows],
            latitude_deg,
            longitude_deg,
            table.event[kept],
            names[number[kept]].astype(str) if len(kept) else np.empty(0, dtype=str),
            table.start_s[kept],
            end_s[kept],
        )

    def select(self, ids: Iterable[str]) -> EventFacts:
        """Return the facts of some events, in the order of these."""
        wanted = set(ids)
        chosen = np.array([name in wanted for name in self.ids], dtype=bool)
        events = np.flatnonzero(chosen)
        number = np.cumsum(chosen) - 1
        traces = np.flatnonzero(chosen[self.event])
        return EventFacts(
            [self.ids[i] for i in events],
            self.origin_s[events],
            self.latitude_deg[events],
            self.longitude_deg[events],
            number[self.event[traces]],
            self.station[traces],
            self.start_s[traces],
            self.end_s[traces],
        )

    def named(self, prefix: str) -> EventFacts:
        """Return the same facts, the ids of the events behind a prefix."""
        return replace(self, ids=[prefix + name for name in self.ids])

    @classmethod
    def together(cls, several: Sequence[EventFacts]) -> EventFacts:
        """Return the facts of several sets as of one; their ids must differ."""
        first = np.cumsum([0, *(len(one.ids) for one in several)])
        arrays = {
            name: np.concatenate([getattr(one, name) for one in several])
            for name in ("origin_s", "latitude_deg", "longitude_deg", "station", "start_s", "end_s")
        }
        event = np.concatenate([one.event + before for one, before in zip(several, first, strict=False)])
        return cls(ids=[name for one in several for name in one.ids], event=event, **arrays)

    @property
    def has_origin(self) -> np.ndarray:
        """Bool (E,): origin time and place are known."""
        return np.isfinite(self.origin_s + self.latitude_deg + self.longitude_deg)


def same_origins(one: EventFacts, other: EventFacts) -> np.ndarray:
    """Return the pairs (P, 2) of numbers in ``one`` and ``other`` whose origins are those of one event."""
    mine, theirs = np.flatnonzero(one.has_origin), np.flatnonzero(other.has_origin)
    theirs = theirs[np.argsort(other.origin_s[theirs], kind="stable")]
    reach_s = SAME_TIME_S + SAME_PLACE_KM / P_KM_S
    origin_s = one.origin_s[mine]
    a, b = _between(other.origin_s[theirs], origin_s - reach_s, origin_s + reach_s)
    a, b = mine[a], theirs[b]
    places = [positions_km(facts.latitude_deg[i], facts.longitude_deg[i]) for facts, i in ((one, a), (other, b))]
    apart_km = np.linalg.norm(places[0] - places[1], axis=1)
    near = np.abs(one.origin_s[a] - other.origin_s[b]) <= SAME_TIME_S + apart_km / P_KM_S
    near &= apart_km <= SAME_PLACE_KM
    return np.stack([a[near], b[near]], axis=1)


def same_recordings(one: EventFacts, other: EventFacts) -> np.ndarray:
    """Return the pairs (P, 2) of numbers of events that have a recording of one station in common."""
    number = np.unique(np.concatenate([one.station, other.station]), return_inverse=True)[1]
    mine, theirs = _by_station(number[: len(one.station)]), _by_station(number[len(one.station) :])
    found = [np.empty((0, 2), dtype=int)]
    # In sets of many places most stations recorded one event: these are paired together.
    once = [station for station in mine.keys() & theirs.keys() if len(mine[station]) == len(theirs[station]) == 1]
    if once:
        found.append(_alike(one, other, *(np.array([traces[it][0] for it in once]) for traces in (mine, theirs))))
    for station in (mine.keys() & theirs.keys()).difference(once):
        i, j = mine[station], theirs[station]
        j = j[np.argsort(other.start_s[j], kind="stable")]
        longest_s = float((other.end_s[j] - other.start_s[j]).max())
        a, b = _between(other.start_s[j], one.start_s[i] - longest_s, one.end_s[i])
        # At once, as a long recording beside many makes a pair with each of them.
        found.append(_alike(one, other, i[a], j[b]))
    return np.unique(np.concatenate(found), axis=0)


def _alike(one: EventFacts, other: EventFacts, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pairs (P, 2) of events of those pairs of traces ``a`` (N,), ``b`` (N,) that share most of the shorter one."""
    shared_s = np.minimum(one.end_s[a], other.end_s[b]) - np.maximum(one.start_s[a], other.start_s[b])
    shorter_s = np.minimum(one.end_s[a] - one.start_s[a], other.end_s[b] - other.start_s[b])
    same = (shared_s > SAME_SPAN * shorter_s) & (shorter_s > 0)
    return np.stack([one.event[a[same]], other.event[b[same]]], axis=1)


def _by_station(number: np.ndarray) -> dict[int, np.ndarray]:
    """Numbers of the traces of each station, of which ``number`` (T,) tells that of each trace."""
    order = np.argsort(number, kind="stable")
    stations, first = np.unique(number[order], return_index=True)
    # Without any trace there is still one piece, which is empty.
    return dict(zip(stations.tolist(), np.split(order, first[1:]), strict=False))


def _between(ordered: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every place of ``low`` (N,) with every place of ``ordered`` whose value lies in [low, high]."""
    first, last = np.searchsorted(ordered, low, "left"), np.searchsorted(ordered, high, "right")
    count = np.maximum(last - first, 0)
    a = np.repeat(np.arange(len(low)), count)
    return a, np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)


@dataclass(frozen=True)
class ToldTwice:
    """Events of one set that have several ids.

    Attributes:
        group_of: id to the first of the ids of its event; only of events with several.
        n_chained: ids in chains too long to be one event, which are left alone.
    """

    group_of: dict[str, str]
    n_chained: int = 0

    def among(self, ids: Sequence[str]) -> ToldTwice:
        """Those events of which several ids are among these."""
        wanted = set(ids)
        kept = {name: group for name, group in self.group_of.items() if name in wanted}
        count = Counter(kept.values())
        return ToldTwice({name: group for name, group in kept.items() if count[group] > 1}, self.n_chained)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.group_of)

    def describe(self) -> str:
        """How many there are, with examples, for people."""
        events: dict[str, list[str]] = {}
        for name, group in self.group_of.items():
            events.setdefault(group, []).append(name)
        shown = "; ".join(" and ".join(names) for names in list(events.values())[:3])
        return f"{len(events)} events have several ids ({shown}{'; ...' if len(events) > 3 else ''})"


def told_by_origin(table: pd.DataFrame, events: Sequence[str]) -> ToldTwice:
    """Find the events that a table tells under several ids, by their origins alone.

    Args:
        table: N rows with ``source_origin_time`` and the coordinates of the source; without these none is found.
        events: (N,) event of each row.
    """
    ids = list(dict.fromkeys(events))
    if not {"source_origin_time", *PLACES} <= set(table):
        return ToldTwice({})
    first = np.unique(pd.factorize(np.array(events, dtype=object))[0], return_index=True)[1]
    rows = table.iloc[first]
    times = pd.to_datetime(rows["source_origin_time"], errors="coerce", utc=True, format="mixed")
    stamps = times.to_numpy(dtype="datetime64[ns]")
    origin_s = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 1e9)
    latitude_deg, longitude_deg = (
        pd.to_numeric(rows[name], errors="coerce").to_numpy(float, na_value=np.nan) for name in PLACES
    )
    none = np.empty(0)
    facts = EventFacts(ids, origin_s, latitude_deg, longitude_deg, none.astype(int), none.astype(str), none, none)
    return told_twice(facts)


def told_twice(facts: EventFacts) -> ToldTwice:
    """Find the events of a set that it tells under several ids."""
    pairs = np.concatenate([same_origins(facts, facts), same_recordings(facts, facts)])
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    if not len(pairs):
        return ToldTwice({})
    n = len(facts.ids)
    graph = coo_matrix((np.ones(len(pairs), dtype=bool), pairs.T), shape=(n, n))
    number = connected_components(graph, directed=False)[1]
    size = np.bincount(number)[number]
    first = np.unique(number, return_index=True)[1]
    several = np.flatnonzero((size > 1) & (size <= MOST_IDS))
    group_of = {facts.ids[i]: facts.ids[first[number[i]]] for i in several}
    return ToldTwice(group_of, int((size > MOST_IDS).sum()))


def joined_groups(groups: Sequence[str], events: Sequence[str], told: ToldTwice) -> list[str]:
    """Join the groups (N,) of rows whose events (N,) are one; a joint group has the first of its names."""
    names, number = np.unique(np.array(groups, dtype=object).astype(str), return_inverse=True)
    shared: dict[str, int] = {}
    links = [
        (int(number[row]), len(names) + shared.setdefault(told.group_of[event], len(shared)))
        for row, event in enumerate(events)
        if event in told.group_of
    ]
    if not links:
        return list(groups)
    one, other = np.array(links).T
    n = len(names) + len(shared)
    joint = connected_components(coo_matrix((np.ones(len(one), dtype=bool), (one, other)), shape=(n, n)), False)[1]
    first = np.unique(joint[: len(names)], return_index=True)[1]
    name_of = dict(zip(joint[first], names[first], strict=True))
    return [str(name_of[joint[i]]) for i in number]
