"""Windows of events at all stations, kept one file an event, and the arrivals in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision.cataloguing.job import CatalogueJob
from seisvision.cataloguing.network import predict
from seisvision.cataloguing.picks_to_events import located, times_ns
from seisvision.cataloguing.recordings import band_passed
from seisvision.data.importing.tables.times import NS
from seisvision.errors import DataError
from seisvision.files import whole_file

KEPT = 400
"""Events whose windows are held in memory."""


@dataclass(frozen=True)
class EventWindows:
    """Recordings of one event.

    Attributes:
        samples: (S, 3, T) float32 Z, N, E, in the unit of the station; 0 where not known.
        known: (S, 3, T) bool.
        start_ns: (S,) times of the first samples; 0 where there is no recording.
        unit: (S,) ``m/s`` and the like, or counts.
    """

    samples: np.ndarray
    known: np.ndarray
    start_ns: np.ndarray
    unit: np.ndarray


@dataclass(frozen=True)
class Events:
    """M events with arrivals at S stations.

    Attributes:
        event_id: (M,) texts.
        origin_ns: (M,) int64.
        latitude_deg: (M,).
        longitude_deg: (M,).
        depth_km: (M,).
        arrival_ns: (M, S, 2) int64 picked, else predicted, P and S.
        is_picked: (M, S, 2) bool.
        folder: stage whose parts hold the windows, by event.
    """

    event_id: np.ndarray
    origin_ns: np.ndarray
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    depth_km: np.ndarray
    arrival_ns: np.ndarray
    is_picked: np.ndarray
    folder: np.ndarray

    def __len__(self) -> int:
        return len(self.event_id)


def events_of(job: CatalogueJob, table: pd.DataFrame, picks: pd.DataFrame, folder: str) -> Events:
    """Events of a table (``event_id, origin_ns`` and place) with arrivals from a table of picks, else predicted."""
    latitude, longitude, depth = (table[name].to_numpy(float) for name in ("latitude_deg", "longitude_deg", "depth_km"))
    origin_ns = table["origin_ns"].to_numpy(np.int64)
    travel = predict(latitude, longitude, depth, job.network, job.travel_times).travel_s
    arrival_ns = origin_ns[:, None, None] + np.rint(travel * NS).astype(np.int64)
    is_picked = np.zeros(arrival_ns.shape, bool)
    row_of = {name: row for row, name in enumerate(table["event_id"])}
    places = {name: number for number, name in enumerate(job.network.station_id)}
    moments = times_ns(picks["time"]) if len(picks) else np.empty(0, np.int64)
    columns = (picks["event_id"], picks["network"].fillna(""), picks["station"], picks["phase"], moments)
    for event, network, station, phase, moment in zip(*columns, strict=True):
        number = places.get(f"{network}.{station}", places.get(f".{station}", -1))
        row = row_of.get(event, -1)
        if row >= 0 and number >= 0:
            arrival_ns[row, number, int(phase == "S")] = moment
            is_picked[row, number, int(phase == "S")] = True
    names = table["event_id"].to_numpy(str)
    return Events(
        names, origin_ns, latitude, longitude, depth, arrival_ns, is_picked, np.full(len(names), folder, object)
    )


def located_events(job: CatalogueJob) -> Events:
    """Located events with their picks."""
    return events_of(job, located(job), job.read("associated"), "cut")


def cut_event(job: CatalogueJob, events: Events, row: int) -> Path:
    """Write the windows of one event, unless they are there."""
    path = job.part(str(events.folder[row]), str(events.event_id[row]))
    if path.is_file():
        return path
    how, network = job.settings.cut, job.network
    n_samples = round(how.length_s * how.rate_hz)
    shape = (len(network.station_id), 3, n_samples)
    samples, known = np.zeros(shape, np.float32), np.zeros(shape, bool)
    start_ns, unit = np.zeros(shape[0], np.int64), np.full(shape[0], "", "U16")
    for number, name in enumerate(network.station_id):
        begin = int(events.arrival_ns[row, number, 0]) - round(how.before_s * NS)
        found = job.recordings.window(name, begin, n_samples)
        if found is not None and found.known.any():
            samples[number], known[number] = found.samples, found.known
            start_ns[number], unit[number] = found.start_ns, found.unit
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(file, samples=samples, known=np.packbits(known, axis=-1), start_ns=start_ns, unit=unit)
    return path


@lru_cache(maxsize=KEPT)
def _read(path: Path) -> EventWindows:
    try:
        with np.load(path, allow_pickle=False) as stored:
            samples = stored["samples"]
            known = np.unpackbits(stored["known"], axis=-1, count=samples.shape[-1]).astype(bool)
            return EventWindows(samples, known, stored["start_ns"], stored["unit"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be read ({error}). Delete it; the same command makes it again.") from error


def windows_of(job: CatalogueJob, events: Events, row: int) -> EventWindows:
    """Windows that :func:`cut_event` wrote."""
    return _read(job.part(str(events.folder[row]), str(events.event_id[row])))


@lru_cache(maxsize=KEPT)
def _banded(path: Path, rate_hz: float, band_hz: tuple[float, float]) -> np.ndarray:
    raw = _read(path)
    return band_passed(raw.samples, raw.known, rate_hz, band_hz)


def banded_windows(job: CatalogueJob, events: Events, row: int, band_hz: tuple[float, float]) -> np.ndarray:
    """The same (S, 3, T) band-passed."""
    path = job.part(str(events.folder[row]), str(events.event_id[row]))
    return _banded(path, job.settings.cut.rate_hz, tuple(band_hz))


def forget_windows() -> None:
    """Let go of the windows held in memory, as files of theirs are made anew."""
    _read.cache_clear()
    _banded.cache_clear()


def cut(job: CatalogueJob, rows: list[int] | None = None) -> dict[str, Any]:
    """Cut all events, or some."""
    events = located_events(job)
    for row in range(len(events)) if rows is None else rows:
        cut_event(job, events, row)
    return {"events": len(events)}
