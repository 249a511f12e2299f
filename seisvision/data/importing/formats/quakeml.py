"""QuakeML that says what its standard does not foresee, for which ObsPy drops an event or refuses the file.

ObsPy warns of an event of another type than the list of QuakeML 1.2 holds, and leaves it out; of SeisComP's types it
makes ``other event``.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

from lxml import etree

DROPPED = "event will be ignored"
"""What ObsPy warns of when it leaves out an event for its type."""
STANDS_FOR = "other event"
"""In place of types that are not in the list of QuakeML 1.2, as ObsPy reads them."""
NOT_FINITE = "not a finite floating point value"
"""Why it refuses a whole file."""
SEISCOMP = ("SCML", "SC3ML")
UNREADABLE = ("nan", "inf", "infinity")


def read_with_types(content: bytes | str) -> tuple[Any, dict[str, str]]:
    """Read a catalogue in whatever format ObsPy knows.

    Args:
        content: what the file holds, or its path.

    Returns:
        The ObsPy catalogue, and resource id to type for the events whose types are none of QuakeML, such as
        ``icequake`` or ``LP``.

    Raises:
        Exception: whatever ObsPy raises for a file that it cannot read.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            catalogue = _read(content)
        except ValueError as error:
            if NOT_FINITE not in str(error):
                raise
            return _read_mended(content)
    for warning in said:
        if DROPPED in str(warning.message):
            return _read_mended(content)
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if any(getattr(event, "_format", None) in SEISCOMP and event.event_type == STANDS_FOR for event in catalogue):
        return catalogue, _types(_parsed(content))
    return catalogue, {}


def _read(content: bytes | str) -> Any:
    import obspy

    return obspy.read_events(io.BytesIO(content) if isinstance(content, bytes) else content)


def _read_mended(content: bytes | str) -> tuple[Any, dict[str, str]]:
    root = _parsed(content)
    for value in root.iter("{*}value"):
        if (value.text or "").strip().lower().lstrip("+-") in UNREADABLE:
            value.text = ""
    types = _types(root)
    for kind in root.iterfind(".//{*}event/{*}type"):
        kind.text = STANDS_FOR if kind.getparent().get("publicID", "") in types else kind.text
    return _read(etree.tostring(root, xml_declaration=True, encoding="UTF-8")), types


def _parsed(content: bytes | str) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    return etree.parse(io.BytesIO(content) if isinstance(content, bytes) else content, parser).getroot()


def _types(root: Any) -> dict[str, str]:
    """Public id to type as it is written, of events whose type is not in the list of QuakeML."""
    from obspy.core.event.header import EventType

    types = {
        kind.getparent().get("publicID", ""): (kind.text or "").strip() for kind in root.iterfind(".//{*}event/{*}type")
    }
    return {event_id: kind for event_id, kind in types.items() if kind and EventType(kind) is None}
