"""The stage ``finish``: one table and one QuakeML of all events, and a line for everything that was dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision.cataloguing.job import CatalogueJob, rows_of
from seisvision.location.catalogue import written
from seisvision.location.quakeml import METRES_PER_KM, resource_id

COLUMNS = (
    "event_id", "time", "latitude_deg", "longitude_deg", "depth_km", "magnitude", "magnitude_kind", "kind",
    "located_by", "template_id", "n_stations", "gap_deg", "noise_north_km", "noise_east_km", "noise_depth_km",
)  # fmt: skip


def finish(job: CatalogueJob) -> dict[str, Any]:
    """``catalogue.csv``, ``catalogue.xml`` and ``dropped.csv``."""
    stages = job.settings.stages
    table = job.read("hypocentres")
    table = table[table["latitude_deg"].notna()]
    events = pd.DataFrame(
        {
            "event_id": table["event_id"],
            "time": table["origin_time"],
            **{name: table[name] for name in ("latitude_deg", "longitude_deg", "depth_km", "n_stations", "gap_deg")},
            "kind": "associated",
            "located_by": "arrivals",
        }
    )
    if "match" in stages:
        found = job.read("detections")
        found = found[found["known_id"].isna()]
        place = table.set_index("event_id").loc[found["template_id"]]
        matched = pd.DataFrame(
            {
                "event_id": found["event_id"].to_numpy(),
                "time": found["origin_time"].to_numpy(),
                **{name: place[name].to_numpy() for name in ("latitude_deg", "longitude_deg", "depth_km")},
                "n_stations": found["n_picked_stations"].to_numpy(),
                "kind": "matched",
                "located_by": "template",
                "template_id": found["template_id"].to_numpy(),
            }
        )
        events = pd.concat([events, matched], ignore_index=True)
    if "relocate" in stages:
        events = _relocated(events, job.read("relocated"))
    if "magnitude" in stages:
        sizes = job.read("magnitudes").set_index("event_id")
        events["magnitude"] = events["event_id"].map(sizes["magnitude"])
        events["magnitude_kind"] = events["event_id"].map(sizes["kind"])
    events = events.reindex(columns=list(COLUMNS)).sort_values(["time", "event_id"], kind="stable")
    job.write("catalogue", events)
    write_catalogue_quakeml(job.out / "catalogue.xml", events)
    dropped = dropped_rows(job)
    job.write("dropped", dropped)
    return {"events": len(events), "dropped": len(dropped)}


def _relocated(events: pd.DataFrame, moved: pd.DataFrame) -> pd.DataFrame:
    """With the places of the events that were relocated."""
    moved = moved[moved["reason"].isna()].set_index("event_id")
    events = events.set_index("event_id")
    names = events.index.intersection(moved.index)
    events.loc[names, "time"] = moved.loc[names, "origin_time"]
    for name in ("latitude_deg", "longitude_deg", "depth_km"):
        events.loc[names, name] = moved.loc[names, name]
    for name in ("noise_north_km", "noise_east_km", "noise_depth_km"):
        events[name] = moved[name].reindex(events.index)
    events.loc[names, "located_by"] = "double difference"
    return events.reset_index()


def dropped_rows(job: CatalogueJob) -> pd.DataFrame:
    """Stage, what, id or place, and why, of everything that an earlier stage had and the catalogue has not."""
    parts = []
    losses = job.out / "picks.losses.csv"
    if losses.is_file():
        table = pd.read_csv(losses, dtype=str, keep_default_na=False)
        what = table["network"] + "." + table["station"] + " " + table["channels"] + table["file"]
        reason = table["reason"] + " " + table["start"] + " " + table["seconds_lost"] + " s"
        parts.append(pd.DataFrame({"stage": "pick", "what": what, "reason": reason}))
    for stage, name in (("associate", "unassociated"), ("locate", "rejected")):
        table = job.read(name)
        where = table["station_id"] if "station_id" in table else table["station"]
        what = where.astype(str) + " " + table["phase"].astype(str) + " " + table["time"].astype(str)
        parts.append(pd.DataFrame({"stage": stage, "what": what, "reason": table["reason"]}))
    table = job.read("hypocentres")
    lost = table[table["latitude_deg"].isna()]
    parts.append(pd.DataFrame({"stage": "locate", "what": lost["event_id"], "reason": lost["reason"]}))
    for stage, name in (("match", "no_templates"), ("magnitude", "magnitudes"), ("relocate", "relocated")):
        if stage in job.settings.stages:
            table = job.read(name)
            table = table[table["reason"].notna()]
            parts.append(pd.DataFrame({"stage": stage, "what": table["event_id"], "reason": table["reason"]}))
    return pd.concat(parts, ignore_index=True)


def write_catalogue_quakeml(path: Path, events: pd.DataFrame) -> Path:
    """Events as QuakeML 1.2 with one origin, and a magnitude where there is one."""
    from obspy import UTCDateTime
    from obspy.core.event import Catalog, Comment, Event, Magnitude, Origin, ResourceIdentifier

    made = []
    for row in rows_of(events):
        name = str(row["event_id"])
        origin = Origin(
            resource_id=ResourceIdentifier(resource_id("origin", name)),
            time=UTCDateTime(row["time"]),
            latitude=row["latitude_deg"],
            longitude=row["longitude_deg"],
            depth=row["depth_km"] * METRES_PER_KM,
            method_id=ResourceIdentifier(resource_id("location", str(row["located_by"]))),
            evaluation_mode="automatic",
        )
        comment = Comment(text=str(row["kind"]), resource_id=ResourceIdentifier(resource_id("comment", name)))
        event = Event(resource_id=ResourceIdentifier(resource_id("event", name)), origins=[origin], comments=[comment])
        event.preferred_origin_id = origin.resource_id
        if np.isfinite(row["magnitude"]):
            identifier = ResourceIdentifier(resource_id("magnitude", name))
            kind = "ML" if row["magnitude_kind"] == "ML" else "M"
            size = Magnitude(
                resource_id=identifier, mag=row["magnitude"], magnitude_type=kind, origin_id=origin.resource_id
            )
            event.magnitudes, event.preferred_magnitude_id = [size], identifier
        made.append(event)
    catalogue = Catalog(made, resource_id=resource_id("catalogue", path.stem))
    return written(path, lambda partial: catalogue.write(str(partial), format="QUAKEML"))
