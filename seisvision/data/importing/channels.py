"""Channels of one event: read, join, check, and choose one sensor per station."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seisvision.data.importing.association import EventFiles
from seisvision.data.importing.formats.segment import checked, cut
from seisvision.data.importing.formats.waveform_files import Segment, read_segments
from seisvision.data.importing.recipe import Processing, Recipe, Source
from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.sensors.channel_codes import LETTERS, check_code, clean_codes
from seisvision.data.importing.sensors.directions import Direction, sensor_directions
from seisvision.data.importing.sensors.orientation import Turn, plan_turns
from seisvision.data.importing.series.checks import check_all
from seisvision.data.importing.series.joining import seconds_by_rate
from seisvision.data.importing.series.signals import ReadSpan, Recording, Verdict, join_all, marks_of
from seisvision.data.importing.series.time_grid import near
from seisvision.data.importing.tables.channel_table import ChannelTable, Recorded
from seisvision.data.importing.tables.times import NS, time_ns
from seisvision.data.importing.tables.units import COUNTS
from seisvision.keys import COMPONENTS

FAMILIES = ("ZNE", "Z12", "123", "Z23", "Z13", "UVW", "ABC", "XYZ", "ZRT", "ZLQT")
"""Letters that channels of one sensor have at one time; what else it has was made of these."""
HELD = ""
"""In place of the name of a file, of what is held in memory."""
Known = tuple[tuple[str, tuple[float, ...] | None], ...]
"""Letters of a sensor, each with its axis (Z, N, E); None where that is not known."""
HORIZONTALS = "NERT12"
"""Letters that are of no use for Z where no angles are known."""


def read_recordings(
    files: EventFiles, recipe: Recipe, source: Source, table: ChannelTable, log: RejectionLog
) -> tuple[list[Recording], int]:
    """Return the usable channels of an event, in the order of their ids, and the number that was read."""
    segments: dict[str, list[Segment]] = {}
    file_of: dict[tuple[str, float], str] = {}
    n_read = 0
    for name, pieces_of_file, n_flawed in _pieces(files, log):
        n_read += n_flawed
        for segment in (clean_codes(item, source.channel_codes) for item in pieces_of_file):
            segments.setdefault(segment.trace_id, []).append(segment)
            file_of.setdefault((segment.trace_id, segment.rate_hz), name)
    read_span = None if files.span_ns is None else ReadSpan(time_ns(files.event["source_origin_time"]), *files.span_ns)
    unwanted = _unwanted([pieces[0] for pieces in segments.values()], recipe.processing.components, source, table)
    found: list[_Found] = []
    for trace_id, pieces in sorted(segments.items()):
        families = _by_rate(pieces)
        n_read += len(families)
        for rate, members in families.items():
            refusal = unwanted.get(trace_id) or _not_main_rate(rate, families)
            found.append(_Found(trace_id, file_of[trace_id, rate], members, refusal))
    recordings = []
    for item, verdict in zip(found, _joined(found, recipe, source.unit or COUNTS), strict=True):
        if isinstance(verdict, Refusal):
            log.add(verdict, file=item.file, trace_id=item.trace_id)
        else:
            recordings.append(verdict if read_span is None else replace(verdict, read_span=read_span))
    return recordings, n_read


class _Found(NamedTuple):
    """Pieces of one channel at one rate, and why they are not wanted if they are not."""

    trace_id: str
    file: str
    pieces: list[Segment]
    refusal: Refusal | None


def _joined(found: list[_Found], recipe: Recipe, unit: str) -> list[Verdict]:
    """All channels of an event joined and checked together."""
    wanted = [(item.pieces, item.file) for item in found if item.refusal is None]
    joined = join_all(wanted, recipe.processing.max_gap_s, unit)
    checked_of = iter(check_all([item for item in joined if isinstance(item, Recording)], recipe.quality))
    verdicts = iter([next(checked_of) if isinstance(item, Recording) else item for item in joined])
    return [next(verdicts) if item.refusal is None else item.refusal for item in found]


def _pieces(files: EventFiles, log: RejectionLog) -> Iterator[tuple[str, list[Segment], int]]:
    """By file, and then of what is held in memory: name, sound pieces, and the number of channels listed as unsound."""
    for path, name in files.files:
        yield name, *_sound_segments(path, name, files, log)
    if files.held:
        span_ns = files.span_ns
        held = [checked(segment) for segment in files.held]
        inside = [one if one.flaw or span_ns is None else cut(one, *span_ns) for one in held]
        yield HELD, *_without_flawed([one for one in inside if one.flaw or one.n_samples], HELD, log)


def _sound_segments(path: Path, name: str, files: EventFiles, log: RejectionLog) -> tuple[list[Segment], int]:
    """Read one file; list what of it cannot be read or used, and return the rest and the number of channels listed."""
    losses: list[Refusal] = []
    try:
        segments = read_segments(path, files.spans_ns.get(name, files.span_ns), False, files.reading, losses)
    except Refusal as refusal:
        log.add(refusal, file=name)
        return [], 0
    for loss in losses:
        log.add(loss, file=name)
    if files.record:
        segments = [segment for segment in segments if segment.sac.get("kevnm") == files.record]
    return _without_flawed(segments, name, log)


def _without_flawed(segments: list[Segment], name: str, log: RejectionLog) -> tuple[list[Segment], int]:
    """The pieces that can be used, and the number of channels that are listed because they cannot."""
    flaws = {segment.trace_id: segment.flaw for segment in segments if segment.flaw is not None}
    for trace_id, flaw in flaws.items():
        log.add(flaw, file=name, trace_id=trace_id)
    return [segment for segment in segments if segment.flaw is None], len(flaws)


def _by_rate(segments: list[Segment]) -> dict[float, list[Segment]]:
    """Pieces of one channel by sampling rate; rates that are one, told inexactly, go with the one of most seconds."""
    if len(segments) == 1:
        return {segments[0].rate_hz: segments}
    seconds = seconds_by_rate(segments)
    heads: list[float] = []
    head_of: dict[float, float] = {}
    for rate in sorted(seconds, key=lambda rate: (-seconds[rate], -rate)):
        head_of[rate] = next((head for head in heads if near(rate, head)), rate)
        heads += [rate] if head_of[rate] == rate else []
    families: dict[float, list[Segment]] = {head: [] for head in heads}
    for segment in segments:
        families[head_of[segment.rate_hz]].append(segment)
    return families


def _not_main_rate(rate_hz: float, families: dict[float, list[Segment]]) -> Refusal | None:
    """Refuse all but the rate of most of a channel, the higher one of two equally long."""
    if len(families) == 1:
        return None
    lengths_s = {head: sum(seconds_by_rate(members).values()) for head, members in families.items()}
    main = max(lengths_s, key=lambda head: (lengths_s[head], head))
    if rate_hz == main:
        return None
    reason = f"sampled at {rate_hz:g} Hz, most of this channel at {main:g} Hz"
    return Refusal("merge", "mixed_rates", reason, rate_hz)


def _unwanted(channels: Iterable[Segment], components: str, source: Source, table: ChannelTable) -> dict[str, Refusal]:
    """Channels that name no component, or that no wanted component is made of, by their id."""
    refused: dict[str, Refusal] = {}
    useful = LETTERS if set(components) & {"N", "E"} else set(LETTERS) - set(HORIZONTALS)
    sensors: dict[tuple[str, ...], dict[str, Recorded]] = {}
    for item in channels:
        try:
            check_code(item.channel)
        except Refusal as refusal:
            refused[item.trace_id] = refusal
            continue
        key = (item.network, item.station, item.location, item.channel[:-1])
        sensors.setdefault(key, {})[item.channel[-1]] = item
    for sensor in sensors.values():
        found = sensor_directions(sensor, table, source.orientation)
        needed = _all_needed(_known(found), components)
        for letter, member in sensor.items():
            verdict = found[letter]
            if isinstance(verdict, Refusal) and letter not in LETTERS:
                refused[member.trace_id] = verdict
            elif letter not in (needed if isinstance(verdict, Direction) else useful):
                refused[member.trace_id] = not_wanted(letter, components)
    return refused


def not_wanted(letter: str, components: str) -> Refusal:
    """Refusal of a component that the set does not have."""
    return Refusal("selection", "component", f"component {letter} is not wanted, only {components}")


@lru_cache(maxsize=1024)
def _families(sensor: frozenset[str]) -> list[str]:
    """Letters of a sensor that belong together; those that no family holds may be one all the same, such as 3NE."""
    found = ["".join(letter for letter in family if letter in sensor) for family in FAMILIES]
    largest = [letters for letters in found if not any(set(letters) < set(other) for other in found)]
    if len(sensor) <= len(COMPONENTS):
        largest.append("".join(sorted(sensor)))
    return sorted(dict.fromkeys(filter(None, largest)), key=len, reverse=True)


def _known(found: Mapping[str, Direction | Refusal]) -> Known:
    """Directions of a sensor as they decide what can be made of it, which is the same for most sensors of a network."""
    return tuple((letter, item.vector if isinstance(item, Direction) else None) for letter, item in found.items())


@lru_cache(maxsize=1024)
def _all_needed(sensor: Known, components: str) -> frozenset[str]:
    """Letters that wanted components are made of, or would be if there were more channels."""
    needed: set[str] = set()
    for family in _families(frozenset(letter for letter, _ in sensor)):
        letters, turns = _turns(family, sensor)
        in_vain = [turn for turn in turns if not _gives(turn, components)]
        needed |= set(letters) - {letters[row] for turn in in_vain for row in turn.channels}
    return frozenset(needed)


def _turns(family: str, sensor: Known) -> tuple[list[str], tuple[Turn, ...]]:
    """Letters of a family whose directions are known, and what can be made of them."""
    axes = {letter: np.array(vector) for letter, vector in sensor if vector is not None}
    letters = [letter for letter in family if letter in axes]
    return letters, plan_turns([axes[letter] for letter in letters])


def best_letters(found: Mapping[str, Direction | Refusal], components: str) -> tuple[str, str]:
    """The letters of a sensor that give most of the wanted components, else of which there are most; what they give."""
    return _best(_known(found), components)


@lru_cache(maxsize=1024)
def _best(sensor: Known, components: str) -> tuple[str, str]:
    choices = []
    for family in _families(frozenset(letter for letter, _ in sensor)):
        made = {COMPONENTS[i] for turn in _turns(family, sensor)[1] for i in turn.components} & set(components)
        choices.append((family, "".join(letter for letter in components if letter in made)))
    return max(choices, key=lambda choice: len(choice[1]))


def needed_letters(found: Mapping[str, Direction | Refusal], components: str) -> tuple[str, str]:
    """Letters of one sensor to ask for, in the order of the codes, and the components that they give."""
    family, made = best_letters(found, components)
    letters, turns = _turns(family, _known(found))
    rows = {row for turn in turns for row in turn.channels if _gives(turn, components)}
    return "".join(sorted(letters[row] for row in rows)), made


def _gives(turn: Turn, components: str) -> bool:
    """Whether a turn gives any of the wanted components."""
    return any(COMPONENTS[i] in components for i in turn.components)


@dataclass(frozen=True)
class Sensor:
    """Channels of one sensor of a station that belong together.

    Args:
        recordings: by component letter.
        others: channels of the same band, instrument and location that are left out.
        components: what can be made of them.
    """

    recordings: dict[str, Recording]
    others: tuple[Recording, ...]
    components: str

    @property
    def first(self) -> Recording:
        """The channel that comes first."""
        return next(iter(self.recordings.values()))

    @property
    def name(self) -> str:
        """Its codes, for people."""
        location = self.first.location
        return f"channel {self.first.channel[:-1]}" + (f" at location {location}" if location else "")


def rank_sensors(
    recordings: list[Recording], processing: Processing, table: ChannelTable, orientation: str
) -> list[Sensor]:
    """Sensors of a station, the one to take first.

    The sensor that gives most of the wanted components wins, then the order of ``processing.channels``, then the first
    location code; so components of different sensors are never mixed.
    """
    groups: dict[tuple[str, str], dict[str, Recording]] = {}
    for recording in recordings:
        groups.setdefault((recording.channel[:-1], recording.location), {})[recording.channel[-1]] = recording
    order = {band: rank for rank, band in enumerate(processing.channels)}
    sensors = {
        key: _best_family(members, sensor_directions(members, table, orientation), processing.components)
        for key, members in groups.items()
    }

    def rank(key: tuple[str, str]) -> tuple[int, int, str, str]:
        return (-len(sensors[key].components), order.get(key[0], len(order)), key[1], key[0])

    return [sensors[key] for key in sorted(sensors, key=rank)]


def _best_family(members: dict[str, Recording], found: Mapping[str, Direction | Refusal], components: str) -> Sensor:
    family, made = best_letters(found, components)
    others = tuple(item for letter, item in members.items() if letter not in family)
    return Sensor({letter: members[letter] for letter in family}, others, made)


def turn_recordings(recordings: list[Recording], turn: Turn) -> dict[str, Recording]:
    """Turn channels to the components of ``turn``, over the time that all of them share.

    Raises:
        Refusal: they share no time.
    """
    chosen = [recordings[row] for row in turn.channels]
    if turn.is_plain and len(chosen) == 1:
        letter, plain = COMPONENTS[turn.components[0]], chosen[0]
        is_named = plain.channel[-1] == letter
        return {letter: plain if is_named else replace(plain, channel=plain.channel[:-1] + letter)}
    start_ns = max(recording.start_ns for recording in chosen)
    samples = [_from(recording, start_ns) for recording in chosen]
    length = min(len(part) for part in samples)
    if length < 2 or len({recording.rate_hz for recording in chosen}) > 1:
        reason = "the channels to be turned share no time or differ in sampling rate"
        raise Refusal("processing", "half_of_a_pair", reason)
    turned = turn.matrix @ np.stack([part[:length] for part in samples])
    marks = marks_of(chosen) | {"start_ns": start_ns}
    return {
        COMPONENTS[component]: replace(
            recording, channel=recording.channel[:-1] + COMPONENTS[component], samples=data, **marks
        )
        for component, recording, data in zip(turn.components, chosen, turned, strict=True)
    }


def _from(recording: Recording, start_ns: int) -> np.ndarray:
    return recording.samples[max(0, round((start_ns - recording.start_ns) * recording.rate_hz / NS)) :]
