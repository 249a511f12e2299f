"""What to do about a refusal, by its cause: shown beside the counts when an import ends."""

from __future__ import annotations

CURES: dict[str, str] = {
    "angles_disagree": "correct one of them, or orientation: letters",
    "class_left_out": "map the class to a name in source_type of the source",
    "clipped": "quality.clipped=flag keeps and marks them",
    "component": "processing.components names those that are kept, channel_codes (--channel-codes) what a name means",
    "epoch_boundary": "a window that one epoch covers",
    "far_rate": "processing.rate_hz",
    "few_signals": "quality.min_signal_stations, quality.min_snr",
    "few_stations": "quality.min_stations",
    "flat": "quality.max_flat_s",
    "gap": "processing.max_gap_s, or a window that the recordings cover",
    "half_of_a_pair": "orientation: letters, or recordings with the missing channel",
    "mixed_units": "processing.channels, or the unit in the station file",
    "no_azimuth": "StationXML or CSV with azimuth and dip of the channels, or channel_codes",
    "no_event": "association.pattern, or --pattern: a regular expression whose first group is the event id",
    "no_event_in_time": "association.before_s and after_s",
    "no_match": "association.pattern, or --pattern",
    "no_origin": "quality.missing_origin=keep",
    "no_position": "quality.missing_station=keep, or a file of stations",
    "no_response": "response: none, or StationXML with the responses",
    "not_ground_motion": "response: none, or channel_codes if the code means another thing",
    "other_sensor": "processing.channels gives the order of preference",
    "outside_recording": "window.length_s, window.before_s, window.jitter_s or window.max_pad_s",
    "parallel": "azimuth and dip in the station file, or orientation: letters",
    "short": "quality.min_length_s",
    "slow_sampling": "quality.min_nyquist_hz, processing.band_hz",
    "tilted": "orientation: letters, or recordings with the missing channels",
    "unknown_location": "the location code in the station file, or channel_codes with a location such as 00.HHZ",
}
"""Cause of a :class:`~seisvision.data.importing.rejections.Rejection` to the settings that change the verdict."""
