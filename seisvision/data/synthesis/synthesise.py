"""Makes a whole synthetic waveform set, in several processes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from seisvision.base.interrupts import postponed_interrupt
from seisvision.data.samples.arrivals import PHASES, THEORETICAL
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.synthesis.card import card
from seisvision.data.synthesis.generator import EventGenerator, SyntheticEvent
from seisvision.data.synthesis.geometry import NETWORK_CODE
from seisvision.data.synthesis.in_processes import count_workers, events_in_order, with_progress
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.data.synthesis.tables import earth_tables
from seisvision.earth.constants import KM_PER_DEG

log = logging.getLogger(__name__)

COMPRESSION: Final = "gzip"
"""Brings samples rounded to digital steps down to 1.1 bytes; lzf reads a fifth faster but takes 1.5 bytes."""
_RAYLEIGH_KM_S = 3.5


def synthesise(
    parameters: SynthesisParameters, path: str | Path, cache_dir: str | Path, processes: int | None = None
) -> Path:
    """Write the set that ``parameters`` describe; its content does not depend on the number of processes.

    Args:
        parameters: What to make.
        path: Folder of the new set; it appears when it is complete.
        cache_dir: Folder for the tables of the Earth model.
        processes: Worker processes; by default one per core. 1 works in this process.

    Returns:
        ``path``.

    Raises:
        ConfigurationError: ``processes`` is below 1.
        DataError: The set exists already, or a worker process died.
    """
    n_workers = count_workers(processes, parameters.n_events)
    _warn_of_short_records(parameters)
    with WaveformSetWriter(path, card=card(parameters), compression=COMPRESSION) as writer:
        # Made before the workers start, so that they all read them.
        earth_tables(parameters.earth_model, Path(cache_dir))
        make = partial(EventGenerator, parameters, Path(cache_dir))
        with closing(events_in_order(make, parameters.n_events, n_workers)) as events:
            for event in with_progress(events, parameters.n_events, log):
                with postponed_interrupt():
                    writer.add_event(trace_metadata(event, parameters), event.waveforms)
    return Path(path)


def trace_metadata(event: SyntheticEvent, parameters: SynthesisParameters) -> list[dict[str, Any]]:
    """One metadata row per station, columns as in every waveform set of this package.

    The arrivals are called theoretical: an onset is detected, as on recordings, not given.
    """
    source, geometry = event.source, event.geometry
    common = {
        "source_id": event.source_id,
        "source_type": source.kind,
        "source_origin_time": _iso(event.origin_time),
        "source_latitude_deg": geometry.latitude_deg,
        "source_longitude_deg": geometry.longitude_deg,
        "source_depth_km": round(source.depth_km, 3),
        "source_magnitude": round(source.magnitude, 3),
        "source_force_azimuth_deg": round(source.force_azimuth_deg, 2),
        "source_cell": geometry.cell,
        "station_network_code": NETWORK_CODE,
        "station_location_code": "",
        "station_elevation_m": 0.0,
        "trace_channel": _channel(parameters.sampling_rate_hz),
        "trace_start_time": _iso(event.start_time),
        "trace_sampling_rate_hz": parameters.sampling_rate_hz,
        "trace_component_order": "ZNE",
        "trace_unit": "m/s",
        "trace_onset_s": float("nan"),
    }
    return [
        common
        | {
            "station_code": str(geometry.station_code[i]),
            "station_latitude_deg": float(geometry.station_latitude_deg[i]),
            "station_longitude_deg": float(geometry.station_longitude_deg[i]),
            "path_ep_distance_km": round(float(geometry.offset_km[i]), 3),
            "path_azimuth_deg": round(float(geometry.azimuth_deg[i]), 3) % 360,
            "path_back_azimuth_deg": round(float(geometry.back_azimuth_deg[i]), 3) % 360,
            "trace_fault": "+".join(event.faults[i]),
            **arrival_columns(event.arrivals_s[i], parameters.sampling_rate_hz),
        }
        for i in range(len(geometry.offset_km))
    ]


def arrival_columns(arrivals_s: Sequence[float], sampling_rate_hz: float) -> dict[str, Any]:
    """Columns of SeisBench for the P and the S of a trace, seconds after its start, NaN for none."""
    columns: dict[str, Any] = {}
    for phase, time_s in zip(PHASES, arrivals_s, strict=True):
        name = f"trace_{phase.lower()}"
        columns[f"{name}_arrival_sample"] = round(float(time_s) * sampling_rate_hz, 2)
        columns[f"{name}_status"] = "" if np.isnan(time_s) else THEORETICAL
    return columns


def further_columns(events_s: Sequence[Sequence[float]], sampling_rate_hz: float) -> dict[str, Any]:
    """Columns for P and S of the second event in a trace, the third, ...; seconds after its start, NaN for none."""
    return {
        f"trace_{phase.lower()}_arrival_{number}_sample": round(float(time_s) * sampling_rate_hz, 2)
        for number, arrivals_s in enumerate(events_s, start=2)
        for phase, time_s in zip(PHASES, arrivals_s, strict=True)
    }


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _channel(sampling_rate_hz: float) -> str:
    """Band and instrument code of the SEED manual, appendix A, for a broadband seismometer."""
    if sampling_rate_hz >= 10:
        return "BH"
    return "MH" if sampling_rate_hz > 1 else "LH"


def _warn_of_short_records(parameters: SynthesisParameters) -> None:
    needed_s = parameters.offset_range_deg[1] * KM_PER_DEG / _RAYLEIGH_KM_S
    if parameters.length_s - parameters.lead_s < needed_s:
        log.warning(
            "length_s=%g with lead_s=%g ends before the surface waves of the farthest stations (%.0f s after the "
            "origin); give a longer length_s or a smaller offset_range_deg to have them",
            parameters.length_s,
            parameters.lead_s,
            needed_s,
        )
