"""A search with Optuna: trials are named by what finished before, and the study is kept in the sweep's folder.

Only this process talks to the study. A run neither knows of it nor needs Optuna: what it logs is read from its
``metrics.csv``, and the limits under which it is stopped lie in its folder.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seisvision.errors import ConfigurationError
from seisvision.files import told_when_full
from seisvision.records.folder import FINISHED, PRUNED
from seisvision.records.identity import run_id_without_copy
from seisvision.records.sweeps.folder import SweepFolder, sweep_id
from seisvision.records.sweeps.states import is_number, monitored_values
from seisvision.sweeps.fresh import fresh_folder, is_fresh, with_begun_run
from seisvision.sweeps.launcher import Launcher
from seisvision.sweeps.limits import epoch_limits
from seisvision.sweeps.plan import Plan, is_whole_interval
from seisvision.sweeps.points import Point
from seisvision.sweeps.running import Sweep

if TYPE_CHECKING:
    import optuna
    from hydra.core.override_parser.types import Override

log = logging.getLogger(__name__)

RETRY_OF = "retry_of"
"""User attribute of a trial that repeats one that failed or was interrupted: the number of that one."""

Compose = Callable[..., Point]


def do_search(
    top: Path,
    about: Mapping[str, Any],
    plan: Plan,
    settings: Mapping[str, Any],
    launcher: Launcher,
    compose: Compose,
    is_dry_run: bool = False,
) -> tuple[SweepFolder, bool]:
    """Search until the study has as many trials as asked for.

    Args:
        top: folder of the sweeps of the experiment.
        about: what ``sweep.json`` says of the sweep beside its points.
        plan: what all trials share and what is searched over.
        settings: the group ``sweep``.
        launcher: does the runs; it must wait for them.
        compose: makes a point from its number and overrides.
        is_dry_run: only let the launcher show what it would do with a first point; the study is left alone.

    Returns:
        The folder of the sweep and whether all its points are finished or pruned.

    Raises:
        ConfigurationError: Optuna is not installed, there is nothing to search over, no value to judge by, or the
            launcher does not wait for results.
    """
    if not launcher.waits and not is_dry_run:
        raise ConfigurationError(
            "A search chooses each trial by the results of those before, so somebody has to wait for them. Set "
            "launcher.wait=true, and keep the command alive with tmux, screen or a small job of its own; repeated, it "
            "goes on where it was."
        )
    if not isinstance(settings["n_trials"], int) or settings["n_trials"] < 1:
        raise ConfigurationError(f"sweep.n_trials={settings['n_trials']} is not allowed; give a number of at least 1.")
    space = search_space(plan)
    # Any one tells what all of them share, and whether it can be had at all.
    first = compose(1, [*plan.fixed, *(f"{key}={_smallest(found)}" for key, found in space.items())])
    if first.folder is None:
        raise ConfigurationError(f"The first point of this search cannot be composed: {first.error}")
    if first.monitor is None:
        raise ConfigurationError("A search needs task.monitor, the validation value that says how good a trial is.")
    # The study belongs to its space and to what all trials share, however many trials are asked for this time.
    lines = sorted(str(one.input_line) for one in plan.swept.values())
    folder = SweepFolder(top / sweep_id([run_id_without_copy(first.folder.run_id), *lines]))
    if is_dry_run:
        log.info("A search chooses its trials one by one; this is what would be done for a first.")
        for _ in launcher.run([first.folder if first.folder.is_finished() else first.prepare()]):
            pass
        return folder, True
    if is_fresh(first):
        folder, about = fresh_folder(folder, settings["n_trials"]), {**about, "fresh": True}
    with folder.locked():
        sweep = Sweep(folder, about, launcher, plan.fixed)
        search = Search(sweep, plan.fixed, space, settings, first.monitor, compose, launcher.at_once)
        return folder, sweep.run(search.points(), search.tell, settings["n_trials"])


class Search:
    """Asks a study for points and tells it what became of them.

    Args:
        sweep: takes the points on its list.
        fixed: overrides of every point.
        space: what is searched over, by key.
        settings: the group ``sweep``.
        monitor: name of the objective, and ``max`` or ``min``.
        compose: makes a point from its number and overrides.
        at_once: trials that are worked on at the same time.
    """

    def __init__(
        self,
        sweep: Sweep,
        fixed: list[str],
        space: dict[str, optuna.distributions.BaseDistribution],
        settings: Mapping[str, Any],
        monitor: list[str],
        compose: Compose,
        at_once: int,
    ) -> None:
        self._sweep, self._fixed, self._space, self._settings = sweep, fixed, space, settings
        self._monitor, self._compose = monitor, compose
        with self._told_when_full():
            self._study = open_study(sweep.folder, monitor[1], settings, at_once)
        self._trials: dict[int, optuna.Trial] = {}
        self._working: dict[int, Point] = {}
        self._begun: dict[str, str] = {}

    def points(self) -> Iterator[Point]:
        """Trials that were left before, then new ones, up to the number asked for; each is named when it is taken."""
        with self._told_when_full():
            self._begun = self._begun_runs()
            settled = retry_unsettled(self._study)
        known = self._sweep.folder.points() if self._sweep.folder.file.exists() else []
        self._sweep.stored = [point for point in known if point.trial in settled]
        for _ in range(self._settings["n_trials"] - len(settled)):
            with self._told_when_full():
                point = self._ask()
            self._sweep.add([point])
            yield point

    def _ask(self) -> Point:
        """The next trial."""
        trial = self._study.ask(self._space)
        values = [f"{key}={_written(trial.params[key])}" for key in self._space]
        point = self._compose(trial.number + 1, [*self._fixed, *values], trial=trial.number)
        point = replace(with_begun_run(point, self._begun), limits=self._limits())
        if point.folder is not None:
            self._begun[run_id_without_copy(point.folder.run_id)] = point.folder.run_id
        trial.set_user_attr("run", None if point.folder is None else point.folder.run_id)
        self._trials[trial.number] = trial
        self._working[trial.number] = point
        return point

    def tell(self, point: Point) -> None:
        """Pass on what became of a trial, and what the others must reach from now on.

        Raises:
            DiskFullError: the study cannot be written.
        """
        with self._told_when_full():
            self._tell(point)

    def _told_when_full(self) -> contextlib.AbstractContextManager[None]:
        return told_when_full(self._sweep.folder.study_file)

    def _tell(self, point: Point) -> None:
        from optuna.trial import TrialState

        assert point.trial is not None
        self._working.pop(point.trial)
        trial, state = self._trials.pop(point.trial), self._sweep.state(point)
        if point.folder is not None:
            for epoch, value in monitored_values(point.folder, self._monitor[0]).items():
                trial.report(value, epoch)
        if state.state == FINISHED and is_number(state.objective):
            self._study.tell(trial, state.objective)
            for other in self._working.values():
                replace(other, limits=self._limits()).write_limits()
        elif state.state in (FINISHED, PRUNED):
            if state.state == FINISHED:
                log.warning(
                    "point %d has no finite %s (%s); the search takes it for one that is worse than the others.",
                    point.number, self._monitor[0], state.objective,
                )  # fmt: skip
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            trial.set_user_attr("error", state.error or state.state)
            self._study.tell(trial, state=TrialState.FAIL)

    def _begun_runs(self) -> dict[str, str]:
        """Run ids of all trials so far, by run id without the number of the copy."""
        run_ids = [trial.user_attrs.get("run") for trial in self._study.get_trials(deepcopy=False)]
        return {run_id_without_copy(run_id): run_id for run_id in run_ids if run_id}

    def _limits(self) -> dict[str, Any] | None:
        """What a trial must reach by each epoch, from those that finished."""
        from optuna.trial import TrialState

        prune = self._settings["prune"]
        if prune is None:
            return None
        finished = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        limits = epoch_limits([trial.intermediate_values for trial in finished], self._monitor[1], **prune)
        name, mode = self._monitor
        return {"monitor": name, "mode": mode, "limits": limits, "n_trials": len(finished)}


def open_study(folder: SweepFolder, mode: str, settings: Mapping[str, Any], at_once: int = 1) -> optuna.Study:
    """The study in a sweep's folder, new or as it was left.

    Args:
        folder: of the sweep.
        mode: ``max`` or ``min`` is better.
        settings: the group ``sweep``: seed and startup_trials of the sampler.
        at_once: trials that are worked on at the same time, which the sampler then keeps apart.

    Raises:
        ConfigurationError: Optuna is not installed.
    """
    optuna = _optuna()
    storage = f"sqlite:///{folder.study_file.absolute()}"
    direction = "maximize" if mode == "max" else "minimize"
    study = optuna.create_study(storage=storage, study_name=folder.path.name, direction=direction, load_if_exists=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # A sampler that goes on must not draw again what it drew at the start.
        study.sampler = optuna.samplers.TPESampler(
            seed=settings["seed"] + len(study.trials),
            n_startup_trials=settings["startup_trials"],
            constant_liar=at_once > 1,
        )
    return study


def retry_unsettled(study: optuna.Study) -> set[int]:
    """Put trials that failed or were interrupted back in the queue; returns the numbers of those that ended well."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    repeated = {trial.user_attrs.get(RETRY_OF) for trial in trials}
    for trial in trials:
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
        if trial.state in (TrialState.RUNNING, TrialState.FAIL) and trial.number not in repeated:
            study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number})
    return {trial.number for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)}


def search_space(plan: Plan) -> dict[str, optuna.distributions.BaseDistribution]:
    """What Hydra's choices, ranges and intervals mean to Optuna; ``tag(log, ...)`` and ``int(...)`` are heeded.

    Raises:
        ConfigurationError: there is nothing to search over.
    """
    _optuna()
    if not plan.swept:
        raise ConfigurationError(
            "A search needs something to search over, such as 'optimizer.lr=tag(log,interval(1e-5,1e-2))'."
        )
    return {one.get_key_element(): _distribution(one) for one in plan.swept.values()}


def _distribution(override: Override) -> optuna.distributions.BaseDistribution:
    import optuna.distributions as distributions

    value: Any = override.value()
    is_log = "log" in getattr(value, "tags", ())
    try:
        if override.is_interval_sweep():
            if is_whole_interval(override):
                return distributions.IntDistribution(value.start, value.end, log=is_log)
            return distributions.FloatDistribution(float(value.start), float(value.end), log=is_log)
        if override.is_range_sweep():
            numbers = [*value.range()]
            if all(isinstance(number, int) for number in numbers):
                return distributions.IntDistribution(min(numbers), max(numbers), step=abs(int(value.step)))
            return distributions.FloatDistribution(min(numbers), max(numbers), step=abs(float(value.step)))
        return distributions.CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise ConfigurationError(f"{override.input_line} cannot be searched over: {error}") from error


def _smallest(distribution: Any) -> str:
    return _written(distribution.choices[0] if hasattr(distribution, "choices") else distribution.low)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ConfigurationError(
            "sweep=optuna needs a package that is not installed: pip install 'seisvision[sweeps]'."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
