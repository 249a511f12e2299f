"""Weights that a training begins with: those of another run, or published ones."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from torch import nn

from seisvision.errors import CheckpointError, ConfigurationError
from seisvision.experiments.waveforms.pickers import CHECKPOINT, read_weights
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.outputs.picks.output import PickOutput
from seisvision.records.checkpoint import checkpoint_hash
from seisvision.tasks.pick_network import phasenet_of

log = logging.getLogger(__name__)


def begin_with(task: Any, path: Path, digest: str) -> None:
    """Put the weights of another network into an untrained one of the same shape, and its heads where they fit.

    A head fits an output of the same kind that says the same number of values. What the other network knows of its
    view, such as the level of a stream, is not taken.

    Args:
        task: the untrained :class:`~seisvision.tasks.supervised.SupervisedTask`.
        path: checkpoint of a run, or weights of PhaseNet in SeisBench's layout.
        digest: content of the file when the run was named.

    Raises:
        CheckpointError: the file is another one now, or cannot be used.
        ConfigurationError: its network is another one.
    """
    if checkpoint_hash(path) != digest:
        raise CheckpointError(f"{path} is not what it was when this run was named. Start the run anew.")
    if path.suffix == CHECKPOINT:
        other = TrainedNetwork.open(path).task
        model, outputs, view = other.model, list(other.outputs), other.view
    else:
        network = phasenet_of(read_weights(path))
        model, outputs, view = network.model, [network.output], network.view
    try:
        task.model.load_state_dict(model.state_dict())
    except RuntimeError as error:
        said = " ".join(str(error).split())[:300]
        raise ConfigurationError(
            f"init_from={path} holds another network than {type(task.model).__name__} as it is set here ({said}). "
            "Choose the model and its settings as they were there."
        ) from error
    if task.view.describe() != view.describe():
        log.warning(
            "init_from=%s learnt from other pictures (%s) than those here (%s): what it knows may not hold.",
            path, told(view), told(task.view),
        )  # fmt: skip
    taken = [output.name for output in task.outputs if any(_takes(output, one) for one in outputs)]
    log.info("begins   with the weights of %s; heads of %s", path, ", ".join(taken) or "no output")


def told(view: Any) -> str:
    """Channels of a view and what they mean."""
    return "; ".join(f"{name}: {meaning}" for name, meaning in view.describe().items())


def _takes(output: Any, other: Any) -> bool:
    """Copy the head of another output where it is of the same kind and shape."""
    same = type(output) is type(other) and _shapes(output.head) == _shapes(other.head)
    if same and isinstance(output, PickOutput):
        same = output.curve_names == other.curve_names
    if same:
        output.head.load_state_dict(other.head.state_dict())
    return same


def _shapes(head: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in head.state_dict().items()}
