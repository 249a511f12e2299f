"""Monte Carlo dropout: the dropout of the training stays on, and each pass drops something else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from seisvision.errors import ConfigurationError
from seisvision.tasks.passes.draws import uniform
from seisvision.tasks.passes.pooling import Raw


@dataclass
class DropoutPasses:
    """Passes with dropout on (Gal & Ghahramani 2016), everything else as in evaluation: batch norms above all.

    What a sample has dropped follows from its id, the layer, the pass and the seed, so that it is answered alike in any
    batch and on any device.

    Args:
        n_passes: M.
        seed: base seed of what is dropped.
    """

    n_passes: int
    seed: int

    def raws(self, task: Any, picture: torch.Tensor, keys: torch.Tensor) -> Iterator[Raw]:
        """Raw outputs (B, R) by name of each pass over pictures (B, P, ...)."""
        with ExitStack() as hooks:
            layers = [_Dropping(layer, number, keys) for number, layer in enumerate(dropout_layers(task))]
            for one in layers:
                hooks.callback(one.layer.register_forward_hook(one).remove)
            for pass_number in range(self.n_passes):
                for one in layers:
                    one.pass_number = pass_number
                yield task.look(picture)


@dataclass
class _Dropping:
    """Drops what a layer passes on unchanged in evaluation."""

    layer: nn.Module
    number: int
    keys: torch.Tensor
    pass_number: int = 0

    def __call__(self, layer: Any, given: Any, passed_on: torch.Tensor) -> torch.Tensor:
        # Layers for maps drop whole channels of (B, C, ...), the plain one every value by itself.
        is_whole = not isinstance(layer, nn.Dropout)
        shape = passed_on.shape[1:2] if is_whole else passed_on.shape[1:]
        kept = uniform(self.keys, self.number, self.pass_number, shape) >= layer.p
        if is_whole:
            kept = kept.reshape(*kept.shape, *[1] * (passed_on.ndim - 2))
        return passed_on * (kept / (1 - layer.p)).to(passed_on.dtype)


def dropout_layers(task: nn.Module) -> list[_DropoutNd]:
    """Layers that drop something, in their order.

    Raises:
        ConfigurationError: one is of a kind that shifts what it keeps, and cannot be drawn by sample.
    """
    layers = [layer for layer in task.modules() if isinstance(layer, _DropoutNd) and 0 < layer.p < 1]
    known = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
    strange = next((layer for layer in layers if not isinstance(layer, known)), None)
    if strange is not None:
        raise ConfigurationError(
            f"uncertainty=mc_dropout does not know {type(strange).__name__}; it draws Dropout, Dropout1d, Dropout2d "
            "and Dropout3d. Choose another method, such as uncertainty=ensemble."
        )
    return layers


def check_has_dropout(task: nn.Module) -> None:
    """Refuse networks in which nothing is dropped: all passes would say the same, and nothing would seem unknown.

    Raises:
        ConfigurationError: says where dropout can be had.
    """
    if not dropout_layers(task):
        raise ConfigurationError(
            "uncertainty=mc_dropout needs dropout, and this network has no layer that drops anything: all passes would "
            "agree. Train one with it (model=tcn, model=gu_cnn, or model.dropout=0.1 where the model has that "
            "setting), or choose uncertainty=ensemble or laplace."
        )
