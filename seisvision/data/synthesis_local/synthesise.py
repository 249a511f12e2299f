"""Writes a whole set of local or regional seismograms."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from seisvision.base.interrupts import postponed_interrupt
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.synthesis.in_processes import count_workers, events_in_order, with_progress
from seisvision.data.synthesis.synthesise import COMPRESSION, arrival_columns, further_columns
from seisvision.data.synthesis_local.generator import LocalEvent, LocalEventGenerator
from seisvision.data.synthesis_local.parameters import LOCAL_GENERATOR_VERSION, LocalSynthesisParameters

log = logging.getLogger(__name__)

NETWORK_CODE: Final = "SL"
_DESCRIPTION = (
    "Physics-based synthetic seismograms of {n} local or regional earthquakes with known place, depth and magnitude: "
    "direct waves, head waves and the Moho reflection in a layered crust, coda, surface waves, noise. Not modelled: "
    "reverberation in the layers, exact conversion at the free surface, three-dimensional structure beyond random "
    "delays, instruments. Each event has velocities, Vp/Vs, Q and scattering of its own."
)
_CITATIONS = (
    "Aki & Richards (2002), Quantitative Seismology, chapters 4 and 9: radiation, layered media, flattening",
    "Aki & Chouet (1975), doi:10.1029/JB080i023p03322: coda",
    "Brune (1970), doi:10.1029/JB075i026p04997: earthquake spectrum",
    "Anderson & Hough (1984), BSSA 74, 1969-1993: kappa",
    "Herrmann & Kijko (1983), BSSA 73, 157-171: spreading of guided waves",
    "Takemura, Furumura & Saito (2009), doi:10.1111/j.1365-246X.2009.04210.x: smoothed radiation",
    "Peterson (1993), USGS Open-File Report 93-322: noise models",
)


def synthesise_local(parameters: LocalSynthesisParameters, path: str | Path, processes: int | None = 1) -> Path:
    """Write the set that ``parameters`` describe to ``path``, which appears when it is complete.

    Args:
        parameters: What to make.
        path: Folder of the new set.
        processes: Worker processes; None for one per core. The content does not depend on them.

    Raises:
        ConfigurationError: ``processes`` is below 1.
        DataError: The set exists already, or a worker process died.
    """
    n_workers = count_workers(processes, parameters.n_events)
    with WaveformSetWriter(path, card=_card(parameters), compression=COMPRESSION) as writer:
        make = partial(LocalEventGenerator, parameters)
        with closing(events_in_order(make, parameters.n_events, n_workers)) as events:
            for event in with_progress(events, parameters.n_events, log):
                with postponed_interrupt():
                    writer.add_event(trace_metadata(event, parameters), event.waveforms)
    return Path(path)


def trace_metadata(event: LocalEvent, parameters: LocalSynthesisParameters) -> list[dict[str, Any]]:
    """One metadata row per station, columns as in every waveform set of this package.

    The arrivals are called theoretical: an onset is detected, as on recordings, not given.
    """
    source, geometry = event.source, event.geometry
    common = {
        "source_id": event.source_id,
        "source_type": "earthquake",
        "source_origin_time": _iso(event.origin_time),
        "source_latitude_deg": geometry.latitude_deg,
        "source_longitude_deg": geometry.longitude_deg,
        "source_depth_km": round(source.depth_km, 3),
        "source_magnitude": round(source.magnitude, 3),
        "source_cell": geometry.cell,
        "station_network_code": NETWORK_CODE,
        "station_location_code": "",
        "station_elevation_m": 0.0,
        "trace_channel": "BH" if parameters.sampling_rate_hz < 80 else "HH",
        "trace_start_time": _iso(event.origin_time - timedelta(seconds=event.lead_s)),
        "trace_sampling_rate_hz": parameters.sampling_rate_hz,
        "trace_component_order": "ZNE",
        "trace_unit": "m/s",
        "trace_onset_s": float("nan"),
    }
    arrivals_s = event.lead_s + np.stack([event.p_time_s, event.s_time_s], axis=1)
    several_s = [arrivals_s, *([arrivals_s + event.repeat_s] if parameters.repeat else [])]
    arrivals_s, *more_s = (np.where(one < parameters.length_s, one, np.nan) for one in several_s)
    rows = [
        common
        | {
            "station_code": str(geometry.station_code[i]),
            "station_latitude_deg": float(geometry.station_latitude_deg[i]),
            "station_longitude_deg": float(geometry.station_longitude_deg[i]),
            "path_ep_distance_km": round(float(geometry.offset_km[i]), 3),
            "path_azimuth_deg": round(float(geometry.azimuth_deg[i]), 3) % 360,
            "path_back_azimuth_deg": round(float(geometry.back_azimuth_deg[i]), 3) % 360,
            "trace_theoretical_p_s": round(event.lead_s + float(event.p_time_s[i]), 3),
            "trace_theoretical_s_s": round(event.lead_s + float(event.s_time_s[i]), 3),
            **arrival_columns(arrivals_s[i], parameters.sampling_rate_hz),
            **further_columns([one[i] for one in more_s], parameters.sampling_rate_hz),
        }
        for i in range(len(geometry.offset_km))
    ]
    return [_without_source(row) for row in rows] if event.is_noise else rows


def _without_source(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a record of noise: no place, no path, no arrivals, and an onset that is made up."""
    onset_s = row["trace_theoretical_p_s"]
    lost = ("source_latitude", "source_longitude", "source_depth", "source_magnitude", "path_", "trace_theoretical")
    arrivals = [name for name in row if "_arrival_" in name and name.endswith("_sample")]
    unknown = [name for name in row if name.startswith(lost)] + arrivals
    return row | dict.fromkeys(unknown, float("nan")) | {"source_type": "noise", "trace_onset_s": onset_s}


def _iso(time: Any) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _card(parameters: LocalSynthesisParameters) -> dict[str, Any]:
    return {
        "name": f"synthetic-{parameters.fingerprint()}",
        "description": _DESCRIPTION.format(n=parameters.n_events),
        "source": "made by this software, no recording; the parameters make it again",
        "licence": "MIT, as the software that makes it",
        "citation": list(_CITATIONS),
        "measurement": "velocity",
        "unit": "m/s",
        "instrument_response": "none",
        "parameters": parameters.as_dict(),
        "generator_version": LOCAL_GENERATOR_VERSION,
        "fingerprint": parameters.fingerprint(),
    }
