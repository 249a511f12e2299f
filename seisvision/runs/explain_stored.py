"""Explain a run that is finished, from its checkpoint and its own data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.errors import ConfigurationError, DataError
from seisvision.files import check_writable
from seisvision.leftovers import clear_below
from seisvision.runs.build import build_data
from seisvision.runs.checkpoint import load_checkpoint
from seisvision.runs.explaining import check_explain, explain_run
from seisvision.runs.folder import RunFolder
from seisvision.runs.trust.contents import check_content
from seisvision.runs.trust.machine import machine_settings
from seisvision.runs.trust.rebuild import rebuild_task
from seisvision.runs.trust.stored import checked_config
from seisvision.tasks.supervised import SupervisedTask


def explain_stored(folder: RunFolder, settings: Mapping[str, Any], part: str, data_dir: Path | None = None) -> None:
    """Write ``explain/`` and ``figures/*_gradcam.png`` of a stored run, see :func:`explain_run`.

    Args:
        folder: of the run.
        settings: ``method``, ``samples`` and ``layer``.
        part: whose samples.
        data_dir: where the waveform set lies; ``None``: as when it was trained, if sets lie there.

    Raises:
        CheckpointError: there is no checkpoint.
        ConfigurationError: the settings do not fit the network, which may have found clusters.
        DataError: the set is not the one the run was trained on.
    """
    check_writable(folder.path, "the run folder")
    clear_below(folder.path)
    checkpoint = load_checkpoint(folder.best_checkpoint)
    check_content(checkpoint, folder.best_checkpoint)
    config = checked_config(folder.config(), folder.path)
    config["system"] = machine_settings(config, data_dir, folder.path)
    task = rebuild_task(config, checkpoint, folder.best_checkpoint)
    if not isinstance(task, SupervisedTask):
        raise ConfigurationError(f"{folder.path} found clusters; an explanation asks what an output looked at.")
    check_explain(settings, task)
    data = build_data(config, task.view)
    known = checkpoint["seisvision"]
    if (data.waveform_set.fingerprint, data.split.hash) != (known["data_fingerprint"], known["split_hash"]):
        raise DataError(
            f"{data.waveform_set.path} is not what this run was trained on: its fingerprint is "
            f"{data.waveform_set.fingerprint} and its split {data.split.hash}, not {known['data_fingerprint']} and "
            f"{known['split_hash']}. Restore the set, or name its folder with --data-dir."
        )
    explain_run(folder, config, data, task, settings, part)
