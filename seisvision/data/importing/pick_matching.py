"""Which pick of an event is the P or the S of which station, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.tables.phases import PHASES
from seisvision.data.importing.tables.pick import STATUSES, Pick
from seisvision.data.importing.tables.times import NS, format_ns, time_ns
from seisvision.errors import closest

if TYPE_CHECKING:
    from seisvision.data.importing.stations import Station

BEFORE_ORIGIN_NS = NS
"""Origin times are often whole seconds, so a pick may seem to come that much before."""
OTHER_ORIGIN_NS = 5 * NS
"""Locations of one event by two agencies differ by less; leap seconds, time zones and mistaken ids by more."""
EVENT_REFUSED = Refusal("pick", "event_refused", "its event was refused")
SEEN = STATUSES[:3]
"""Statuses that say that somebody has looked at a pick."""


@dataclass
class EventPicks:
    """The picks of one event, each of which ends as used or as a line of the log.

    Args:
        picks: all of them.
        log: where the others are listed.
        min_probability: picks that are less sure are refused.
    """

    picks: list[Pick]
    log: RejectionLog
    min_probability: float = 0.0
    n_used: int = 0
    _left: dict[int, Pick] = field(init=False)

    def __post_init__(self) -> None:
        # By identity: a table may hold the same pick twice.
        self._left = {id(pick): pick for pick in self.picks}

    def refuse(self, picks: Iterable[Pick], refusal: Refusal) -> None:
        """List picks under one reason."""
        for pick in picks:
            del self._left[id(pick)]
            refuse_pick(self.log, pick, refusal)

    def use(self, pick: Pick) -> None:
        """Count a pick that stands in the set."""
        del self._left[id(pick)]
        self.n_used += 1

    def close(self, refusal: Refusal) -> None:
        """List all of which nothing has become yet."""
        self.refuse(list(self._left.values()), refusal)


def refuse_pick(log: RejectionLog, pick: Pick, refusal: Refusal, event_id: str | None = None) -> None:
    """List a pick; the reason begins with its phase and time."""
    when = "" if pick.time_ns is None else f" at {format_ns(pick.time_ns)}"
    reason = f"{pick.phase or 'pick without a phase'}{when}: {refusal.reason}"
    told = Refusal("pick", refusal.cause, reason, refusal.value)
    known = pick.event_id if event_id is None and not log.event_id else event_id
    log.add(told, file=pick.file, trace_id=pick.trace_id, event_id=known)


def match_picks(stations: list[Station], picks: EventPicks, event: dict[str, Any]) -> None:
    """Give each station its P and its S; a picked P is its onset.

    Of several picks of P (or S) the one that a person made or looked at counts; of those with one name the one that the
    preferred origin was found with; then those of one author (whose pick is most probable, else who is named first);
    then the earliest: Pn before Pg. An S that does not follow P is refused; where there is no other, so is the P, for
    one of them is wrong.
    """
    origin_time = event.get("source_origin_time")
    origin_ns = time_ns(origin_time) if origin_time else None
    refused = {tuple(item.trace_id.split(".")[:2]) for item in picks.log.items if item.kind == "recording"}
    members: dict[tuple[int, str], list[Pick]] = {}
    for pick in picks.picks:
        try:
            _check(pick, origin_ns, picks.min_probability)
            place = _station_of(pick, stations, refused)
            _check_recorded(pick, stations[place])
        except Refusal as refusal:
            picks.refuse([pick], refusal)
            continue
        members.setdefault((place, pick.family), []).append(pick)
    for place, station in enumerate(stations):
        for phase in PHASES:
            _choose(station, phase, members.get((place, phase), []), picks)
        _check_order(station, picks)
        if "P" in station.picks:
            station.onset_ns = station.picks["P"].time_ns


def settle(picks: EventPicks, rows: Iterable[tuple[Station, dict[str, Any]]]) -> None:
    """Count the picks that stand in the rows of the set; list those outside the windows and those that are left."""
    for station, row in rows:
        for phase, pick in station.picks.items():
            if np.isfinite(row[f"trace_{phase.lower()}_arrival_sample"]):
                picks.use(pick)
            else:
                picks.refuse([pick], Refusal("pick", "outside_window", "lies outside the window of its station"))
    picks.close(Refusal("pick", "recording_refused", "the recordings of its station were refused"))


def _check(pick: Pick, origin_ns: int | None, min_probability: float) -> None:
    if not pick.family:
        raise Refusal("pick", "other_phase", "is not the name of a first P or S arrival")
    if pick.time_ns is None:
        raise Refusal("pick", "no_time", f"'{pick.written}' is no time")
    if pick.is_unused:
        raise Refusal("pick", "unused_pick", "weight 4: whoever picked it does not want it used")
    if pick.status == "rejected":
        raise Refusal("pick", "rejected_pick", "its evaluation status is rejected")
    if pick.probability < min_probability:
        reason = f"probability {pick.probability:g} < {min_probability:g}"
        raise Refusal("pick", "improbable", reason, pick.probability)
    if origin_ns is not None and pick.origin_ns is not None and abs(pick.origin_ns - origin_ns) > OTHER_ORIGIN_NS:
        late_s = (pick.origin_ns - origin_ns) / NS
        reason = f"its file has an origin time {late_s:.3g} s after that of the catalogue"
        raise Refusal("pick", "other_origin", reason, late_s)
    if origin_ns is not None and pick.time_ns < origin_ns - BEFORE_ORIGIN_NS:
        early_s = (origin_ns - pick.time_ns) / NS
        raise Refusal("pick", "before_origin", f"comes {early_s:.3g} s before the origin time", early_s)


def _check_recorded(pick: Pick, station: Station) -> None:
    first_ns = min(item.start_ns for item in station.recordings.values())
    last_ns = max(item.end_ns for item in station.recordings.values())
    if not first_ns <= _moment(pick) <= last_ns:
        away_s = max(first_ns - _moment(pick), _moment(pick) - last_ns) / NS
        raise Refusal("pick", "not_recorded", f"lies {away_s:.3g} s outside the recordings of its station", away_s)


def _station_of(pick: Pick, stations: list[Station], refused: set[tuple[str, ...]]) -> int:
    """Number of the station whose codes a pick names; blank codes on either side fit any."""
    named = _named(pick.station, [station.first.station for station in stations])
    fitting = _fitting(pick.network, {i: stations[i].first.network for i in named})
    if not fitting:
        raise _no_station(pick, [stations[i] for i in named], stations, refused)
    networks = {stations[i].first.network for i in fitting}
    if not pick.network:
        networks |= {network for network, station in refused if station == pick.station}
    if len(networks) > 1:
        raise Refusal("pick", "two_networks", f"names no network, and {', '.join(sorted(networks))} have this station")
    here = _fitting(pick.location, {i: stations[i].first.location for i in fitting})
    if not here:
        taken = stations[fitting[0]].first.location
        raise Refusal(
            "pick", "other_location", f"location {pick.location}, but location {taken} of the station is taken"
        )
    return here[0]


def _named(code: str, codes: list[str]) -> list[int]:
    """Numbers of the stations of that code; capitals matter only where two codes differ in nothing else."""
    exact = [i for i, other in enumerate(codes) if other == code]
    return exact or [i for i, other in enumerate(codes) if other.casefold() == code.casefold()]


def _fitting(code: str, others: dict[int, str]) -> list[int]:
    """Numbers of the stations with a code; where none has it, of those where either code is blank."""
    exact = [i for i, other in others.items() if other.casefold() == code.casefold()]
    return exact if exact and code else [i for i, other in others.items() if _fits(code, other)]


def _fits(code: str, other: str) -> bool:
    return not code or not other or other == "--" or code.casefold() == other.casefold()


def _no_station(
    pick: Pick, namesakes: list[Station], stations: list[Station], refused: set[tuple[str, ...]]
) -> Refusal:
    if not pick.station:
        return Refusal("pick", "unknown_station", "names no station")
    if any(station == pick.station and _fits(pick.network, network) for network, station in refused):
        return Refusal("pick", "recording_refused", "the recordings of its station were refused")
    if namesakes:
        networks = ", ".join(sorted({station.first.network for station in namesakes}))
        return Refusal("pick", "other_network", f"this station of network {networks}, not {pick.network}, is recorded")
    codes = sorted({station.first.station for station in stations} | {station for _, station in refused})
    reason = f"station '{pick.station}' has no recording of this event. {closest(pick.station, codes)}"
    return Refusal("pick", "no_recording", reason.strip())


def _choose(station: Station, phase: str, candidates: list[Pick], picks: EventPicks) -> None:
    """Take one of the picks of a phase; an S ahead of the P gives way to one that follows it."""
    first = station.picks.get("P")
    if first is not None:
        following = [pick for pick in candidates if _moment(pick) > _moment(first)]
        if following and phase == "S":
            early = [pick for pick in candidates if _moment(pick) <= _moment(first)]
            picks.refuse(early, Refusal("pick", "s_before_p", "S does not follow the P of this station"))
            candidates = following
    if not candidates:
        return
    best = min(_trust(pick) for pick in candidates)
    trusted = [pick for pick in candidates if _trust(pick) == best]
    located = {pick.phase for pick in trusted if pick.located}
    trusted = [pick for pick in trusted if pick.located or pick.phase not in located]
    author = max(trusted, key=lambda pick: np.nan_to_num(pick.probability)).author
    chosen = min((pick for pick in trusted if pick.author == author), key=_moment)
    station.picks[phase] = chosen
    others = [pick for pick in candidates if pick is not chosen]
    reason = f"{chosen.phase} at {format_ns(_moment(chosen))} {chosen.judgement}".strip()
    picks.refuse(others, Refusal("pick", "other_pick", f"{reason} of this station comes first"))


def _trust(pick: Pick) -> tuple[int, int, int]:
    """Rank of a pick, the most trusted least: seen by a person, then its mode, then its status."""
    mode = ("manual", "", "automatic").index(pick.mode)
    seen = pick.mode == "manual" or pick.status in SEEN
    status = ("final", "confirmed", "reviewed", "", "preliminary", "rejected").index(pick.status)
    return (0 if seen else mode, mode, status)


def _moment(pick: Pick) -> int:
    assert pick.time_ns is not None
    return pick.time_ns


def _check_order(station: Station, picks: EventPicks) -> None:
    if len(station.picks) == 2 and _moment(station.picks["S"]) <= _moment(station.picks["P"]):
        both = [station.picks.pop(phase) for phase in PHASES]
        lag_s = (_moment(both[1]) - _moment(both[0])) / NS
        picks.refuse(both, Refusal("pick", "s_before_p", f"S comes {lag_s:.3g} s after P at this station", lag_s))
