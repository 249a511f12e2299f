"""Sweeps with ``run.fresh``: every command begins anew, unless the sweep that it began before is not settled yet."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

from seisvision.records.folder import RunFolder
from seisvision.records.identity import run_id_without_copy
from seisvision.records.sweeps.folder import StoredPoint, SweepFolder
from seisvision.sweeps.points import Point
from seisvision.sweeps.running import settled_states


def is_fresh(point: Point) -> bool:
    """Whether a point asks for a run of its own, even where the same is stored."""
    return point.config is not None and bool(point.config["run"]["fresh"])


def fresh_folder(first: SweepFolder, n_points: int) -> SweepFolder:
    """The first copy of a sweep's folder that is new, or whose sweep is fresh and not settled.

    Args:
        first: folder of the sweep without ``run.fresh``.
        n_points: how many points the sweep will have.
    """
    path = first.path
    copies = (SweepFolder(path.with_name(f"{path.name}-{number}")) for number in itertools.count(2))
    return next(one for one in itertools.chain([first], copies) if _can_go_on(one, n_points))


def begun_runs(folder: SweepFolder) -> dict[str, str]:
    """Run ids of a sweep as it was left, by run id without the number of the copy."""
    points = folder.points() if folder.file.exists() else []
    run_ids = [run.run_id for run in map(folder.run_folder, points) if run is not None]
    return {run_id_without_copy(run_id): run_id for run_id in run_ids}


def with_begun_run(point: Point, begun: Mapping[str, str]) -> Point:
    """The point with the run that its sweep has begun for it, where there is one and it is a fresh point."""
    if point.folder is None or not is_fresh(point):
        return point
    run_id = begun.get(run_id_without_copy(point.folder.run_id), point.folder.run_id)
    return replace(point, folder=RunFolder(point.folder.path.with_name(run_id)))


def _can_go_on(folder: SweepFolder, n_points: int) -> bool:
    if not folder.file.exists():
        return True
    if not folder.read().get("fresh"):
        return False
    points = folder.points()
    return len(points) < n_points or not all(_is_over(folder, point) for point in points)


def _is_over(folder: SweepFolder, point: StoredPoint) -> bool:
    """Whether repeating the sweep would change nothing; settings that contradict each other will always do so."""
    return point.run is None or folder.state(point).state in settled_states(point.trial)
