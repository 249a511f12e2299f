"""Channels of one event: read, join, check, and choose one sensor per station."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from seisvision.data.importing.association import EventFiles
from seisvision.data.importing.formats.waveform_files import NS, Segment, read_segments
from seisvision.data.importing.recipe import Processing, Recipe
from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.signals import ReadSpan, Recording, check, join, marks_of
from seisvision.data.importing.tables.times import time_ns
from seisvision.data.importing.time_grid import near

PAIRS = ("RT", "12")
"""Horizontal components that can be turned to north and east."""


def read_recordings(files: EventFiles, recipe: Recipe, unit: str, log: RejectionLog) -> tuple[list[Recording], int]:
    """Return the usable channels of an event, in the order of their ids, and the number that was read."""
    segments: dict[str, list[Segment]] = {}
    file_of: dict[tuple[str, float], str] = {}
    n_read = 0
    for path, name in files.files:
        found, n_flawed = _sound_segments(path, name, files, log)
        n_read += n_flawed
        for segment in found:
            segments.setdefault(segment.trace_id, []).append(segment)
            file_of.setdefault((segment.trace_id, segment.rate_hz), name)
    read_span = None if files.span_ns is None else ReadSpan(time_ns(files.event["source_origin_time"]), *files.span_ns)
    recordings = []
    for trace_id, pieces in sorted(segments.items()):
        families = _by_rate(pieces)
        n_read += len(families)
        for rate, members in families.items():
            file = file_of[trace_id, rate]
            try:
                _check_component(members[0].channel, recipe.processing.components)
                _check_main_rate(rate, families)
                recording = join(members, recipe.processing.max_gap_s, file, unit)
                recordings.append(check(replace(recording, read_span=read_span), recipe.quality))
            except Refusal as refusal:
                log.add(refusal, file=file, trace_id=trace_id)
    return recordings, n_read


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
    flaws = {segment.trace_id: segment.flaw for segment in segments if segment.flaw is not None}
    for trace_id, flaw in flaws.items():
        log.add(flaw, file=name, trace_id=trace_id)
    return [segment for segment in segments if segment.flaw is None], len(flaws)


def _by_rate(segments: list[Segment]) -> dict[float, list[Segment]]:
    """Pieces of one channel by sampling rate; rates that are one, told inexactly, go with the one of most seconds."""
    seconds: dict[float, float] = {}
    for segment in segments:
        seconds[segment.rate_hz] = seconds.get(segment.rate_hz, 0.0) + segment.n_samples / segment.rate_hz
    heads: list[float] = []
    head_of: dict[float, float] = {}
    for rate in sorted(seconds, key=lambda rate: (-seconds[rate], -rate)):
        head_of[rate] = next((head for head in heads if near(rate, head)), rate)
        heads += [rate] if head_of[rate] == rate else []
    families: dict[float, list[Segment]] = {head: [] for head in heads}
    for segment in segments:
        families[head_of[segment.rate_hz]].append(segment)
    return families


def _check_main_rate(rate_hz: float, families: dict[float, list[Segment]]) -> None:
    """Refuse all but the rate of most of a channel, the higher one of two equally long."""
    lengths_s = {head: sum(item.n_samples / item.rate_hz for item in members) for head, members in families.items()}
    main = max(lengths_s, key=lambda head: (lengths_s[head], head))
    if rate_hz != main:
        reason = f"sampled at {rate_hz:g} Hz, most of this channel at {main:g} Hz"
        raise Refusal("merge", "mixed_rates", reason, rate_hz)


def _check_component(channel: str, components: str) -> None:
    letter = channel[-1:].upper()
    horizontal = "N" in components or "E" in components
    if letter in components or (horizontal and letter in "RT12" and letter):
        return
    if letter and letter in "ZNERT12":
        raise Refusal("selection", "component", f"component {letter} is not wanted, only {components}")
    raise Refusal("selection", "component", f"channel '{channel}' names no component ({components}, RT or 12)")


def choose_sensor(recordings: list[Recording], processing: Processing, log: RejectionLog) -> dict[str, Recording]:
    """Choose one sensor of a station and list the channels of the others; component letter to recording.

    The sensor with most of the wanted components wins, then the order of ``processing.channels``, then the first
    location code; so components of different sensors are never mixed.
    """
    sensors: dict[tuple[str, str], dict[str, Recording]] = {}
    for recording in recordings:
        sensor = sensors.setdefault((recording.channel[:-1].upper(), recording.location), {})
        sensor[recording.channel[-1].upper()] = recording
    order = {band: rank for rank, band in enumerate(processing.channels)}

    def rank(key: tuple[str, str]) -> tuple[int, int, str, str]:
        found = _components_of(sensors[key], processing.components)
        return (-len(found), order.get(key[0], len(order)), key[1], key[0])

    best = min(sensors, key=rank)
    name = f"channel {best[0]}" + (f" at location {best[1]}" if best[1] else "")
    for key, sensor in sensors.items():
        if key != best:
            log.add_recordings(
                sensor.values(), Refusal("selection", "other_sensor", f"{name} of this station is taken")
            )
    return _complete_pairs(sensors[best], log)


def _components_of(sensor: dict[str, Recording], components: str) -> set[str]:
    found = {letter for letter in sensor if letter in components}
    for pair in PAIRS:
        if all(letter in sensor for letter in pair):
            found |= set(components) & {"N", "E"}
    return found


def _complete_pairs(sensor: dict[str, Recording], log: RejectionLog) -> dict[str, Recording]:
    """Leave out horizontals that cannot be turned: half of a pair, or a pair beside true north and east."""
    kept = dict(sensor)
    for pair in PAIRS:
        members = [letter for letter in pair if letter in kept]
        if not members:
            continue
        direct = [letter for letter in kept if letter in "NE"]
        if direct or len(members) == 1:
            why = (
                f"component {direct[0]} of the same sensor is taken" if direct else "its horizontal partner is missing"
            )
            refusal = Refusal("selection", "half_of_a_pair" if not direct else "other_sensor", why)
            log.add_recordings([kept.pop(letter) for letter in members], refusal)
    return kept


def turn_to_north_east(pair: list[Recording], azimuths_deg: tuple[float, float]) -> dict[str, Recording]:
    """Turn two horizontal recordings, whose positive motion points to ``azimuths_deg``, to north and east.

    Raises:
        Refusal: an azimuth is not known, the two are within 20 degrees of parallel, or they share no time.
    """
    first, second = np.radians(azimuths_deg)
    determinant = float(np.sin(second - first))
    if not abs(determinant) > np.sin(np.radians(20)):
        shown = " and ".join(f"{azimuth:g}" for azimuth in azimuths_deg)
        raise Refusal("processing", "no_azimuth", f"cannot be turned to north and east with azimuths {shown} degrees")
    start_ns = max(recording.start_ns for recording in pair)
    samples = [_from(recording, start_ns) for recording in pair]
    length = min(len(part) for part in samples)
    if length < 2 or pair[0].rate_hz != pair[1].rate_hz:
        raise Refusal("processing", "half_of_a_pair", "the two horizontals share no time or differ in sampling rate")
    one, two = (part[:length] for part in samples)
    turned = {
        "N": (np.sin(second) * one - np.sin(first) * two) / determinant,
        "E": (np.cos(first) * two - np.cos(second) * one) / determinant,
    }
    return {
        letter: replace(
            pair[0], channel=pair[0].channel[:-1] + letter, start_ns=start_ns, samples=data, **marks_of(pair)
        )
        for letter, data in turned.items()
    }


def _from(recording: Recording, start_ns: int) -> np.ndarray:
    return recording.samples[max(0, round((start_ns - recording.start_ns) * recording.rate_hz / NS)) :]
