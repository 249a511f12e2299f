"""The folder of a sweep: what its points are, kept beside the runs so that the same command finds it again."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_type_hints

from seisvision import spreadsheets
from seisvision.errors import SeisvisionError
from seisvision.files import write_text
from seisvision.plain_files import check_plain
from seisvision.plain_types import fits_type
from seisvision.records.folder import TIME_FORMAT, RunFolder, read_json, write_json
from seisvision.records.sweeps.states import PointState, read_state

POINT_COLUMNS = ("number", "state", "objective", "epoch", "max_epochs", "seconds", "host", "run", "overrides", "error")


@dataclass(frozen=True)
class StoredPoint:
    """A point as ``sweep.json`` holds it; its state is read from its run.

    Args:
        number: from 1.
        overrides: with which ``train.py`` does the same run.
        run: path of the run folder, from the sweep folder; ``None`` where the overrides contradict each other.
        error: why there is no run.
        monitor: name of the value that says how good the point is, and ``max`` or ``min``.
        max_epochs: epochs the run trains at most.
        trial: number in the study of a search.
    """

    number: int
    overrides: list[str]
    run: str | None
    error: str | None
    monitor: list[str] | None
    max_epochs: int | None
    trial: int | None = None


class SweepFolder:
    """Paths of a sweep.

    Args:
        path: ``<runs_dir>/<experiment>/sweeps/<sweep id>``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "sweep.json"
        self.points_file = path / "points.csv"
        self.comparison_file = path / "comparison.txt"
        self.best_file = path / "best.yaml"
        self.study_file = path / "study.db"

    def describe(self, about: Mapping[str, Any], points: Sequence[StoredPoint]) -> None:
        """Write ``sweep.json``; the time of the first call is kept."""
        created = self.read()["created"] if self.file.exists() else time.strftime(TIME_FORMAT, time.gmtime())
        stored = [asdict(point) for point in points]
        write_json(self.file, {"id": self.path.name, **about, "created": created, "points": stored})

    def read(self) -> dict[str, Any]:
        """Content of ``sweep.json``.

        Raises:
            SeisvisionError: it is damaged.
        """
        check_plain(self.path)
        content = read_json(self.file)
        if not isinstance(content, dict):
            raise SeisvisionError(f"{self.file} holds a {type(content).__name__}, which no sweep writes. Restore it.")
        return content

    def points(self) -> list[StoredPoint]:
        """All points, by number.

        Raises:
            SeisvisionError: ``sweep.json`` is damaged.
        """
        stored = self.read().get("points")
        if not isinstance(stored, list):
            raise SeisvisionError(f"{self.file} holds no list of points. Restore it, or repeat the sweep.")
        return [self._point(point, number) for number, point in enumerate(stored, start=1)]

    def _point(self, stored: Any, number: int) -> StoredPoint:
        fields = {"trial": None, **stored} if isinstance(stored, dict) else {}
        wanted = get_type_hints(StoredPoint)
        if set(fields) != set(wanted) or not all(fits_type(fields[name], kind) for name, kind in wanted.items()):
            raise SeisvisionError(f"{self.file}: point {number} is not one that a sweep writes. Restore the file.")
        point = StoredPoint(**fields)
        if point.monitor is not None and len(point.monitor) != 2:
            raise SeisvisionError(f"{self.file}: point {number} has a monitor that is no name and mode.")
        return point

    def run_folder(self, point: StoredPoint) -> RunFolder | None:
        """The run of a point."""
        return None if point.run is None else RunFolder(Path(os.path.normpath(self.path / point.run)))

    def relative(self, folder: RunFolder) -> str:
        """Path of a run folder as ``sweep.json`` stores it, so that the runs can be moved as a whole."""
        return os.path.relpath(folder.path, self.path)

    def states(self) -> list[PointState]:
        """What has become of every point, from the files of its run."""
        return [self.state(point) for point in self.points()]

    def state(self, point: StoredPoint) -> PointState:
        """What has become of one point."""
        folder = self.run_folder(point)
        return read_state(folder, point.number, point.overrides, point.error, point.monitor, point.max_epochs)

    def write_points(self, states: Sequence[PointState]) -> None:
        """Write ``points.csv``."""
        text = io.StringIO()
        writer = spreadsheets.Writer(text)
        writer.writerow(POINT_COLUMNS)
        for state in states:
            row = {**asdict(state), "overrides": " ".join(state.overrides)}
            row["run"] = "" if state.folder is None else self.relative(state.folder)
            writer.writerow(["" if row[name] is None else row[name] for name in POINT_COLUMNS])
        write_text(self.points_file, text.getvalue())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the sweep for this process.

        Raises:
            SeisvisionError: another process on this machine is working on it.
        """
        try:
            with RunFolder(self.path).locked():
                yield
        except SeisvisionError as error:
            if "being worked on" not in str(error):
                raise
            raise SeisvisionError(
                f"Sweep {self.path} is being worked on by another process. Wait for it, or look at it with "
                f"'seisvision sweep status {self.path}'."
            ) from None


def sweep_id(content: Any) -> str:
    """Ten hexadecimal digits that name a sweep by what it goes over."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]
