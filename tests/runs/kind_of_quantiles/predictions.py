"""Predicted quantiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seisvision.evaluation.differences import Influence
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.outputs.averaging import mean_of_votes
from seisvision.outputs.predictions import Table
from seisvision.outputs.regression import RegressionPredictions

RIGHT_WITHIN = 100.0


@dataclass(frozen=True)
class QuantilePredictions(RegressionPredictions):
    """Median, 10 % and 90 % quantile (N, 3)."""

    needs = ("unit",)
    parts = ("median", "q10", "q90")

    @property
    def unit(self) -> str:
        """Of the values."""
        return str(self.about["unit"])

    @property
    def error(self) -> np.ndarray:
        """Median minus target (N,)."""
        return self.value - self.target

    @property
    def headline(self) -> str:
        """Median absolute error."""
        return f"median_ae_{self.unit}"

    @property
    def table_columns(self) -> dict[str, str]:
        """Error and coverage."""
        return {self.headline: f"median error ({self.unit})", "coverage_80": "between the quantiles"}

    def guess(self, train_target: np.ndarray) -> float:
        """Median."""
        return float(np.median(train_target))

    def average(self, votes: np.ndarray) -> np.ndarray:
        """Mean of every quantile."""
        return mean_of_votes(votes)

    @classmethod
    def disagreement(cls, several: Sequence[Self]) -> tuple[np.ndarray, int | None]:
        """Range of the medians."""
        return np.ptp(np.stack([one.value for one in several]), axis=0), None

    def is_right(self, row: int) -> bool:
        """Within so many."""
        return abs(float(self.error[row])) <= RIGHT_WITHIN

    def result_tables(
        self, measures: Mapping[str, Measure], details: Mapping[str, Any], level: float
    ) -> dict[str, Table]:
        """Width between the quantiles."""
        return {"widths": (["width"], [[width] for width in self.decoded[:, 2] - self.decoded[:, 1]])}

    def surprising(self, n: int) -> np.ndarray:
        """None."""
        return np.zeros(0, dtype=int)

    def _family(self, value: np.ndarray, level: float, uncertainty: np.ndarray) -> dict[str, Measure]:
        known = np.isfinite(self.target) & np.isfinite(value)
        bootstrap = EventBootstrap(np.asarray(self.source_ids)[known], level)
        measures = {self.headline: bootstrap.median(np.abs(value - self.target)[known])}
        inside = ((self.target >= uncertainty[:, 0]) & (self.target <= uncertainty[:, 1]))[known]
        return measures | ({"coverage_80": bootstrap.share(inside)} if np.isfinite(uncertainty).all() else {})

    def _influences(self) -> dict[str, Callable[[], Influence]]:
        return self._of_errors("within", self.unit, np.abs(self.error) <= RIGHT_WITHIN)
