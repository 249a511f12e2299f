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
from seisvision.data.importing.series.batches import in_batches, stacked
from seisvision.data.importing.series.signals import Recording, filter_all, process_all
from seisvision.data.importing.series.station_grid import to_one_grid
from seisvision.data.importing.tables.pick import Pick
from seisvision.data.importing.tables.station_table import SAC, Place, StationTable, place_from_sac
from seisvision.data.importing.tables.text_tables import NAN
from seisvision.data.importing.tables.times import NS
from seisvision.data.importing.tables.units import COUNTS, GROUND_UNITS, sac_unit
from seisvision.earth.geodesics import path
from seisvision.keys import COMPONENTS
from seisvision.picking.first_motion import NO_ONSET, Onset, delay_s, detect_onsets


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


@dataclass
class _Trial:
    """What becomes of one sensor of a station: the station made of it, and what of it was refused."""

    sensor: Sensor
    station: Station
    log: RejectionLog
    axes: dict[str, Direction] = field(default_factory=dict)

    @property
    def keeps_promise(self) -> bool:
        """Whether it gives all components that could be made of its channels."""
        return bool(self.station.recordings) and len(self.station.recordings) == len(self.sensor.components)


@dataclass
class _Choice:
    """The sensors of one station, the one to take first ahead, and the trials so far."""

    ranked: list[Sensor]
    log: RejectionLog
    trials: list[_Trial] = field(default_factory=list)

    @property
    def is_made(self) -> bool:
        """Whether no further sensor has to be tried."""
        return bool(self.trials) and (self.trials[-1].keeps_promise or len(self.trials) == len(self.ranked))


def build_stations(
    recordings: list[Recording],
    event: dict[str, Any],
    recipe: Recipe,
    source: Source,
    table: StationTable,
    log: RejectionLog,
) -> list[Station]:
    """Group recordings by station, choose a sensor for each, process it and find its onset.

    All stations go through each step together, because the channels of an event are mostly of one length and rate.
    """
    by_station: dict[tuple[str, str], list[Recording]] = {}
    for recording in recordings:
        by_station.setdefault((recording.network, recording.station), []).append(recording)
    choices: list[_Choice] = []
    for members in by_station.values():
        ranked = rank_sensors(members, recipe.processing, table.channels, source.orientation)
        choices.append(_Choice(ranked, RejectionLog(log.source, log.event_id)))
        if _place(ranked[0].first, source, table) is None:
            codes = (members[0].network, members[0].station)
            cause = "unusable_position" if table.problem(*codes) else "no_position"
            if cause == "unusable_position" or recipe.quality.missing_station == "reject":
                choices[-1].log.add_recordings(members, Refusal("station", cause, table.why_missing(*codes)))
                choices[-1].ranked = []
    _try_sensors([choice for choice in choices if choice.ranked], event, recipe, source, table)
    stations = [(_best(choice), choice.log) for choice in choices if choice.ranked]
    stations = [(station, own) for station, own in stations if station.recordings]
    # A filter of zero phase moves energy ahead of the onset, so the onset is found before it comes.
    _find_onsets([station for station, _ in stations], recipe)
    _filter(stations, recipe)
    for choice in choices:
        log.items += choice.log.items
    return [station for station, _ in stations if station.recordings]


def _try_sensors(
    choices: list[_Choice], event: dict[str, Any], recipe: Recipe, source: Source, table: StationTable
) -> None:
    """The first sensors of all stations, then the next ones of those where that did not give what it promises."""
    while choices:
        trials = []
        for choice in choices:
            sensor = choice.ranked[len(choice.trials)]
            place = _place(sensor.first, source, table)
            station = Station(dict(sensor.recordings), place, *_geometry(event, place))
            trials.append(_Trial(sensor, station, RejectionLog(choice.log.source, choice.log.event_id)))
            choice.trials.append(trials[-1])
        _build(trials, recipe, source, table)
        choices = [choice for choice in choices if not choice.is_made]


def _best(choice: _Choice) -> Station:
    """The station from the first sensor that gives what it promises, else from the one that gives most."""
    best = max(choice.trials, key=lambda trial: len(trial.station.recordings))
    log, chosen = choice.log, best.sensor
    taken = Refusal("selection", "other_sensor", f"{chosen.name} of this station is taken")
    for trial in choice.trials:
        log.items += trial.log.items
        if trial is not best:
            log.add_recordings(trial.station.recordings.values(), taken)
    for sensor in choice.ranked[len(choice.trials) :]:
        log.add_recordings(sensor.recordings.values(), taken)
    for sensor in choice.ranked:
        letters = " ".join(sensor.recordings)
        same = Refusal("selection", "other_sensor", f"components {letters} of the same sensor are taken")
        log.add_recordings(sensor.others, same if sensor is chosen else taken)
    return best.station


def _build(trials: list[_Trial], recipe: Recipe, source: Source, table: StationTable) -> None:
    """Process the channels of a sensor of each station and turn them to the components of the set."""
    for trial in trials:
        station = trial.station
        found = sensor_directions(station.recordings, table.channels, source.orientation, station.back_azimuth_deg)
        for letter, verdict in found.items():
            if isinstance(verdict, Refusal):
                trial.log.add_recordings([station.recordings.pop(letter)], verdict)
            else:
                trial.axes[letter] = verdict
        borrowed = map(table.channels.borrowed_channel, station.recordings.values())
        station.metadata_channel = max(borrowed, default="")
    _process(trials, recipe, source, table)
    for trial in trials:
        station, log, axes = trial.station, trial.log, trial.axes
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
            signed[letter] = axes[letter] if sign > 0 else replace(axes[letter], axis=-axes[letter].axis)
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


def _process(trials: list[_Trial], recipe: Recipe, source: Source, table: StationTable) -> None:
    """Process the channels of all trials; what cannot be is listed in the log of its trial."""
    recordings = [(trial, letter, item) for trial in trials for letter, item in trial.station.recordings.items()]
    asked = [_unit_and_response(recording, source, table) for *_, recording in recordings]
    pairs = zip(recordings, asked, strict=True)
    jobs = [(recording, known[1]) for (*_, recording), known in pairs if not isinstance(known, Refusal)]
    processed = iter(process_all(jobs, recipe.processing, source.output))
    for (trial, letter, recording), known in zip(recordings, asked, strict=True):
        verdict = known if isinstance(known, Refusal) else next(processed)
        if isinstance(verdict, Refusal):
            trial.log.add_recordings([recording], verdict)
            del trial.station.recordings[letter]
        elif not isinstance(known, Refusal):
            has_unit = verdict.unit == known[0]
            trial.station.recordings[letter] = verdict if has_unit else replace(verdict, unit=known[0])


def _unit_and_response(recording: Recording, source: Source, table: StationTable) -> tuple[str, Any] | Refusal:
    """Unit that the samples get, and what is to be taken from them for it: a sensitivity, a response or None."""
    unit = source.unit or sac_unit(recording.sac) or COUNTS
    if source.response == "none":
        return unit, None
    if not unit.lower().startswith("count"):
        reason = f"its samples are {unit}, no counts that a response could be taken from"
        return Refusal("processing", "no_counts", reason)
    try:
        if source.response == "remove":
            return GROUND_UNITS[source.output], table.channels.plain_response(recording)
        sensitivity, unit = table.channels.sensitivity(recording)
    except Refusal as refusal:
        return refusal
    return unit, sensitivity


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


def _find_onsets(stations: list[Station], recipe: Recipe) -> None:
    """Find the onset in a causally filtered copy of the first component of each, which is in no band yet."""
    firsts = [station.first for station in stations]
    found = in_batches(firsts, lambda item: (len(item.samples), item.rate_hz), lambda some: _onsets(some, recipe))
    for station, onset in zip(stations, found, strict=True):
        station.snr = onset.snr
        if np.isfinite(onset.time_s):
            station.onset_ns = station.first.start_ns + round(onset.time_s * NS)


def _onsets(recordings: list[Recording], recipe: Recipe) -> list[Onset]:
    """Onsets of recordings of one length and one rate, less the time that an arrival takes to be seen."""
    rate_hz = recordings[0].rate_hz
    low, high = band_hz = _onset_band_hz(recipe)
    # Less than an octave of the band shows the start of its filter rather than an arrival.
    if 4 * low > rate_hz:
        return [NO_ONSET] * len(recordings)
    causal = band_pass(stacked([item.samples for item in recordings]), rate_hz, band_hz, zerophase=False)
    seen_hz = (low, min(high, rate_hz / 2))
    found = detect_onsets(causal, rate_hz, recipe.quality.min_snr)
    return [replace(onset, time_s=onset.time_s - delay_s(onset.snr, seen_hz)) for onset in found]


def _onset_band_hz(recipe: Recipe) -> tuple[float, float]:
    """What the band of the set holds of the band of the onsets; that band itself where it is less than an octave."""
    wanted, of_set = recipe.onset_band_hz, recipe.processing.band_hz or recipe.onset_band_hz
    low, high = max(wanted[0], of_set[0]), min(wanted[1], of_set[1])
    return (low, high) if high >= 2 * low else wanted


def _filter(stations: list[tuple[Station, RejectionLog]], recipe: Recipe) -> None:
    """Bring each recording into the band of the set; what cannot be is listed in the log of its station."""
    if recipe.processing.band_hz is None:
        return
    recordings = [(*one, letter, item) for one in stations for letter, item in one[0].recordings.items()]
    verdicts = filter_all([item for *_, item in recordings], recipe.processing)
    for (station, log, letter, recording), verdict in zip(recordings, verdicts, strict=True):
        if isinstance(verdict, Refusal):
            log.add_recordings([recording], verdict)
            del station.recordings[letter]
        else:
            station.recordings[letter] = verdict
