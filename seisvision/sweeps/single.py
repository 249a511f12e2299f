"""Runs that are no sweep, by the launcher of their configuration: one run, or a stage of a protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from seisvision.errors import SeisvisionError
from seisvision.records.folder import RunFolder
from seisvision.runs.ensure import identify, show_result
from seisvision.sweeps.launcher import build_launcher
from seisvision.sweeps.points import Point


def launch_runs(
    runs: Sequence[tuple[dict[str, Any], list[str]]], folders: Sequence[RunFolder] | None = None
) -> list[RunFolder]:
    """Hand runs over to the launcher, unless they are finished, and show the result of each that is in the end.

    Args:
        runs: resolved configuration and overrides of each; at least one.
        folders: that ``identify`` gave for each, for who needs them even where this raises; asked again after the
            runs, ``identify`` names other folders where ``run.fresh`` is set. ``None`` asks it here.

    Returns:
        Their folders, in order. Where the launcher does not wait, they may not be finished.

    Raises:
        SeisvisionError: a run failed; the others were done all the same.
    """
    launcher = build_launcher(runs[0][0]["launcher"])
    folders = [identify(config) for config, _ in runs] if folders is None else list(folders)
    points = [
        Point(number, overrides, config, folder)
        for number, ((config, overrides), folder) in enumerate(zip(runs, folders, strict=True), start=1)
    ]
    for folder in folders:
        if folder.is_finished():
            folder.clear_lock()
    to_do = {point.folder.path: point for point in points if point.folder and not point.folder.is_finished()}
    with contextlib.closing(launcher.run([point.prepare() for point in to_do.values()])) as doing:
        for _ in doing:
            pass
    for folder in folders:
        if folder.is_finished():
            show_result(folder)
    failed = [folder for folder in folders if not folder.is_finished()] if launcher.waits else []
    if failed:
        status = failed[0].status()
        others = f" So did {len(failed) - 1} of the other {len(folders) - 1} runs." if len(failed) > 1 else ""
        raise SeisvisionError(f"Run {failed[0].path} is {status['state']}: {status.get('error')}.{others}")
    return folders
