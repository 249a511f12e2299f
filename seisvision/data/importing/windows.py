"""One window for all stations of an event, and the metadata rows."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from seisvision.data.importing.formats.waveform_files import NS
from seisvision.data.importing.recipe import Recipe
from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.signals import Recording
from seisvision.data.importing.stations import Station
from seisvision.data.importing.tables.picks import PHASES
from seisvision.data.importing.tables.station_table import Place
from seisvision.data.importing.tables.text_tables import NAN
from seisvision.data.importing.tables.times import format_ns, time_ns
from seisvision.seeding import numpy_stream

MEAN_SPEED_KM_S = 6.0
"""Speed of the crustal P wave, for events that no station shows clearly."""
NO_PLACE = Place(NAN, NAN)


def event_onset(stations: list[Station], event: dict[str, Any]) -> tuple[int, str]:
    """Onset of an event in ns, and how it was found.

    ``median_of_stations``: median of the detected onsets. Without any: ``origin_and_distance``, origin time plus the
    travel time over the median distance; without an origin time: ``middle_of_recordings``.
    """
    onsets = [station.onset_ns for station in stations if station.onset_ns is not None]
    if onsets:
        return int(np.median(onsets)), "median_of_stations"
    if event.get("source_origin_time"):
        known = [station.distance_km for station in stations if np.isfinite(station.distance_km)]
        travel_s = float(np.median(known)) / MEAN_SPEED_KM_S if known else 0.0
        return time_ns(event["source_origin_time"]) + round(travel_s * NS), "origin_and_distance"
    middles = [(station.first.start_ns + station.first.end_ns) // 2 for station in stations]
    return int(np.median(middles)), "middle_of_recordings"


def window_starts_ns(stations: list[Station], event: dict[str, Any], onset_ns: int, recipe: Recipe) -> list[int | None]:
    """Start of the window of each station; None to keep whole recordings.

    Raises:
        Refusal: the window counts from an origin time that is not known.
    """
    window = recipe.window
    if window is None:
        return [None] * len(stations)
    event_id = event["source_id"]
    if not window.per_station:
        return [_start_ns(stations, event, onset_ns, recipe, event_id)] * len(stations)
    return [
        _start_ns([station], event, station.onset_ns or onset_ns, recipe, f"{event_id}/{station.first.trace_id}")
        for station in stations
    ]


def _start_ns(stations: list[Station], event: dict[str, Any], onset_ns: int, recipe: Recipe, name: str) -> int:
    assert recipe.window is not None
    window, reference_ns = recipe.window, onset_ns
    if window.reference == "origin":
        if not event.get("source_origin_time"):
            raise Refusal("event", "no_origin_time", "window.reference is origin, but the event has no origin time")
        reference_ns = time_ns(event["source_origin_time"])
    elif window.reference == "trace":
        reference_ns = min(item.start_ns for station in stations for item in station.recordings.values())
    # Keyed by the name of the event, so that its shift does not depend on what else is imported.
    stream = numpy_stream(recipe.seed, "import/window", zlib.crc32(name.encode()))
    shift_s = float(stream.uniform(-window.jitter_s, window.jitter_s))
    return reference_ns + round((shift_s - window.before_s) * NS)


def cut_station(
    station: Station, start_ns: int | None, recipe: Recipe, log: RejectionLog, with_picks: bool = False
) -> tuple[dict[str, Any], np.ndarray] | None:
    """Cut the components of a station to the window.

    Components that lack more than ``max_pad_s`` of the window, or are zero in it, are listed and left out.
    ``with_picks`` adds the columns of P and S picks.

    Returns:
        Metadata row and waveform (C, T) of the components left; None if none is left.
    """
    begin_ns, length = _span(station, start_ns, recipe)
    max_pad_s = 0.0 if recipe.window is None else recipe.window.max_pad_s
    pieces: dict[str, np.ndarray] = {}
    pad_s = 0.0
    for letter, recording in list(station.recordings.items()):
        piece, lacking_s = _cut(recording, begin_ns, length)
        try:
            _check_piece(piece, lacking_s, max_pad_s, recording.rate_hz)
        except Refusal as refusal:
            log.add_recordings([station.recordings.pop(letter)], refusal)
            continue
        pieces[letter] = piece
        pad_s = max(pad_s, lacking_s)
    if not pieces:
        return None
    waveform = np.stack(list(pieces.values()))
    scale = _scale(waveform, recipe.processing.normalise)
    row = _row(station, _first_sample_ns(station.first, begin_ns), waveform.shape[1])
    row |= {"trace_scale": scale, "trace_pad_s": round(pad_s, 6)}
    if with_picks:
        row |= _pick_columns(station, row, waveform.shape[1])
    if recipe.processing.normalise != "none":
        row["trace_unit"] = "normalised"
    return row, (waveform / scale).astype(np.float32)


def _span(station: Station, start_ns: int | None, recipe: Recipe) -> tuple[int, int]:
    """Start and samples of the window, or of the time that all components of the station share."""
    rate = station.first.rate_hz
    if recipe.window is not None and start_ns is not None:
        return start_ns, round(recipe.window.length_s * rate)
    begin_ns = max(item.start_ns for item in station.recordings.values())
    end_ns = min(item.end_ns for item in station.recordings.values())
    return begin_ns, max(0, round((end_ns - begin_ns) / NS * rate))


def _cut(recording: Recording, start_ns: int, length: int) -> tuple[np.ndarray, float]:
    """The window with zeros where nothing was recorded, and how many seconds these are."""
    first = _index(recording, start_ns)
    piece = np.zeros(length)
    begin, end = max(first, 0), min(first + length, len(recording.samples))
    if end > begin:
        piece[begin - first : end - first] = recording.samples[begin:end]
    return piece, (length - max(0, end - begin)) / recording.rate_hz


def _index(recording: Recording, time_ns: int) -> int:
    return round((time_ns - recording.start_ns) / NS * recording.rate_hz)


def _first_sample_ns(recording: Recording, start_ns: int) -> int:
    return recording.start_ns + round(_index(recording, start_ns) / recording.rate_hz * NS)


def _check_piece(piece: np.ndarray, lacking_s: float, max_pad_s: float, rate_hz: float) -> None:
    # A sample may be lost to rounding at either end without the window being short of recording.
    if lacking_s > max_pad_s + 2 / rate_hz or not len(piece):
        reason = f"lacks {lacking_s:.3g} s of the window > {max_pad_s:g} s"
        raise Refusal("window", "outside_recording", reason, lacking_s)
    if not np.any(piece):
        raise Refusal("window", "flat", "zero throughout the window", 0.0)


def _pick_columns(station: Station, row: dict[str, Any], length: int) -> dict[str, float]:
    """Picks as samples of the window, in the columns of SeisBench; NaN for none and for those outside."""
    start_ns, rate = time_ns(row["trace_start_time"]), station.first.rate_hz
    columns = {}
    for phase in PHASES:
        sample = (station.picks_ns[phase] - start_ns) / NS * rate if phase in station.picks_ns else NAN
        columns[f"trace_{phase.lower()}_arrival_sample"] = round(sample, 2) if 0 <= sample < length else NAN
    return columns


def _scale(waveform: np.ndarray, normalise: str) -> float:
    if normalise == "trace_max":
        return float(np.abs(waveform).max())
    return float(np.sqrt(np.mean(waveform**2))) if normalise == "trace_rms" else 1.0


def _row(station: Station, start_ns: int, length: int) -> dict[str, Any]:
    """Columns of one station that do not depend on the event; an onset outside the window is none."""
    first, place = station.first, station.place or NO_PLACE
    onset_s = NAN if station.onset_ns is None else (station.onset_ns - start_ns) / NS
    if not 0 <= onset_s < length / first.rate_hz:
        onset_s = NAN
    return {
        "station_network_code": first.network,
        "station_code": first.station,
        "station_location_code": first.location,
        "station_latitude_deg": place.latitude_deg,
        "station_longitude_deg": place.longitude_deg,
        "station_elevation_m": place.elevation_m,
        "path_ep_distance_km": station.distance_km,
        "path_azimuth_deg": station.azimuth_deg,
        "path_back_azimuth_deg": station.back_azimuth_deg,
        "trace_channel": first.channel[:-1],
        "trace_start_time": format_ns(start_ns),
        "trace_sampling_rate_hz": first.rate_hz,
        "trace_original_sampling_rate_hz": first.original_rate_hz,
        "trace_upsampled": first.rate_hz > first.original_rate_hz * 1.001,
        "trace_component_order": "".join(station.recordings),
        "trace_unit": first.unit,
        "trace_onset_s": onset_s,
        "trace_snr": station.snr,
        "trace_interpolated_s": max(item.interpolated_s for item in station.recordings.values()),
        "trace_clipped_suspect": any(item.clipped for item in station.recordings.values()),
        "trace_turned_from": station.turned_from,
        "trace_orientation": station.orientation,
        "trace_misorientation_deg": station.misorientation_deg,
        "trace_metadata_channel": station.metadata_channel,
        "trace_file": first.file,
    }
