"""From the command line and the presets to the points of a sweep."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import ready_python
import yaml
from fake_launcher import hydra
from hydra import compose
from omegaconf import OmegaConf
from tiny_runs import ROOT, plain_config

from seisvision.errors import ConfigurationError
from seisvision.sweeps.plan import grid_points, read_plan
from seisvision.sweeps.wandb_file import wandb_sweep


def test_a_grid_is_every_combination_with_the_last_key_fastest() -> None:
    plan = read_plan(["name=x", "seed=range(1,3)", "model=resnet18,resnet34"], {})
    assert grid_points(plan) == [
        ["name=x", "seed=1", "model=resnet18"],
        ["name=x", "seed=1", "model=resnet34"],
        ["name=x", "seed=2", "model=resnet18"],
        ["name=x", "seed=2", "model=resnet34"],
    ]


def test_paired_keys_go_together_and_the_others_cross_them() -> None:
    plan = read_plan(["model=resnet18,resnet50", "optimizer.lr=1e-3,3e-4", "seed=1,2"], {})
    assert grid_points(plan, ["model", "optimizer.lr"]) == [
        ["model=resnet18", "optimizer.lr=0.001", "seed=1"],
        ["model=resnet18", "optimizer.lr=0.001", "seed=2"],
        ["model=resnet50", "optimizer.lr=0.0003", "seed=1"],
        ["model=resnet50", "optimizer.lr=0.0003", "seed=2"],
    ]
    assert grid_points(plan, "all") == [
        ["model=resnet18", "optimizer.lr=0.001", "seed=1"],
        ["model=resnet50", "optimizer.lr=0.0003", "seed=2"],
    ]


@pytest.mark.parametrize(
    ("typed", "paired", "said"),
    [
        (["seed=1,2", "model=a,b,c"], "all", "seed has 2, model has 3"),
        (["seed=1,2"], ["sed"], "Did you mean 'seed'"),
        (["optimizer.lr=interval(1,2)"], [], "sweep=optuna"),
    ],
)
def test_what_makes_no_grid_is_refused(typed: list[str], paired: list[str] | str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        grid_points(read_plan(typed, {}), paired)


def test_what_is_typed_wins_over_the_preset() -> None:
    over = {"seed": [1, 2], "view.channels": [[1, None], [True]], "run.test": False}
    plan = read_plan(["seed=7", "sweep=seeds", "launcher.n_jobs=3", "model=a,b"], over)
    assert plan.fixed == ["seed=7", "run.test=false"]
    assert grid_points(plan)[0] == ["seed=7", "run.test=false", "view.channels=[1,null]", "model=a"]


@pytest.mark.parametrize(("preset", "n_points"), [("architectures", 5), ("seeds", 5), ("kfold", 5), ("atlas_tune", 27)])
def test_every_preset_makes_points_that_compose(preset: str, n_points: int) -> None:
    with hydra():
        settings = OmegaConf.to_container(compose("train", overrides=[f"sweep={preset}"]).sweep)
    points = grid_points(read_plan([], settings["over"]), settings["paired"])
    assert len(points) == len({tuple(point) for point in points}) == n_points
    config = plain_config(points[-1])
    assert config["split"]["n_folds"] == (5 if preset == "kfold" else None)


def test_a_preset_of_the_agent_of_wandb_is_in_hydras_words(tmp_path: Path) -> None:
    typed = [
        "optimizer.lr=tag(log,interval(1e-5,1e-2))",
        "trainer.batch_size=int(interval(8,64))",
        "model=resnet18,resnet34",
    ]
    content = yaml.safe_load(wandb_sweep(ROOT / "conf/sweep/optuna.yaml", [*typed, "trainer.max_epochs=3"]))
    assert content["method"] == "bayes"
    assert content["metric"] == {"name": "val/source_type_accuracy", "goal": "maximize"}
    assert content["parameters"]["optimizer.lr"] == {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-2}
    assert content["parameters"]["trainer.batch_size"] == {"distribution": "int_uniform", "min": 8, "max": 64}
    # As the agent fills it in: what it puts there must be a command line of train.py.
    chosen = {"optimizer.lr": 0.002, "model": content["parameters"]["model"]["values"][1], "trainer.batch_size": 16}
    words = content["command"][content["command"].index("${program}") + 1 : -1]
    assert content["command"][-1] == "${args_no_hyphens}"
    config = plain_config([*words, *(f"{key}={value}" for key, value in chosen.items())])
    assert (config["model"]["name"], config["optimizer"]["lr"]) == ("resnet34", 0.002)
    assert config["trainer"]["max_epochs"] == 3 and config["run"]["test"] is False and "wandb" in config["logger"]


def test_the_agent_of_wandb_is_not_asked_for_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="paired"):
        wandb_sweep(ROOT / "conf/sweep/paired.yaml", ["seed=1,2"])
    with pytest.raises(ConfigurationError, match="sweep nothing"):
        wandb_sweep(ROOT / "conf/sweep/grid.yaml", [])
    with pytest.raises(ConfigurationError, match="--method grid"):
        wandb_sweep(ROOT / "conf/sweep/grid.yaml", ["optimizer.lr=interval(1,2)"], "grid")
    with pytest.raises(ConfigurationError, match="no preset"):
        wandb_sweep(tmp_path / "seeds.yaml", [])
    command = [sys.executable, "-m", "seisvision.cli", "sweep", "wandb", "conf/sweep/seeds.yaml"]
    done = ready_python.run([*command, "--out", str(tmp_path / "sweep.yaml")], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((tmp_path / "sweep.yaml").read_text())
    assert written["parameters"]["seed"] == {"values": [3407, 3408, 3409, 3410, 3411]} and written["method"] == "grid"
