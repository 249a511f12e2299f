"""A column of numbers as classes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from seisvision.data.derived.column import DerivedColumn, Fitted, check_numbers, class_values
from seisvision.data.samples.arrivals import column_numbers
from seisvision.errors import ConfigurationError, DataError
from seisvision.plain_types import shortened

MOST_BINS = 1000


class Bins(DerivedColumn):
    """Numbers dealt into bins, the classes ``"0"`` to ``"n - 1"`` from the smallest numbers to the largest.

    Args:
        column: of the metadata table; one that begins with ``source_`` is that of the event.
        edges: n + 1 rising numbers; a bin holds its lower edge and not its upper one, and numbers beyond the outermost
            edges are in no class (``.inf`` leaves an end open). Or the number n of bins that hold equally many training
            samples, the outermost open.

    Raises:
        ConfigurationError: the edges are none.
    """

    def __init__(self, column: str, edges: Sequence[float] | int) -> None:
        if isinstance(edges, int):
            self.edges, n_bins = None, edges
        else:
            self.edges = [float(edge) for edge in edges]
            n_bins = len(self.edges) - 1
        if not 2 <= n_bins <= MOST_BINS or not (self.edges is None or _rise(self.edges)):
            raise ConfigurationError(
                f"edges={shortened(edges)} make no bins of '{column}': give three or more rising numbers, at most "
                f"{MOST_BINS + 1}, or how many bins are to hold equally many training samples, from 2 to {MOST_BINS}."
            )
        self.columns = (column,)
        self.learns_from = column
        self.of_event = column.startswith("source_")
        self.class_names = tuple(map(str, range(n_bins)))

    def known(self, table: pd.DataFrame) -> np.ndarray:
        """Tell which rows (N,) have a number, and that in a bin where the edges are given."""
        numbers = column_numbers(table, self.columns[0])
        if self.edges is None:
            return np.isfinite(numbers)
        return (numbers >= self.edges[0]) & (numbers < self.edges[-1])

    def fit(self, table: pd.DataFrame) -> Fitted:
        """The edges; those of equally many samples are halfway between numbers of the training.

        Raises:
            DataError: so many bins cannot be told apart.
        """
        if self.edges is not None:
            return {"edges": list(self.edges)}
        numbers = column_numbers(table, self.columns[0])
        numbers = numbers[np.isfinite(numbers)]
        n_bins = len(self.class_names)
        inner = np.quantile(numbers, np.arange(1, n_bins) / n_bins).tolist() if len(numbers) else []
        edges = [-np.inf, *inner, np.inf]
        if len(inner) != n_bins - 1 or not _rise(edges):
            raise DataError(
                f"{self.columns[0]} of the {len(numbers)} training samples that have it cannot be dealt into {n_bins} "
                "bins of equally many. Ask for fewer bins, or give their edges."
            )
        return {"edges": edges}

    def check(self, fitted: Any) -> None:
        """Refuse edges that are none, or not those of the configuration."""
        check_numbers(fitted, {"edges": len(self.class_names) + 1})
        if not _rise(fitted["edges"]) or self.edges not in (None, fitted["edges"]):
            raise ValueError("its edges do not rise, or are not those of the configuration")

    def apply(self, table: pd.DataFrame, fitted: Fitted) -> np.ndarray:
        """Number of the bin (N,) as text."""
        numbers, edges = column_numbers(table, self.columns[0]), np.array(fitted["edges"])
        bins = np.searchsorted(edges, numbers, side="right") - 1
        known = np.isfinite(numbers) & (bins >= 0) & (bins < len(self.class_names))
        return class_values(bins, known, self.class_names)


def _rise(edges: Sequence[float]) -> bool:
    return all(low < high for low, high in pairwise(edges))
