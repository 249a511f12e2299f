"""Parts of a stage dealt out to processes of this machine or jobs of a cluster."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seisvision.cataloguing.job import CatalogueJob
from seisvision.cataloguing.matching import stage as matching
from seisvision.cataloguing.windows import cut
from seisvision.data.fetching.progress import show_progress
from seisvision.errors import SeisvisionError
from seisvision.files import write_text
from seisvision.records.folder import RunFolder, write_json
from seisvision.sweeps.launcher import build_launcher

log = logging.getLogger(__name__)

JOB = "catalogue_share"
"""Word by which ``seisvision.runs.work`` knows what to do with the folder."""
PARTS_FILE = "parts.json"
DO: dict[str, Callable[[CatalogueJob, list[int]], object]] = {"cut": cut, "match": matching.search}
"""Stages that are done part by part; parts are numbers, such as rows of events or start times of pieces."""


def do_parts(job: CatalogueJob, stage: str, parts: Sequence[int], is_done: Callable[[int], bool]) -> bool:
    """Do the parts that are left; False where they were only handed over to a cluster.

    Raises:
        SeisvisionError: a share failed; the parts that are done stay.
    """
    left = [part for part in parts if not is_done(part)]
    if not left:
        return True
    if job.launcher["kind"] == "local":
        with show_progress(stage, len(left)) as advance:
            for part in left:
                DO[stage](job, [part])
                advance(1)
        return True
    launcher = build_launcher(job.launcher)
    folders = [folder for folder in _deal(job, stage, parts, is_done) if folder is not None]
    with contextlib.closing(launcher.run(folders)) as doing:
        for _ in doing:
            pass
    if not launcher.waits:
        log.info("The parts of stage %s are handed over. Repeat the command once they are done.", stage)
        return False
    failed = [folder for folder in folders if not folder.is_finished()]
    if failed:
        status = failed[0].status()
        raise SeisvisionError(f"Share {failed[0].path} is {status['state']}: {status.get('error')}")
    return True


def _deal(
    job: CatalogueJob, stage: str, parts: Sequence[int], is_done: Callable[[int], bool]
) -> list[RunFolder | None]:
    on_cpu = job.device == "cpu"
    launching = {
        "trainer": {"devices": 1, "num_nodes": 1, "accelerator": "cpu" if on_cpu else "auto"},
        "system": {"num_workers": 1},
    }
    folders: list[RunFolder | None] = []
    for number in range(job.n_shares):
        own = list(parts[number :: job.n_shares])
        if all(is_done(part) for part in own):
            continue
        folder = RunFolder(job.work / "shares" / f"{stage}-{number + 1:04d}-of-{job.n_shares:04d}")
        if folder.is_finished():
            shutil.rmtree(folder.path)
        write_text(folder.path / PARTS_FILE, json.dumps(own) + "\n")
        config: dict[str, Any] = {"job": JOB, "name": stage, "catalogue": job.to_dict(), "stage": stage, **launching}
        folder.prepare(config, [])
        folders.append(folder)
    return folders


def do_share(folder: RunFolder) -> None:
    """Do the share of a folder, called by ``seisvision.runs.work``."""
    config = folder.config()
    job = CatalogueJob.of(config["catalogue"])
    parts = json.loads(Path(folder.path / PARTS_FILE).read_text(encoding="utf-8"))
    for number, part in enumerate(parts, start=1):
        DO[config["stage"]](job, [part])
        write_json(folder.progress_file, {"parts": number, "of": len(parts)})
    write_json(folder.metrics_file, {"experiment_kind": JOB, "parts": len(parts)})
