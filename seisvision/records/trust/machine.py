"""Folders and processes of this machine, which a stored run may have been told of, but does not decide on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.data.sources.folder import list_sets
from seisvision.errors import ConfigurationError

DEFAULTS: dict[str, Any] = {"num_workers": 0, "memory_gb": 4.0, "num_threads": None, "progress": "auto"}
"""What ``system`` says where a stored run is only looked at, beside its data folder: nothing is copied elsewhere."""


def machine_settings(config: Mapping[str, Any], data_dir: Path | None, run: Path) -> dict[str, Any]:
    """The section ``system`` for looking at a stored run.

    Args:
        config: of the run.
        data_dir: folder of waveform sets that was asked for; None takes the one that the run was trained with, if it
            is one: files that save time later are kept in it.
        run: folder of the run, for the message.

    Raises:
        ConfigurationError: the run names a data folder that holds no waveform sets.
    """
    said: Any = config.get("system")
    stored = said if isinstance(said, Mapping) else {}
    folder = data_dir if data_dir is not None else Path(str(stored.get("data_dir") or "data"))
    if data_dir is None and not list_sets(folder) and not (folder / "features").is_dir():
        raise ConfigurationError(
            f"{run} was trained with the data folder {folder}, which holds no waveform set here. Name yours with "
            "--data-dir."
        )
    return {**DEFAULTS, "data_dir": str(folder), "runs_dir": str(run.parent), "scratch": None}


def offset_network(config: Mapping[str, Any], offset_ckpt: str | None) -> dict[str, Any]:
    """Where the network of a checkpoint's distances lies now, if that is said; its content must be the same.

    Raises:
        ConfigurationError: the network of the checkpoint knows no predicted distances.
    """
    if not offset_ckpt:
        return {}
    if not config.get("offset_ckpt"):
        raise ConfigurationError(
            f"offset_ckpt={offset_ckpt} has no use here: the checkpoint was not trained on predicted "
            "distances. Leave it out."
        )
    return {"offset_ckpt": offset_ckpt}
