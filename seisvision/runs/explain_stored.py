"""Explain a run that is finished, from its checkpoint and its own data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.errors import ConfigurationError, DataError
from seisvision.files import check_writable, remove_abandoned
from seisvision.runs.build import build_data, build_task, build_view
from seisvision.runs.checkpoint import load_checkpoint
from seisvision.runs.configuration import with_own_weights
from seisvision.runs.explaining import check_explain, explain_run
from seisvision.runs.folder import RunFolder
from seisvision.tasks.supervised import SupervisedTask


def explain_stored(folder: RunFolder, settings: Mapping[str, Any], part: str, data_dir: Path | None = None) -> None:
    """Write ``explain/`` and ``figures/*_gradcam.png`` of a stored run, see :func:`explain_run`.

    Args:
        folder: of the run.
        settings: ``method``, ``samples`` and ``layer``.
        part: whose samples.
        data_dir: where the waveform set lies; ``None``: as when it was trained.

    Raises:
        CheckpointError: there is no checkpoint.
        ConfigurationError: the settings do not fit the network, which may have found clusters.
        DataError: the set is not the one the run was trained on.
    """
    check_writable(folder.path, "the run folder")
    remove_abandoned(folder.path)
    checkpoint = load_checkpoint(folder.best_checkpoint)
    config = with_own_weights(folder.config())
    if data_dir is not None:
        config["system"]["data_dir"] = str(data_dir)
    view = build_view(config)
    task = build_task(config, view)
    if not isinstance(task, SupervisedTask):
        raise ConfigurationError(f"{folder.path} found clusters; an explanation asks what an output looked at.")
    task.load_state_dict(checkpoint["state_dict"])
    check_explain(settings, task)
    data = build_data(config, view)
    known = checkpoint["seisvision"]
    if (data.waveform_set.fingerprint, data.split.hash) != (known["data_fingerprint"], known["split_hash"]):
        raise DataError(
            f"{data.waveform_set.path} is not what this run was trained on: its fingerprint is "
            f"{data.waveform_set.fingerprint} and its split {data.split.hash}, not {known['data_fingerprint']} and "
            f"{known['split_hash']}. Restore the set, or name its folder with --data-dir."
        )
    explain_run(folder, config, data, task, settings, part)
