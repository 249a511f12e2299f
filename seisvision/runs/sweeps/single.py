"""One run, not a sweep, by a launcher other than this process."""

from __future__ import annotations

from typing import Any

from seisvision.errors import SeisvisionError
from seisvision.runs.experiment import identify, show_result
from seisvision.runs.folder import RunFolder
from seisvision.runs.sweeps.launcher import build_launcher
from seisvision.runs.sweeps.points import Point


def launch_run(config: dict[str, Any], overrides: list[str]) -> RunFolder:
    """Hand a run over to the launcher of its configuration, unless it is finished, and show its result once it is.

    Raises:
        SeisvisionError: the run failed.
    """
    launcher = build_launcher(config["launcher"])
    folder = identify(config)
    if not folder.is_finished():
        Point(1, overrides, config, folder).prepare()
        for _ in launcher.run([folder]):
            pass
    if folder.is_finished():
        show_result(folder)
    elif launcher.waits:
        status = folder.status()
        raise SeisvisionError(f"Run {folder.path} is {status['state']}: {status.get('error')}")
    return folder
