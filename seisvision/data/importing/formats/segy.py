"""What SEG-Y and SU traces say, in the words of SAC headers, which the importer knows.

Standards: SEG-Y revision 1 (SEG Technical Standards Committee, 2002) and 2.0 (2017), standard trace header.
"""

from __future__ import annotations

import calendar
import mmap
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from seisvision.data.importing.formats.reading import Request
from seisvision.data.importing.formats.segment import Segment, flawed
from seisvision.data.importing.formats.segy_files import Layout, find_layout, scalar, su_layout, traces, unpack
from seisvision.data.importing.formats.trace_table import TraceTable, read_trace_table
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.leap_seconds import utc_of_gps
from seisvision.data.importing.tables.times import NS

Codes = tuple[str, str, str, str]
COMPONENT = {11: "H", 12: "Z", 13: "1", 14: "2", 15: "Z", 16: "2", 17: "1"}
"""Trace identification code (bytes 29-30): pressure, then vertical, cross-line and in-line sensors; what the file does
not say counts as Z."""
NO_MOTION = {
    2: "dead", 3: "a dummy", 4: "a time break", 5: "an uphole time", 6: "a sweep", 7: "timing", 8: "a water break",
    9: "a gun signature", 10: "a gun signature", 18: "a vibrator", 19: "a vibrator", 20: "a vibrator's force",
}  # fmt: skip
ARC_SECONDS, DEGREES, DEGREES_MINUTES_SECONDS = 2, 3, 4
"""Coordinate units (bytes 89-90); lengths (1) have no place on Earth without a projection."""
LOCAL, OTHER, GPS = 1, 3, 5
"""Time basis (bytes 167-168); 2 and 4 are UTC, and so is what the file does not say."""
FOOT_M = 0.3048
BESIDE = ("kind", "year", "day", "hour", "minute", "second")
"""What traces of several receivers have in common."""


def find_segy(content: mmap.mmap, named: str | None) -> Layout | None:
    """Return the layout of a SEG-Y file, or of an SU file where the user names it; None for what is neither."""
    return su_layout(content) if named == "SU" else find_layout(content, named == "SEGY")


def read_segy(content: mmap.mmap, layout: Layout, request: Request) -> list[Segment]:
    """Read every trace; those that cannot be used bear their reason.

    Traces go by their number within the field record, or the line; where a file numbers none, by their place in
    the record.

    Raises:
        Refusal: no trace is whole, or of a kind that is read.
        DataError: the table of traces cannot be read.
    """
    table = None if request.reading.traces is None else read_trace_table(request.reading.traces)
    segments = []
    found = list(traces(content, layout, request.losses))
    has_numbers = any(fields["number"] or fields["number_in_line"] for fields, _ in found)
    seen: Counter[tuple[Any, ...]] = Counter()
    for fields, place in found:
        # Without numbers all traces of a record would be one receiver. A table counts them as they stand; else those
        # of one time and kind of sensor are receivers, so that components and later pieces stay together.
        alike = (fields["record"], *(() if table is not None else (fields[name] for name in BESIDE)))
        seen[alike] += 1
        number = (fields["number"] or fields["number_in_line"]) if has_numbers else seen[alike]
        segment = _segment(number, fields, layout, table, request.reading.undated_ns)
        if segment.flaw is None and not request.headers_only:
            samples = unpack(content[place], layout)
            segment = Segment(
                *_codes_of(segment), segment.start_ns, segment.rate_hz, len(samples), samples, segment.sac
            )
        segments.append(segment)
    if not segments:
        raise request.losses.pop() if request.losses else Refusal("read", "empty_file", "holds no trace")
    return segments


def _codes_of(segment: Segment) -> Codes:
    return segment.network, segment.station, segment.location, segment.channel


def _segment(
    number: int, fields: dict[str, Any], layout: Layout, table: TraceTable | None, undated_ns: int | None
) -> Segment:
    """Everything but the samples of the trace of a number."""
    codes: Codes = ("", f"R{number:05d}", "", f"SP{COMPONENT.get(fields['kind'], 'Z')}")
    known: dict[str, Any] = {}
    try:
        known = _as_sac(fields, layout)
        if table is not None:
            codes, place = table.find(number)
            known |= place
        if fields["kind"] in NO_MOTION:
            reason = f"trace {number} is {NO_MOTION[fields['kind']]}, no ground motion (code {fields['kind']})"
            raise Refusal("read", "no_ground_motion", reason, fields["kind"])
        start_ns = _start_ns(fields, layout, undated_ns)
        if not fields["interval_us"] > 0:
            raise Refusal("read", "damaged_header", f"trace {number} has no sample interval")
    except Refusal as refusal:
        record = {"segy": True, "kevnm": f"record{fields['record']}"}
        return flawed(codes, refusal.cause, str(refusal), record)
    return Segment(*codes, start_ns, 1e6 / fields["interval_us"], fields["n_samples"], np.empty(0), known)


def _as_sac(fields: dict[str, Any], layout: Layout) -> dict[str, Any]:
    """Places of source and receiver and the number of the field record; a place of zeros only is none.

    Raises:
        Refusal: the coordinates are said to be angles, but are none.
    """
    known: dict[str, Any] = {"segy": True, "kevnm": f"record{fields['record']}"}
    if fields["place_unit"] not in (ARC_SECONDS, DEGREES, DEGREES_MINUTES_SECONDS):
        return known
    for latitude, longitude, x, y in (
        ("stla", "stlo", fields["group_x"], fields["group_y"]),
        ("evla", "evlo", fields["source_x"], fields["source_y"]),
    ):
        if x or y:
            place = [_degrees(value, fields["place_unit"]) for value in (y, x)]
            if abs(place[0]) > 90 or abs(place[1]) > 360:
                reason = f"coordinates {x:g}, {y:g} in unit {fields['place_unit']} are no longitude and latitude"
                raise Refusal("read", "damaged_header", reason)
            known |= {latitude: place[0], longitude: place[1]}
    unit_m = FOOT_M if layout.feet else 1.0
    known["stel"] = fields["group_elevation"] * unit_m
    known["evdp"] = fields["source_depth"] * unit_m / 1000
    return known


def _degrees(value: float, unit: int) -> float:
    if unit == DEGREES:
        return value
    if unit == ARC_SECONDS:
        return value / 3600
    # DDDMMSS.ss; rounded, because 301500.00 comes as 30150000 times 0.01.
    minutes, seconds = divmod(round(abs(value), 6), 100)
    degrees, minutes = divmod(minutes, 100)
    return float(np.sign(value)) * (degrees + minutes / 60 + seconds / 3600)


def _start_ns(fields: dict[str, Any], layout: Layout, undated_ns: int | None) -> int:
    """Time of the first sample: the time of the shot, and the delay until recording began; ``undated_ns`` without date.

    Raises:
        Refusal: there is no such time, or it is not said in which zone.
    """
    year, day = fields["year"], fields["day"]
    if year == 0 and undated_ns is not None:
        return undated_ns
    if year < 100:
        said = "no date of recording" if year <= 0 else f"the year {year}, without its century"
        raise Refusal("read", "no_start_time", f"the trace header gives {said}, so the start is not known", year)
    if not (1 <= day <= 365 + calendar.isleap(year) and 0 <= fields["hour"] < 24):
        reason = f"the trace header says day {day}, hour {fields['hour']} of {year}, which is no time"
        raise Refusal("read", "damaged_header", reason)
    if not (0 <= fields["minute"] < 60 and 0 <= fields["second"] <= 60):
        reason = f"the trace header says minute {fields['minute']}, second {fields['second']}, which is no time"
        raise Refusal("read", "damaged_header", reason)
    if fields["time_basis"] in (LOCAL, OTHER):
        reason = "the trace header says that times are local, or of another zone (bytes 167-168), and not of which"
        raise Refusal("read", "local_time", reason, fields["time_basis"])
    time = datetime(year, 1, 1, tzinfo=UTC) + timedelta(
        days=day - 1, hours=fields["hour"], minutes=fields["minute"], seconds=fields["second"]
    )
    shot_ns = int(time.timestamp()) * NS
    if fields["time_basis"] == GPS:
        shot_ns = utc_of_gps(shot_ns)
    delay_ms = fields["delay_ms"] * (scalar(fields["time_scalar"]) if layout.revision else 1.0)
    return shot_ns + fields["nanosecond"] + round(delay_ms * 1e6)
