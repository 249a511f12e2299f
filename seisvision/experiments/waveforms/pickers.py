"""Networks that pick, from wherever they are stored: runs, published weights, those of SeisBench; and back to it."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import torch

from seisvision.errors import CheckpointError
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.files import whole_file, write_text
from seisvision.models.waveforms.unet1d import SEISBENCH_SAMPLES
from seisvision.plain_files import read_text
from seisvision.records.checkpoint import find_checkpoint
from seisvision.records.trust.contents import check_archive
from seisvision.tasks.pick_network import SEISBENCH_ORDER, PickNetwork, phasenet_of, seisbench_weights

log = logging.getLogger(__name__)

CHECKPOINT = ".ckpt"
VERSION = "1"
REQUIREMENT = "0.3.0"
"""Least version of SeisBench that reads this description."""


def open_picker(path: Path, order: str = "NPS", components: str = "ENZ") -> PickNetwork:
    """A network that picks.

    Weights of SeisBench's PhaseNet (``NAME.pt.v1``) come with a description (``NAME.json.v1``) beside them, which tells
    order, components, rate and normalisation; they are asked with 3001 samples, as SeisBench does. Weights without one
    are taken for those that were published, and asked with 3000.

    Args:
        path: folder of a run (its best epoch), a checkpoint (``.ckpt``), or weights of PhaseNet in SeisBench's layout.
        order: of the curves of weights without description.
        components: order of their input.

    Raises:
        CheckpointError: there is none, or it cannot be used.
        ConfigurationError: the network tells no arrivals.
    """
    path = find_checkpoint(path)
    if path.suffix == CHECKPOINT:
        return PickNetwork.of_task(TrainedNetwork.open(path).task)
    description = description_of(path)
    if description is None:
        return phasenet_of(read_weights(path), order, components)
    said = _arguments(description)
    return phasenet_of(
        read_weights(path),
        str(said.get("phases", order)),
        str(said.get("component_order", components)),
        SEISBENCH_SAMPLES,
        float(said.get("sampling_rate") or 100.0),
        str(said.get("norm", "std")),
    )


def description_of(path: Path) -> Path | None:
    """What SeisBench writes beside weights: ``NAME.json.v1`` for ``NAME.pt.v1``; None where there is none."""
    beside = path.with_name(re.sub(r"\.pt(\.v[^.]*)?$", r".json\1", path.name))
    return beside if beside != path and beside.is_file() else None


def _arguments(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(read_text(path))["model_args"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is no description of SeisBench's ({error}); give weights and description."
        ) from error
    if not isinstance(said, dict) or int(said.get("filter_factor", 1)) != 1 or said.get("norm_detrend"):
        raise CheckpointError(f"{path} describes a PhaseNet of another width or with detrending, which is not read.")
    return said


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


def export_to_seisbench(path: Path, out: Path) -> tuple[Path, Path]:
    """Write ``OUT.pt.v1`` and ``OUT.json.v1``, for ``seisbench.models.PhaseNet.load(OUT, version_str="1")``.

    Args:
        path: run folder, checkpoint or weights, see :func:`~seisvision.experiments.waveforms.pickers.open_picker`.
        out: beginning of the paths.

    Raises:
        CheckpointError: it cannot be read.
        ConfigurationError: it is no network that SeisBench knows.
    """
    network = open_picker(path)
    weights = seisbench_weights(network)
    if network.n_samples != SEISBENCH_SAMPLES:
        log.warning(
            "These weights learnt from windows of %d samples, and SeisBench asks its PhaseNet with %d, where zeros "
            "stand elsewhere: picks may come up to 30 ms late. Train with view.n_samples=%d and a window as long.",
            network.n_samples, SEISBENCH_SAMPLES, SEISBENCH_SAMPLES,
        )  # fmt: skip
    description = {
        "weights_docstring": f"{path.name}, exported from seisvision.",
        "weights_version": VERSION,
        "model_args": {
            "component_order": network.components,
            "in_channels": len(network.components),
            "classes": len(SEISBENCH_ORDER),
            "phases": SEISBENCH_ORDER,
            "sampling_rate": network.sampling_rate_hz,
            "norm": network.view.normalise,
            "norm_amp_per_comp": False,
            "norm_detrend": False,
        },
        "seisbench_requirement": REQUIREMENT,
        "default_args": {f"{phase}_threshold": network.output.threshold for phase in network.phases},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    written = out.with_name(f"{out.name}.pt.v{VERSION}"), out.with_name(f"{out.name}.json.v{VERSION}")
    with whole_file(written[0]) as partial:
        torch.save(weights, partial)
    write_text(written[1], json.dumps(description, indent=2) + "\n")
    return written
