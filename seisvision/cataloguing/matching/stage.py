"""The stage ``match``: the archive searched with the events found, and what is new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from seisvision.cataloguing.job import CatalogueJob
from seisvision.cataloguing.matching.detection import Detection, detect, merged, pieces, stored
from seisvision.cataloguing.matching.templates import TemplateSet, make_templates
from seisvision.cataloguing.picks_to_events import event_ids, times_ns
from seisvision.cataloguing.relocation.differential import LEAD_S, lags_of
from seisvision.cataloguing.windows import (
    Events,
    banded_windows,
    cut_event,
    events_of,
    located_events,
    windows_of,
)
from seisvision.data.importing.tables.times import NS, format_ns
from seisvision.files import parse_json, write_text

FOLDER = "match"
WINDOWS = "match_cut"
DETECTIONS = (
    "event_id", "origin_time", "template_id", "known_id", "clarity", "correlation", "n_channels", "n_picked_stations",
)  # fmt: skip
PICKS = ("event_id", "network", "station", "phase", "time", "template_id", "correlation", "amplitude_ratio")
COMPONENTS = ((0,), (1, 2))
"""Rows of Z, and of N and E, that tell of P and of S."""


def search(job: CatalogueJob, starts: list[int]) -> None:
    """Search pieces of the archive that are not done."""
    left = [one for one in starts if not piece_file(job, one).is_file()]
    if not left:
        return
    made = make_templates(job, located_events(job))
    device = job.device if job.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    for start_ns in left:
        found = detect(job, start_ns, made.templates, device) if len(made.templates) else []
        ids = [[*row[:1], int(made.rows[row[1]]), *row[2:]] for row in stored(found)]
        write_text(piece_file(job, start_ns), json.dumps(ids) + "\n")


def piece_file(job: CatalogueJob, start_ns: int) -> Path:
    """Detections of a piece."""
    return job.part(FOLDER, format_ns(start_ns)[:19].replace(":", ""), ".json")


def put_together(job: CatalogueJob) -> dict[str, Any]:
    """Merge the detections, pick the new ones by correlation: ``detections.csv`` and ``detection_picks.csv``."""
    events = located_events(job)
    how = job.settings.match
    made: TemplateSet = make_templates(job, events)
    found: list[Detection] = []
    for start_ns in pieces(job):
        found += [Detection(*row) for row in parse_json(piece_file(job, start_ns).read_bytes())]
    kept = merged(found, how.apart_s)
    known = [_known(events, one, how.apart_s) for one in kept]
    fresh = [one for one, name in zip(kept, known, strict=True) if not name]
    ids = iter([f"m{name}" for name in event_ids([one.origin_ns for one in fresh])])
    names = [name or next(ids) for name in known]
    new = _new_events(job, events, fresh, [name for name, old in zip(names, known, strict=True) if not old])
    picks: list[dict[str, Any]] = []
    for row, one in enumerate(fresh):
        cut_event(job, new, row)
        picks += _correlation_picks(job, events, one.template, new, row)
    table = pd.DataFrame(picks, columns=list(PICKS))
    stations = table.groupby("event_id")["station"].nunique() if len(table) else {}
    rows = [
        {
            "event_id": name,
            "origin_time": format_ns(one.origin_ns),
            "template_id": events.event_id[one.template],
            "known_id": old,
            "clarity": round(one.clarity, 3),
            "correlation": round(one.correlation, 4),
            "n_channels": one.n_channels,
            "n_picked_stations": int(stations.get(name, 0)),
        }
        for one, name, old in zip(kept, names, known, strict=True)
    ]
    job.write("detections", pd.DataFrame(rows, columns=list(DETECTIONS)))
    job.write("detection_picks", table)
    job.write("no_templates", pd.DataFrame(made.left_out, columns=["event_id", "reason"]))
    return {"templates": len(made.rows), "detections": len(kept), "new": len(fresh), "no_template": len(made.left_out)}


def _known(events: Events, one: Detection, apart_s: float) -> str:
    """Id of the located event that a detection is, or nothing."""
    if not len(events):
        return ""
    away = np.abs(events.origin_ns - one.origin_ns)
    return str(events.event_id[int(away.argmin())]) if away.min() < apart_s * NS else ""


def _new_events(job: CatalogueJob, events: Events, fresh: list[Detection], names: list[str]) -> Events:
    """New events at the places of their templates, with arrivals after the template's."""
    rows = [one.template for one in fresh]
    table = pd.DataFrame(
        {
            "event_id": names,
            "origin_ns": np.array([one.origin_ns for one in fresh], np.int64),
            "latitude_deg": events.latitude_deg[rows],
            "longitude_deg": events.longitude_deg[rows],
            "depth_km": events.depth_km[rows],
        }
    )
    new = events_of(job, table, pd.DataFrame(columns=["event_id", "network", "station", "phase", "time"]), WINDOWS)
    for row, template in enumerate(rows):
        new.arrival_ns[row] = events.arrival_ns[template] - events.origin_ns[template] + new.origin_ns[row]
    return new


def detected_events(job: CatalogueJob) -> tuple[Events, pd.DataFrame]:
    """New events that at least one station told by correlation, and their rows in ``detections.csv``."""
    table = job.read("detections")
    table = table[table["known_id"].isna()].reset_index(drop=True)
    events = located_events(job)
    row_of = {name: row for row, name in enumerate(events.event_id)}
    fresh = [
        Detection(int(moment), row_of[template], 0.0, 0.0, 0)
        for moment, template in zip(times_ns(table["origin_time"]), table["template_id"], strict=True)
    ]
    new = _new_events(job, events, fresh, table["event_id"].tolist())
    picks = job.read("detection_picks")
    number = {name: row for row, name in enumerate(new.event_id)}
    places = {name: at for at, name in enumerate(job.network.station_id)}
    moments = times_ns(picks["time"]) if len(picks) else np.empty(0, np.int64)
    columns = (picks["event_id"], picks["network"].fillna(""), picks["station"], picks["phase"], moments)
    for event, network, station, phase, moment in zip(*columns, strict=True):
        at = places.get(f"{network}.{station}", places.get(f".{station}", -1))
        new.arrival_ns[number[event], at, int(phase == "S")] = moment
    return new, table


def _correlation_picks(job: CatalogueJob, events: Events, template: int, new: Events, row: int) -> list[dict[str, Any]]:
    """Arrivals of a new event where a window of the template is found again."""
    how, rate = job.settings.match, job.settings.cut.rate_hz
    known, fresh = (banded_windows(job, *one, how.band_hz) for one in ((events, template), (new, row)))
    first, second = windows_of(job, events, template), windows_of(job, new, row)
    reach = round(how.search_s * rate)
    picks = []
    for station, name in enumerate(job.network.station_id):
        if not first.start_ns[station] or not second.start_ns[station]:
            continue
        for phase, window_s in enumerate(job.settings.relocate.window_s):
            rows = list(COMPONENTS[phase])
            starts = [
                round((int(arrival) - int(raw.start_ns[station])) / NS * rate - LEAD_S * rate)
                for arrival, raw in (
                    (events.arrival_ns[template, station, phase], first),
                    (new.arrival_ns[row, station, phase], second),
                )
            ]
            length = round((window_s + LEAD_S) * rate)
            a = known[station, rows, starts[0] : starts[0] + length]
            b = fresh[station, rows, max(0, starts[1] - reach) : starts[1] + length + reach]
            if min(starts[0], starts[1] - reach) < 0 or a.shape[1] < length or b.shape[1] < length + 2 * reach:
                continue
            found = lags_of(a[None].astype(float), b[None].astype(float))
            if np.isnan(found.lag[0]) or found.correlation[0] < how.pick_correlation:
                continue
            # By how much the windows were cut off the true arrivals, in samples.
            late_ns = round((starts[1] + found.lag[0] - starts[0]) / rate * NS)
            late_ns += int(second.start_ns[station]) - int(first.start_ns[station])
            network, _, code = name.partition(".")
            picks.append(
                {
                    "event_id": new.event_id[row],
                    "network": network,
                    "station": code,
                    "phase": "PS"[phase],
                    "time": format_ns(int(events.arrival_ns[template, station, phase]) + late_ns),
                    "template_id": events.event_id[template],
                    "correlation": round(float(found.correlation[0]), 4),
                    "amplitude_ratio": float(f"{found.ratio[0]:.6g}"),
                }
            )
    return picks
