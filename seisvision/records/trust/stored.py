"""The configuration that a checkpoint or a run folder brings along, made fit for use on this machine."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from seisvision.errors import CheckpointError, ConfigurationError
from seisvision.plain_types import fits_type, shortened, type_name
from seisvision.public import MODEL, NAMES, public_name
from seisvision.records.configuration import check_targets, instantiate, with_own_weights
from seisvision.records.trust.allowed import check_numbers
from seisvision.records.trust.contents import refuse_as_checkpoint
from seisvision.records.trust.resolved import check_resolved

log = logging.getLogger(__name__)

SETTINGS: dict[str, Any] = {
    "seed": int,
    "view": dict[str, Any],
    "model": dict[str, Any],
    "task": dict[str, Any],
    "optimizer": dict[str, Any],
    "scheduler": dict[str, Any] | None,
    "augment": dict[str, Any] | None,
    "trainer": dict[str, Any],
    "trainer.batch_size": int,
    "run": dict[str, Any],
    "split": dict[str, Any],
    "split.by": str,
    "split.refit": bool,
    "split.fold": int | None,
    "dataset": dict[str, Any],
    "dataset.name": str,
    "dataset.source": dict[str, Any],
    "dataset.labels": dict[str, Any],
}
"""Types of what is read from every stored configuration."""
ASKS_NETWORK = {"allow_download", "allow_network"}
"""Settings of sources of data that let them fetch a set."""
MOST_SAMPLES = 100_000_000
"""Of one trace in a window; a day at 1000 Hz has 86 million."""


def checked_config(config: Any, path: Path | str) -> dict[str, Any]:
    """Return a stored configuration of a network with nothing in it that a stranger should decide on this machine.

    The network is built without published weights, data are not fetched from a network, and the number of processes
    that make a synthetic set is that of this machine.

    Args:
        config: as it is stored.
        path: of the checkpoint or run folder, for messages.

    Raises:
        CheckpointError: it names what it may not, or is not of the types that are read.
    """
    try:
        check_resolved(config, "its configuration")
        _check_types(config)
        check_targets(config)
        check_numbers(config)
        _check_windows(config["dataset"])
        _check_beside(config["dataset"])
        config = with_own_weights(config)
    except ConfigurationError as error:
        raise refuse_as_checkpoint(error, path) from error
    dataset = {**config["dataset"], "source": _harmless(config["dataset"]["source"])}
    if dataset.get("beside"):
        dataset["beside"] = {
            name: {**one, "source": _harmless(one["source"])} for name, one in dataset["beside"].items()
        }
    return {**config, "dataset": dataset}


def _harmless(source: Mapping[str, Any]) -> dict[str, Any]:
    """A source that fetches nothing and takes as many processes as this machine has."""
    kept = {key: value for key, value in source.items() if key != "processes"}
    return kept | dict.fromkeys(kept.keys() & ASKS_NETWORK, False)


def _check_types(config: Any) -> None:
    if not isinstance(config, Mapping):
        raise ConfigurationError("its configuration is no mapping.")
    for key, wanted in SETTINGS.items():
        node: Any = config
        for word in key.split("."):
            if word not in node:
                raise ConfigurationError(f"its configuration has no {key}.")
            node = node[word]
        if not fits_type(node, wanted):
            raise ConfigurationError(f"its {key}={shortened(node)} is no {type_name(wanted)}.")


def _check_beside(dataset: Mapping[str, Any]) -> None:
    beside = dataset.get("beside")
    if not fits_type(beside, dict[str, dict[str, Any]] | None):
        raise ConfigurationError(f"its dataset.beside={shortened(beside)} does not name sets.")
    for name, one in (beside or {}).items():
        if not isinstance(one.get("source"), Mapping):
            raise ConfigurationError(f"its dataset.beside.{name} has no source.")
        _check_windows(one)


def _check_windows(dataset: Mapping[str, Any]) -> None:
    """Refuse windows that no recording fills, for memory is taken for them."""
    for section in ("samples", "traces"):
        settings = dataset.get(section)
        if settings is None:
            continue
        window = settings.get("window") if isinstance(settings, Mapping) else None
        length_s: Any = window.get("length_s") if isinstance(window, Mapping) else None
        if not fits_type(length_s, float):
            raise ConfigurationError(f"its dataset.{section}.window.length_s={shortened(length_s)} is no number.")
        rate_hz: Any = settings.get("sampling_rate_hz") or 1.0
        if not fits_type(rate_hz, float) or not 0 < length_s * rate_hz <= MOST_SAMPLES:
            raise ConfigurationError(
                f"its dataset.{section} asks for windows of {length_s:g} s at {shortened(rate_hz)} Hz; at most "
                f"{MOST_SAMPLES:,} samples are read of a trace."
            )


def check_weights(
    settings: Mapping[str, Any], told: Mapping[str, int], checkpoint: Mapping[str, Any], path: Path
) -> None:
    """Refuse weights that are not those of the network that the configuration names, before memory is taken for it.

    Networks of packages of one's own are left to be built: they may not know how to be without memory.

    Args:
        config: resolved configuration.
        told: arguments of the network that follow from the view.
        checkpoint: with the weights.
        path: of its file, for messages.

    Raises:
        CheckpointError: number or shape of the weights differ.
    """
    target = settings.get("_target_")
    if not isinstance(target, str) or public_name(target) not in NAMES[MODEL]:
        return
    with torch.device("meta"):
        network = instantiate(settings, MODEL, **told)
    stored = checkpoint["state_dict"]
    for name, weight in network.state_dict().items():
        there = stored.get(f"model.{name}")
        if there is None or there.shape != weight.shape:
            said = "none" if there is None else f"shape {tuple(there.shape)}"
            raise CheckpointError(
                f"{path} cannot be used: its weights are not those of {shortened(settings.get('name', target))}, whose "
                f"'{name}' has shape {tuple(weight.shape)}, not {said}."
            )
