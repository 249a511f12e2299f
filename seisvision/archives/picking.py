"""An archive picked: its days listed, dealt out, watched, and put together to one table."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import seisvision
from seisvision.archives.around import Around
from seisvision.archives.losses import Loss
from seisvision.archives.networks import fingerprint
from seisvision.archives.reading.listing import list_archive
from seisvision.archives.reading.sensor_days import SensorDay, plan_days
from seisvision.archives.rules import PHASES, rule_fingerprint
from seisvision.archives.settings import PickSettings
from seisvision.archives.shares import build_picker, deal, pick_days
from seisvision.archives.work_folder import WorkFolder
from seisvision.data.fetching.progress import show_progress
from seisvision.errors import ConfigurationError, DataError, SeisvisionError
from seisvision.experiments.waveforms.pickers import open_picker
from seisvision.records.checkpoint import find_checkpoint, shipped_networks
from seisvision.sweeps.launcher import build_launcher

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0


@dataclass(frozen=True)
class PickJob:
    """What ``seisvision pick`` is asked for.

    Args:
        ckpt: run, checkpoint or published weights; None where ``rule`` picks.
        waveforms: folders, files and patterns of the archive.
        out: table of picks.
        stations: StationXML or CSV with angles and sensitivities.
        around: what of the archive is wanted.
        device: ``auto``, or one that torch knows.
        launcher: settings as of ``conf/launcher``; kind ``local`` picks in this process.
        n_shares: folders that other launchers get.
        rule: name of a rule that picks in place of a network (``archives/rules.py``).
    """

    ckpt: Path | None
    waveforms: tuple[str, ...]
    out: Path
    settings: PickSettings = field(default_factory=PickSettings)
    stations: str | None = None
    around: Around | None = None
    device: str = "auto"
    launcher: Mapping[str, Any] = field(default_factory=lambda: {"kind": "local"})
    n_shares: int = 1
    rule: str | None = None


def pick_archive(job: PickJob) -> dict[str, Any] | None:
    """Pick an archive, or go on with it; see :class:`~seisvision.archives.work_folder.WorkFolder`.

    Returns:
        What the tables hold, as ``WorkFolder.put_together`` says; None where the days were only handed over to a
        cluster: the same command, once they are done, puts the tables together.

    Raises:
        DataError: there is nothing to pick.
        ConfigurationError: a setting is not allowed, or the work folder belongs to others.
        SeisvisionError: a share failed; the days that are done stay.
    """
    days, others = plan(job)
    known, picked_by = _picker(job)
    unknown = sorted(set(job.settings.thresholds) - set(known))
    if unknown:
        raise DataError(f"--threshold {unknown[0]}: the picker picks {', '.join(known)} only")
    asked = {
        "ckpt": None if job.ckpt is None else str(_stored(job.ckpt)),
        "rule": job.rule,
        "network": picked_by,
        "settings": job.settings.to_dict(),
        "stations": None if job.stations is None else str(Path(job.stations).resolve()),
        "around": None if job.around is None else [list(span) for span in job.around.spans_ns],
        "device": _device(job.device),
    }
    work = WorkFolder.beside(job.out)
    work.begin(_identity(asked))
    n_done = sum(work.is_done(sensor_day) for sensor_day in days)
    again = f", {n_done} of them done before" if n_done else ""
    log.info("%d days of sensors%s", len(days), again)
    if n_done < len(days) and not _do(job, days, work, asked):
        return None
    return work.put_together(days, others, job.out)


def _picker(job: PickJob) -> tuple[Sequence[str], str]:
    """Phases that are picked, and by what.

    Raises:
        ConfigurationError: neither a network nor a rule picks, or both.
    """
    if (job.ckpt is None) == (job.rule is None):
        raise ConfigurationError("Give either --ckpt, the network that picks, or --rule.")
    if job.rule is not None:
        return PHASES, rule_fingerprint(job.rule)
    assert job.ckpt is not None
    if job.settings.stretch != 1:
        raise ConfigurationError(f"--stretch {job.settings.stretch:g} is of rules; give --rate to a network.")
    network = open_picker(job.ckpt)
    return network.phases, fingerprint(network)


def _stored(ckpt: Path) -> Path:
    """Where a network lies, for processes that are started elsewhere."""
    return find_checkpoint(ckpt) if str(ckpt) in shipped_networks() else ckpt.resolve()


def plan(job: PickJob) -> tuple[list[SensorDay], list[Loss]]:
    """All days that are wanted, and what of the archive belongs to none.

    Raises:
        DataError: there are none.
    """
    extents, losses = list_archive(job.waveforms)
    days, left = plan_days(extents, job.settings.bands, job.settings.all_sensors)
    n_all = len(days)
    if job.around is not None:
        days = [sensor_day for sensor_day in days if job.around.touches_day(sensor_day.day)]
    if not days:
        first = next((loss.detail for loss in [*losses, *left]), "they hold no recordings")
        reason = "none of the times of --around lies in it" if n_all else first
        raise DataError(f"There is nothing to pick in {' '.join(job.waveforms)}: {reason}")
    return days, [*losses, *left]


def _identity(asked: Mapping[str, Any]) -> dict[str, Any]:
    """On what a table depends beside the recordings."""
    stations = None if asked["stations"] is None else _hash(Path(asked["stations"]).read_bytes())
    around = None if asked["around"] is None else _hash(repr(asked["around"]).encode())
    settings = {key: value for key, value in asked["settings"].items() if key not in ("bands", "all_sensors")}
    if settings["stretch"] == 1:
        # Tables that were begun before there was such a setting go on.
        del settings["stretch"]
    about = {"version": seisvision.__version__, "network": asked["network"], "stations": stations, "around": around}
    return {**about, **settings}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _device(asked: str) -> str:
    return ("cuda" if torch.cuda.is_available() else "cpu") if asked == "auto" else asked


def _do(job: PickJob, days: Sequence[SensorDay], work: WorkFolder, asked: Mapping[str, Any]) -> bool:
    """Do what is left; returns whether all is done."""
    left = [sensor_day for sensor_day in days if not work.is_done(sensor_day)]
    if job.launcher["kind"] == "local":
        picker = build_picker(asked, asked["device"])
        with show_progress("picking", len(left)) as advance:
            for _ in pick_days(picker, left, work):
                advance(1)
        return True
    launcher = build_launcher(job.launcher)
    accelerator = "cpu" if asked["device"] == "cpu" else "gpu"
    launching = {
        "trainer": {"devices": 1, "num_nodes": 1, "accelerator": accelerator},
        "system": {"num_workers": 1},
    }
    folders = deal(work, days, job.n_shares, asked, launching)
    with _watched(left, work), contextlib.closing(launcher.run(folders)) as doing:
        for _ in doing:
            pass
    if not launcher.waits:
        log.info("The days are handed over. Repeat the command once they are done; it puts the tables together.")
        return False
    failed = [folder for folder in folders if not folder.is_finished()]
    if failed:
        status = failed[0].status()
        raise SeisvisionError(f"Share {failed[0].path} is {status['state']}: {status.get('error')}")
    return True


@contextlib.contextmanager
def _watched(left: Sequence[SensorDay], work: WorkFolder) -> Iterator[None]:
    """Tell how far other processes are, by the files that appear."""
    ended = threading.Event()

    def watch() -> None:
        waiting = list(left)
        with show_progress("picking", len(waiting)) as advance:
            while waiting:
                is_over = ended.wait(LOOK_EVERY_S)
                still = [sensor_day for sensor_day in waiting if not work.day_file(sensor_day).exists()]
                advance(len(waiting) - len(still))
                waiting = still
                if is_over:
                    return

    watcher = threading.Thread(target=watch, daemon=True, name="tells-progress")
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
