"""Points of a sweep: overrides, and the run folder they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.records.configuration import to_plain
from seisvision.records.folder import RunFolder, write_json
from seisvision.runs.ensure import identify
from seisvision.sweeps.plan import OWN_GROUPS


@dataclass(frozen=True)
class Point:
    """One point of a sweep.

    Args:
        number: from 1.
        overrides: with which ``train.py`` does the same run.
        config: resolved configuration; ``None`` where the overrides contradict each other.
        folder: of its run; ``None`` without a configuration.
        error: why there is no configuration.
        trial: number in the study of a search.
        limits: under which the run is stopped early, see :mod:`seisvision.runs.pruning`; ``None`` for never.
    """

    number: int
    overrides: list[str]
    config: dict[str, Any] | None = None
    folder: RunFolder | None = None
    error: str | None = None
    trial: int | None = None
    limits: dict[str, Any] | None = None

    @property
    def monitor(self) -> list[str] | None:
        """Name of the value that says how good the point is, and whether ``max`` or ``min`` is better."""
        monitor = None if self.config is None else self.config["task"].get("monitor")
        return list(monitor) if monitor else None

    def prepare(self) -> RunFolder:
        """Write what the run needs into its folder."""
        assert self.config is not None and self.folder is not None
        self.folder.prepare(self.config, self.overrides)
        self.write_limits()
        return self.folder

    def write_limits(self) -> None:
        """Write the limits into the folder, or take away those of an earlier search."""
        assert self.folder is not None
        if self.limits is None:
            self.folder.limits_file.unlink(missing_ok=True)
        else:
            write_json(self.folder.limits_file, self.limits)


def compose_point(config_name: str, number: int, overrides: Sequence[str], trial: int | None = None) -> Point:
    """Compose the configuration of a point.

    Raises:
        HydraException: a setting does not exist; that is a slip of the whole sweep, not of one point.
    """
    from hydra import compose
    from omegaconf import open_dict

    composed = compose(config_name, overrides=list(overrides))
    with open_dict(composed):
        for group in OWN_GROUPS:
            composed.pop(group, None)
    try:
        config = to_plain(composed)
        if config["stages"] is not None:
            raise ConfigurationError("An experiment of several stages is no point of a sweep; run it without -m.")
        return Point(number, list(overrides), config, identify(config), trial=trial)
    except SeisvisionError as error:
        return Point(number, list(overrides), error=str(error), trial=trial)
