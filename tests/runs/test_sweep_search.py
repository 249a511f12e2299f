"""Searches over runs whose results follow from their settings, so that it is known what must be found."""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

import pytest
import ready_python
import yaml
from fake_launcher import EPOCHS, FakeLauncher, sweep, value_after
from tiny_runs import ROOT, TINY

from seisvision.errors import ConfigurationError
from seisvision.records.folder import FINISHED, PRUNED
from seisvision.records.sweeps.folder import SweepFolder
from seisvision.sweeps.limits import epoch_limits
from seisvision.sweeps.search import open_study

optuna = pytest.importorskip("optuna", reason="searches are an extra")
LR = "optimizer.lr=tag(log,interval(1e-5,1e-1))"


def test_a_search_finds_what_is_best_and_says_how_to_do_it_again(data_dir: Path, tmp_path: Path) -> None:
    launcher = FakeLauncher()
    folder, is_done = sweep(data_dir, tmp_path, launcher, LR, "sweep.n_trials=20", "sweep.prune=null", preset="optuna")
    assert is_done and len(launcher.done) == 20
    states = folder.states()
    assert [state.number for state in states] == list(range(1, 21))
    best = yaml.safe_load(folder.best_file.read_text())
    assert best["objective"]["value"] == max(state.objective for state in states) > 0.9
    rates = [float(word.partition("=")[2]) for word in best["overrides"] if word.startswith("optimizer.lr=")]
    assert abs(math.log10(rates[0]) + 3) < 0.25
    # Trials after the random ones are drawn nearer to the best.
    early, late = (sum(state.objective for state in part) / 10 for part in (states[:10], states[10:]))
    assert late > early
    assert len(open_study(folder, "max", {"seed": 1, "startup_trials": 1}).trials) == 20


def test_a_search_goes_on_where_it_stopped_and_repeats_nothing(data_dir: Path, tmp_path: Path) -> None:
    def stop(number: int, config: dict) -> None:
        if number == 4:
            raise KeyboardInterrupt

    first = FakeLauncher(stop)
    with pytest.raises(KeyboardInterrupt):
        sweep(data_dir, tmp_path, first, LR, "sweep.n_trials=6", preset="optuna")
    second = FakeLauncher()
    folder, is_done = sweep(data_dir, tmp_path, second, LR, "sweep.n_trials=6", preset="optuna")
    assert is_done and [state.state for state in folder.states()] == [FINISHED] * 6
    # The fourth is done again, with the same settings; the three before it are not.
    assert second.done[0].path == first.done[3].path and len(second.done) == 3
    assert len({one.path for one in first.done + second.done}) == 6

    third = FakeLauncher()
    same, _ = sweep(data_dir, tmp_path, third, LR, "sweep.n_trials=6", preset="optuna")
    assert same.path == folder.path and third.done == []
    sweep(data_dir, tmp_path, third, LR, "sweep.n_trials=8", preset="optuna")
    assert len(third.done) == 2


def test_a_trial_that_failed_stops_no_other_and_is_tried_again(data_dir: Path, tmp_path: Path) -> None:
    def fail(number: int, config: dict) -> None:
        if number == 2:
            raise ValueError("the disk is full")

    first, second = FakeLauncher(fail), FakeLauncher()
    folder, is_done = sweep(data_dir, tmp_path, first, LR, "sweep.n_trials=4", preset="optuna")
    assert not is_done and len(first.done) == 4
    failed = [state for state in folder.states() if state.state != FINISHED]
    assert [state.error for state in failed] == ["ValueError: the disk is full"]
    folder, is_done = sweep(data_dir, tmp_path, second, LR, "sweep.n_trials=4", preset="optuna")
    assert is_done and [one.path for one in second.done] == [first.done[1].path]
    assert len(folder.states()) == 4


def test_hopeless_trials_are_pruned_which_is_no_failure(data_dir: Path, tmp_path: Path) -> None:
    pruning = ["sweep.n_trials=15", "sweep.prune.startup_trials=3", "sweep.prune.warmup_epochs=1"]
    folder, is_done = sweep(data_dir, tmp_path, FakeLauncher(), LR, *pruning, preset="optuna")
    states = folder.states()
    pruned = [state for state in states if state.state == PRUNED]
    assert is_done and pruned and {state.state for state in states} == {FINISHED, PRUNED}
    assert all(state.epoch == 2 for state in pruned) and all(state.state == FINISHED for state in states[:3])
    best = max(state.objective for state in states if state.state == FINISHED)
    assert all(state.objective < best for state in pruned)
    trials = open_study(folder, "max", {"seed": 1, "startup_trials": 1}).trials
    stored = {trial.number + 1 for trial in trials if trial.state.name == "PRUNED"}
    assert stored == {state.number for state in pruned}
    again = FakeLauncher()
    sweep(data_dir, tmp_path, again, LR, *pruning, preset="optuna")
    assert again.done == []


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("percentile", [50.0, 25.0])
def test_limits_are_those_of_optunas_percentile_pruner(mode: str, percentile: float) -> None:
    rng = random.Random(3)
    direction = {"max": "maximize", "min": "minimize"}[mode]
    pruner = optuna.pruners.PercentilePruner(percentile, n_startup_trials=4, n_warmup_steps=2)
    study = optuna.create_study(direction=direction, pruner=pruner)
    finished: list[dict[int, float]] = []
    n_pruned = 0
    for _ in range(40):
        trial, values = study.ask(), {}
        limits = epoch_limits(finished, mode, percentile=percentile, startup_trials=4, warmup_epochs=2)
        n_epochs = rng.randint(3, EPOCHS)
        is_pruned = False
        for epoch in range(n_epochs):
            values[epoch] = rng.random()
            trial.report(values[epoch], epoch)
            best = max(values.values()) if mode == "max" else min(values.values())
            limit = limits.get(epoch, math.nan)
            is_pruned = best < limit if mode == "max" else best > limit
            assert is_pruned == trial.should_prune()
            if is_pruned:
                break
        n_pruned += is_pruned
        if is_pruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            finished.append(values)
            study.tell(trial, values[n_epochs - 1])
    assert 0 < n_pruned < 35


def test_a_search_refuses_a_launcher_that_does_not_wait(data_dir: Path, tmp_path: Path) -> None:
    launcher = FakeLauncher()
    launcher.waits = False
    with pytest.raises(ConfigurationError, match=r"launcher\.wait=true"):
        sweep(data_dir, tmp_path, launcher, LR, "sweep.n_trials=3", preset="optuna")
    assert launcher.done == [] and not list(tmp_path.rglob("study.db"))


def test_a_dry_run_shows_one_job_and_leaves_the_study_alone(data_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="launcher=slurm is an extra")
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", "trainer.accelerator=cpu"]
    words = ["-m", *TINY, *folders, "sweep=optuna", LR, "launcher=slurm"]
    dry = ready_python.run(
        [sys.executable, "train.py", *words, "launcher.dry_run=true"], capture_output=True, text=True, cwd=ROOT
    )
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.count("#!/bin/bash") == dry.stdout.count("# /") == 1
    assert not list(tmp_path.rglob("study.db"))
    launcher = FakeLauncher()
    sweep(data_dir, tmp_path, launcher, LR, "trainer.accelerator=cpu", "sweep.n_trials=3", preset="optuna")
    (study,) = tmp_path.rglob("study.db")
    trials = open_study(SweepFolder(study.parent), "max", {"seed": 1, "startup_trials": 1}).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3 and len(launcher.done) == 3
    assert dry.stdout.splitlines()[-1] == str(study.parent), "the folder that the search has"


def test_a_trial_whose_value_is_no_number_is_told_once_and_loses(data_dir: Path, tmp_path: Path) -> None:
    def value(config: dict, epoch: int) -> float:
        return math.nan if config["optimizer"]["lr"] > 1e-3 else value_after(config, epoch)

    launcher = FakeLauncher(value=value)
    folder, is_done = sweep(data_dir, tmp_path, launcher, LR, "sweep.n_trials=8", "sweep.prune=null", preset="optuna")
    trials = open_study(folder, "max", {"seed": 1, "startup_trials": 1}).trials
    assert is_done and {trial.state.name for trial in trials} == {"COMPLETE", "PRUNED"}
    assert math.isfinite(yaml.safe_load(folder.best_file.read_text())["objective"]["value"])
    again = FakeLauncher(value=value)
    sweep(data_dir, tmp_path, again, LR, "sweep.n_trials=8", "sweep.prune=null", preset="optuna")
    trials = open_study(folder, "max", {"seed": 1, "startup_trials": 1}).trials
    assert again.done == [] and len(trials) == 8


def test_a_fresh_search_that_was_interrupted_goes_on_with_its_own_runs(data_dir: Path, tmp_path: Path) -> None:
    def stop(number: int, config: dict) -> None:
        if number == 3:
            raise KeyboardInterrupt

    words = [LR, "sweep.n_trials=5", "run.fresh=true"]
    before, first, second, third = FakeLauncher(), FakeLauncher(stop), FakeLauncher(), FakeLauncher()
    sweep(data_dir, tmp_path, before, *words[:2], preset="optuna")
    with pytest.raises(KeyboardInterrupt):
        sweep(data_dir, tmp_path, first, *words, preset="optuna")
    folder, is_done = sweep(data_dir, tmp_path, second, *words, preset="optuna")
    assert is_done and len(second.done) == 3 and second.done[0].path == first.done[2].path
    fresh = {one.path for one in first.done + second.done}
    assert {state.folder.path for state in folder.states()} == fresh and len(fresh) == 5
    assert not fresh & {one.path for one in before.done}
    other, _ = sweep(data_dir, tmp_path, third, *words, preset="optuna")
    assert len(third.done) == 5 and other.path != folder.path and not fresh & {one.path for one in third.done}


def test_choices_and_ranges_are_searched_and_a_repeated_point_costs_nothing(data_dir: Path, tmp_path: Path) -> None:
    launcher = FakeLauncher()
    space = ["optimizer.lr=choice(1e-4,1e-3)", "trainer.batch_size=range(8,25,8)", "sweep.n_trials=15"]
    folder, is_done = sweep(data_dir, tmp_path, launcher, *space, "sweep.prune=null", preset="optuna")
    assert is_done and len(folder.states()) == 15
    assert len(launcher.done) <= 6
    sizes = {word for state in folder.states() for word in state.overrides if word.startswith("trainer.batch_size")}
    assert sizes <= {f"trainer.batch_size={size}" for size in (8, 16, 24)} and len(sizes) > 1


def test_a_search_over_nothing_is_refused(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="something to search over"):
        sweep(data_dir, tmp_path, FakeLauncher(), preset="optuna")
    with pytest.raises(ConfigurationError, match="n_trials=0"):
        sweep(data_dir, tmp_path, FakeLauncher(), LR, "sweep.n_trials=0", preset="optuna")
