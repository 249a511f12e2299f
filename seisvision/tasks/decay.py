"""Weight decay layer by layer, as papers state it."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from seisvision.errors import ConfigurationError


def decay_groups(module: nn.Module, decay: Mapping[str, float]) -> list[dict[str, Any]]:
    """Parameters in groups of one weight decay, for any optimiser of torch; first those that keep the optimiser's own.

    Args:
        module: whose parameters.
        decay: weight decay by pattern of names (``*`` and ``?`` stand for anything); of several the last counts.

    Raises:
        ConfigurationError: a pattern fits no parameter, or a decay is negative.
    """
    names = [name for name, _ in module.named_parameters()]
    for pattern, value in decay.items():
        if not value >= 0:
            raise ConfigurationError(f"task.decay gives '{pattern}' the weight decay {value}; give 0 or more.")
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ConfigurationError(
                f"task.decay names '{pattern}', which fits no parameter. They are called {', '.join(names[:3])}, ..., "
                f"{names[-1]}."
            )
    groups: dict[float | None, list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        fitting = [value for pattern, value in decay.items() if fnmatchcase(name, pattern)]
        groups.setdefault(float(fitting[-1]) if fitting else None, []).append(parameter)
    return [
        {"params": groups[value]} | ({} if value is None else {"weight_decay": value})
        for value in sorted(groups, key=lambda value: -1.0 if value is None else value)
    ]
