"""One window for all stations of an event, and the metadata rows."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from seisvision.data.importing.recipe import Recipe, Window
from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.series.checks import check_interpolated
from seisvision.data.importing.series.signals import Recording
from seisvision.data.importing.stations import Station
from seisvision.data.importing.tables.phases import PHASES
from seisvision.data.importing.tables.station_table import Place
from seisvision.data.importing.tables.text_tables import NAN
from seisvision.data.importing.tables.times import NS, format_ns, time_ns
from seisvision.picking.first_motion import STA_S
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
    earliest_s = window.before_s - window.max_pad_s
    if window.reference == "trace" and -window.jitter_s < earliest_s < window.jitter_s:
        # Before the recording there is nothing to cut, so the shifts that would lead there are drawn after it.
        share = (shift_s + window.jitter_s) / (2 * window.jitter_s)
        shift_s = earliest_s + share * (window.jitter_s - earliest_s)
    return reference_ns + round((shift_s - window.before_s) * NS)


def cut_station(
    station: Station, start_ns: int | None, recipe: Recipe, log: RejectionLog, with_picks: bool = False
) -> tuple[dict[str, Any], np.ndarray] | None:
    """Cut the components of a station to the window.

    Components that lack more than ``max_pad_s`` of the window, are zero in it, or interpolated in too much of it, are
    listed and left out.
    ``with_picks`` adds the columns of P and S picks.

    Returns:
        Metadata row and waveform (C, T) of the components left; None if none is left.
    """
    if start_ns is None:
        _leave_out_strangers(station, recipe, log)
    begin_ns, length = _span(station, start_ns, recipe)
    pieces: dict[str, np.ndarray] = {}
    pad_s, invented_s = 0.0, 0.0
    for letter, recording in list(station.recordings.items()):
        piece, lacking_s = _cut(recording, begin_ns, length)
        gaps_s = _gaps_within_s(recording, begin_ns, length)
        try:
            _check_piece(piece, lacking_s, recording, begin_ns, recipe.window)
            check_interpolated(gaps_s, length / recording.rate_hz, recipe.quality, "window")
        except Refusal as refusal:
            log.add_recordings([station.recordings.pop(letter)], refusal)
            continue
        pieces[letter] = piece
        pad_s, invented_s = max(pad_s, lacking_s), max(invented_s, gaps_s)
    if not pieces:
        return None
    waveform = np.stack(list(pieces.values()))
    scale = _scale(waveform, recipe.processing.normalise)
    row = _row(station, _first_sample_ns(station.first, begin_ns), waveform.shape[1])
    row |= {"trace_scale": scale, "trace_pad_s": round(pad_s, 6), "trace_interpolated_s": round(invented_s, 6)}
    if with_picks:
        row |= _pick_columns(station, row, waveform.shape[1])
    if recipe.processing.normalise != "none":
        row["trace_unit"] = "normalised"
    return row, (waveform if scale == 1.0 else waveform / scale).astype(np.float32)


def _leave_out_strangers(station: Station, recipe: Recipe, log: RejectionLog) -> None:
    """Of whole recordings, leave out those that would cut a row below ``min_length_s`` or half of its first one."""
    first = station.first
    needed_s = max(recipe.quality.min_length_s, len(first.samples) / first.rate_hz / 2)
    begin_ns, end_ns = first.start_ns, first.end_ns
    for letter, recording in list(station.recordings.items()):
        begin, end = max(begin_ns, recording.start_ns), min(end_ns, recording.end_ns)
        shared_s = max(0.0, (end - begin) / NS)
        if recording is not first and shared_s < needed_s:
            shown = next(iter(station.recordings))
            reason = f"shares {shared_s:.3g} s with component {shown} of the same sensor < {needed_s:.3g} s"
            log.add_recordings([station.recordings.pop(letter)], Refusal("window", "short", reason, shared_s))
            continue
        begin_ns, end_ns = begin, end


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
    if 0 <= first <= len(recording.samples) - length:
        return recording.samples[first : first + length], 0.0
    piece = np.zeros(length)
    begin, end = max(first, 0), min(first + length, len(recording.samples))
    if end > begin:
        piece[begin - first : end - first] = recording.samples[begin:end]
    return piece, (length - max(0, end - begin)) / recording.rate_hz


def _index(recording: Recording, time_ns: int) -> int:
    return round((time_ns - recording.start_ns) / NS * recording.rate_hz)


def _first_sample_ns(recording: Recording, start_ns: int) -> int:
    return recording.start_ns + round(_index(recording, start_ns) / recording.rate_hz * NS)


def _gaps_within_s(recording: Recording, start_ns: int, length: int) -> float:
    """How many seconds of the window were interpolated."""
    end_ns = start_ns + length / recording.rate_hz * NS
    return sum(max(0.0, min(end, end_ns) - max(begin, start_ns)) for begin, end in recording.gaps_ns) / NS


def _check_piece(
    piece: np.ndarray, lacking_s: float, recording: Recording, begin_ns: int, window: Window | None
) -> None:
    rate_hz, max_pad_s = recording.rate_hz, 0.0 if window is None else window.max_pad_s
    if not len(piece):
        reason = f"the window is shorter than one sample at {rate_hz:g} Hz"
        raise Refusal("window", "short_window", reason, 1 / rate_hz)
    # A sample may be lost to rounding at either end without the window being short of recording.
    if lacking_s > max_pad_s + 2 / rate_hz:
        reason = f"lacks {lacking_s:.3g} s of the window > {max_pad_s:g} s"
        notes = [] if window is None else _why_lacking(recording, begin_ns, len(piece), window)
        raise Refusal("window", "outside_recording", "; ".join([reason, *notes]), lacking_s)
    if not piece.any():
        raise Refusal("window", "flat", "zero throughout the window", 0.0)


def _why_lacking(recording: Recording, begin_ns: int, length: int, window: Window) -> list[str]:
    """Which settings put the window beyond the recording, or the end of the reading within the window."""
    end_ns, step_ns = begin_ns + round(length / recording.rate_hz * NS), NS / recording.rate_hz
    early, late = recording.start_ns - begin_ns > step_ns, end_ns - recording.end_ns > step_ns
    notes, span = [], recording.read_span
    if begin_ns >= recording.end_ns or end_ns <= recording.start_ns:
        notes.append("it lies beyond the recording altogether")
    if span is not None and early and recording.start_ns - span.begin_ns <= 2 * step_ns:
        notes.append(f"association.before_s ends the reading: {(span.origin_ns - begin_ns) / NS:.4g} s are needed")
    if span is not None and late and span.end_ns - recording.end_ns <= 2 * step_ns:
        notes.append(f"association.after_s ends the reading: {(end_ns - span.origin_ns) / NS:.4g} s are needed")
    if early and window.reference == "trace" and window.before_s > 0:
        notes.append(f"window.before_s={window.before_s:g} asks for time before the recording")
    if window.jitter_s:
        notes.append(f"window.jitter_s={window.jitter_s:g} moves the window by up to that")
    return notes


def _pick_columns(station: Station, row: dict[str, Any], length: int) -> dict[str, Any]:
    """Picks as samples of the window, in the columns of SeisBench; NaN for none and for those outside."""
    start_ns, rate = time_ns(row["trace_start_time"]), station.first.rate_hz
    columns: dict[str, Any] = {}
    for phase in PHASES:
        pick, name = station.picks.get(phase), f"trace_{phase.lower()}"
        sample = NAN if pick is None or pick.time_ns is None else (pick.time_ns - start_ns) / NS * rate
        inside = pick is not None and 0 <= sample < length
        columns[f"{name}_arrival_sample"] = round(sample, 2) if inside else NAN
        columns[f"{name}_phase"] = pick.phase if inside and pick else ""
        columns[f"{name}_status"] = pick.judgement if inside and pick else ""
        columns[f"{name}_author"] = pick.author if inside and pick else ""
        columns[f"{name}_probability"] = pick.probability if inside and pick else NAN
        columns[f"{name}_uncertainty_s"] = pick.uncertainty_s if inside and pick else NAN
    return columns


def _in_gap(time_ns: int | None, recordings: list[Recording]) -> bool:
    """Whether a time lies in a gap that was filled, or so close to it that the filling may be what was found."""
    if time_ns is None:
        return False
    near_ns = round(STA_S * NS)
    return any(begin - near_ns <= time_ns < end + near_ns for item in recordings for begin, end in item.gaps_ns)


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
    items = list(station.recordings.values())
    rates_hz = [item.original_rate_hz for item in items]
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
        "trace_original_sampling_rate_hz": min(rates_hz),
        "trace_component_rates_hz": " ".join(f"{rate:g}" for rate in rates_hz) if len(set(rates_hz)) > 1 else "",
        "trace_upsampled": first.rate_hz > min(rates_hz) * 1.001,
        "trace_component_order": "".join(station.recordings),
        "trace_unit": first.unit,
        "trace_onset_s": onset_s,
        "trace_snr": station.snr,
        "trace_onset_interpolated": np.isfinite(onset_s) and _in_gap(station.onset_ns, items),
        "trace_overlap_differs": any(item.overlap_differs for item in items),
        "trace_clipped_suspect": any(item.clipped for item in items),
        "trace_turned_from": station.turned_from,
        "trace_orientation": station.orientation,
        "trace_misorientation_deg": station.misorientation_deg,
        "trace_metadata_channel": station.metadata_channel,
        "trace_file": first.file,
    }
