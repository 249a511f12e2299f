"""Settings that make a training faster: what they refuse, and what they leave as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from seisvision.errors import ConfigurationError
from seisvision.records.identity import run_identity, scientific_part
from seisvision.records.settings import SystemSettings
from seisvision.runs.speed import check_speed, compiled


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
        "trainer": {"precision": "32-true"},
        "system": {"compile": False},
    }
    fast = config | {"system": {"compile": "default", "fused_optimizer": True, "memory_gb": 0.0, "num_threads": 1}}
    other = config | {"trainer": {"precision": "bf16-mixed"}}
    ids = [run_identity(scientific_part(one, "0" * 12)) for one in (config, fast, other)]
    assert ids[0] == ids[1] != ids[2], "mixed precision changes results"
