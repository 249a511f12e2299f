"""Stations of one event: position, processed components, onset."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from seisvision.data.importing.channels import PAIRS, choose_sensor, turn_to_north_east
from seisvision.data.importing.formats.waveform_files import NS
from seisvision.data.importing.onset import NO_ONSET, detect_onset
from seisvision.data.importing.recipe import Recipe, Source
from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.signals import Recording, band_pass, process
from seisvision.data.importing.station_grid import to_one_grid
from seisvision.data.importing.tables.pick import Pick
from seisvision.data.importing.tables.station_table import SAC, Place, StationTable, place_from_sac
from seisvision.data.importing.tables.text_tables import NAN
from seisvision.keys import COMPONENTS

GROUND_UNITS = {"VEL": "m/s", "DISP": "m", "ACC": "m/s**2"}


@dataclass
class Station:
    """A station on its way into the set.

    Args:
        recordings: component letter (Z, N, E, in that order) to the processed recording.
        place: None where the position is not known.
        distance_km: epicentral distance; NaN where a position is missing, like the angles.
        azimuth_deg: from the source to the station.
        back_azimuth_deg: from the station to the source.
        turned_from: ``RT`` or ``12`` where the horizontals were turned to north and east, else empty.
        onset_ns: time of the onset, picked or found; None where there is none.
        snr: amplitude ratio of the strongest motion to the noise.
    """

    recordings: dict[str, Recording]
    place: Place | None
    distance_km: float
    azimuth_deg: float
    back_azimuth_deg: float
    turned_from: str = ""
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
        place = _place(members[0], source, table)
        if place is None and recipe.quality.missing_station == "reject":
            log.add_recordings(members, Refusal("station", "no_position", "the position of this station is not known"))
            continue
        station = Station(choose_sensor(members, recipe.processing, log), place, *_geometry(event, place))
        _process(station, recipe, source, table, log)
        station.recordings = to_one_grid(station.recordings, log)
        _turn(station, recipe.processing.components, table, log)
        if station.recordings:
            _find_onset(station, recipe)
            stations.append(station)
    return stations


def _place(recording: Recording, source: Source, table: StationTable) -> Place | None:
    codes = (recording.network, recording.station, recording.location, recording.channel)
    place = table.find(*codes, recording.start_ns)
    return place_from_sac(recording.sac) if place is None and source.stations in (SAC, None) else place


def _geometry(event: dict[str, Any], place: Place | None) -> tuple[float, float, float]:
    """Epicentral distance in km, azimuth and back azimuth in degrees, on the WGS84 ellipsoid."""
    from obspy.geodetics import gps2dist_azimuth

    source = (event["source_latitude_deg"], event["source_longitude_deg"])
    if place is None or not np.isfinite(sum(source)):
        return NAN, NAN, NAN
    distance_m, azimuth, back_azimuth = gps2dist_azimuth(*source, place.latitude_deg, place.longitude_deg)
    return distance_m / 1000, azimuth % 360, back_azimuth % 360


def _process(station: Station, recipe: Recipe, source: Source, table: StationTable, log: RejectionLog) -> None:
    for letter, recording in list(station.recordings.items()):
        response, unit = None, source.unit
        try:
            if source.response == "remove":
                response, unit = table.inventory, GROUND_UNITS[source.output]
            elif source.response == "gain":
                response, unit = table.sensitivity(recording.trace_id, recording.start_ns)
            processed = process(recording, recipe.processing, response, source.output)
            station.recordings[letter] = replace(processed, unit=unit)
        except Refusal as refusal:
            log.add_recordings([station.recordings.pop(letter)], refusal)


def _turn(station: Station, components: str, table: StationTable, log: RejectionLog) -> None:
    """Turn R and T, or 1 and 2, to north and east; leave out what cannot be turned or is not wanted."""
    for pair in PAIRS:
        members = [station.recordings.pop(letter) for letter in pair if letter in station.recordings]
        if not members:
            continue
        try:
            if len(members) == 1:
                raise Refusal("processing", "half_of_a_pair", "its horizontal partner was refused")
            azimuths = _radial_azimuths(station, members[0]) if pair == "RT" else _sensor_azimuths(members, table)
            turned = turn_to_north_east(members, azimuths)
            station.recordings |= turned
            station.turned_from = pair
        except Refusal as refusal:
            log.add_recordings(members, refusal)
    for letter in [letter for letter in station.recordings if letter not in components]:
        unwanted = Refusal("selection", "component", f"component {letter} is not wanted, only {components}")
        log.add_recordings([station.recordings.pop(letter)], unwanted)
    station.recordings = {key: station.recordings[key] for key in COMPONENTS if key in station.recordings}


def _radial_azimuths(station: Station, recording: Recording) -> tuple[float, float]:
    """R points away from the source, T ninety degrees clockwise of it, as in obspy and SAC.

    The back azimuth of a SAC header comes first, because it is what the recordings were turned with.
    """
    back_azimuth = float(recording.sac.get("baz", station.back_azimuth_deg))
    return (back_azimuth + 180) % 360, (back_azimuth + 270) % 360


def _sensor_azimuths(members: list[Recording], table: StationTable) -> tuple[float, float]:
    azimuths = []
    for recording in members:
        codes = (recording.network, recording.station, recording.location, recording.channel)
        place = table.find(*codes, recording.start_ns)
        known = NAN if place is None else place.azimuth_deg
        azimuths.append(known if np.isfinite(known) else float(recording.sac.get("cmpaz", NAN)))
    return azimuths[0], azimuths[1]


def _find_onset(station: Station, recipe: Recipe) -> None:
    recording = station.first
    low, high = recipe.onset_band_hz
    onset = NO_ONSET
    # Less than an octave of the band shows the start of its filter rather than an arrival.
    if 4 * low <= recording.rate_hz:
        filtered = band_pass(recording.samples, recording.rate_hz, (low, high))
        onset = detect_onset(filtered, recording.rate_hz, recipe.quality.min_snr)
    station.snr = onset.snr
    if np.isfinite(onset.time_s):
        station.onset_ns = recording.start_ns + round(onset.time_s * NS)
