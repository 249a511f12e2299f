"""What SEG-Y trace headers say, in the words of SAC headers, which the importer knows.

Standard: SEG-Y revision 1 (SEG Technical Standards Committee, 2002), standard trace header.
"""

from __future__ import annotations

from typing import Any

COMPONENT = {12: "Z", 13: "1", 14: "2", 15: "Z", 16: "2", 17: "1"}
"""Trace identification code (bytes 29-30): vertical, cross-line and in-line sensors; everything else counts as Z."""
DEGREES = {2: 1 / 3600, 3: 1.0}
"""Coordinate units (bytes 89-90): seconds of arc and degrees; lengths have no place on Earth without a projection."""


def segy_codes(header: Any) -> tuple[str, str, str, str]:
    """Network, station, location and channel: the receiver is named by its number within the field record."""
    number = header.trace_number_within_the_original_field_record or header.trace_sequence_number_within_line
    component = COMPONENT.get(header.trace_identification_code, "Z")
    return "", f"R{number:05d}", "", f"SP{component}"


def segy_as_sac(header: Any) -> dict[str, Any]:
    """Places of source and receiver and the number of the field record; a place of zeros only is none."""
    known: dict[str, Any] = {"segy": True, "kevnm": f"record{header.original_field_record_number}"}
    unit = DEGREES.get(header.coordinate_units)
    scale = _scalar(header.scalar_to_be_applied_to_all_coordinates)
    height = _scalar(header.scalar_to_be_applied_to_all_elevations_and_depths)
    if unit is None:
        return known
    for latitude, longitude, x, y in (
        ("stla", "stlo", header.group_coordinate_x, header.group_coordinate_y),
        ("evla", "evlo", header.source_coordinate_x, header.source_coordinate_y),
    ):
        if x or y:
            known |= {latitude: y * scale * unit, longitude: x * scale * unit}
    known["stel"] = header.receiver_group_elevation * height
    known["evdp"] = header.source_depth_below_surface * height / 1000
    return known


def _scalar(value: int) -> float:
    """Positive: a factor; negative: a divisor; zero: none."""
    return float(value) if value > 0 else (1.0 / -value if value < 0 else 1.0)
