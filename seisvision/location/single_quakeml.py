"""Events located from one station as QuakeML."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from seisvision.earth.geodesics import geodesic
from seisvision.location.catalogue import written
from seisvision.location.quakeml import NO_TIME, resource_id
from seisvision.location.single import SingleLocations

METRES_PER_KM = 1000.0


def write_single_quakeml(path: Path, table: pd.DataFrame, found: SingleLocations, level: float) -> Path:
    """Write one event for each source, with an origin from each of its stations; the one with the smallest region is
    preferred.

    QuakeML knows no region that is no ellipse: ``horizontalUncertainty`` is the radius around the origin that holds
    the level's share of the draws, and a comment tells the area of the region itself.

    Args:
        path: to write.
        table: ``single_locations.csv``, one row a trace.
        found: the same rows with their draws.
        level: 0.68 or 0.95.
    """
    from obspy.core.event import Catalog, Event, EventDescription, ResourceIdentifier

    events = []
    located = np.isfinite(found.latitude_deg + found.longitude_deg)
    for event_id, rows in table[located].groupby("event_id", sort=False):
        event = Event(
            resource_id=ResourceIdentifier(resource_id("event", str(event_id))),
            event_descriptions=[EventDescription(text=str(event_id), type="earthquake name")],
        )
        event.origins = [_origin(row, table.loc[row], found, level) for row in rows.index]
        best = int(np.argmin(rows[f"area{level * 100:g}_km2"].to_numpy(float)))
        event.preferred_origin_id = event.origins[best].resource_id
        events.append(event)
    catalogue = Catalog(events, resource_id=resource_id("locations", path.stem))
    return written(path, lambda partial: catalogue.write(str(partial), format="QUAKEML"))


def _origin(number: int, row: pd.Series, found: SingleLocations, level: float) -> object:
    from obspy import UTCDateTime
    from obspy.core.event import Comment, Origin, OriginQuality, OriginUncertainty, QuantityError, ResourceIdentifier

    origin = Origin(
        resource_id=ResourceIdentifier(resource_id("origin", str(row.event_id), str(row.station_id), str(row.trace))),
        time=UTCDateTime(row.origin_time) if row.origin_time else UTCDateTime(NO_TIME),
        time_fixed=not row.origin_time,
        latitude=float(row.latitude_deg),
        longitude=float(row.longitude_deg),
        method_id=ResourceIdentifier(resource_id("location", "single")),
        quality=OriginQuality(used_station_count=1),
    )
    if row.origin_time and math.isfinite(row.origin_sigma_s):
        origin.time_errors = QuantityError(uncertainty=float(row.origin_sigma_s), confidence_level=68.0)
    if math.isfinite(row.depth_km):
        origin.depth = float(row.depth_km) * METRES_PER_KM
        lower, upper = row.depth_km - row.depth_low95_km, row.depth_high95_km - row.depth_km
        origin.depth_errors = QuantityError(
            lower_uncertainty=float(lower) * METRES_PER_KM,
            upper_uncertainty=float(upper) * METRES_PER_KM,
            confidence_level=95.0,
        )
    area = float(row[f"area{level * 100:g}_km2"])
    text = f"from station {row.station_id} alone"
    if math.isfinite(area):
        radius_km = _radius_km(found, number, level)
        origin.origin_uncertainty = OriginUncertainty(
            horizontal_uncertainty=radius_km * METRES_PER_KM,
            preferred_description="horizontal uncertainty",
            confidence_level=level * 100,
        )
        text += f"; the {level * 100:g} % region is an arc of {area:.4g} km2, not the circle of this radius"
    origin.comments.append(Comment(text=text, resource_id=ResourceIdentifier(f"{origin.resource_id.id}/comment")))
    return origin


def _radius_km(found: SingleLocations, row: int, level: float) -> float:
    """Radius around the place of an event that holds a share of its draws."""
    here = found.latitude_deg[row], found.longitude_deg[row]
    draws = found.draws_latitude_deg[row], found.draws_longitude_deg[row]
    return float(np.quantile(geodesic(*here, *draws)[0], level))
