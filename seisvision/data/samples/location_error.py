"""Epicentres as a catalogue would give them: a few kilometres off."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from seisvision.data.samples.arrivals import column_numbers
from seisvision.data.samples.event_index import EventIndex
from seisvision.data.samples.paths import COORDINATES
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.earth.constants import WGS84_FLATTENING, WGS84_RADIUS_KM
from seisvision.earth.geodesics import geodesic
from seisvision.errors import DataError
from seisvision.seeding import numpy_stream


def move_epicentres(index: EventIndex, waveform_set: WaveformSet, error_km: float, seed: int) -> EventIndex:
    """Return the index with distances and azimuths (WGS84) as seen from wrong epicentres.

    Args:
        index: events and their traces.
        waveform_set: the set, for the coordinates.
        error_km: standard deviation of the error along north and along east, drawn per event and seed.
        seed: base seed.

    Raises:
        DataError: a trace has a distance but not the coordinates to compute it anew.
    """
    table = waveform_set.table.iloc[index.rows]
    places = np.array([column_numbers(table, name) for name in COORDINATES])
    known = np.isfinite(places).all(axis=0)
    lost = np.isfinite(index.offset_km) & ~known
    if lost.any():
        raise DataError(
            f"epicentre_error_km={error_km:g} needs {', '.join(COORDINATES)}, which {int(lost.sum())} traces of "
            f"{waveform_set.path} lack; set it to 0 or complete the table"
        )
    draws = [
        numpy_stream(seed, "epicentre error", zlib.crc32(name.encode())).normal(size=2) for name in index.source_ids
    ]
    north_km, east_km = error_km * np.repeat(np.array(draws), np.diff(index.first), axis=0)[known].T
    latitude_deg, longitude_deg, *stations = places[:, known]
    moved = moved_deg(latitude_deg, longitude_deg, north_km, east_km)
    paths = np.array([index.offset_km, index.azimuth_deg, index.back_azimuth_deg])
    paths[:, known] = geodesic(*moved, *stations)
    return replace(index, offset_km=paths[0], azimuth_deg=paths[1], back_azimuth_deg=paths[2])


def moved_deg(
    latitude_deg: np.ndarray, longitude_deg: np.ndarray, north_km: np.ndarray, east_km: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude after steps that are small against the Earth.

    One degree is as long as the radii of curvature of WGS84 make it (Snyder 1987, USGS Professional Paper 1395, eqs
    4-18 and 4-20).
    """
    squared = WGS84_FLATTENING * (2 - WGS84_FLATTENING)
    bulge = 1 - squared * np.sin(np.radians(latitude_deg)) ** 2
    meridian_km = WGS84_RADIUS_KM * (1 - squared) / bulge**1.5
    moved_latitude_deg = latitude_deg + np.degrees(north_km / meridian_km)
    parallel_km = WGS84_RADIUS_KM / np.sqrt(bulge) * np.maximum(np.cos(np.radians(latitude_deg)), 1e-6)
    return moved_latitude_deg, longitude_deg + np.degrees(east_km / parallel_km)
