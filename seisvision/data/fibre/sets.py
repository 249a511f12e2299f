"""Recordings of a fibre as a waveform set, one station a channel, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from seisvision.data.fibre.record import FibreRecord
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError

NETWORK_CODE = "FB"
COMPONENT = "Z"
"""Letter under which the one component of a fibre is stored."""
ALONG = "station_along_fibre_m"
GAUGE = "trace_gauge_length_m"


def channel_rows(record: FibreRecord, source_id: str, event: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """One metadata row a channel; ``event`` holds columns of the source, where it is known."""
    start = pd.Timestamp(record.start_ns, unit="ns", tz="UTC").strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    common = {
        "source_id": source_id,
        **(event or {}),
        "station_network_code": NETWORK_CODE,
        "station_location_code": "",
        "station_elevation_m": 0.0,
        "trace_channel": "fibre",
        "trace_start_time": start,
        "trace_sampling_rate_hz": record.rate_hz,
        "trace_component_order": COMPONENT,
        "trace_unit": record.unit or "not stated",
    }
    if record.gauge_length_m is not None:
        common[GAUGE] = record.gauge_length_m
    return [
        common
        | {
            "station_code": f"F{channel:05d}",
            "station_latitude_deg": round(float(record.latitude_deg[channel]), 7),
            "station_longitude_deg": round(float(record.longitude_deg[channel]), 7),
            ALONG: round(float(record.along_m[channel]), 3),
        }
        for channel in range(len(record.along_m))
    ]


def read_record(waveforms: WaveformSet, source_id: str) -> FibreRecord:
    """The recording of one event of such a set, channels in the order of the fibre.

    Raises:
        DataError: the set is none of a fibre.
    """
    if ALONG not in waveforms.table:
        raise DataError(f"the set has no column {ALONG}: it holds stations, not the channels of a fibre.")
    event = waveforms.read_event(source_id, COMPONENT)
    table = event.metadata
    order = np.argsort(table[ALONG].to_numpy(float), kind="stable")
    row = table.iloc[int(order[0])]
    names = (ALONG, "station_latitude_deg", "station_longitude_deg")
    along_m, latitude_deg, longitude_deg = (table[name].to_numpy(float)[order] for name in names)
    return FibreRecord(
        np.asarray(event.waveforms)[order, 0],
        along_m,
        latitude_deg,
        longitude_deg,
        float(row["trace_sampling_rate_hz"]),
        int(pd.Timestamp(row["trace_start_time"]).value),
        str(row.get("trace_unit", "")),
    )
