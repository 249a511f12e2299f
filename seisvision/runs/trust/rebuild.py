"""A trained network again, from a checkpoint that anybody may have written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.runs.build import build_task, build_view, network_input, taken_by_model
from seisvision.runs.trust.contents import built_from, load_weights
from seisvision.runs.trust.stored import check_weights


def rebuild_task(config: Mapping[str, Any], checkpoint: Mapping[str, Any], path: Path) -> Any:
    """The task that a configuration describes, with the weights of a checkpoint.

    Args:
        config: of :func:`~seisvision.runs.trust.stored.checked_config`.
        checkpoint: of :func:`~seisvision.runs.checkpoint.load_checkpoint`.
        path: of its file, for messages.

    Raises:
        CheckpointError: the weights are those of another network, or nothing can be built from the configuration.
        ConfigurationError: a setting is not allowed.
    """
    with built_from(path):
        view = build_view(config)
        check_weights(config, taken_by_model(config["model"], network_input(config, view)), checkpoint, path)
        task = build_task(config, view)
        load_weights(task, checkpoint, path)
    return task
