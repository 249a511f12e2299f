"""Take the points of a sweep through a launcher, and keep the files of the sweep true while it runs."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seisvision.errors import DiskFullError
from seisvision.evaluation.tables import format_seconds
from seisvision.files import disk_fault
from seisvision.records.folder import FAILED, FINISHED, PENDING, PRUNED, RUNNING, RunFolder
from seisvision.records.sweeps.folder import StoredPoint, SweepFolder
from seisvision.records.sweeps.states import PointState
from seisvision.sweeps.launcher import Launcher
from seisvision.sweeps.points import Point
from seisvision.sweeps.report import SweepReport

log = logging.getLogger(__name__)

SETTLED = (FINISHED, PRUNED)
"""States that need nothing more."""


def settled_states(trial: int | None) -> tuple[str, ...]:
    """States in which nothing is left to do for a point that is, or is not, a trial of a search."""
    return (FINISHED,) if trial is None else SETTLED


class Sweep:
    """A sweep that this process works on.

    Args:
        folder: of the sweep.
        about: what ``sweep.json`` says of it beside its points.
        launcher: does the runs.
        shared: overrides that all points have, which need not be said of each.
    """

    def __init__(
        self, folder: SweepFolder, about: Mapping[str, Any], launcher: Launcher, shared: Sequence[str] = ()
    ) -> None:
        self.folder, self._about, self._launcher = folder, dict(about), launcher
        self._shared = set(shared)
        self.stored: list[StoredPoint] = []
        self._report = SweepReport(folder)

    def add(self, points: Sequence[Point]) -> None:
        """Put further points on the list."""
        self.stored += [self._stored(point) for point in points]
        self.folder.describe(self._about, self.stored)

    def run(
        self, points: Iterable[Point], ended: Callable[[Point], None] = lambda point: None, expected: int | None = None
    ) -> bool:
        """Do points that are on the list; returns whether all are settled, or handed over where nobody waits.

        Args:
            points: taken one by one, when there is room for another.
            ended: called with every point that came to an end, now or before.
            expected: how many there will be.

        Raises:
            KeyboardInterrupt: it was interrupted; the files say how far it came.
            DiskFullError: a run met a full or failing disk, as the others would.
        """
        started: dict[Path, list[Point]] = {}
        total = f" of {expected}" if expected else ""
        to_do: Iterable[RunFolder] = self._to_do(points, started, ended, total)
        if self._launcher.takes_all and isinstance(points, Sequence):
            to_do = list(to_do)
        try:
            with contextlib.closing(self._launcher.run(to_do)) as doing:
                for run in doing:
                    self._report.update()
                    for point in started.pop(run.path):
                        state = self.state(point)
                        log.info("point %d%s %s", point.number, total, describe_end(state))
                        ended(point)
                        check_disk(state)
        except BaseException:
            # Told is what stopped the sweep, not that a full disk takes no report either.
            with contextlib.suppress(Exception):
                self._report.update(at_once=True)
            raise
        states = self._report.update(at_once=True)
        wanted = SETTLED if self._launcher.waits else (*SETTLED, PENDING, RUNNING)
        return all(state.state in wanted for state in states)

    def _to_do(
        self,
        points: Iterable[Point],
        started: dict[Path, list[Point]],
        ended: Callable[[Point], None],
        total: str,
    ) -> Iterator[RunFolder]:
        """Folders of the points that need work; a run that two points share is done once."""
        for point in points:
            what = " ".join(one for one in point.overrides if one not in self._shared) or "as typed"
            if point.folder is None:
                log.error("\npoint %d%s: %s\nError: %s", point.number, total, what, point.error)
                ended(point)
            elif self.is_settled(point):
                point.folder.clear_lock()
                log.info("point %d%s: run %s is finished: %s", point.number, total, point.folder.run_id, what)
                ended(point)
            elif point.folder.path in started:
                started[point.folder.path].append(point)
            else:
                log.info("\npoint %d%s: %s", point.number, total, what)
                started[point.folder.path] = [point]
                yield point.prepare()

    def is_settled(self, point: Point) -> bool:
        """Whether nothing is left to do; what one search gave up another sweep may well want."""
        return self.state(point).state in settled_states(point.trial)

    def state(self, point: Point) -> PointState:
        """What has become of a point."""
        return self.folder.state(self._stored(point))

    def _stored(self, point: Point) -> StoredPoint:
        run = None if point.folder is None else self.folder.relative(point.folder)
        epochs = None if point.config is None else point.config["trainer"]["max_epochs"]
        return StoredPoint(point.number, point.overrides, run, point.error, point.monitor, epochs, point.trial)


def check_disk(state: PointState) -> None:
    """End the sweep where a point failed by its disk, on which the others lie as well.

    Raises:
        DiskFullError: says what the point said.
    """
    if state.state == FAILED and state.error is not None and disk_fault(DiskFullError(state.error)) is not None:
        raise DiskFullError(state.error.removeprefix(f"{DiskFullError.__name__}: "))


def describe_end(state: PointState) -> str:
    """How a point ended, in one line."""
    objective = (
        "" if state.objective is None or state.monitor is None else f": {state.monitor[0]} {state.objective:.4g}"
    )
    time = "" if state.seconds is None else f", {format_seconds(state.seconds)}"
    return f"{state.state}{objective}{time}" + (f": {state.error}" if state.error else "")
