"""What another set's settings may leave open when a network is only asked about it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

log = logging.getLogger(__name__)

SECTIONS = ("samples", "traces")
"""Where a dataset says how its samples are cut."""


def may_be_open(composed: DictConfig) -> DictConfig:
    """The configuration with null for what only training needs and is not said: classes, and the length of windows.

    A set without labels is predicted and not measured; its windows are then those of the training, see
    :func:`cut_as_trained`.
    """
    # Interpolations point into the whole, so it is the whole that is copied.
    composed = composed.copy()
    OmegaConf.set_struct(composed, False)
    dataset = composed.get("dataset")
    if dataset is None:
        return composed
    labels = dataset.get("labels")
    if labels is None:
        dataset.labels = {}
    else:
        _null_where_missing(labels, list(labels))
    for section in SECTIONS:
        window = (dataset.get(section) or {}).get("window")
        if window is not None:
            _null_where_missing(window, ["length_s"])
    return composed


def _null_where_missing(node: Any, names: list[str]) -> None:
    for name in names:
        if OmegaConf.is_missing(node, name):
            node[name] = None


def cut_as_trained(dataset: Mapping[str, Any], section: str, trained: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of another set, its windows those of the training where their length is not said.

    Args:
        dataset: settings of the other set.
        section: ``samples`` or ``traces``, whichever the network sees.
        trained: the same section of the set it was trained on.
    """
    asked = dataset.get(section)
    if asked is None:
        log.info("dataset.%s is not given: samples are cut as in the training", section)
        return {**dataset, section: dict(trained)}
    if asked["window"].get("length_s") is not None:
        return dict(dataset)
    window = ", ".join(f"{name}={value}" for name, value in trained["window"].items())
    log.info("dataset.%s.window.length_s is not given: windows are those of the training (%s)", section, window)
    return {**dataset, section: {**asked, "window": dict(trained["window"])}}


def warn_of_other_window(trained: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Time is an axis of the picture: other windows are other pictures."""
    other = asked.get("window", {})
    seen = {name: value for name, value in trained["window"].items() if name != "redrawn"}
    changed = {name: value for name, value in seen.items() if name in other and other[name] != value}
    if changed:
        log.warning(
            "The network was trained on other windows (%s); its pictures now have another time axis. Set these keys of "
            "the window to compare.",
            ", ".join(f"{name}={value}, now {other[name]}" for name, value in changed.items()),
        )
