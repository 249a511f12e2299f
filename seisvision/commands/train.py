"""What ``train.py`` does with a composed experiment: one run, a handed-over one, or the stages of a protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from seisvision.errors import ConfigurationError
from seisvision.records.configuration import to_plain
from seisvision.runs.ensure import ensure_run, objective
from seisvision.runs.terminal import show
from seisvision.sweeps.protocol import run_protocol
from seisvision.sweeps.single import launch_runs


def run_experiment(composed: DictConfig) -> float | None:
    """Run a composed experiment unless its result is stored, and return its best validation value.

    The last line on standard output is the run folder. A sweep (``-m``) does not come here, see
    :mod:`seisvision.sweeps.sweeper`.

    Raises:
        SeisvisionError: the configuration, the data or the run is not in order.
    """
    from hydra.core.hydra_config import HydraConfig

    config, overrides = to_plain(composed), list(HydraConfig.get().overrides.task)
    refuse_sweep(config["sweep"], str(HydraConfig.get().runtime.choices["sweep"]))
    if config["stages"] is not None:
        decided = run_protocol(config["stages"], overrides)
        if decided is not None:
            show(str(decided.parent))
        return None
    if config["launcher"]["kind"] == "slurm":
        (folder,) = launch_runs([(config, overrides)])
        show(str(folder.path))
        return objective(folder) if folder.is_finished() else None
    folder = ensure_run(config, overrides)
    show(str(folder.path))
    return objective(folder)


def refuse_sweep(settings: Mapping[str, Any], preset: str) -> None:
    """Refuse settings of several runs where one is asked for.

    Args:
        settings: the group ``sweep``.
        preset: name of the choice in that group.

    Raises:
        ConfigurationError: they say how points are made.
    """
    asked = [f"sweep.{key}" for key in ("over", "paired") if settings.get(key)]
    if asked or settings["kind"] != "grid":
        named = f"sweep={preset}" if preset != "grid" else (asked or ["sweep.kind"])[0]
        raise ConfigurationError(
            f"{named} is a sweep; add -m (python train.py -m ...). For a single run leave it out, and give each "
            "setting one value."
        )
