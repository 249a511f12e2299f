"""Sweeps of real runs: what is stored, skipped, retried, killed and shown."""

from __future__ import annotations

import contextlib
import gc
import math
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from fake_launcher import FakeLauncher, sweep
from tiny_runs import tiny_config

from seisvision.cli import main
from seisvision.errors import ConfigurationError, PrunedError, SeisvisionError
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.folder import FAILED, FINISHED, PENDING, PRUNED, RUNNING, RunFolder, write_json
from seisvision.records.sweeps.states import KILLED, PointState, read_state
from seisvision.runs import ensure as experiment
from seisvision.runs.callbacks import KeepCheckpoints
from seisvision.runs.ensure import ensure_run, identify
from seisvision.runs.pruning import StopHopeless
from seisvision.runs.terminal import quick_imports
from seisvision.runs.work import work_on
from seisvision.sweeps import single
from seisvision.sweeps.launcher import build_launcher
from seisvision.sweeps.local import LocalLauncher, settle
from seisvision.sweeps.report import best_point


def test_a_failed_point_stops_no_other_and_is_tried_again(data_dir: Path, tmp_path: Path) -> None:
    def fail(number: int, config: dict) -> None:
        if config["seed"] == 1:
            raise ValueError("the disk is full")

    first, second, third = FakeLauncher(fail), FakeLauncher(), FakeLauncher()
    folder, is_done = sweep(data_dir, tmp_path, first, "seed=1,2", "optimizer.lr=1e-3,-1")
    assert not is_done and len(first.done) == 2
    states = folder.states()
    assert [state.state for state in states] == [FAILED, FAILED, FINISHED, FAILED]
    assert states[0].error == "ValueError: the disk is full" and "optimizer.lr=-1" in str(states[1].error)
    assert pd.read_csv(folder.points_file)["state"].tolist() == [state.state for state in states]

    again, _ = sweep(data_dir, tmp_path, second, "seed=1,2", "optimizer.lr=1e-3,-1")
    assert again.path == folder.path and [one.path for one in second.done] == [first.done[0].path]
    other, is_done = sweep(data_dir, tmp_path, third, "optimizer.lr=1e-3", "seed=2,1", "system.num_workers=3")
    assert is_done and third.done == [] and other.path != folder.path


def test_two_points_with_the_same_run_do_it_once(data_dir: Path, tmp_path: Path) -> None:
    launcher = FakeLauncher()
    folder, is_done = sweep(data_dir, tmp_path, launcher, "seed=1,1,2")
    assert is_done and len(launcher.done) == 2 and len(folder.states()) == 3


def test_a_fresh_sweep_does_its_runs_anew_in_folders_of_their_own(data_dir: Path, tmp_path: Path) -> None:
    launcher = FakeLauncher()
    for _ in range(2):
        sweep(data_dir, tmp_path, launcher, "seed=1,2", "run.fresh=true")
    assert len({folder.path for folder in launcher.done}) == 4


def test_a_fresh_sweep_that_was_interrupted_goes_on_with_its_own_runs(data_dir: Path, tmp_path: Path) -> None:
    def stop(number: int, config: dict) -> None:
        if number == 2:
            raise KeyboardInterrupt

    words = ["seed=1,2,3", "run.fresh=true"]
    before, first, second, third = FakeLauncher(), FakeLauncher(stop), FakeLauncher(), FakeLauncher()
    old, _ = sweep(data_dir, tmp_path, before, words[0])
    with pytest.raises(KeyboardInterrupt):
        sweep(data_dir, tmp_path, first, *words)
    folder, is_done = sweep(data_dir, tmp_path, second, *words)
    assert is_done and [one.path for one in second.done] == [first.done[1].path, *_paths(second)[1:]]
    fresh = {*_paths(first), *_paths(second)}
    assert {state.folder.path for state in folder.states()} == fresh and len(fresh) == 3
    assert not fresh & {*_paths(before)} and folder.path != old.path
    other, _ = sweep(data_dir, tmp_path, third, *words)
    assert len(third.done) == 3 and not fresh & {*_paths(third)} and other.path not in (old.path, folder.path)
    assert {state.folder.path for state in old.states()} == {*_paths(before)}, "what was there is left as it is"


def _paths(launcher: FakeLauncher) -> list[Path]:
    return [folder.path for folder in launcher.done]


def test_who_hands_runs_over_knows_their_folders_even_where_one_fails(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(number: int, config: dict) -> None:
        if config["seed"] == 2:
            raise ValueError("the disk is full")

    monkeypatch.setattr(single, "build_launcher", lambda settings: FakeLauncher(fail))
    monkeypatch.setattr(single, "show_result", lambda folder: None)
    configs = [tiny_config(data_dir, tmp_path, "run.fresh=true", f"seed={seed}") for seed in (1, 2)]
    runs = [(config, list[str]()) for config in configs]
    folders = [identify(config) for config in configs]
    with pytest.raises(SeisvisionError, match="the disk is full"):
        single.launch_runs(runs, folders)
    assert [folder.is_finished() for folder in folders] == [True, False]


def test_the_lock_of_a_process_that_was_killed_when_its_run_was_stored_goes(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = FakeLauncher()
    sweep(data_dir, tmp_path, launcher, "seed=1,2")
    left = [path / ".lock" for path in _paths(launcher)]
    for lock in left:
        lock.touch()
    sweep(data_dir, tmp_path, launcher, "seed=1,2")
    assert len(launcher.done) == 2 and not any(lock.exists() for lock in left)
    left[0].touch()
    monkeypatch.setattr(single, "build_launcher", lambda settings: launcher)
    monkeypatch.setattr(single, "show_result", lambda folder: None)
    single.launch_runs([(tiny_config(data_dir, tmp_path), [])], launcher.done[:1])
    assert len(launcher.done) == 2 and not left[0].exists()


def test_the_best_point_has_a_value_that_is_a_number(tmp_path: Path) -> None:
    def point(number: int, objective: float) -> PointState:
        return PointState(number, FINISHED, [], RunFolder(tmp_path), objective, monitor=["val/x", "min"])

    values = [math.nan, -math.inf, 0.7, 0.3]
    best = best_point([point(number, value) for number, value in enumerate(values, start=1)])
    assert best is not None and best.number == 4
    assert best_point([point(1, math.nan)]) is None


def test_an_epoch_without_a_number_is_replaced_by_one_that_has_one(data_dir: Path, tmp_path: Path) -> None:
    config = tiny_config(data_dir, tmp_path)
    task = build_task(Settings.of(config), build_view(config["view"]))
    keeper = KeepCheckpoints(tmp_path / "best.ckpt", tmp_path / "last.ckpt", "max")
    saved: list[tuple[int, Path]] = []
    keeper.on_train_start(SimpleNamespace(world_size=1), task)
    for epoch, value in enumerate([math.nan, math.nan, 0.2, math.nan, 0.1]):
        trainer = SimpleNamespace(
            callback_metrics={task.monitor: value, "val/loss": value},
            current_epoch=epoch,
            loggers=[],
            save_checkpoint=lambda path, weights_only, epoch=epoch: saved.append((epoch, path)),
        )
        keeper.on_train_epoch_end(trainer, task)
    keeper.on_train_end(SimpleNamespace(), task)
    assert keeper.summary()["best_epoch"] == 2 and keeper.summary()["best_value"] == 0.2
    assert [epoch for epoch, path in saved if path.name == "best.ckpt"][-1] == 2


def test_one_epoch_without_a_number_does_not_prune_a_run(tmp_path: Path) -> None:
    write_json(tmp_path / "limits.json", {"monitor": "val/x", "mode": "max", "limits": {"1": 0.3}, "n_trials": 7})

    def reason_after(values: list[float]) -> str | None:
        stopper = StopHopeless(tmp_path / "limits.json")
        strategy = SimpleNamespace(broadcast=lambda reason: reason)
        for epoch, value in enumerate(values):
            metrics = {"val/x": value}
            trainer = SimpleNamespace(
                callback_metrics=metrics, current_epoch=epoch, is_global_zero=True, strategy=strategy
            )
            stopper.on_train_epoch_end(trainer, SimpleNamespace(monitor="val/x"))
            with contextlib.suppress(PrunedError):
                stopper.check()
                continue
            return f"epoch {epoch}"
        return None

    assert reason_after([math.nan, 0.4]) is None
    assert reason_after([math.nan, math.nan]) == reason_after([math.nan, 0.2]) == "epoch 1"


def test_a_run_that_ends_unfinished_says_so(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(folder: RunFolder) -> None:
        folder.mark_running()
        folder.mark_pruned("others were better")

    monkeypatch.setattr(experiment, "do_run", give_up)
    with pytest.raises(SeisvisionError, match=r"is pruned, not finished: others were better"):
        ensure_run(tiny_config(data_dir, tmp_path), [])


def test_a_run_stops_at_its_limit_and_goes_on_when_asked_for_by_itself(data_dir: Path, tmp_path: Path) -> None:
    config = tiny_config(data_dir, tmp_path, "trainer.max_epochs=3", "run.test=false")
    folder = identify(config)
    folder.prepare(config, [])
    monitor, mode = config["task"]["monitor"]
    hopeless = {"monitor": monitor, "mode": mode, "limits": {"1": 2.0}, "n_trials": 7}
    write_json(folder.limits_file, hopeless)
    work_on(folder)
    status = folder.status()
    assert status["state"] == PRUNED and "7 finished trials" in status["error"]
    assert read_state(folder, 1, [], monitor=[monitor, mode]).epoch == 2
    assert not folder.metrics_file.exists() and folder.last_checkpoint.exists()
    ensure_run(config, [])
    assert folder.is_finished() and read_state(folder, 1, [], monitor=[monitor, mode]).epoch == 3


def test_the_end_of_a_worker_that_said_nothing_is_recorded(data_dir: Path, tmp_path: Path) -> None:
    config = tiny_config(data_dir, tmp_path)
    folder = identify(config)
    folder.prepare(config, [])
    assert folder.status()["state"] == PENDING
    settle(folder, 1)
    assert folder.status()["state"] == FAILED and "exit code 1" in folder.status()["error"]


def test_the_state_of_a_dead_process_is_told_from_its_files(data_dir: Path, tmp_path: Path) -> None:
    config = tiny_config(data_dir, tmp_path)
    folder = identify(config)
    folder.prepare(config, [])
    folder.mark_running()
    assert read_state(folder, 1, []).state == RUNNING
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    write_json(folder.status_file, {**folder.status(), "pid": dead.pid})
    assert read_state(folder, 1, []).state == KILLED
    write_json(folder.status_file, {**folder.status(), "host": "another-node"})
    assert read_state(folder, 1, []).state == RUNNING
    folder.history_file.write_text("epoch,step,name,value\n0,3,val/x,0.5\n1,6,val/x,0.7\n2,9,val/x,0.")
    state = read_state(folder, 1, [], monitor=["val/x", "max"])
    assert (state.objective, state.epoch) == (0.7, 2)
    folder.status_file.write_text("{")
    assert read_state(folder, 1, []).state == "damaged"


def test_status_and_best_are_shown_from_files(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    def stop(number: int, config: dict) -> None:
        if number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(data_dir, tmp_path, FakeLauncher(stop), "optimizer.lr=1e-4,1e-3,1e-2,1e-1")
    (path,) = (tmp_path / "default" / "sweeps").iterdir()
    assert main(["sweep", "status", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[2:6]] == [
        ["1", "finished"], ["2", "finished"], ["3", "running"], ["4", "pending"],
    ]  # fmt: skip
    assert "optimizer.lr=0.001" in lines[3] and "6/2" in lines[3] and "1 pending, 1 running" in lines[7]
    assert main(["sweep", "best", str(path)]) == 0
    assert capsys.readouterr().out.split()[-1] == "optimizer.lr=0.001"
    assert main(["sweep", "status", str(tmp_path)]) == 0
    assert "3 points: 2 finished, 1 running" in capsys.readouterr().out
    assert main(["sweep", "best", str(tmp_path)]) == 2
    assert main(["sweep", "status", str(tmp_path / "nowhere")]) == 2


def test_launchers_are_named_by_their_kind() -> None:
    assert isinstance(build_launcher({"kind": "local"}), LocalLauncher)
    assert build_launcher({"kind": "local_parallel", "n_jobs": 3}).at_once == 3
    for settings, said in (
        ({"kind": "locl"}, "Did you mean 'local'"),
        ({"kind": "local_parallel", "n_jobs": 0}, "n_jobs=0"),
        ({"kind": "local", "n_jobs": 2}, "launcher=local cannot be built"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            build_launcher(settings)


def test_runs_of_one_process_do_not_keep_the_networks_of_earlier_ones(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seisvision.experiments.waveforms import experiment as training

    networks: list[weakref.ref] = []
    alive = []
    build = training.build_task

    def noted(*settings):
        alive.append(sum(one() is not None for one in networks))
        task = build(*settings)
        networks.append(weakref.ref(task))
        return task

    monkeypatch.setattr(training, "build_task", noted)
    gc.disable()
    try:
        for seed in (1, 2, 3):
            ensure_run(tiny_config(data_dir, tmp_path, "trainer.max_epochs=1", f"seed={seed}"), [])
    finally:
        gc.enable()
    assert alive == [0, 0, 0]


def test_imports_that_are_done_already_keep_no_garbage() -> None:
    class Node:
        pass

    node = Node()
    node.itself = node
    seen = weakref.ref(node)
    del node
    with quick_imports():
        import seisvision.runs.work  # noqa: F401
    gc.collect()
    assert seen() is None
