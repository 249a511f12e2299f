"""Which origin and which magnitude of an event of QuakeML is taken."""

from __future__ import annotations

import warnings
from typing import Any

from seisvision.data.importing.tables.event_columns import MAGNITUDE_ORDER, REJECTED, magnitude_kind

STATUS_ORDER = ("final", "reviewed", "confirmed")
"""Origins that a person has seen come before all others."""


def choose_origin(item: Any, notes: list[str]) -> Any:
    """Return the preferred origin, else the first of those in final, reviewed or confirmed state, else the first.

    Rejected origins are none. What had to be chosen is added to ``notes``.
    """
    standing = [origin for origin in item.origins if origin.evaluation_status not in REJECTED]
    if item.origins and not standing:
        notes.append("only rejected origins, which count as none")
        return None
    preferred = _preferred(item.preferred_origin)
    if preferred is not None and preferred in standing:
        return preferred
    if item.preferred_origin_id is not None and item.origins:
        notes.append("the preferred origin is rejected or not in the file, so another was taken")
    elif len(standing) > 1:
        notes.append(
            "several origins and none preferred: a final, reviewed or confirmed one, else the first, was taken"
        )
    # Sorting keeps the order of the file among equals.
    return min(standing, key=_state, default=None)


def _state(origin: Any) -> int:
    return (
        STATUS_ORDER.index(origin.evaluation_status) if origin.evaluation_status in STATUS_ORDER else len(STATUS_ORDER)
    )


def choose_magnitude(item: Any, origin: Any, notes: list[str]) -> Any:
    """Return the preferred magnitude, else the first in the order Mw, Ms, mb, ML, Md and others.

    Magnitudes of the chosen origin come before those of other origins within a type; rejected ones are none.
    """
    standing = [
        magnitude
        for magnitude in item.magnitudes
        if magnitude.mag is not None and magnitude.evaluation_status not in REJECTED
    ]
    preferred = _preferred(item.preferred_magnitude)
    if preferred is not None and preferred in standing:
        return preferred
    if item.preferred_magnitude_id is not None and standing:
        notes.append("the preferred magnitude is rejected or not in the file, so another was taken")
    elif len(standing) > 1:
        notes.append("several magnitudes and none preferred: the first in the order Mw, Ms, mb, ML, Md was taken")
    if not standing and item.station_magnitudes:
        notes.append("only magnitudes of single stations, which are not taken")

    def order(magnitude: Any) -> tuple[int, bool]:
        kind = magnitude_kind(magnitude.magnitude_type or "")
        rank = MAGNITUDE_ORDER.index(kind) if kind else len(MAGNITUDE_ORDER)
        return rank, origin is not None and magnitude.origin_id != origin.resource_id

    return min(standing, key=order, default=None)


def _preferred(ask: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # obspy warns of ids that point nowhere
        return ask()
