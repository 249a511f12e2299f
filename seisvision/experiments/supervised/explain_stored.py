"""Explain a run that is finished, from its checkpoint and its own data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.errors import DataError
from seisvision.experiments.supervised.explaining import check_explain, explain_run
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.files import check_writable
from seisvision.leftovers import clear_below
from seisvision.records.folder import RunFolder
from seisvision.records.trust.machine import machine_settings
from seisvision.records.trust.stored import checked_config


def explain_stored(folder: RunFolder, settings: Mapping[str, Any], part: str, data_dir: Path | None = None) -> None:
    """Write ``explain/`` and ``figures/*_gradcam.png`` of a stored run, see :func:`explain_run`.

    Args:
        folder: of the run.
        settings: ``method``, ``samples`` and ``layer``.
        part: whose samples.
        data_dir: where the waveform set lies; ``None``: as when it was trained, if sets lie there.

    Raises:
        CheckpointError: there is no checkpoint.
        ConfigurationError: the settings do not fit the network.
        DataError: the set is not the one the run was trained on.
    """
    check_writable(folder.path, "the run folder")
    clear_below(folder.path)
    stored = checked_config(folder.config(), folder.path)
    network = TrainedNetwork.open(
        folder.best_checkpoint, lambda _: {**stored, "system": machine_settings(stored, data_dir, folder.path)}
    )
    config, task, known = network.config, network.task, network.content
    check_explain(settings, task)
    data = build_data(config, task.view, network)
    if (data.waveform_set.fingerprint, data.split.hash) != (known["data_fingerprint"], known["split_hash"]):
        raise DataError(
            f"{data.waveform_set.path} is not what this run was trained on: its fingerprint is "
            f"{data.waveform_set.fingerprint} and its split {data.split.hash}, not {known['data_fingerprint']} and "
            f"{known['split_hash']}. Restore the set, or name its folder with --data-dir."
        )
    explain_run(folder, config, data, task, settings, part)
