"""How Hydra hands a sweep over: ``python train.py -m ...``."""

from __future__ import annotations

import functools
import importlib
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.records.identity import run_id_without_copy
from seisvision.records.kinds import kind_of_config, result_reader
from seisvision.records.sweeps.folder import SweepFolder, sweep_id
from seisvision.runs.ranks import current_place
from seisvision.runs.terminal import exit_codes, show
from seisvision.sweeps.fresh import begun_runs, fresh_folder, is_fresh, with_begun_run
from seisvision.sweeps.launcher import Launcher, build_launcher
from seisvision.sweeps.plan import Plan, grid_points, read_plan
from seisvision.sweeps.points import Point, compose_point
from seisvision.sweeps.running import Sweep

KINDS = ("grid", "optuna")
"""Values of ``sweep.kind``."""


PLUGIN_PACKAGE = "hydra_plugins"
"""Hydra takes plugins from this namespace package only, which it creates for those that are installed."""


def register() -> None:
    """Make the sweeper known to Hydra; to be called before ``hydra.main``."""
    try:
        package = importlib.import_module(PLUGIN_PACKAGE)
    except ImportError:
        package = sys.modules[PLUGIN_PACKAGE] = types.ModuleType(PLUGIN_PACKAGE)
        package.__path__ = []
    name = PointSweeper.__module__
    module = sys.modules[name] = types.ModuleType(name)
    setattr(module, PointSweeper.__name__, PointSweeper)
    setattr(package, name.rpartition(".")[2], module)
    Plugins.instance().register(PointSweeper)


class PointSweeper(Sweeper):
    """Compose every point here, once, and leave it to a launcher as a run folder.

    Args:
        settings: those of Hydra's own sweeper, which go unused: ours are in the groups sweep and launcher.
    """

    __module__ = f"{PLUGIN_PACKAGE}.seisvision"

    def __init__(self, **settings: Any) -> None:
        self.config: DictConfig | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra composed from the settings that all points share."""
        self.hydra_context, self.config = hydra_context, config

    def sweep(self, arguments: list[str]) -> None:
        """Do the sweep; the last line on standard output is its folder.

        Raises:
            SeisvisionError: the settings of the sweep contradict each other.
            KeyboardInterrupt: it was interrupted; the same command goes on.
        """
        assert self.config is not None and self.hydra_context is not None
        if current_place().n_ranks > 1:
            raise ConfigurationError(
                f"A sweep (-m) cannot be started by {current_place().starter}, whose processes would each do all of "
                "it. Start it with plain python train.py -m, which starts the processes of every run itself, or with "
                "launcher=slurm."
            )
        config: dict[str, Any] = {
            group: OmegaConf.to_container(self.config[group], resolve=True) for group in ("sweep", "launcher")
        }
        kind = config["sweep"]["kind"]
        if kind not in KINDS:
            raise ConfigurationError(f"sweep.kind={kind} is unknown. {did_you_mean(str(kind), list(KINDS))}")
        plan = read_plan(arguments, config["sweep"]["over"] or {}, self.hydra_context.config_loader)
        launcher = build_launcher(config["launcher"])
        name = str(self.config.name)
        about = {"name": name, "kind": kind, "launcher": config["launcher"]["kind"], "typed": plan.typed()}
        top = Path(str(self.config.system.runs_dir)) / name / "sweeps"
        compose = functools.partial(compose_point, str(self.config.hydra.job.config_name))
        if kind == "optuna":
            from seisvision.sweeps.search import do_search

            is_dry_run = bool(config["launcher"].get("dry_run"))
            folder, is_settled = do_search(top, about, plan, config["sweep"], launcher, compose, is_dry_run)
        else:
            folder, is_settled = do_grid(top, about, plan, config["sweep"], launcher, compose)
        if folder.comparison_file.exists():
            show(folder.comparison_file.read_text(encoding="utf-8").rstrip("\n"))
        if folder.file.exists():
            from seisvision.sweeps.ending import sweep_end

            show(sweep_end(folder.states(), folder.path))
            reader = result_reader(kind_of_config(self.config))
            reader.write_sweep_report([state.folder.path for state in folder.states() if state.folder], folder.path)
        # A point that failed has told its error; the sweep as a whole failed with it.
        exit_codes[:] = [] if is_settled else [1]
        show(str(folder.path))


def do_grid(
    top: Path,
    about: Mapping[str, Any],
    plan: Plan,
    settings: Mapping[str, Any],
    launcher: Launcher,
    compose: Callable[[int, list[str]], Point],
) -> tuple[SweepFolder, bool]:
    """Do all combinations of the values, each composed before the first is run.

    The same points have the same folder; with ``run.fresh`` a settled sweep is left and another one begun beside it.

    Returns:
        The folder of the sweep and whether all points are finished.
    """
    asked = grid_points(plan, settings["paired"])
    points = [compose(number, overrides) for number, overrides in enumerate(asked, start=1)]
    names = [
        " ".join(point.overrides) if point.folder is None else run_id_without_copy(point.folder.run_id)
        for point in points
    ]
    folder = SweepFolder(top / sweep_id(sorted(names)))
    if any(is_fresh(point) for point in points):
        folder, about = fresh_folder(folder, len(points)), {**about, "fresh": True}
        begun = begun_runs(folder)
        points = [with_begun_run(point, begun) for point in points]
    with folder.locked():
        sweep = Sweep(folder, about, launcher, plan.fixed)
        sweep.add(points)
        return folder, sweep.run(points, expected=len(points))
