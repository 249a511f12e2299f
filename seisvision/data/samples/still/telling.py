"""Says before a training how much of each part, and of each class, shows nothing: dead channels and empty windows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from seisvision.base.units import unit_named
from seisvision.data.samples.still.motion import STILL
from seisvision.data.samples.traces import sample_targets
from seisvision.data.samples.usability import set_ids

if TYPE_CHECKING:
    from seisvision.data.serving.datamodule import EventDataModule

logger = logging.getLogger(__name__)

REMEDY = "see 'seisvision data audit', and dataset.{section}.window"


def tell_still(data: EventDataModule) -> None:
    """Warn of samples that were left out because nothing moves in them, and of still traces of events that were not."""
    still: dict[str, list[str]] = {}
    for one in data.excluded:
        if one.part and one.reason == STILL:
            still.setdefault(one.part, []).append(one.trace_id or one.source_id)
    kind = unit_named(data.unit)
    remedy = REMEDY.format(section=kind.section)
    if still:
        told = "; ".join(_by_class(data, part, ids) for part, ids in still.items())
        logger.warning("Nothing but one value, such as zeros, in the window of %s: %s; %s", kind.plural, told, remedy)
    if data.unit == "event":
        _tell_traces(data, remedy)


def _by_class(data: EventDataModule, part: str, ids: list[str]) -> str:
    """How many samples of a part were left out, and of which classes they would have been."""
    kept = list(data.parts[part].sample_ids)
    counts = []
    for column, names in data.class_names.items():
        out, there = _classes(data, column, ids), _classes(data, column, kept)
        shares = [(name, int((out == k).sum()), int((there == k).sum())) for k, name in enumerate(names)]
        counts.append(", ".join(f"{name} {n} of {n + others}" for name, n, others in shares))
    said = f" ({'; '.join(counts)})" if counts else ""
    return f"{part} {len(ids)} of {len(ids) + len(kept)}{said}"


def _classes(data: EventDataModule, column: str, ids: list[str]) -> np.ndarray:
    targets = {column: data.class_map(column)}
    return sample_targets(data.waveform_set, set_ids(data.waveform_set, data.unit, ids), targets)[column]


def _tell_traces(data: EventDataModule, remedy: str) -> None:
    """Still traces of events whose other traces move."""
    told = []
    for part, samples in data.parts.items():
        moving = np.concatenate(data.moving_traces(samples.sample_ids))
        if not moving.all():
            told.append(f"{part} {int((~moving).sum())} of {len(moving)}")
    if told:
        logger.warning(
            "Traces that hold one value throughout the window, within events: %s; %s", ", ".join(told), remedy
        )
