"""Sets with geometry, times and samples that fit together, to plant faults into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from obspy.geodetics import gps2dist_azimuth

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter

RATE_HZ, LENGTH_S, BEFORE_S, SPEED_KM_S = 20.0, 30.0, 5.0, 6.0
STATIONS = [(46.0 + 0.05 * i, -122.0 + 0.07 * (i % 3)) for i in range(5)]
"""Latitude and longitude."""


def write_sound_set(path: Path, n_events: int = 40, **columns: Callable[[int, int], Any]) -> WaveformSet:
    """Events of two classes anywhere among five stations; ``columns`` are functions of event and station number."""
    with WaveformSetWriter(path, card={"name": "sound"}) as writer:
        for event in range(n_events):
            rng = np.random.default_rng([event, 1])
            rows = [_row(event, station, rng) for station in range(len(STATIONS))]
            for station, row in enumerate(rows):
                row.update({name: make(event, station) for name, make in columns.items()})
            writer.add_event(rows, np.stack([_motion(event, row) for row in rows]))
    return WaveformSet(path)


def _row(event: int, station: int, rng: np.random.Generator) -> dict[str, Any]:
    place = np.random.default_rng([event, 2])
    latitude, longitude = 46.0 + place.uniform(0, 0.3), -122.2 + place.uniform(0, 0.4)
    distance_m, azimuth, back = gps2dist_azimuth(latitude, longitude, *STATIONS[station])
    origin = pd.Timestamp("2020-01-01", tz="UTC") + pd.Timedelta(seconds=round(place.uniform(0, 3e7), 3))
    travel_s = distance_m / 1000 / SPEED_KM_S
    start = origin + pd.Timedelta(seconds=travel_s - BEFORE_S + rng.uniform(-2, 2))
    return {
        "source_id": f"ev{event:03d}",
        "source_type": "quake" if event % 2 else "blast",
        "source_origin_time": origin.isoformat(),
        "source_latitude_deg": latitude,
        "source_longitude_deg": longitude,
        "source_depth_km": float(place.uniform(1, 20)),
        "source_magnitude": float(place.uniform(1, 3)),
        "station_network_code": "XX",
        "station_code": f"S{station}",
        "station_location_code": "",
        "station_latitude_deg": STATIONS[station][0],
        "station_longitude_deg": STATIONS[station][1],
        "path_ep_distance_km": distance_m / 1000,
        "path_azimuth_deg": azimuth % 360,
        "path_back_azimuth_deg": back % 360,
        "trace_start_time": start.isoformat(),
        "trace_sampling_rate_hz": RATE_HZ,
        "trace_onset_s": (origin - start).total_seconds() + travel_s,
        "trace_p_arrival_sample": ((origin - start).total_seconds() + travel_s) * RATE_HZ,
        "trace_channel": "HH",
        "trace_unit": "m/s",
    }


def _motion(event: int, row: dict[str, Any]) -> np.ndarray:
    """Wavelet of the event at the onset, alike at all stations, and little noise (3, T)."""
    seconds = np.arange(round(LENGTH_S * RATE_HZ)) / RATE_HZ - row["trace_onset_s"]
    rng = np.random.default_rng([event, 3])
    pulse = rng.normal(size=400)
    pulse *= np.exp(-np.arange(400) / 60)
    motion = np.interp(seconds, np.arange(400) / RATE_HZ, pulse, left=0.0, right=0.0)
    noise = np.random.default_rng([event, sum(map(ord, row["station_code"]))]).normal(size=(3, len(seconds)))
    return (1000 * motion + 20 * noise).astype(np.float32)


def edit_table(path: Path, change: Callable[[pd.DataFrame], Any]) -> WaveformSet:
    """Change the metadata table in place and open the set again."""
    table = pd.read_csv(path / "metadata.csv", dtype={"station_network_code": str}, keep_default_na=False)
    change(table)
    table.to_csv(path / "metadata.csv", index=False)
    return WaveformSet(path)


def edit_samples(path: Path, event: int, change: Callable[[np.ndarray], Any]) -> WaveformSet:
    """Change the samples (S, 3, T) of one event in place and open the set again."""
    with h5py.File(path / "waveforms.hdf5", "r+") as file:
        dataset = file[f"data/bucket{event}"]
        samples = dataset[()]
        change(samples)
        dataset[...] = samples
    return WaveformSet(path)
