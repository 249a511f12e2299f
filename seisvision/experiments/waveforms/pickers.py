"""A network that picks, from wherever it is stored: a run, its checkpoint, or published weights."""

from __future__ import annotations

from pathlib import Path

import torch

from seisvision.errors import CheckpointError
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.records.checkpoint import find_checkpoint
from seisvision.records.trust.contents import check_archive
from seisvision.tasks.pick_network import PickNetwork, phasenet_of

CHECKPOINT = ".ckpt"


def open_picker(path: Path, order: str = "NPS", components: str = "ENZ") -> PickNetwork:
    """A network that picks.

    Args:
        path: folder of a run (its best epoch), a checkpoint (``.ckpt``), or weights of PhaseNet in SeisBench's layout.
        order: of the curves of such weights.
        components: order of their input.

    Raises:
        CheckpointError: there is none, or it cannot be used.
        ConfigurationError: the network tells no arrivals.
    """
    path = find_checkpoint(path)
    if path.suffix == CHECKPOINT:
        return PickNetwork.of_task(TrainedNetwork.open(path).task)
    return phasenet_of(read_weights(path), order, components)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Weights by name, from a file of which nothing is executed.

    Raises:
        CheckpointError: it cannot be read, or holds anything else.
    """
    check_archive(path)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read as weights ({type(error).__name__}); give a state dict as torch.save writes it."
        ) from error
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise CheckpointError(f"{path} holds something else than weights by name; give a state dict.")
    return dict(found)
