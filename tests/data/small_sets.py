"""Small waveform sets for the tests of the data room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter

RATE_HZ = 20.0
N_SAMPLES = 200


def trace_row(event: int, station: int, **changes: Any) -> dict[str, Any]:
    """Metadata of one trace: origin 2 s before the trace, onset 3 s after its start at the nearest station."""
    row = {
        "source_id": f"ev{event:03d}",
        "source_type": "quake" if event % 3 else "blast",
        "source_origin_time": f"2020-01-{1 + event % 28:02d}T00:00:00.000Z",
        "source_depth_km": 1.0 + event,
        "source_cell": f"cell{event // 4}",
        "station_network_code": "NA",
        "station_code": f"S{station:02d}",
        "station_location_code": "00",
        "trace_start_time": f"2020-01-{1 + event % 28:02d}T00:00:02.000Z",
        "trace_sampling_rate_hz": RATE_HZ,
        "trace_onset_s": 3.0 + station,
        "path_ep_distance_km": 10.0 * (station + 1),
        "path_azimuth_deg": 30.0 * station,
    }
    return row | changes


def event_waveforms(event: int, n_stations: int = 4, n_samples: int = N_SAMPLES) -> np.ndarray:
    """Repeatable noise (S, 3, T)."""
    return np.random.default_rng(event).normal(size=(n_stations, 3, n_samples)).astype(np.float32)


def write_set(path: Path, n_events: int = 10, n_stations: int = 4, **settings: Any) -> WaveformSet:
    """Write and open ``n_events`` events with equal traces."""
    with WaveformSetWriter(path, **({"card": {"name": "small"}} | settings)) as writer:
        for event in range(n_events):
            rows = [trace_row(event, station) for station in range(n_stations)]
            writer.add_event(rows, event_waveforms(event, n_stations))
    return WaveformSet(path)


def write_foreign(
    path: Path, table: pd.DataFrame, datasets: dict[str, np.ndarray], described: dict[str, Any], chunk: str = ""
) -> Path:
    """Write a set as another program might: any table, datasets and ``data_format``."""
    path.mkdir(exist_ok=True)
    table.to_csv(path / f"metadata{chunk}.csv", index=False)
    with h5py.File(path / f"waveforms{chunk}.hdf5", "w") as file:
        for name, data in datasets.items():
            file.create_dataset(f"data/{name}", data=data)
        for name, value in described.items():
            file.create_dataset(f"data_format/{name}", data=value)
    return path
