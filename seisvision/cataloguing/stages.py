"""All stages of a catalogue, one after the other."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from seisvision.archives.picking import PickJob, plan
from seisvision.cataloguing.catalogue_files import finish
from seisvision.cataloguing.job import CatalogueJob, StageRecord
from seisvision.cataloguing.magnitude import magnitudes
from seisvision.cataloguing.matching import stage as matching
from seisvision.cataloguing.matching.detection import pieces
from seisvision.cataloguing.picks_to_events import associate, locate, pick, picks_path
from seisvision.cataloguing.relocation.stage import relocate
from seisvision.cataloguing.settings import STAGES
from seisvision.cataloguing.shares import do_parts
from seisvision.cataloguing.windows import forget_windows, located_events
from seisvision.errors import ConfigurationError
from seisvision.files import parse_json, write_text
from seisvision.leftovers import clear_below

log = logging.getLogger(__name__)

TABLES = {
    "pick": ("picks.csv", "picks.losses.csv"),
    "associate": ("associated.csv", "unassociated.csv"),
    "locate": ("hypocentres.csv", "hypocentres.xml", "rejected.csv"),
    "cut": (),
    "match": ("detections.csv", "detection_picks.csv", "no_templates.csv"),
    "relocate": ("relocated.csv", "differential_times.csv"),
    "magnitude": ("magnitudes.csv", "station_magnitudes.csv"),
    "finish": ("catalogue.csv", "catalogue.xml", "dropped.csv"),
}
NEEDS = {
    "pick": (),
    "associate": ("pick",),
    "locate": ("associate",),
    "cut": ("associate", "locate"),
    "match": ("associate", "locate", "cut"),
    "relocate": ("associate", "locate", "cut", "match"),
    "magnitude": ("associate", "locate", "cut", "match"),
    "finish": ("pick", "associate", "locate", "match", "relocate", "magnitude"),
}
PARTS = {"cut": "cut", "match": matching.FOLDER}
"""Folders of the parts of stages, below ``work``."""


def run_stages(job: CatalogueJob) -> dict[str, Any] | None:
    """Do every stage that is not done; None where a cluster is at work.

    Returns:
        By stage what it came to.
    """
    clear_below(job.out)
    done: dict[str, Any] = {}
    for stage in [one for one in STAGES if one in job.settings.stages]:
        record = StageRecord(job, stage, _inputs(job, stage))
        before = record.summary()
        if before is None or (stage == "pick" and job.settings.pick.table is None):
            # The picker sees for itself whether the archive has grown.
            before = _do(job, stage, record)
            if before is None:
                return None
            record.keep(before, [job.out / name for name in TABLES[stage]])
            log.info("%s: %s", stage, ", ".join(f"{key} {value}" for key, value in before.items()))
        done[stage] = before
    return done


def _inputs(job: CatalogueJob, stage: str) -> list[Path]:
    names = [name for needed in NEEDS[stage] if needed in job.settings.stages for name in TABLES[needed]]
    paths = [job.out / name for name in names]
    if job.settings.pick.table is not None and stage in ("pick", "associate"):
        paths.append(picks_path(job))
    return paths


def _do(job: CatalogueJob, stage: str, record: StageRecord) -> dict[str, Any] | None:
    if stage in PARTS:
        _begin_parts(job, stage, record)
    match stage:
        case "pick":
            return pick(job)
        case "associate":
            return associate(job)
        case "locate":
            return locate(job)
        case "cut":
            events = located_events(job)

            def is_cut(row: int) -> bool:
                return job.part("cut", str(events.event_id[row])).is_file()

            return {"events": len(events)} if do_parts(job, "cut", range(len(events)), is_cut) else None
        case "match":
            todo = pieces(job)
            searched = do_parts(job, "match", todo, lambda one: matching.piece_file(job, one).is_file())
            return matching.put_together(job) if searched else None
        case "relocate":
            return relocate(job)
        case "magnitude":
            return magnitudes(job)
        case _:
            return finish(job)


def _begin_parts(job: CatalogueJob, stage: str, record: StageRecord) -> None:
    """Take parts away that were made with other settings or from other tables."""
    mark = job.work / f"{stage}.parts.json"
    if mark.is_file() and parse_json(mark.read_bytes()).get("identity") == record.identity:
        return
    for folder in (PARTS[stage], *((matching.WINDOWS,) if stage == "match" else ()), "shares"):
        shutil.rmtree(job.work / folder, ignore_errors=True)
    forget_windows()
    write_text(mark, f'{{"identity": "{record.identity}"}}\n')


def check_archive(job: CatalogueJob) -> None:
    """Refuse an archive of which nothing can be read, before anything is begun.

    Raises:
        DataError: there is nothing to read.
        ConfigurationError: the stations have no place.
    """
    plan(PickJob(None, job.waveforms, job.table("picks"), rule="pal"))
    if len(job.network.station_id) < 3:
        raise ConfigurationError(f"{job.stations} places {len(job.network.station_id)} stations; three are needed.")
