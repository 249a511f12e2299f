"""Events as columns of a set: what every kind of catalogue is brought to, and what no event can have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.text_tables import NAN
from seisvision.data.importing.tables.times import time_ns
from seisvision.earth.geodesics import within_half_turn

EVENT_NUMBERS = ("source_latitude_deg", "source_longitude_deg", "source_depth_km", "source_magnitude")
TEXT_COLUMNS = (
    "source_type", "source_cell", "source_subtype", "source_origin_time", "source_magnitude_type",
    "source_magnitude_author", "source_origin_author", "source_origin_status", "source_origin_mode",
)  # fmt: skip
MAGNITUDE_ORDER: Final = ("mw", "ms", "mb", "ml", "md")
"""Which magnitude is taken where none is preferred: those that saturate last and are measured alike come first."""
MAGNITUDE_FAMILIES: Final = {
    "mw": "mw", "ms": "ms", "mb": "mb", "ml": "ml", "md": "md", "mc": "md", "mh": "ml", "mj": "ml", "mv": "ml",
    "me": "mw", "mi": "mw", "mp": "mw",
}  # fmt: skip
_SENTINELS: Final = frozenset(
    [sign * float(text) for text in ("99", "99.9", "99.99", "999", "999.9", "999.99", "9999", "9999.9", "9999.99",
                                     "99999", "999999", "12345", "32767", "32768") for sign in (1, -1)]
    + [-9.0, -9.9, -9.99, -9.999]
)  # fmt: skip
"""Numbers that programs write for none: those of CSS 3.0, SAC, Antelope, SEISAN and of many tables."""
REJECTED = ("rejected", "deleted")
NOT_EXISTING = ("not existing", "not_existing", "notexisting", "duplicate", "deleted")
NO_CLASS = ("not reported", "not_reported", "unknown", "unk", "nan", "none", "-")
HIGHEST_KM, DEEPEST_KM = -10.0, 1000.0
LIMITS: Final = {
    "source_latitude_deg": (-90.0, 90.0, "it must lie within ±90"),
    "source_longitude_deg": (-360.0, 360.0, "it must lie within ±360"),
    "source_depth_km": (HIGHEST_KM, DEEPEST_KM, "a depth in kilometres, downward, lies between -10 and 1000"),
    "source_magnitude": (-12.0, 11.0, "a magnitude lies between -12 and 11"),
}


@dataclass
class Catalogue:
    """What a catalogue holds.

    Args:
        events: event id to its ``source_*`` columns, in file order.
        refused: ids (or lines) of events that cannot be used, each with its reason.
        columns: name of each column of a table to what it was taken for; empty where it is only kept.
        notes: sentences about what was assumed, chosen or left out.
    """

    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[tuple[str, Refusal]] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def refuse(self, event_id: str, refusal: Refusal) -> None:
        """List an event that cannot be used; it is none of ``events``."""
        self.refused.append((event_id, refusal))

    def __len__(self) -> int:
        """Return the number of events in the file, used or not."""
        return len(self.events) + len(self.refused)


def is_plain_id(text: str) -> bool:
    """Whether a text comes back from a table as it went in."""
    return bool(text) and text.isprintable() and text == text.strip()


def is_sentinel(column: str, value: float, in_metres: bool = False) -> bool:
    """Whether a number stands for none, such as -999 or -12345."""
    if not abs(value) < 1e6:
        return not np.isnan(value)
    if column == "source_depth_km" and 0 <= value < (1e5 if in_metres else 999):
        return False
    if column == "source_magnitude" and value in (9.9, 9.99):
        return True
    return value in _SENTINELS and (column not in PLACE or abs(value) > LIMITS[column][1] or value == -999)


PLACE = ("source_latitude_deg", "source_longitude_deg")


def magnitude_kind(text: str) -> str:
    """Family of a type of magnitude, one of ``MAGNITUDE_ORDER``; empty where it is none of them."""
    plain = re.sub(r"[^a-z]", "", text.lower())
    return MAGNITUDE_FAMILIES.get(plain[:2], "") if len(plain) <= 8 else ""


def check_event(event: dict[str, Any]) -> None:
    """Bring one event into the form of a set, in place: longitude in [-180, 180), classes without names for none.

    Raises:
        Refusal: a time or number that no event can have, or an event that is marked as none.
    """
    kind = str(event.get("source_type", "")).strip()
    if kind.lower() in NOT_EXISTING:
        raise Refusal("event", "not_existing", f"the catalogue calls it '{kind}'")
    if kind.lower() in NO_CLASS:
        event["source_type"] = ""
    for column in EVENT_NUMBERS:
        value = event.setdefault(column, NAN)
        least, most, allowed = LIMITS[column]
        if value is None or np.isnan(value):
            event[column] = NAN
        elif not least <= value <= most:
            raise Refusal("event", "bad_value", f"{column} is {value:g}; {allowed}", float(value))
    if np.isnan(event["source_latitude_deg"] + event["source_longitude_deg"]):
        event["source_latitude_deg"] = event["source_longitude_deg"] = NAN
    event["source_longitude_deg"] = within_half_turn(event["source_longitude_deg"])
    if event.setdefault("source_origin_time", ""):
        try:
            time_ns(event["source_origin_time"])
        except ValueError as error:
            raise Refusal("event", "bad_time", f"source_origin_time {error}") from error
    if str(event.get("source_origin_status", "")).lower() in REJECTED:
        event |= dict.fromkeys(EVENT_NUMBERS[:3], NAN) | {"source_origin_time": ""}
