"""Where errors come from: against offset, magnitude, stations, gap or depth, in bins with intervals over events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.outputs.predictions import ErrorSizes, Predictions

MOST_BINS = 6
FEWEST_PER_BIN = 10
"""Samples; with fewer, an interval says nothing."""
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
    return against_quantities(said.error_sizes(), said.source_ids, quantities, level)


def against_quantities(
    errors: ErrorSizes,
    source_ids: Sequence[str],
    quantities: Mapping[str, np.ndarray],
    level: float = 0.95,
) -> dict[str, list[ErrorBin]]:
    """Bins of errors (N,) by quantity; see :func:`error_against`."""
    found = {}
    for name, values in quantities.items():
        bins = _bins(name, errors, np.asarray(values, float), np.asarray(source_ids), level)
        if len(bins) > 1:
            found[name] = bins
    return found


def _bins(name: str, errors: ErrorSizes, values: np.ndarray, source_ids: np.ndarray, level: float) -> list[ErrorBin]:
    known = np.flatnonzero(np.isfinite(values) & np.isfinite(errors.size))
    values, size, source_ids = values[known], errors.size[known], source_ids[known]
    edges = _edges(values)
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, max(0, len(edges) - 2))
    bins = []
    for number in range(len(edges) - 1):
        inside = place == number
        if not inside.any():
            continue
        bootstrap = EventBootstrap(source_ids[inside], level)
        found = bootstrap.share(size[inside] > 0.5) if errors.is_share else bootstrap.median(size[inside])
        own = values[inside]
        bins.append(
            ErrorBin(
                name,
                float(own.min()),
                float(own.max()),
                float(np.median(own)),
                errors.measure,
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
