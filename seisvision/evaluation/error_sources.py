"""Where errors come from: against offset, magnitude, stations, gap or depth, in bins with intervals over events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.evaluation.class_predictions import ClassPredictions
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.predictions import Predictions
from seisvision.evaluation.resampling import EventBootstrap

MOST_BINS = 6
FEWEST_PER_BIN = 10
"""Samples; with fewer, an interval says nothing."""
SHARE_WRONG = "share_wrong"
COLUMNS = ("quantity", "low", "high", "middle", "measure", "value", "value_low", "value_high", "n", "n_events")
"""Of a table of error bins."""


@dataclass(frozen=True)
class ErrorBin:
    """The error of the samples whose quantity lies from ``low`` to ``high``."""

    quantity: str
    low: float
    high: float
    middle: float
    """Median of the quantity in the bin."""
    measure: str
    """``share_wrong``, or ``median_ae_<unit>``."""
    error: Measure
    n_events: int

    def row(self) -> list[Any]:
        """Values of :data:`COLUMNS`."""
        found = self.error
        return [self.quantity, self.low, self.high, self.middle, self.measure,
                found.value, found.low, found.high, found.n, self.n_events]  # fmt: skip


def error_against(
    said: Predictions, quantities: Mapping[str, np.ndarray], level: float = 0.95
) -> dict[str, list[ErrorBin]]:
    """Errors of N predictions against each quantity (N,); what is the same or unknown for all samples is left out.

    Classes: share of wrong samples. Numbers and angles: median absolute error.
    """
    measure, size = error_sizes(said)
    return against_quantities(measure, size, said.source_ids, quantities, level)


def error_sizes(said: Predictions) -> tuple[str, np.ndarray]:
    """Name of the measure and the error of every sample (N,), NaN where it has no target or no prediction."""
    if isinstance(said, ClassPredictions):
        return SHARE_WRONG, np.where(said.labelled, (~said.correct).astype(float), np.nan)
    unit = "deg" if said.about["kind"] == "angle" else str(said.about.get("unit") or "")
    return "_".join(filter(None, ["median_ae", unit])), np.abs(said.error)  # type: ignore[attr-defined]


def against_quantities(
    measure: str,
    size: np.ndarray,
    source_ids: Sequence[str],
    quantities: Mapping[str, np.ndarray],
    level: float = 0.95,
) -> dict[str, list[ErrorBin]]:
    """Bins of errors (N,) by quantity; see :func:`error_against`."""
    found = {}
    for name, values in quantities.items():
        bins = _bins(name, measure, np.asarray(values, float), size, np.asarray(source_ids), level)
        if len(bins) > 1:
            found[name] = bins
    return found


def _bins(
    name: str, measure: str, values: np.ndarray, size: np.ndarray, source_ids: np.ndarray, level: float
) -> list[ErrorBin]:
    known = np.flatnonzero(np.isfinite(values) & np.isfinite(size))
    values, size, source_ids = values[known], size[known], source_ids[known]
    edges = _edges(values)
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(0, len(edges) - 2))
    bins = []
    for number in range(len(edges) - 1):
        inside = place == number
        if not inside.any():
            continue
        bootstrap = EventBootstrap(source_ids[inside], level)
        found = bootstrap.share(size[inside] > 0.5) if measure == SHARE_WRONG else bootstrap.median(size[inside])
        own = values[inside]
        bins.append(
            ErrorBin(
                name,
                float(own.min()),
                float(own.max()),
                float(np.median(own)),
                measure,
                found,
                bootstrap.n_groups,
            )
        )
    return bins


def _edges(values: np.ndarray) -> np.ndarray:
    """Quantiles that leave enough samples in every bin; equal values stay in one bin."""
    n_bins = min(MOST_BINS, len(values) // FEWEST_PER_BIN)
    if n_bins < 2:
        return np.zeros(0)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, n_bins + 1), method="higher"))
    # The last bin would otherwise hold the largest value alone where many samples share it.
    return edges if len(edges) > 2 or len(edges) < 2 else np.array([edges[0], edges[1], np.inf])


def most_surprising(said: Predictions, n: int) -> np.ndarray:
    """Positions of the samples that were said to be certain and are wrong: error over its stated sigma, largest first.

    Empty for classes, whose ``worst`` are ordered by confidence already, and where no sigma is predicted.
    """
    if isinstance(said, ClassPredictions):
        return np.zeros(0, dtype=int)
    _, size = error_sizes(said)
    ratio = size / np.maximum(said.decoded[:, 1], 1e-12)
    known = np.flatnonzero(np.isfinite(ratio))
    return known[np.argsort(-ratio[known], kind="stable")][:n]
