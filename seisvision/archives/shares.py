"""The days that one process, or one job of a cluster, does: a folder with ``config.yaml``, like that of a run.

Launchers of sweeps take such folders as they take runs, and ``seisvision.runs.work`` hands them to :func:`do_share`.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from seisvision.archives.around import Around
from seisvision.archives.day_picking import DayPicker
from seisvision.archives.networks import fingerprint
from seisvision.archives.reading.sensor_days import SensorDay
from seisvision.archives.rules import RulePicker, rule_fingerprint
from seisvision.archives.settings import PickSettings
from seisvision.archives.work_folder import WorkFolder
from seisvision.data.importing.tables.station_table import read_stations
from seisvision.errors import ConfigurationError
from seisvision.experiments.waveforms.pickers import open_picker
from seisvision.files import write_text
from seisvision.records.folder import RunFolder, write_json

log = logging.getLogger(__name__)

JOB = "archive_share"
"""Word by which ``seisvision.runs.work`` knows what to do with the folder."""
DAYS_FILE = "days.jsonl"


def build_picker(asked: Mapping[str, Any], device: str) -> DayPicker | RulePicker:
    """What picks days, from plain values.

    Args:
        asked: ``ckpt`` or ``rule``, ``stations`` (or None), ``around`` (spans, or None), ``settings`` and ``network``.
        device: ``cpu`` or one that torch knows.

    Raises:
        ConfigurationError: the network is not the one that the table was begun with.
    """
    table = read_stations(asked["stations"]).channels
    around = None if asked["around"] is None else Around(tuple((int(a), int(b)) for a, b in asked["around"]))
    settings = PickSettings.of(asked["settings"])
    rule = asked.get("rule")
    network = None if rule is not None else open_picker(Path(asked["ckpt"]))
    if asked["network"] != (rule_fingerprint(str(rule)) if network is None else fingerprint(network)):
        raise ConfigurationError(f"{asked['ckpt'] or rule} has changed since this table was begun; give another --out.")
    if network is None:
        return RulePicker(settings, table, around)
    return DayPicker(network.to(device), settings, table, around, device)


def pick_days(picker: DayPicker | RulePicker, days: Iterable[SensorDay], work: WorkFolder) -> Iterator[SensorDay]:
    """Pick and keep every day that is not done, and yield it."""
    for sensor_day in days:
        if not work.is_done(sensor_day):
            work.keep(sensor_day, picker.pick(sensor_day))
        yield sensor_day


def deal(
    work: WorkFolder, days: Sequence[SensorDay], n_shares: int, asked: Mapping[str, Any], launching: Mapping[str, Any]
) -> list[RunFolder]:
    """Deal out all days, and return the folders of the shares in which something is left to do.

    Args:
        days: done or not, so that the same command finds the same shares.
        n_shares: how many.
        asked: see :func:`build_picker`.
        launching: sections ``trainer`` and ``system`` of a configuration, which say what a share needs.
    """
    folders = []
    for number in range(n_shares):
        own = days[number::n_shares]
        if all(work.is_done(sensor_day) for sensor_day in own):
            continue
        folder = RunFolder(work.shares / f"share-{number + 1:04d}-of-{n_shares:04d}")
        if folder.is_finished():
            # Files of its days have changed since, or days were added.
            shutil.rmtree(folder.path)
        lines = [json.dumps(asdict(sensor_day)) for sensor_day in own]
        write_text(folder.path / DAYS_FILE, "\n".join(lines) + "\n")
        config = {"job": JOB, "name": "pick", "archive": {**asked, "work": str(work.path.resolve())}, **launching}
        folder.prepare(config, [])
        folders.append(folder)
    return folders


def do_share(folder: RunFolder) -> None:
    """Do the share of a folder, called by ``seisvision.runs.work``."""
    config = folder.config()
    asked, device = config["archive"], config["archive"]["device"]
    work = WorkFolder(Path(asked["work"]))
    days = list(_days(folder.path / DAYS_FILE))
    picker = build_picker(asked, device)
    for number, sensor_day in enumerate(pick_days(picker, days, work), start=1):
        # Its time tells a job that is stopped whether it got any further.
        write_json(folder.progress_file, {"days": number, "of": len(days)})
        log.info("%s is done (%d of %d)", sensor_day.name, number, len(days))
    write_json(folder.metrics_file, {"experiment_kind": JOB, "days": len(days)})


def _days(path: Path) -> Iterator[SensorDay]:
    for line in path.read_text(encoding="utf-8").splitlines():
        stored = json.loads(line)
        yield SensorDay(**{**stored, "files": tuple((path, name) for path, name in stored["files"])})
