"""Precision, recall and F1 of every class, and measures within strata of what is known of the samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap

if TYPE_CHECKING:
    from seisvision.outputs.classes.predictions import ClassPredictions

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
    bootstrap = EventBootstrap(said.ids.take(known).source_ids, level)
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


STRATA_MEASURES = ("accuracy", "balanced_accuracy", "roc_auc")
STRATA_COLUMNS = (
    "quantity",
    "low",
    "high",
    "n",
    "n_events",
    "largest_class_share",
    *(f"{name}{end}" for name in STRATA_MEASURES for end in ("", "_low", "_high")),
)
FEWEST_PER_STRATUM = 10


def strata_table(
    said: ClassPredictions, quantity: str, values: np.ndarray, n_strata: int = 3, level: float = 0.95
) -> list[list[Any]]:
    """One row of :data:`STRATA_COLUMNS` for each of equally full strata of a quantity.

    What a network knows beyond the quantity shows where the quantity is nearly the same: a network that has only
    counted the stations is no better than the largest class within a stratum of their number.

    Args:
        said: N predictions; those without label are left out.
        quantity: name of what the strata are of.
        values: (N,); samples where it is not known are left out.
        n_strata: how many are tried; strata with fewer than ten samples are joined to none and left out.
        level: confidence level of the intervals.
    """
    values = np.asarray(values, float)
    known = np.flatnonzero(said.labelled & np.isfinite(values))
    if not len(known) or values[known].min() == values[known].max():
        return []
    inner = np.unique(np.quantile(values[known], np.linspace(0, 1, n_strata + 1)[1:-1], method="lower"))
    stratum = np.searchsorted(inner, values[known], side="left")
    rows = []
    for number in np.unique(stratum):
        chosen = known[stratum == number]
        if len(chosen) < FEWEST_PER_STRATUM:
            continue
        some = said.select([said.sample_ids[i] for i in chosen])
        measures = some.measures(level)
        share = np.bincount(some.target.astype(int)).max() / len(chosen)
        found = [measures.get(name, Measure(np.nan)) for name in STRATA_MEASURES]
        ends = [end for one in found for end in (one.value, one.low, one.high)]
        here = values[chosen]
        rows.append([quantity, here.min(), here.max(), len(chosen), len(set(some.source_ids)), share, *ends])
    return rows
