"""Who does the runs of a sweep: this process, several processes of this machine, or a cluster."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Iterable, Mapping
from typing import Any, Protocol

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.records.folder import RunFolder

LAUNCHERS = {
    "local": "seisvision.sweeps.local.LocalLauncher",
    "local_parallel": "seisvision.sweeps.local.ParallelLauncher",
    "slurm": "seisvision.sweeps.slurm.SlurmLauncher",
}
"""Values of ``launcher.kind`` and the classes that take the settings beside it."""


class Launcher(Protocol):
    """Does runs whose folders hold a ``config.yaml``; what became of a run stands in its ``status.json``."""

    at_once: int
    """How many runs are worked on at the same time."""
    takes_all: bool
    """Whether it wants to know all runs from the start, as a list, where they are known."""
    waits: bool
    """Whether it stays until the runs have ended; one that does not only hands them over and yields none."""

    def run(self, folders: Iterable[RunFolder]) -> Generator[RunFolder, None, None]:
        """Do every run and yield its folder when it ended, in whatever state; a failed run stops no other.

        A folder is taken from ``folders`` only when there is room for it, so that a search can look at what ended
        before it names the next. A run that ended without a word (killed, out of memory) is marked as failed here.
        Closing the iterator leaves nothing running.

        Raises:
            KeyboardInterrupt: the user interrupts; the runs were asked to stop and have ended.
        """
        ...


def build_launcher(settings: Mapping[str, Any]) -> Launcher:
    """The launcher that the section ``launcher`` of a configuration describes.

    Raises:
        ConfigurationError: its kind is unknown or a setting is none of its own.
    """
    kind = str(settings["kind"])
    if kind not in LAUNCHERS:
        raise ConfigurationError(f"launcher.kind={kind} is unknown. {did_you_mean(kind, list(LAUNCHERS))}")
    module, _, name = LAUNCHERS[kind].rpartition(".")
    options = {str(key): value for key, value in settings.items() if key != "kind"}
    try:
        return getattr(importlib.import_module(module), name)(**options)
    except TypeError as error:
        raise ConfigurationError(f"launcher={kind} cannot be built from its settings: {error}") from error
