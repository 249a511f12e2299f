"""The first stages: picks are read, joined to events, and the events located."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision.archives.picking import PickJob, pick_archive
from seisvision.archives.settings import PickSettings
from seisvision.cataloguing.association.origin_vote import OriginVote
from seisvision.cataloguing.association.protocol import Associator, Picks
from seisvision.cataloguing.association.pyocto import PyOcto
from seisvision.cataloguing.job import CatalogueJob, seconds_since
from seisvision.cataloguing.network import station_numbers
from seisvision.data.importing.tables.picks import read_picks
from seisvision.data.importing.tables.times import NS, format_ns
from seisvision.earth.travel_time_table import PHASES
from seisvision.errors import DataError
from seisvision.location.arrivals import quakeml
from seisvision.location.arrivals import table as arrivals

log = logging.getLogger(__name__)

NO_PLACE = "its station has no place in the table of stations, or two"
ASSOCIATORS: dict[str, type[Associator]] = {"vote": OriginVote, "pyocto": PyOcto}


def pick(job: CatalogueJob) -> dict[str, Any] | None:
    """Pick the archive; nothing where the picks are given. None: a cluster is at work."""
    how = job.settings.pick
    if how.table is not None:
        return {"picks_of": how.table}
    settings = PickSettings(dict(how.thresholds), rate_hz=how.rate_hz, stretch=how.stretch)
    asked = PickJob(
        None if how.ckpt is None else Path(how.ckpt), job.waveforms, job.table("picks"), settings, job.stations,
        None, job.device, job.launcher, job.n_shares, how.rule,
    )  # fmt: skip
    return pick_archive(asked)


def picks_path(job: CatalogueJob) -> Path:
    """Table of picks."""
    return Path(job.settings.pick.table) if job.settings.pick.table is not None else job.table("picks")


def associate(job: CatalogueJob) -> dict[str, Any]:
    """Join picks to events: ``associated.csv``, and ``unassociated.csv`` with the reason."""
    numbers = {name: number for number, name in enumerate(job.network.station_id)}
    by_code: dict[str, list[str]] = {}
    for name in numbers:
        by_code.setdefault(name.partition(".")[2], []).append(name)
    rows, left = [], []
    for one in read_picks(str(picks_path(job))):
        alike = by_code.get(one.station, [])
        name = f"{one.network}.{one.station}" if one.network else (alike[0] if len(alike) == 1 else "")
        reason = _reason(one, f".{one.station}" if f".{one.station}" in numbers else name, numbers)
        row = {
            "network": one.network, "station": one.station, "location": one.location, "channel": one.channel,
            "phase": one.family or one.phase, "time_ns": one.time_ns, "probability": one.probability,
        }  # fmt: skip
        if reason:
            left.append({**row, "reason": reason})
        else:
            name = name if name in numbers else f".{one.station}"
            # The later stages look stations up by both codes.
            rows.append({**row, "network": one.network or name.partition(".")[0], "number": numbers[name]})
    _tell_without_place(left, by_code)
    if not rows:
        raise DataError(f"{picks_path(job)}: no pick can be used" + (f"; {left[0]['reason']}" if left else "."))
    table = pd.DataFrame(rows).sort_values(["time_ns", "number", "phase"], kind="stable").reset_index(drop=True)
    zero_ns = int(table["time_ns"].iloc[0])
    picks = Picks(
        table["number"].to_numpy(int),
        (table["phase"] == "S").to_numpy(int),
        seconds_since(table["time_ns"].to_numpy(), zero_ns),
    )
    found = ASSOCIATORS[job.settings.associator]().associate(
        picks, job.network, job.travel_times, job.settings.associate
    )
    ids = event_ids([zero_ns + round(one * NS) for one in found.origin_s])
    table["event_id"] = [ids[number] if number >= 0 else "" for number in found.event]
    table["time"] = [format_ns(int(one)) for one in table["time_ns"]]
    joined = table[table["event_id"] != ""].sort_values(["event_id", "time_ns"], kind="stable")
    columns = ["event_id", "network", "station", "location", "channel", "phase", "time", "probability"]
    job.write("associated", joined[columns])
    others = table[table["event_id"] == ""].assign(reason="no event explains it")
    refused = pd.DataFrame(left, columns=[*columns[1:6], "time_ns", "probability", "reason"])
    refused["time"] = [format_ns(int(one)) if pd.notna(one) else "" for one in refused["time_ns"]]
    job.write("unassociated", pd.concat([others, refused])[[*columns[1:], "reason"]])
    return {"events": len(ids), "picks": len(joined), "left_out": len(others) + len(refused)}


def _tell_without_place(left: Iterable[Mapping[str, Any]], by_code: Mapping[str, list[str]]) -> None:
    """Whole stations whose picks are lost are no line of a table only: most often a code is written otherwise."""
    lost = Counter(f"{one['network']}.{one['station']}" for one in left if one["reason"] == NO_PLACE)
    for name, number in sorted(lost.items()):
        alike = [one for one in by_code.get(name.partition(".")[2], []) if one != name]
        hint = (
            f"; the table has {', '.join(alike)}: is it the same station? Then give it a row as {name}" if alike else ""
        )
        log.warning("%d picks of %s are left out: it has no place in the table of stations%s.", number, name, hint)


def _reason(one: Any, name: str, numbers: dict[str, int]) -> str:
    if one.time_ns is None:
        return f"time '{one.written[:40]}' cannot be read"
    if one.family not in PHASES:
        return f"phase '{one.phase[:20]}' is no first P or S"
    if one.is_unused:
        return "whoever picked it says not to use it"
    return "" if name in numbers else NO_PLACE


def event_ids(origin_ns: list[int]) -> list[str]:
    """Ids from origin times, such as ``20240301T000239_87``; a second one of its hundredth gets a letter."""
    ids: list[str] = []
    for one in origin_ns:
        text = format_ns(one)
        name = f"{text[:10].replace('-', '')}T{text[11:19].replace(':', '')}_{text[20:22]}"
        number = sum(known.startswith(name) for known in ids[-5:])
        ids.append(name + ("" if number == 0 else chr(ord("a") + number)))
    return ids


def locate(job: CatalogueJob) -> dict[str, Any]:
    """Locate the events: ``hypocentres.csv``, ``hypocentres.xml``, and ``rejected.csv`` with what was not used."""
    table = job.read("associated")
    number = station_numbers(job.network, table)
    there = number >= 0
    if not there.any():
        raise DataError(f"{job.table('associated')}: no station of any pick is in {job.stations}; give its table.")
    network = job.network
    frame = pd.DataFrame(
        {
            "event_id": table["event_id"],
            "station_id": [f"{n}.{s}" for n, s in zip(table["network"].fillna(""), table["station"], strict=True)],
            "phase": table["phase"],
            "time_ns": pd.to_datetime(table["time"], utc=True).dt.as_unit("ns").astype("int64"),
            "sigma_s": np.nan,
            "station_latitude_deg": np.where(there, network.latitude_deg[number], np.nan),
            "station_longitude_deg": np.where(there, network.longitude_deg[number], np.nan),
            "station_elevation_km": np.where(there, network.elevation_km[number], np.nan),
            "reason": np.where(there, "", f"its station has no place in {Path(job.stations).name}"),
        }
    )
    frame["time_ns"] = frame["time_ns"].astype("Int64")
    picks = arrivals.arrival_table(frame)
    found = arrivals.locate_table(picks, job.travel_times, job.settings.associate.depth_km)
    result = arrivals.hypocentres_table(picks, found)
    job.write("hypocentres", result)
    job.write("rejected", arrivals.rejected_table(picks, found))
    quakeml.write_quakeml(job.out / "hypocentres.xml", picks, found, job.travel_times.name)
    n_located = int(result["latitude_deg"].notna().sum())
    return {"located": n_located, "not_located": len(result) - n_located}


def located(job: CatalogueJob) -> pd.DataFrame:
    """Located events with ``origin_ns``."""
    table = job.read("hypocentres")
    table = table[table["latitude_deg"].notna()].reset_index(drop=True)
    return table.assign(origin_ns=times_ns(table["origin_time"]))


def times_ns(texts: pd.Series) -> np.ndarray:
    """Times as int64 nanoseconds since 1970."""
    return np.asarray(pd.to_datetime(texts, utc=True).dt.as_unit("ns").astype("int64"))
