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
from seisvision.tasks.fine_tuning import BACKBONE, HEADS, PREFIX, FineTuning, blocks_of, free
from seisvision.tasks.pick_network import phasenet_of
from seisvision.tasks.supervised import SupervisedTask

log = logging.getLogger(__name__)


def begin_with(task: Any, path: Path, digest: str, tuning: FineTuning) -> None:
    """Put the weights of another network into an untrained one, and its heads where they fit.

    A head fits an output of the same kind that says the same number of values. What the other network knows of its
    view, such as the level of a stream, is not taken. Networks that found clusters or reconstruct what they see give
    their backbone.

    Args:
        task: the untrained :class:`~seisvision.tasks.supervised.SupervisedTask`.
        path: checkpoint of a run, or weights of PhaseNet in SeisBench's layout.
        digest: content of the file when the run was named.
        tuning: which parts are taken, and what becomes of the others.

    Raises:
        CheckpointError: the file is another one now, or cannot be used.
        ConfigurationError: its network is another one; which parts fit is told.
    """
    if checkpoint_hash(path) != digest:
        raise CheckpointError(f"{path} is not what it was when this run was named. Start the run anew.")
    if path.suffix == CHECKPOINT:
        other = TrainedNetwork.open(path).task
        model, outputs, view = other.model, list(other.outputs), other.view
    else:
        network = phasenet_of(read_weights(path))
        model, outputs, view = network.model, [network.output], network.view
    anew = _take_backbone(task, model, path, tuning)
    if task.view.describe() != view.describe():
        log.warning(
            "init_from=%s learnt from other pictures (%s) than those here (%s): what it knows may not hold.",
            path, told(view), told(task.view),
        )  # fmt: skip
    takes_heads = tuning.parts != BACKBONE
    taken = [one.name for one in task.outputs if takes_heads and any(_takes(one, other) for other in outputs)]
    heads = ", ".join(taken) or "no output"
    log.info("begins   with the weights of %s; heads of %s%s", path, heads, f"; anew: {anew}" if anew else "")


def go_on_with(task: Any, tuning: FineTuning) -> None:
    """Tell an untrained task what of it learns, how fast and from when on.

    Raises:
        ConfigurationError: it has no outputs, a pattern fits nothing, or nothing is left to learn.
    """
    if not isinstance(task, SupervisedTask):
        raise ConfigurationError(
            f"fine_tune is for tasks with outputs, and {type(task).__name__} has none. Leave its settings out; "
            "init_from by itself goes with it."
        )
    tuning.check(task)
    task.fine_tuning = tuning
    # Several processes agree on what learns before the first epoch.
    free(task, tuning.learning(task, 0))


def _take_backbone(task: Any, model: nn.Module, path: Path, tuning: FineTuning) -> str:
    """Copy the weights of a backbone; returns the blocks that begin anew because the other network has no such.

    Raises:
        ConfigurationError: it is another network, and parts that do not fit were to be refused, or none fits.
    """
    theirs, mine = model.state_dict(), task.model.state_dict()
    fitting = {name for name, value in mine.items() if name in theirs and theirs[name].shape == value.shape}
    if fitting == theirs.keys() == mine.keys():
        task.model.load_state_dict(theirs)
        return ""
    blocks = {name: names for name, names in blocks_of(task).items() if name != HEADS}
    whole = [name for name, names in blocks.items() if {one.removeprefix(PREFIX) for one in names} <= fitting]
    others = [name for name in blocks if name not in whole]
    said = f"of its {len(blocks)} blocks {_listed(whole)} fit and {_listed(others)} do not"
    if tuning.others == "refuse" or not whole:
        cure = " fine_tune.others=anew takes those that fit." if whole else ""
        raise ConfigurationError(
            f"init_from={path} holds another network than {type(task.model).__name__} as it is set here: {said}. "
            f"Choose the model and its settings as they were there.{cure}"
        )
    # Statistics of norms are no parameters; they go with the module that they belong to.
    task.model.load_state_dict(mine | {name: theirs[name] for name in fitting if _is_of(name, blocks, whole)})
    log.warning("init_from=%s: %s; these begin at random.", path, said)
    return ", ".join(others)


def _is_of(name: str, blocks: dict[str, list[str]], chosen: list[str]) -> bool:
    """Whether an entry of a state lies in a module of which one of the chosen blocks has parameters."""
    module = f"{PREFIX}{name}".rpartition(".")[0]
    return any(one.rpartition(".")[0] == module for block in chosen for one in blocks[block])


def _listed(names: list[str]) -> str:
    """Names of blocks without what all begin with, the first six."""
    shown = [name.removeprefix(PREFIX) for name in names[:6]]
    return ", ".join([*shown, *(["..."] if len(names) > 6 else [])]) or "none"


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
