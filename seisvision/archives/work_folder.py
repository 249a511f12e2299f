"""The folder of a table that is being made: a file for every day that is done, and the tables put together from them.

Beside ``picks.csv`` stands ``picks.csv.work``. A day is done when its file is there; the file is written whole or not
at all, so that a command that was killed at any moment goes on from the days that are done, and in the end writes what
an undisturbed one writes. It is kept: when the archive grows, only what is new is picked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seisvision import spreadsheets
from seisvision.archives.day_picking import DayResult
from seisvision.archives.losses import COLUMNS as LOSS_COLUMNS
from seisvision.archives.losses import Loss
from seisvision.archives.pick_table import COLUMNS as PICK_COLUMNS
from seisvision.archives.reading.sensor_days import SensorDay
from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.files import parse_json, safe_name, whole_file, write_text

JOB_FILE = "job.json"
DAYS_FOLDER = "days"
SHARES_FOLDER = "shares"


class WorkFolder:
    """See above.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.job_file = path / JOB_FILE
        self.days = path / DAYS_FOLDER
        self.shares = path / SHARES_FOLDER

    @classmethod
    def beside(cls, out: Path) -> WorkFolder:
        """Of a table of picks."""
        return cls(out.with_name(f"{out.name}.work"))

    def begin(self, about: Mapping[str, Any]) -> None:
        """Write what the table depends on, or compare it with what was written.

        Raises:
            ConfigurationError: the folder belongs to other settings or another network.
        """
        text = json.dumps(about, indent=2, sort_keys=True) + "\n"
        if self.job_file.exists():
            before = self.job()
            changed = sorted(key for key in {*before, *about} if before.get(key) != about.get(key))
            if changed:
                shown = ", ".join(f"{key}={before.get(key)} (now {about.get(key)})" for key in changed)
                raise ConfigurationError(
                    f"{self.path} holds days that were picked with {shown}. Give the same again, another --out, or "
                    "delete that folder."
                )
            return
        write_text(self.job_file, text)

    def job(self) -> dict[str, Any]:
        """What the table depends on.

        Raises:
            SeisvisionError: the file is damaged.
        """
        return _read(self.job_file)

    def day_file(self, sensor_day: SensorDay) -> Path:
        """Where the result of a day is kept."""
        return self.days / sensor_day.date / f"{safe_name(sensor_day.name)}.json"

    def is_done(self, sensor_day: SensorDay) -> bool:
        """Whether a day is done, with the files that it has now."""
        path = self.day_file(sensor_day)
        return path.is_file() and _read(path)["files"] == _states(sensor_day)

    def keep(self, sensor_day: SensorDay, result: DayResult) -> None:
        """Write the result of a day, whole or not at all."""
        content = {
            "files": _states(sensor_day),
            "picked_s": round(result.picked_s, 3),
            "picks": [pick.row() for pick in result.picks],
            "losses": [loss.row() for loss in result.losses],
        }
        write_text(self.day_file(sensor_day), json.dumps(content, separators=(",", ":")) + "\n")

    def put_together(self, sensor_days: Iterable[SensorDay], others: Iterable[Loss], out: Path) -> dict[str, Any]:
        """Write the table of picks and that of losses from the days, one after the other.

        Args:
            sensor_days: all of them, in order.
            others: losses that belong to no day.
            out: table of picks; that of losses is named after it.

        Returns:
            ``days``, ``picks``, ``losses``, ``picked_s`` and, by reason, ``lost_s``.
        """
        days = list(sensor_days)
        summary: dict[str, Any] = {"days": len(days), "picks": 0, "losses": 0, "picked_s": 0.0, "lost_s": {}}

        def picks() -> Iterator[list[str]]:
            for sensor_day in days:
                content = _read(self.day_file(sensor_day))
                summary["picked_s"] += content["picked_s"]
                summary["picks"] += len(content["picks"])
                yield from content["picks"]

        def losses() -> Iterator[list[str]]:
            yield from (loss.row() for loss in sorted(others, key=lambda loss: loss.row()))
            for sensor_day in days:
                yield from _read(self.day_file(sensor_day))["losses"]

        def counted(rows: Iterable[list[str]]) -> Iterator[list[str]]:
            for row in rows:
                summary["losses"] += 1
                cells = dict(zip(LOSS_COLUMNS, row, strict=True))
                lost_s = float(cells["seconds_lost"] or 0.0)
                summary["lost_s"][cells["reason"]] = summary["lost_s"].get(cells["reason"], 0.0) + lost_s
                yield row

        _write(losses_path(out), LOSS_COLUMNS, counted(losses()))
        _write(out, PICK_COLUMNS, picks())
        return summary


def losses_path(out: Path) -> Path:
    """Table of losses that goes with a table of picks."""
    return out.with_suffix(".losses.csv")


def _states(sensor_day: SensorDay) -> list[list[Any]]:
    """Name, size and time of the last change of the files of a day."""
    states = []
    for path, name in sensor_day.files:
        try:
            state = Path(path).stat()
            states.append([name, state.st_size, state.st_mtime_ns])
        except OSError:
            states.append([name, -1, -1])
    return states


def _read(path: Path) -> dict[str, Any]:
    try:
        content = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SeisvisionError(
            f"{path} cannot be read ({error}). Delete it; the same command makes it again."
        ) from error
    if not isinstance(content, dict):
        raise SeisvisionError(f"{path} is damaged. Delete it; the same command makes it again.")
    return content


def _write(path: Path, columns: Iterable[str], rows: Iterable[list[str]]) -> None:
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = spreadsheets.Writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
