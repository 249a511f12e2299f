"""How a network is asked what it does not know: the group ``uncertainty`` of the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.outputs.numbers.output import EVIDENTIAL
from seisvision.plain_types import shortened
from seisvision.seeding import DEFAULT_SEED
from seisvision.tasks.passes.dropout import DropoutPasses, check_has_dropout
from seisvision.tasks.passes.laplace import LaplacePasses, check_heads, fit_posteriors
from seisvision.tasks.passes.pooling import Passes, check_poolable
from seisvision.tasks.supervised import SupervisedTask, moved

MC_DROPOUT, LAPLACE, ENSEMBLE, EVIDENTIAL_METHOD = "mc_dropout", "laplace", "ensemble", EVIDENTIAL
METHODS = (MC_DROPOUT, LAPLACE, ENSEMBLE, EVIDENTIAL_METHOD)
MOST_PASSES = 10_000


@dataclass(frozen=True)
class UncertaintySettings:
    """The group ``uncertainty``, checked.

    Raises:
        ConfigurationError: an unknown method, or numbers that are not allowed.
    """

    method: str
    passes: int = 50
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigurationError(f"uncertainty.method='{self.method}'. {did_you_mean(self.method, list(METHODS))}")
        for name, value, low in (("passes", self.passes, 1), ("seed", self.seed, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise ConfigurationError(f"uncertainty.{name}={value} must be a whole number of at least {low}.")
        if self.needs_passes and not 2 <= self.passes <= MOST_PASSES:
            raise ConfigurationError(
                f"uncertainty.passes={self.passes} of {self.method} must be from 2 to {MOST_PASSES}: one pass cannot "
                "disagree with itself."
            )

    @property
    def needs_passes(self) -> bool:
        """Whether one network is asked several times."""
        return self.method in (MC_DROPOUT, LAPLACE)

    @classmethod
    def of(cls, said: Any) -> UncertaintySettings | None:
        """From the configuration; None where nothing is asked.

        Raises:
            ConfigurationError: it is no mapping, or holds settings that there are not.
        """
        if said is None:
            return None
        if not isinstance(said, Mapping):
            raise ConfigurationError(
                f"uncertainty={shortened(said)} is not allowed; choose none, {', '.join(METHODS)}."
            )
        known = cls.__dataclass_fields__
        unknown = next((str(name) for name in said if name not in known), None)
        if unknown is not None or "method" not in said:
            raise ConfigurationError(
                f"uncertainty.{unknown or 'method'}: the group has the settings {', '.join(known)}, method first."
            )
        return cls(**said)


def check_uncertainty(said: Any, task: SupervisedTask, n_networks: int = 1, is_training: bool = False) -> None:
    """Refuse a method that cannot be had of these networks, before anything is trained or asked.

    Args:
        said: the group ``uncertainty``.
        task: the network, or one of them.
        n_networks: how many there are.
        is_training: whether they are still to be trained.

    Raises:
        ConfigurationError: says what is missing.
    """
    settings = UncertaintySettings.of(said)
    if settings is None:
        return
    if settings.method == ENSEMBLE and is_training:
        raise ConfigurationError(
            "uncertainty=ensemble belongs to evaluate.py: its members are runs of their own. Train them by "
            "train.py -m sweep=seeds, then evaluate.py ckpt=[...] uncertainty=ensemble."
        )
    if settings.method == ENSEMBLE and n_networks < 2:
        raise ConfigurationError(
            "uncertainty=ensemble needs several networks. Give ckpt a sweep folder, a pattern, or a list [a,b]."
        )
    if settings.method != ENSEMBLE and n_networks > 1:
        raise ConfigurationError(
            f"uncertainty={settings.method} asks one network; {n_networks} were given. Choose uncertainty=ensemble, or "
            "one checkpoint."
        )
    if settings.method == EVIDENTIAL_METHOD:
        if not any(getattr(output, "loss_name", "") == EVIDENTIAL for output in task.outputs):
            raise ConfigurationError(
                "uncertainty=evidential has to be learnt, and no output of this network was. Train it by "
                "train.py uncertainty=evidential, or choose mc_dropout, laplace or ensemble."
            )
        return
    check_poolable(task.outputs, settings.method)
    if settings.method == MC_DROPOUT:
        check_has_dropout(task)
    else:
        check_heads(task.outputs)


def passes_of(said: Any, task: SupervisedTask, training: Callable[[], Iterable[Mapping[str, Any]]]) -> Passes | None:
    """How a network is to be asked, fitted where that needs its training samples.

    Args:
        said: the group ``uncertainty``.
        task: the trained network.
        training: gives batches of its training part; called only by methods that need them.

    Returns:
        None: once.

    Raises:
        ConfigurationError: the method does not go with the network.
    """
    settings = UncertaintySettings.of(said)
    if settings is None or not settings.needs_passes:
        return None
    if settings.method == MC_DROPOUT:
        return DropoutPasses(settings.passes, settings.seed)
    was_training, device = task.training, next(task.parameters()).device
    task.eval()
    with torch.no_grad():
        posteriors = fit_posteriors(task, (moved(dict(batch), device) for batch in training()))
    task.train(was_training)
    return LaplacePasses(settings.passes, settings.seed, posteriors)
