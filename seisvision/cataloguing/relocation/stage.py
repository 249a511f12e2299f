"""The stage ``relocate``: differential times of near events, and their places against each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from seisvision.cataloguing import exchange
from seisvision.cataloguing.job import CatalogueJob
from seisvision.cataloguing.matching.stage import COMPONENTS, detected_events
from seisvision.cataloguing.network import predict
from seisvision.cataloguing.relocation.differential import LEAD_S, lags_of
from seisvision.cataloguing.relocation.double_difference import CC, CT, Links, double_difference
from seisvision.cataloguing.windows import Events, banded_windows, located_events, windows_of
from seisvision.data.importing.tables.times import NS, format_ns
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.geodesics import geodesic

COLUMNS = (
    "event_id", "origin_time", "latitude_deg", "longitude_deg", "depth_km", "cluster", "n_links", "noise_north_km",
    "noise_east_km", "noise_depth_km", "noise_time_s", "reason",
)  # fmt: skip


def relocate(job: CatalogueJob) -> dict[str, Any]:
    """Relocate located and detected events: ``relocated.csv``, ``differential_times.csv`` and files for hypoDD."""
    events = all_events(job)
    pairs = near_pairs(events, job.settings.relocate.separation_km, job.settings.relocate.most_neighbours)
    links = differential_times(job, events, pairs)
    how = job.settings.relocate
    scale = KM_PER_DEG * np.cos(np.radians(events.latitude_deg))

    def moved(shift: np.ndarray) -> Any:
        latitude = events.latitude_deg + shift[:, 0] / KM_PER_DEG
        longitude = events.longitude_deg + shift[:, 1] / scale
        depth = np.clip(events.depth_km + shift[:, 2], *job.settings.associate.depth_km)
        return predict(latitude, longitude, depth, job.network, job.travel_times)

    found = double_difference(links, moved, len(events), how.fewest_links, how.iterations, how.n_bootstrap)
    known = np.isfinite(found.shift[:, 0])
    shift = np.nan_to_num(found.shift)
    table = pd.DataFrame(
        {
            "event_id": events.event_id,
            "origin_time": [
                format_ns(int(one) + round(late * NS)) for one, late in zip(events.origin_ns, shift[:, 3], strict=True)
            ],
            "latitude_deg": (events.latitude_deg + shift[:, 0] / KM_PER_DEG).round(6),
            "longitude_deg": (events.longitude_deg + shift[:, 1] / scale).round(6),
            "depth_km": np.clip(events.depth_km + shift[:, 2], *job.settings.associate.depth_km).round(4),
            "cluster": found.cluster,
            "n_links": found.n_links,
            **{
                name: found.error[:, at].round(5)
                for at, name in enumerate(("noise_north_km", "noise_east_km", "noise_depth_km", "noise_time_s"))
            },
            "reason": np.where(known, "", f"no other event with {how.fewest_links} links is near: it stays"),
        }
    )
    job.write("relocated", table[list(COLUMNS)])
    job.write("differential_times", _table_of(job, events, links))
    exchange.write_hypodd(job.out / "hypodd", job.network, events, links)
    return {
        "relocated": int(known.sum()),
        "stayed": int((~known).sum()),
        "clusters": int(found.cluster.max()) + 1,
        "picked_links": int((links.kind == CT).sum()),
        "correlated_links": int((links.kind == CC).sum()),
        "rms_before_s": round(found.rms_s[0], 5),
        "rms_after_s": round(found.rms_s[1], 5),
    }


def all_events(job: CatalogueJob) -> Events:
    """Located events, and behind them those that the matched filter has found."""
    events = located_events(job)
    if "match" not in job.settings.stages:
        return events
    new, _ = detected_events(job)
    return Events(*(np.concatenate([a, b]) for a, b in zip(vars(events).values(), vars(new).values(), strict=True)))


def near_pairs(events: Events, separation_km: float, most: int) -> np.ndarray:
    """Pairs (P, 2) of an event and one of its nearest neighbours, each pair once, in order."""
    pairs: set[tuple[int, int]] = set()
    for row in range(len(events)):
        flat = geodesic(events.latitude_deg[row], events.longitude_deg[row], events.latitude_deg, events.longitude_deg)[
            0
        ]
        away = np.hypot(flat, events.depth_km - events.depth_km[row])
        away[row] = np.inf
        for other in np.argsort(away, kind="stable")[:most].tolist():
            if away[other] <= separation_km:
                pairs.add((min(row, other), max(row, other)))
    return np.array(sorted(pairs), int).reshape(-1, 2)


def differential_times(job: CatalogueJob, events: Events, pairs: np.ndarray) -> Links:
    """Differential times of pairs, from picks and from correlation."""
    rows: list[tuple[int, int, int, int, int, float, float]] = []
    for first, second in pairs.tolist():
        both = events.is_picked[first] & events.is_picked[second]
        late = _travel_s(events, first) - _travel_s(events, second)
        for station, phase in np.argwhere(both).tolist():
            rows.append((first, second, station, phase, CT, float(late[station, phase]), 1.0))
        rows += list(_correlated(job, events, first, second))
    table = np.array(rows, float).reshape(-1, 7)
    numbers = [table[:, at].astype(int) for at in range(5)]
    return Links(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], table[:, 5], table[:, 6])


def _travel_s(events: Events, row: int) -> np.ndarray:
    return np.asarray((events.arrival_ns[row] - events.origin_ns[row]) / NS)


def _correlated(
    job: CatalogueJob, events: Events, first: int, second: int
) -> Iterator[tuple[int, int, int, int, int, float, float]]:
    how, rate = job.settings.relocate, job.settings.cut.rate_hz
    raw = windows_of(job, events, first), windows_of(job, events, second)
    lines = [banded_windows(job, events, row, how.band_hz) for row in (first, second)]
    reach = round(how.search_s * rate)
    there = (raw[0].start_ns > 0) & (raw[1].start_ns > 0)
    for phase, window_s in enumerate(how.window_s):
        length = round((window_s + LEAD_S) * rate)
        parts: list[tuple[int, int, int, np.ndarray, np.ndarray]] = []
        for station in np.flatnonzero(there).tolist():
            starts = [
                round((int(events.arrival_ns[row, station, phase]) - int(one.start_ns[station])) / NS * rate)
                - round(LEAD_S * rate)
                for row, one in zip((first, second), raw, strict=True)
            ]
            components = list(COMPONENTS[phase])
            a = lines[0][station, components, max(0, starts[0]) : starts[0] + length]
            b = lines[1][station, components, max(0, starts[1] - reach) : starts[1] + length + reach]
            if a.shape[1] == length and b.shape[1] == length + 2 * reach and min(starts[0], starts[1] - reach) >= 0:
                parts.append((station, starts[0], starts[1], a, b))
        if not parts:
            continue
        found = lags_of(np.stack([one[3] for one in parts]).astype(float), np.stack([one[4] for one in parts]))
        for (station, at, beside, _, _), lag, correlation in zip(parts, found.lag, found.correlation, strict=True):
            if np.isnan(lag) or correlation < how.least_correlation:
                continue
            times_s = (
                (int(raw[0].start_ns[station]) - int(events.origin_ns[first])) / NS + at / rate,
                (int(raw[1].start_ns[station]) - int(events.origin_ns[second])) / NS + (beside + lag) / rate,
            )
            yield first, second, station, phase, CC, times_s[0] - times_s[1], float(correlation) ** 2


def _table_of(job: CatalogueJob, events: Events, links: Links) -> pd.DataFrame:
    names = np.array(job.network.station_id)
    return pd.DataFrame(
        {
            "event_id": events.event_id[links.first],
            "other_id": events.event_id[links.second],
            "station_id": names[links.station],
            "phase": np.array(["P", "S"])[links.phase],
            "kind": np.array(["picks", "correlation"])[links.kind],
            "difference_s": links.difference_s.round(6),
            "weight": links.weight.round(4),
        }
    )
