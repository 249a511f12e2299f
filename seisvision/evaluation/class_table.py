"""Precision, recall and F1 of every class, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seisvision.evaluation.class_predictions import ClassPredictions
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap

MEASURES = ("precision", "recall", "f1")
COLUMNS = ("class", "n", "n_predicted", *(f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")))


def class_table(said: ClassPredictions, measures: Mapping[str, Measure], level: float = 0.95) -> list[list[Any]]:
    """One row of :data:`COLUMNS` a class; ``n`` counts its samples, ``n_predicted`` those that were given its name.

    Args:
        said: N predictions; those without label are left out.
        measures: of these predictions; precision and recall are taken from them, so that both tables agree.
        level: confidence level of the interval of F1.
    """
    known = np.flatnonzero(said.labelled)
    prediction, target = said.decoded[known].argmax(1), said.target[known]
    bootstrap = EventBootstrap([said.source_ids[i] for i in known], level)
    rows = []
    for number, name in enumerate(said.class_names):
        is_class, is_said = target == number, prediction == number
        f1 = _f1(bootstrap.share(is_class & is_said, is_class | is_said))
        found = [
            measures.get(f"precision_{name}", Measure(np.nan)),
            measures.get(f"recall_{name}", Measure(np.nan)),
            f1,
        ]
        ends = [end for one in found for end in (one.value, one.low, one.high)]
        rows.append([name, int(is_class.sum()), int(is_said.sum()), *ends])
    return rows


def _f1(overlap: Measure) -> Measure:
    """F1 = 2 TP / (true + predicted), van Rijsbergen 1979, which grows with the overlap TP / (true or predicted)."""
    if not overlap.n:
        return overlap
    value, low, high = (2 * share / (1 + share) for share in (overlap.value, overlap.low, overlap.high))
    return Measure(value, low, high, overlap.n, overlap.kind)
