"""Networks for SeisBench: weights and a description that its PhaseNet opens."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import torch

from seisvision.experiments.waveforms.pickers import open_picker
from seisvision.files import whole_file, write_text
from seisvision.models.waveforms.unet1d import SEISBENCH_SAMPLES
from seisvision.tasks.pick_network import SEISBENCH_ORDER, seisbench_weights

log = logging.getLogger(__name__)

VERSION = "1"
REQUIREMENT = "0.3.0"
"""Least version of SeisBench that reads this description."""


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
