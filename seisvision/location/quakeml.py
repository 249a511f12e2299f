"""Located events as QuakeML."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seisvision.earth.constants import KM_PER_DEG
from seisvision.errors import DataError
from seisvision.location.catalogue import ObservationTable, written
from seisvision.location.locate import Errors, Locations, Mode
from seisvision.location.uncertainty import Ellipse

if TYPE_CHECKING:
    from obspy import UTCDateTime
    from obspy.core.event import Event, Origin

METRES_PER_KM = 1000.0
NO_TIME: Final = "1970-01-01T00:00:00"
"""Stands for an origin time that is not known."""
SAFE_IN_RESOURCE_ID = re.compile(r"[A-Za-z0-9_.\-]")


def resource_id(*parts: str) -> str:
    """QuakeML resource id of parts that may hold any characters; different parts give different ids.

    All but ASCII letters, digits, ``_``, ``.`` and ``-`` become ``~`` and the hexadecimal bytes of their UTF-8.
    """

    def safe(character: str) -> str:
        if SAFE_IN_RESOURCE_ID.fullmatch(character):
            return character
        return "".join(f"~{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))

    return "smi:local/seisvision/" + "/".join("".join(map(safe, part)) for part in parts)


def write_quakeml(
    path: Path,
    observations: ObservationTable,
    locations: Locations,
    mode: Mode = "robust",
    level: float = 0.95,
    errors: Errors = "relative",
) -> Path:
    """Write the located events as QuakeML 1.2, with the confidence ellipse at ``level`` (0.68 or 0.95).

    A second solution is a further origin of the event; the first is preferred. Distances tell neither depth nor origin
    time. The time is that of the table, marked as fixed; the schema demands one, so where the table has none it is
    `NO_TIME`, and a comment says so. ``horizontalUncertainty`` is the radius of the circle around the ellipse, and
    ``standardError`` the rms of the distance residuals in km. Comments say what the ellipse takes for granted.

    Raises:
        DataError: an origin time cannot be understood, or the file cannot be written.
    """
    from obspy.core.event import Catalog

    events = []
    assumed = assumption(observations, errors)
    for row in locations.located.nonzero()[:, 0].tolist():
        event_id = observations.event_id[row]
        event = _event(event_id, locations, row, mode, level)
        time = _time(observations.origin_time(row), event_id)
        for origin in event.origins:
            origin.time, origin.time_fixed = time or NO_TIME, True
            _comment(origin, assumed if origin.origin_uncertainty else "")
            _comment(origin, "" if time else f"the origin time is not known: {NO_TIME} stands for it")
        events.append(event)
    catalogue = Catalog(events, resource_id=resource_id("locations", path.stem))
    return written(path, lambda partial: catalogue.write(str(partial), format="QUAKEML"))


def assumption(observations: ObservationTable, errors: Errors) -> str:
    """What the ellipses take for granted."""
    kind = "proportional to the distance" if errors == "relative" else "equal"
    size = f"{kind}, their size estimated from the residuals"
    if "offset_sigma_km" in observations.table:
        size = "as given in offset_sigma_km"
    shared = " apart from common_share" if "common_share" in observations.table else ""
    return f"the ellipse takes errors of the distances to be {size}, and independent from station to station{shared}"


def _time(text: str, event_id: str) -> UTCDateTime | None:
    from obspy import UTCDateTime

    try:
        return UTCDateTime(text) if text else None
    except (TypeError, ValueError) as error:
        raise DataError(
            f"event {event_id}: source_origin_time={text[:40]!r} is not a time; write it like 2017-06-17T23:39:12Z."
        ) from error


def _event(event_id: str, locations: Locations, row: int, mode: Mode, level: float) -> Event:
    from obspy.core.event import Event, EventDescription, ResourceIdentifier

    printable = "".join(character if character.isprintable() else " " for character in event_id)
    event = Event(
        resource_id=ResourceIdentifier(resource_id("event", event_id)),
        event_descriptions=[EventDescription(text=printable, type="earthquake name")],
    )
    event.origins = [_origin(resource_id("origin", event_id), locations, row, mode, level)]
    if bool(locations.ambiguous[row]):
        event.origins.append(_second_origin(resource_id("origin", event_id, "second"), locations, row, mode))
    event.preferred_origin_id = event.origins[0].resource_id
    return event


def _origin(identifier: str, locations: Locations, row: int, mode: Mode, level: float) -> Origin:
    from obspy.core.event import OriginQuality, OriginUncertainty

    origin = _bare_origin(identifier, locations.latitude_deg[row].item(), locations.longitude_deg[row].item(), mode)
    origin.quality = OriginQuality(
        used_station_count=int(locations.n_stations[row]),
        azimuthal_gap=locations.gap_deg[row].item(),
        standard_error=locations.rms_km[row].item(),
    )
    _comment(origin, "standardError is the rms of distance residuals in km", locations.reason[row])
    ellipse: Ellipse = locations.ellipse68 if level == 0.68 else locations.ellipse95
    major_km, minor_km, azimuth_deg = (value[row].item() for value in vars(ellipse).values())
    if math.isfinite(major_km):
        origin.origin_uncertainty = OriginUncertainty(
            max_horizontal_uncertainty=major_km * METRES_PER_KM,
            min_horizontal_uncertainty=minor_km * METRES_PER_KM,
            azimuth_max_horizontal_uncertainty=azimuth_deg,
            horizontal_uncertainty=major_km * METRES_PER_KM,
            preferred_description="uncertainty ellipse",
            confidence_level=100 * level,
        )
        _set_standard_errors(origin, locations.covariance_km2[row].tolist())
    return origin


def _comment(origin: Origin, *texts: str) -> None:
    """Add texts that are not empty."""
    from obspy.core.event import Comment

    for text in filter(None, texts):
        identifier = f"{origin.resource_id.id}/comment/{len(origin.comments)}"
        origin.comments.append(Comment(text=text, resource_id=identifier))


def _set_standard_errors(origin: Origin, covariance_km2: list[list[float]]) -> None:
    """One standard deviation of both coordinates in degrees."""
    origin.latitude_errors.confidence_level = origin.longitude_errors.confidence_level = 68.0
    origin.latitude_errors.uncertainty = math.sqrt(covariance_km2[0][0]) / KM_PER_DEG
    shrink = math.cos(math.radians(origin.latitude))
    if shrink > 1e-3:
        origin.longitude_errors.uncertainty = min(180.0, math.sqrt(covariance_km2[1][1]) / KM_PER_DEG / shrink)


def _second_origin(identifier: str, locations: Locations, row: int, mode: Mode) -> Origin:
    place = (locations.second_latitude_deg[row].item(), locations.second_longitude_deg[row].item())
    origin = _bare_origin(identifier, *place, mode)
    _comment(origin, "second solution that fits as well as the preferred origin")
    return origin


def _bare_origin(identifier: str, latitude_deg: float, longitude_deg: float, mode: Mode) -> Origin:
    from obspy.core.event import Origin, ResourceIdentifier

    return Origin(
        resource_id=ResourceIdentifier(identifier),
        latitude=latitude_deg,
        longitude=longitude_deg,
        method_id=ResourceIdentifier(resource_id("location", mode)),
        earth_model_id=ResourceIdentifier(resource_id("WGS84")),
        evaluation_mode="automatic",
    )
