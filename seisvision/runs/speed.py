"""Settings of ``system`` that make a training faster and change nothing of what it finds out but the rounding."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from seisvision.errors import ConfigurationError
from seisvision.records.settings import SystemSettings

COMPILE_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


def check_speed(system: SystemSettings) -> None:
    """Refuse what :func:`compiled` and the optimisers do not know.

    Raises:
        ConfigurationError: names the setting, its value and what is allowed.
    """
    if not isinstance(system.compile, bool) and system.compile not in COMPILE_MODES:
        raise ConfigurationError(
            f"system.compile={system.compile} is not allowed; give true, false or one of {', '.join(COMPILE_MODES)}."
        )
    if not isinstance(system.fused_optimizer, bool) and system.fused_optimizer != "auto":
        raise ConfigurationError(
            f"system.fused_optimizer={system.fused_optimizer} is not allowed; give true, false or auto."
        )


@contextlib.contextmanager
def compiled(task: Any, asked: bool | str) -> Iterator[None]:
    """Have torch compile the backbone of a task for as long as this lasts; names of weights stay what they are.

    Args:
        task: a LightningModule whose ``model`` is the backbone.
        asked: whether, or ``mode`` of :func:`torch.compile`.
    """
    model = getattr(task, "model", None)
    if not asked or not isinstance(model, torch.nn.Module):
        yield
        return
    mode = None if asked in (True, "default") else str(asked)
    model.compile(mode=mode)
    maps: Any = getattr(model, "maps", None)
    if maps is not None:
        # Outputs along the window do not call the backbone itself.
        model.__dict__["maps"] = torch.compile(maps, mode=mode)
    try:
        yield
    finally:
        model._compiled_call_impl = None
        model.__dict__.pop("maps", None)
