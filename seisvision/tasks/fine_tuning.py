"""How a network that begins with the weights of another goes on: what stays, what moves slowly, what is freed when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from seisvision.errors import ConfigurationError, did_you_mean

PARTS = ["whole", "backbone"]
OTHERS = ["refuse", "anew"]
HEADS = "heads"
BACKBONE = "backbone"
"""Word of ``frozen`` for all of the backbone; what then learns is a linear probe."""
PREFIX = "model."
"""Where the backbone is in the names of a task's parameters."""


@dataclass(frozen=True)
class FineTuning:
    """The settings ``fine_tune``.

    A network is a row of blocks: children of the backbone as they are defined, stages opened into theirs, a
    normalisation with the layer before it; the heads are the last.

    Args:
        parts: ``whole`` takes heads that fit, ``backbone`` begins with new ones.
        others: what becomes of parts of the backbone that do not fit: ``refuse`` the start, or begin ``anew``.
        frozen: ``backbone``, or patterns of parameter names (``*`` stands for anything), as ``model.stages.0.*``.
            Batch norms and dropout of what is frozen do as in evaluation.
        layer_decay: the rate of a block is this power of its distance from the heads times ``optimizer.lr``
            (discriminative rates, Howard and Ruder 2018, arXiv:1801.06146); 1 gives all the same.
        unfreeze_every: epochs after each of which one more block learns, from the last to the first (gradual
            unfreezing, the same paper); None: all from the beginning.

    Raises:
        ConfigurationError: a setting is not allowed.
    """

    parts: str = "whole"
    others: str = "refuse"
    frozen: str | Sequence[str] | None = None
    layer_decay: float = 1.0
    unfreeze_every: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is not allowed."""
        for name, allowed in (("parts", PARTS), ("others", OTHERS)):
            value = getattr(self, name)
            if value not in allowed:
                raise ConfigurationError(
                    f"fine_tune.{name}={value} is not allowed. {did_you_mean(str(value), allowed)}"
                )
        decay, every, frozen = self.layer_decay, self.unfreeze_every, self.frozen
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not 0 < decay <= 1:
            raise ConfigurationError(f"fine_tune.layer_decay={decay} is not allowed; give a number above 0, at most 1.")
        if every is not None and (isinstance(every, bool) or not isinstance(every, int) or every < 1):
            raise ConfigurationError(f"fine_tune.unfreeze_every={every} is not allowed; give whole epochs, or null.")
        is_list = isinstance(frozen, list | tuple) and all(isinstance(one, str) for one in frozen)
        if not (frozen is None or frozen == BACKBONE or is_list):
            raise ConfigurationError(
                f"fine_tune.frozen={frozen} is not allowed; give backbone, or a list of patterns of parameter names "
                "such as [model.stages.0.*]."
            )

    @property
    def patterns(self) -> list[str]:
        """Names of parameters that never learn."""
        return [f"{PREFIX}*"] if self.frozen == BACKBONE else list(self.frozen or ())

    @property
    def changes_training(self) -> bool:
        """Whether a training is another one than without these settings."""
        return bool(self.patterns) or self.layer_decay != 1 or self.unfreeze_every is not None

    def check(self, task: nn.Module) -> None:
        """Refuse patterns that fit nothing, and a network of which nothing is left to learn.

        Raises:
            ConfigurationError: names the pattern and the parameters that there are.
        """
        names = [name for name, _ in task.named_parameters()]
        for pattern in self.patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise ConfigurationError(
                    f"fine_tune.frozen names '{pattern}', which fits no parameter. They are called "
                    f"{', '.join(names[:3])}, ..., {names[-1]}."
                )
        if all(_fits(name, self.patterns) for name in names):
            raise ConfigurationError(f"fine_tune.frozen={self.frozen} leaves nothing to learn. Leave something out.")
        if not self.learning(task, 0):
            last = next(reversed(blocks_of(task)))
            raise ConfigurationError(
                f"fine_tune.frozen={self.frozen} leaves nothing to learn in the first epochs, when "
                f"fine_tune.unfreeze_every={self.unfreeze_every} frees {last} alone. Do not freeze {last}, or leave "
                "unfreeze_every out."
            )

    def learning(self, task: nn.Module, epoch: int) -> set[str]:
        """Names of the parameters that learn in an epoch; nothing of the past counts, so that runs resume exactly."""
        blocks = blocks_of(task)
        n_free = len(blocks) if self.unfreeze_every is None else 1 + epoch // self.unfreeze_every
        free = [name for block in list(blocks.values())[-n_free:] for name in block]
        return {name for name in free if not _fits(name, self.patterns)}

    def rates(self, task: nn.Module) -> dict[str, float]:
        """By name of a parameter what its rate is multiplied with."""
        blocks = list(blocks_of(task).values())
        return {name: self.layer_decay ** (len(blocks) - 1 - i) for i, block in enumerate(blocks) for name in block}


def blocks_of(task: nn.Module) -> dict[str, list[str]]:
    """The blocks of a task from the picture to the heads: name of each and the names of its parameters.

    What belongs to no block, such as embeddings of positions, is with the first one.
    """
    backbone: Any = task.model
    blocks: dict[str, list[str]] = {}
    for name, module in _opened(backbone, PREFIX):
        names = [f"{name}.{inner}" for inner, _ in module.named_parameters()]
        is_norm = "norm" in type(module).__name__.lower()
        blocks.setdefault(next(reversed(blocks)) if is_norm and blocks else name, []).extend(names)
    known = {name for names in blocks.values() for name in names}
    left = [f"{PREFIX}{name}" for name, _ in backbone.named_parameters() if f"{PREFIX}{name}" not in known]
    if left:
        blocks.setdefault(next(iter(blocks), PREFIX.rstrip(".")), []).extend(left)
    heads = [name for name, _ in task.named_parameters() if not name.startswith(PREFIX)]
    return blocks | ({HEADS: heads} if heads else {})


def _opened(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    """Children with parameters; rows of modules, and a network that is the only child, are opened into theirs."""
    children = [(name, child) for name, child in module.named_children() if any(True for _ in child.parameters())]
    for name, child in children:
        is_row = isinstance(child, nn.Sequential | nn.ModuleList)
        is_all = len(children) == 1 and not any(True for _ in module.parameters(recurse=False))
        if is_row or (is_all and any(True for _ in child.children())):
            yield from _opened(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def free(task: nn.Module, learning: set[str]) -> None:
    """Let these parameters learn and no others; modules of which nothing learns do as in evaluation."""
    for name, parameter in task.named_parameters():
        parameter.requires_grad_(name in learning)
    task.train()
    for module in task.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


def rated_groups(
    groups: Sequence[Mapping[str, Any]], task: nn.Module, rates: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Groups of parameters divided further by what their rate is multiplied with, which is noted as ``rate``.

    Args:
        groups: as an optimiser of torch takes them.
        task: has the parameters.
        rates: by name of a parameter.
    """
    rate_of = {id(parameter): rates[name] for name, parameter in task.named_parameters()}
    found = []
    for group in groups:
        by_rate: dict[float, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            by_rate.setdefault(rate_of[id(parameter)], []).append(parameter)
        found += [{**group, "params": by_rate[rate], "rate": rate} for rate in sorted(by_rate)]
    return found


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
