"""Stations of one event: position, processed components, onset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from seisvision.data.importing.channels import Sensor, not_wanted, rank_sensors, turn_recordings
from seisvision.data.importing.recipe import Recipe, Source
from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.sensors.directions import (
    AGAINST_ANGLES,
    ANGLES,
    BACK_AZIMUTH,
    LETTER,
    Direction,
    sensor_directions,
)
from seisvision.data.importing.sensors.orientation import LEAK_DEG, azimuth_and_dip, plan_turns
from seisvision.data.importing.series.band import band_pass
from seisvision.data.importing.series.signals import Recording, filtered, process
from seisvision.data.importing.series.station_grid import to_one_grid
from seisvision.data.importing.tables.pick import Pick
from seisvision.data.importing.tables.station_table import SAC, Place, StationTable, place_from_sac
from seisvision.data.importing.tables.text_tables import NAN
from seisvision.data.importing.tables.times import NS
from seisvision.data.importing.tables.units import COUNTS, GROUND_UNITS, sac_unit
from seisvision.earth.geodesics import path
from seisvision.keys import COMPONENTS
from seisvision.picking.first_motion import NO_ONSET, delay_s, detect_onset


@dataclass
class Station:
    """A station on its way into the set.

    Args:
        recordings: component letter (Z, N, E, in that order) to the processed recording.
        place: None where the position is not known.
        distance_km: epicentral distance; NaN where a position is missing, like the angles.
        azimuth_deg: from the source to the station.
        back_azimuth_deg: from the station to the source.
        turned_from: letters of the channels that were turned or reversed to give Z, N and E, such as ``RT`` or ``Z12``.
        orientation: how the directions of its channels are known: a word of ``sensors.directions``.
        misorientation_deg: largest angle between a component and Z, N or E that could not be corrected.
        metadata_channel: channel whose metadata were taken, where its location code is not that of the recordings.
        onset_ns: time of the onset, picked or found; None where there is none.
        snr: amplitude ratio of the strongest motion to the noise.
    """

    recordings: dict[str, Recording]
    place: Place | None
    distance_km: float
    azimuth_deg: float
    back_azimuth_deg: float
    turned_from: str = ""
    orientation: str = ""
    misorientation_deg: float = 0.0
    metadata_channel: str = ""
    onset_ns: int | None = None
    snr: float = 0.0
    picks: dict[str, Pick] = field(default_factory=dict)
    """``P`` and ``S`` to the pick."""

    @property
    def first(self) -> Recording:
        """The recording of the first component, Z where there is one."""
        return next(iter(self.recordings.values()))


def build_stations(
    recordings: list[Recording],
    event: dict[str, Any],
    recipe: Recipe,
    source: Source,
    table: StationTable,
    log: RejectionLog,
) -> list[Station]:
    """Group recordings by station, choose a sensor for each, process it and find its onset."""
    by_station: dict[tuple[str, str], list[Recording]] = {}
    for recording in recordings:
        by_station.setdefault((recording.network, recording.station), []).append(recording)
    stations = []
    for members in by_station.values():
        ranked = rank_sensors(members, recipe.processing, table.channels, source.orientation)
        if _place(ranked[0].first, source, table) is None:
            codes = (members[0].network, members[0].station)
            cause = "unusable_position" if table.problem(*codes) else "no_position"
            if cause == "unusable_position" or recipe.quality.missing_station == "reject":
                log.add_recordings(members, Refusal("station", cause, table.why_missing(*codes)))
                continue
        station = _from_best(ranked, event, recipe, source, table, log)
        if station.recordings:
            # A filter of zero phase moves energy ahead of the onset, so the onset is found before it comes.
            _find_onset(station, recipe)
            _filter(station, recipe, log)
        if station.recordings:
            stations.append(station)
    return stations


def _from_best(
    ranked: list[Sensor], event: dict[str, Any], recipe: Recipe, source: Source, table: StationTable, log: RejectionLog
) -> Station:
    """The station from its first sensor that gives what it promises, else from the one that gives most."""
    tried: list[tuple[Sensor, Station, RejectionLog]] = []
    for sensor in ranked:
        own_log = RejectionLog(log.source, log.event_id)
        place = _place(sensor.first, source, table)
        station = Station(dict(sensor.recordings), place, *_geometry(event, place))
        _build(station, recipe, source, table, own_log)
        tried.append((sensor, station, own_log))
        if station.recordings and len(station.recordings) == len(sensor.components):
            break
    best = max(tried, key=lambda trial: len(trial[1].recordings))
    chosen, station, _ = best
    taken = Refusal("selection", "other_sensor", f"{chosen.name} of this station is taken")
    for trial in tried:
        log.items += trial[2].items
        if trial is not best:
            log.add_recordings(trial[1].recordings.values(), taken)
    for sensor in ranked[len(tried) :]:
        log.add_recordings(sensor.recordings.values(), taken)
    for sensor in ranked:
        letters = " ".join(sensor.recordings)
        same = Refusal("selection", "other_sensor", f"components {letters} of the same sensor are taken")
        log.add_recordings(sensor.others, same if sensor is chosen else taken)
    return station


def _build(station: Station, recipe: Recipe, source: Source, table: StationTable, log: RejectionLog) -> None:
    """Process the channels of one sensor and turn them to the components of the set."""
    found = sensor_directions(station.recordings, table.channels, source.orientation, station.back_azimuth_deg)
    axes: dict[str, Direction] = {}
    for letter, verdict in found.items():
        if isinstance(verdict, Refusal):
            log.add_recordings([station.recordings.pop(letter)], verdict)
        else:
            axes[letter] = verdict
    station.metadata_channel = max(map(table.channels.borrowed_channel, station.recordings.values()), default="")
    _process(station, recipe, source, table, log)
    _one_unit(station, log)
    station.recordings = to_one_grid(station.recordings, log)
    if source.response == "none":
        # The sign of a response that is taken away is taken away with it.
        axes = _with_signs(station, axes, table, log)
    _turn(station, axes, recipe.processing.components, log)


def _with_signs(
    station: Station, axes: Mapping[str, Direction], table: StationTable, log: RejectionLog
) -> dict[str, Direction]:
    """The axes along which counts grow; recordings of which the sign is not known are left out."""
    signed = {}
    for letter, recording in list(station.recordings.items()):
        try:
            sign = table.channels.polarity(recording)
        except Refusal as refusal:
            log.add_recordings([station.recordings.pop(letter)], refusal)
        else:
            signed[letter] = replace(axes[letter], axis=axes[letter].axis * sign)
    return signed


def _place(recording: Recording, source: Source, table: StationTable) -> Place | None:
    codes = (recording.network, recording.station, recording.location, recording.channel)
    place = table.find(*codes, recording.start_ns)
    return place_from_sac(recording.sac) if place is None and source.stations in (SAC, None) else place


def _geometry(event: dict[str, Any], place: Place | None) -> tuple[float, float, float]:
    """Epicentral distance in km, azimuth and back azimuth in degrees, on the WGS84 ellipsoid."""
    source = (event["source_latitude_deg"], event["source_longitude_deg"])
    if place is None or not np.isfinite(sum(source)):
        return NAN, NAN, NAN
    return path(*source, place.latitude_deg, place.longitude_deg)


def _process(station: Station, recipe: Recipe, source: Source, table: StationTable, log: RejectionLog) -> None:
    for letter, recording in list(station.recordings.items()):
        response: Any = None
        try:
            unit = source.unit or sac_unit(recording.sac) or COUNTS
            if source.response != "none" and not unit.lower().startswith("count"):
                reason = f"its samples are {unit}, no counts that a response could be taken from"
                raise Refusal("processing", "no_counts", reason)
            if source.response == "remove":
                response, unit = table.channels.plain_response(recording), GROUND_UNITS[source.output]
            elif source.response == "gain":
                response, unit = table.channels.sensitivity(recording)
            processed = process(recording, recipe.processing, response, source.output)
            station.recordings[letter] = processed if processed.unit == unit else replace(processed, unit=unit)
        except Refusal as refusal:
            log.add_recordings([station.recordings.pop(letter)], refusal)


def _one_unit(station: Station, log: RejectionLog) -> None:
    """Leave out channels whose unit is not that of the first: they cannot stand in one row."""
    units = {letter: recording.unit for letter, recording in station.recordings.items()}
    for letter, unit in units.items():
        if unit != station.first.unit:
            reason = f"its unit is {unit}, that of {station.first.channel} {station.first.unit}"
            refusal = Refusal("processing", "mixed_units", reason)
            log.add_recordings([station.recordings.pop(letter)], refusal)


def _turn(station: Station, axes: Mapping[str, Direction], components: str, log: RejectionLog) -> None:
    """Turn the channels to Z, N and E; leave out what cannot be turned or is not wanted."""
    letters = list(station.recordings)
    recordings = list(station.recordings.values())
    station.orientation = _weakest([axes[letter].known_from for letter in letters])
    turned: dict[str, Recording] = {}
    used: set[int] = set()
    changed: set[str] = set()
    for turn in plan_turns([axes[letter].axis for letter in letters]):
        try:
            turned |= turn_recordings(recordings, turn)
        except Refusal as refusal:
            log.add_recordings([recordings[row] for row in turn.channels], refusal)
        else:
            station.misorientation_deg = max(station.misorientation_deg, round(turn.left_deg, 3))
            names = [letters[row] for row in turn.channels]
            if not turn.is_plain or names != [COMPONENTS[i] for i in turn.components]:
                changed |= set(names)
        used |= set(turn.channels)
    for row in sorted(set(range(len(letters))) - used):
        log.add_recordings([recordings[row]], _lost(letters[row], axes[letters[row]], len(letters)))
    for letter in [letter for letter in turned if letter not in components]:
        log.add_recordings([turned.pop(letter)], not_wanted(letter, components))
    station.turned_from = "".join(letter for letter in letters if letter in changed)
    station.recordings = {letter: turned[letter] for letter in COMPONENTS if letter in turned}


def _weakest(sources: list[str]) -> str:
    """How the directions of a sensor are known, by the one known least."""
    return next((name for name in (AGAINST_ANGLES, LETTER, BACK_AZIMUTH, ANGLES) if name in sources), "")


def _lost(letter: str, direction: Direction, n_channels: int) -> Refusal:
    """Why a channel cannot be turned."""
    azimuth, dip = azimuth_and_dip(direction.axis)
    where = f"{letter} points to azimuth {azimuth:.4g} and dip {dip:.4g} degrees"
    if n_channels == len(COMPONENTS):
        return Refusal("processing", "parallel", f"{where}, too near to another channel of its sensor to be turned")
    cause = "tilted" if abs(dip) > LEAK_DEG else "half_of_a_pair"
    return Refusal("processing", cause, f"{where}, and its partners to turn it with are missing")


def _find_onset(station: Station, recipe: Recipe) -> None:
    """Find the onset in a causally filtered copy of the first component, which is in no band yet."""
    recording = station.first
    low, high = band_hz = _onset_band_hz(recipe)
    onset, late_s = NO_ONSET, 0.0
    # Less than an octave of the band shows the start of its filter rather than an arrival.
    if 4 * low <= recording.rate_hz:
        causal = band_pass(recording.samples, recording.rate_hz, band_hz, zerophase=False)
        onset = detect_onset(causal, recording.rate_hz, recipe.quality.min_snr)
        late_s = delay_s(onset.snr, (low, min(high, recording.rate_hz / 2)))
    station.snr = onset.snr
    if np.isfinite(onset.time_s):
        station.onset_ns = recording.start_ns + round((onset.time_s - late_s) * NS)


def _onset_band_hz(recipe: Recipe) -> tuple[float, float]:
    """What the band of the set holds of the band of the onsets; that band itself where it is less than an octave."""
    wanted, of_set = recipe.onset_band_hz, recipe.processing.band_hz or recipe.onset_band_hz
    low, high = max(wanted[0], of_set[0]), min(wanted[1], of_set[1])
    return (low, high) if high >= 2 * low else wanted


def _filter(station: Station, recipe: Recipe, log: RejectionLog) -> None:
    for letter, recording in list(station.recordings.items()):
        try:
            station.recordings[letter] = filtered(recording, recipe.processing)
        except Refusal as refusal:
            log.add_recordings([station.recordings.pop(letter)], refusal)
