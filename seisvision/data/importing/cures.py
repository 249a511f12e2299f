"""What to do about a refusal, by its cause: shown beside the counts when an import ends."""

from __future__ import annotations

CURES: dict[str, str] = {
    "class_left_out": "map the class to a name in source_type of the source",
    "clipped": "quality.clipped=flag keeps and marks them",
    "component": "processing.components names those that are kept",
    "far_rate": "processing.rate_hz",
    "few_signals": "quality.min_signal_stations, quality.min_snr",
    "few_stations": "quality.min_stations",
    "flat": "quality.max_flat_s",
    "gap": "processing.max_gap_s, or a window that the recordings cover",
    "interpolated": "quality.max_interpolated_fraction",
    "mixed_rates": "patterns in waveforms that leave the files of the other rate out",
    "no_event": "association.pattern, or --pattern: a regular expression whose first group is the event id",
    "no_event_in_time": "association.before_s and after_s",
    "no_match": "association.pattern, or --pattern",
    "no_origin": "quality.missing_origin=keep",
    "no_position": "quality.missing_station=keep, or a file of stations",
    "no_response": "response: none, or StationXML with the responses",
    "other_sensor": "processing.channels gives the order of preference",
    "outside_recording": "window.length_s, window.before_s, window.jitter_s or window.max_pad_s; association.after_s",
    "overlap": "quality.overlaps=flag keeps and marks them, the later piece counts",
    "short": "quality.min_length_s",
    "short_window": "window.length_s",
    "slow_sampling": "quality.min_nyquist_hz, processing.band_hz",
}
"""Cause of a :class:`~seisvision.data.importing.rejections.Rejection` to the settings that change the verdict."""
