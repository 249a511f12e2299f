"""Located events as QuakeML, with their picks and what each arrival is late."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seisvision.earth.constants import KM_PER_DEG
from seisvision.location.arrivals.hypocentres import Hypocentres
from seisvision.location.arrivals.table import ArrivalTable, origin_times
from seisvision.location.catalogue import written
from seisvision.location.quakeml import METRES_PER_KM, resource_id

if TYPE_CHECKING:
    from obspy.core.event import Event, Origin


def write_quakeml(path: Path, picks: ArrivalTable, found: Hypocentres, model: str, level: float = 0.95) -> Path:
    """Write the located events as QuakeML 1.2, with the ellipse at ``level`` (0.68 or 0.95).

    Arrivals hold residual, weight of the robust loss (at most 1), distance and azimuth. ``standardError`` is the
    weighted rms of the residuals in seconds, and the uncertainty of depth and origin time one standard deviation.

    Raises:
        DataError: the file cannot be written.
    """
    from obspy.core.event import Catalog

    rows_of = picks.table.groupby("event").indices
    times = origin_times(picks, found)
    rows = found.located.nonzero()[:, 0].tolist()
    events = [_event(picks, found, row, rows_of[row], times[row], model, level) for row in rows]
    catalogue = Catalog(events, resource_id=resource_id("hypocentres", path.stem))
    return written(path, lambda partial: catalogue.write(str(partial), format="QUAKEML"))


def _event(
    table: ArrivalTable, found: Hypocentres, row: int, numbers: np.ndarray, time: str, model: str, level: float
) -> Event:
    from obspy import UTCDateTime
    from obspy.core.event import Arrival, Event, Pick, QuantityError, ResourceIdentifier, WaveformStreamID

    name = table.event_id[row]
    event = Event(resource_id=ResourceIdentifier(resource_id("event", name)))
    origin = _origin(found, row, name, time, model, level)
    for one in table.table.iloc[numbers].itertuples():
        network, station, location, channel = (*str(one.station_id).split("."), "", "", "")[:4]
        pick = Pick(
            resource_id=ResourceIdentifier(resource_id("pick", name, str(one.pick))),
            time=UTCDateTime(ns=int(one.time_ns)),
            phase_hint=one.phase,
            waveform_id=WaveformStreamID(network, station, location or None, channel or None),
        )
        if math.isfinite(one.sigma_s):
            pick.time_errors = QuantityError(uncertainty=one.sigma_s)
        event.picks.append(pick)
        residual_s = found.residual_s[row, one.pick].item()
        if not math.isfinite(residual_s):
            continue
        origin.arrivals.append(
            Arrival(
                resource_id=ResourceIdentifier(resource_id("arrival", name, str(one.pick))),
                pick_id=pick.resource_id,
                phase=one.phase,
                time_residual=residual_s,
                time_weight=min(1.0, found.weight[row, one.pick].item()),
                distance=found.distance_km[row, one.pick].item() / KM_PER_DEG,
                azimuth=found.azimuth_deg[row, one.pick].item(),
            )
        )
    event.origins = [origin]
    event.preferred_origin_id = origin.resource_id
    return event


def _origin(found: Hypocentres, row: int, name: str, time: str, model: str, level: float) -> Origin:
    from obspy import UTCDateTime
    from obspy.core.event import Comment, Origin, OriginQuality, OriginUncertainty, QuantityError, ResourceIdentifier

    origin = Origin(
        resource_id=ResourceIdentifier(resource_id("origin", name)),
        time=UTCDateTime(time),
        latitude=found.latitude_deg[row].item(),
        longitude=found.longitude_deg[row].item(),
        depth=found.depth_km[row].item() * METRES_PER_KM,
        method_id=ResourceIdentifier(resource_id("location", "arrivals")),
        earth_model_id=ResourceIdentifier(resource_id(model)),
        evaluation_mode="automatic",
        quality=OriginQuality(
            used_phase_count=int(found.n_picks[row]),
            used_station_count=int(found.n_stations[row]),
            azimuthal_gap=found.gap_deg[row].item(),
            standard_error=found.rms_s[row].item(),
        ),
    )
    sigma_s, sigma_km = found.origin_sigma_s[row].item(), found.depth_sigma_km[row].item()
    if math.isfinite(sigma_s):
        origin.time_errors = QuantityError(uncertainty=sigma_s)
    if math.isfinite(sigma_km):
        origin.depth_errors = QuantityError(uncertainty=sigma_km * METRES_PER_KM)
    ellipse = found.ellipse68 if level == 0.68 else found.ellipse95
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
    if found.reason[row]:
        identifier = f"{origin.resource_id.id}/comment/0"
        origin.comments.append(Comment(text=found.reason[row], resource_id=identifier))
    return origin
