"""Settings that make a training faster: what they refuse, and what they leave as it was."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from seisvision.errors import ConfigurationError
from seisvision.records.folder import RunFolder
from seisvision.records.identity import run_identity, scientific_part
from seisvision.records.settings import SystemSettings, TrainerSettings
from seisvision.runs.speed import check_speed, compiled
from seisvision.runs.trainers import build_trainer
from seisvision.tasks.noted_hooks import NotedHooks


@pytest.mark.parametrize(("setting", "value"), [("compile", "fast"), ("fused_optimizer", "yes")])
def test_what_is_not_known_is_refused_by_name(setting: str, value: str) -> None:
    said: dict[str, Any] = {setting: value}
    with pytest.raises(ConfigurationError, match=f"system.{setting}={value} is not allowed"):
        check_speed(SystemSettings(Path("data"), **said))
    check_speed(SystemSettings(Path("data"), compile="reduce-overhead", fused_optimizer=False))


def test_a_network_is_compiled_while_it_trains_and_its_weights_keep_their_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Maps(nn.Linear):
        def maps(self, picture: torch.Tensor) -> torch.Tensor:
            return self(picture) * 2

    def no_code(function: Any, mode: str | None = None, **settings: Any) -> Any:
        return lambda *given: function(*given) + 1

    monkeypatch.setattr(torch, "compile", no_code)
    task, picture = nn.Module(), torch.ones(1, 2)
    task.model = Maps(2, 2)
    names, before, maps = list(task.state_dict()), task.model(picture), task.model.maps(picture)
    with compiled(task, "default"):
        assert torch.equal(task.model(picture), before + 1) and list(task.state_dict()) == names
        assert not torch.equal(task.model.maps(picture), maps)
    assert torch.equal(task.model(picture), before) and torch.equal(task.model.maps(picture), maps)
    with compiled(task, False):
        assert torch.equal(task.model(picture), before)


def test_what_changes_speed_alone_renames_no_run() -> None:
    config = {
        "dataset": {},
        "run": {"test": True},
        "model": {"name": "resnet18"},
        "optimizer": {"lr": 1e-3},
        "trainer": {"precision": "32-true", "profiler": None, "detect_anomaly": False, "devices": 1},
        "system": {field.name: field.default for field in fields(SystemSettings)},
    }

    def run_id(**changed: Any) -> str:
        return run_identity(scientific_part(config | changed, "0" * 12))

    for name in config["system"]:
        assert run_id(system=config["system"] | {name: "another"}) == run_id(), f"system.{name}"
    for name, value in {"profiler": "simple", "detect_anomaly": True, "devices": 4}.items():
        assert run_id(trainer=config["trainer"] | {name: value}) == run_id(), f"trainer.{name}"
    for name in ("fused", "foreach"):
        assert run_id(optimizer=config["optimizer"] | {name: True}) == run_id(), f"optimizer.{name}"
    assert run_id(trainer=config["trainer"] | {"precision": "bf16-mixed"}) != run_id(), "it changes results"
    assert run_id(optimizer={"lr": 1e-2}) != run_id()


def test_hooks_cost_next_to_nothing_unless_they_are_timed(tmp_path: Path) -> None:
    training = TrainerSettings(batch_size=1, accelerator="cpu")
    quick, timed = (
        build_trainer(
            replace(training, further={"profiler": asked}), SystemSettings(tmp_path), RunFolder(tmp_path), [], []
        )
        for asked in (None, "simple")
    )
    assert quick.profiler.profile("one") is quick.profiler.profile("other")
    assert "Simple" in type(timed.profiler).__name__
    task = NotedHooks()
    task._current_fx_name, task.layer = "training_step", nn.Linear(1, 1)
    assert task._current_fx_name == "training_step" and len(list(task.parameters())) == 2
