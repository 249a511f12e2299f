"""What to do about a refusal, by its cause: shown beside the counts when an import ends."""

from __future__ import annotations

CURES: dict[str, str] = {
    "ambiguous_time": "write times like 2014-08-24T00:01:08.920Z",
    "bad_id": "ids of plain text without blanks around",
    "bad_row": "a row with a cell for each column",
    "bad_time": "write times like 2014-08-24T00:01:08.920Z, or leave them empty",
    "bad_value": "correct the cell, or leave it empty",
    "class_left_out": "map the class to a name in source_type of the source",
    "clipped": "quality.clipped=flag keeps and marks them",
    "component": "processing.components names those that are kept",
    "duplicate_id": "one row for each event",
    "far_rate": "processing.rate_hz",
    "few_signals": "quality.min_signal_stations, quality.min_snr",
    "few_stations": "quality.min_stations",
    "flat": "quality.max_flat_s",
    "gap": "processing.max_gap_s, or a window that the recordings cover",
    "no_event": "association.pattern, or --pattern: a regular expression whose first group is the event id",
    "no_event_in_time": "association.before_s and after_s",
    "no_match": "association.pattern, or --pattern",
    "no_origin": "quality.missing_origin=keep",
    "no_position": "quality.missing_station=keep, or a file of stations",
    "no_response": "response: none, or StationXML with the responses",
    "not_existing": "another type of event in the catalogue, where it is one",
    "other_sensor": "processing.channels gives the order of preference",
    "outside_recording": "window.length_s, window.before_s, window.jitter_s or window.max_pad_s",
    "program_error": "please report it with the file: the program, not the file, may be at fault",
    "refused_event": "correct the event in the catalogue",
    "short": "quality.min_length_s",
    "slow_sampling": "quality.min_nyquist_hz, processing.band_hz",
    "unusable_position": "correct the rows of the station in its table",
}
"""Cause of a :class:`~seisvision.data.importing.rejections.Rejection` to the settings that change the verdict."""
