"""What to do about a refusal, by its cause: shown beside the counts when an import ends."""

from __future__ import annotations

CURES: dict[str, str] = {
    "blank_code": "write the codes into the headers",
    "class_left_out": "map the class to a name in source_type of the source",
    "clipped": "quality.clipped=flag keeps and marks them",
    "component": "processing.components names those that are kept",
    "damaged_block": "fetch or copy the file again",
    "doubtful_depth": "write EVDP in kilometres, or name a catalogue with events",
    "far_rate": "processing.rate_hz",
    "few_signals": "quality.min_signal_stations, quality.min_snr",
    "few_stations": "quality.min_stations",
    "flat": "quality.max_flat_s",
    "gap": "processing.max_gap_s, or a window that the recordings cover",
    "headers_disagree": "name a catalogue with events, instead of sac",
    "local_time": "write the times as UTC, and 4 into bytes 167-168 of the trace headers",
    "no_encoding": "write the file anew with blockette 1000",
    "no_event": "association.pattern, or --pattern: a regular expression whose first group is the event id",
    "no_event_in_time": "association.before_s and after_s",
    "no_ground_motion": "nothing: dead traces and time breaks are no recordings",
    "no_match": "association.pattern, or --pattern",
    "no_origin": "quality.missing_origin=keep",
    "no_position": "quality.missing_station=keep, or a file of stations",
    "no_response": "response: none, or StationXML with the responses",
    "no_samples": "nothing: log messages hold none",
    "no_start_time": "write the time of the recording into its header",
    "no_time_series": "keep spectra and uneven series out of waveforms",
    "not_in_table": "add the trace to the table named by traces",
    "other_sensor": "processing.channels gives the order of preference",
    "outside_recording": "window.length_s, window.before_s, window.jitter_s or window.max_pad_s",
    "short": "quality.min_length_s",
    "slow_sampling": "quality.min_nyquist_hz, processing.band_hz",
    "truncated": "fetch or copy the file again",
    "unreadable": "format names the format where it is not recognised; leave other files out of waveforms",
}
"""Cause of a :class:`~seisvision.data.importing.rejections.Rejection` to the settings that change the verdict."""
