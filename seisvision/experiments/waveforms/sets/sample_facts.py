"""What is known of the samples of a part beside their pictures: offset, magnitude, depth, stations, gap."""

from __future__ import annotations

import numpy as np

from seisvision.data.samples.arrivals import column_numbers
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.traces import TraceSamples
from seisvision.location.uncertainty import azimuthal_gap_deg


def sample_facts(samples: EventSamples | TraceSamples) -> dict[str, np.ndarray]:
    """Quantities (N,) by name, NaN where the metadata say nothing.

    Single traces: ``offset_km``, ``magnitude``, ``depth_km``. Events: ``nearest_station_km``, ``n_stations`` and
    ``gap_deg`` of the stations that are drawn, ``magnitude``, ``depth_km``.
    """
    events = samples.waveform_set.event_table().reindex(list(samples.ids.source_ids))
    common = {
        "magnitude": column_numbers(events, "source_magnitude"),
        "depth_km": column_numbers(events, "source_depth_km"),
    }
    if isinstance(samples, TraceSamples):
        return {"offset_km": samples.index.paths["path_ep_distance_km"], **common}
    facts = np.array([_of_event(samples, number) for number in range(len(samples))]).reshape(-1, 3)
    return {**dict(zip(("nearest_station_km", "n_stations", "gap_deg"), facts.T, strict=True)), **common}


def _of_event(samples: EventSamples, number: int) -> tuple[float, float, float]:
    """Smallest offset (km), number of stations and azimuthal gap (degrees) of an event."""
    traces = samples.index.traces(number)
    drawn = np.isin(samples.index.rows[traces], samples.rows(number))
    offset_km, azimuth_deg = samples.index.offset_km[traces][drawn], samples.index.azimuth_deg[traces][drawn]
    known = np.isfinite(azimuth_deg)[None]
    gap_deg = float(azimuthal_gap_deg(azimuth_deg[None], known)[0]) if known.any() else np.nan
    nearest_km = float(np.nanmin(offset_km)) if np.isfinite(offset_km).any() else np.nan
    return nearest_km, float(drawn.sum()), gap_deg
