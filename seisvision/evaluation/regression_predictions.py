"""Predicted numbers and angles: measures, comparison, table and figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from seisvision.angles import wrapped_difference_deg
from seisvision.errors import DataError
from seisvision.evaluation.circular import (
    BIN_WIDTH_DEG,
    Z_95,
    angle_curve,
    angle_metrics,
    best_constant_deg,
    check_period,
    tolerance_name,
)
from seisvision.evaluation.differences import Influence, mean_influence, median_influence
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.evaluation.sample_predictions import SamplePredictions, plain_numbers
from seisvision.evaluation.scalar import Tolerance, bin_edges, scalar_metrics, small_targets, tolerance_curve

BASELINE_PREFIX = "baseline_"
NOT_OF_A_CONSTANT = ("pearson", "circular_correlation", "answered")
"""Measures that say nothing about a constant guess."""


@dataclass(frozen=True)
class _RegressionPredictions(SamplePredictions):
    """A NaN value is a refusal to predict: measures are of the answered samples, ``answered`` says their share."""

    parts: ClassVar[tuple[str, ...]] = ()
    """Columns of ``decoded``: the value, then its uncertainty."""

    @property
    def value(self) -> np.ndarray:
        """Predicted values (N,)."""
        return self.decoded[:, 0]

    @property
    def error(self) -> np.ndarray:
        """Signed error of every sample (N,)."""
        raise NotImplementedError

    @property
    def answered(self) -> np.ndarray:
        """bool (N,): samples with a target and a number."""
        return self.labelled & np.isfinite(self.value)

    def measures(self, level: float = 0.95, train_target: np.ndarray | None = None) -> dict[str, Measure]:
        """The metric family of the kind, with intervals over events.

        Args:
            level: confidence level of the intervals.
            train_target: targets of the training samples; adds ``baseline_<measure>`` of always saying the best
                constant (see `guess`).
        """
        measures = self._family(self.value, level, self.decoded[:, 1:]) | self._answered(level)
        if train_target is None:
            return measures
        said = np.full(len(self.target), self.guess(train_target))
        baseline = self._family(said, level, np.full_like(self.decoded[:, 1:], np.nan, dtype=float))
        return measures | {
            f"{BASELINE_PREFIX}{name}": one for name, one in baseline.items() if name not in NOT_OF_A_CONSTANT
        }

    def guess(self, train_target: np.ndarray) -> float:
        """The constant that a baseline without any input says."""
        raise NotImplementedError

    def columns(self) -> dict[str, list[Any]]:
        """``target``, ``prediction``, ``error`` and what is predicted of the uncertainty; NaN where not known."""
        columns = {
            "target": self.target.tolist(),
            "prediction": self.value.tolist(),
            "error": self.error.tolist(),
        }
        for number, part in enumerate(self.parts[1:], 1):
            if np.isfinite(self.decoded[:, number]).any():
                columns[part] = self.decoded[:, number].tolist()
        return columns

    def worst(self, n: int) -> np.ndarray:
        """Positions of the samples with the largest absolute error."""
        size = np.abs(self.error)
        known = np.flatnonzero(np.isfinite(size))
        return known[np.argsort(-size[known], kind="stable")][:n]

    def _answered(self, level: float) -> dict[str, Measure]:
        """Share of labelled samples with a prediction, where it is not all of them."""
        known = self.labelled
        answered = np.isfinite(self.value)[known]
        if answered.all():
            return {}
        return {"answered": EventBootstrap(np.asarray(self.source_ids)[known], level).share(answered)}

    def _family(self, value: np.ndarray, level: float, uncertainty: np.ndarray) -> dict[str, Measure]:
        raise NotImplementedError

    def _of_errors(self, name: str, unit: str, right: np.ndarray) -> dict[str, Callable[[], Influence]]:
        """Share ``name`` of the samples that are ``right`` (N,), median and mean absolute error in ``unit``."""
        known = self.answered
        events, size = np.asarray(self.source_ids)[known], np.abs(self.error[known])
        suffix = f"_{unit}" if unit else ""
        return {
            name: lambda: mean_influence(right[known].astype(float), events, is_share=True),
            f"median_ae{suffix}": lambda: median_influence(size, events),
            f"mae{suffix}": lambda: mean_influence(size, events),
        }

    def _check_shapes(self) -> None:
        self.check_width(len(self.parts), ", ".join(self.parts))


@dataclass(frozen=True)
class ScalarPredictions(_RegressionPredictions):
    """Numbers (N, 6): value, sigma and the ends of the 68 % and 95 % intervals; NaN targets have no label.

    ``about`` holds ``unit``, ``transform`` (``none``, ``log`` or ``log1p``), ``tolerance_relative`` and
    ``tolerance_absolute``.
    """

    needs = ("unit", "transform", "tolerance_relative", "tolerance_absolute")
    parts = ("value", "sigma", "low68", "high68", "low95", "high95")

    @property
    def unit(self) -> str:
        """Unit of targets and values, such as ``km``; may be empty."""
        return self.about["unit"] or ""

    @property
    def tolerance(self) -> Tolerance:
        """What counts as right."""
        return Tolerance(float(self.about["tolerance_relative"]), float(self.about["tolerance_absolute"]), self.unit)

    @property
    def error(self) -> np.ndarray:
        """Value minus target (N,)."""
        return self.value - self.target

    @property
    def headline(self) -> str:
        """Share within the tolerance."""
        return self.tolerance.name

    @property
    def table_columns(self) -> dict[str, str]:
        """Measures of a results table and their headings, the headline first."""
        suffix, unit = (f"_{self.unit}", f" ({self.unit})") if self.unit else ("", "")
        return {
            self.headline: self.tolerance.heading,
            f"median_ae{suffix}": f"median error{unit}",
            f"mae{suffix}": f"mean error{unit}",
            f"bias{suffix}": f"bias{unit}",
            "r2": "R²",
        }

    def guess(self, train_target: np.ndarray) -> float:
        """Median of the training targets.

        Raises:
            DataError: there is none.
        """
        known = np.asarray(train_target, float)
        known = known[np.isfinite(known)]
        if not len(known):
            raise DataError("No training sample has a value, so there is no median guess. Check the target column.")
        return float(np.median(known))

    def details(self) -> dict[str, Any]:
        """``acc_curve``, ``coverage``, ``bins``, ``n_excluded_from_mape`` and what a table shows."""
        tolerances, shares = tolerance_curve(self.target, self.value, self.tolerance)
        known = self.target[np.isfinite(self.error)]
        return {
            **self.table_details(),
            "acc_curve": {"tolerance_relative": list(tolerances), "share": plain_numbers(shares)},
            "coverage": {
                "68": _coverage(self.target, self.decoded[:, 2], self.decoded[:, 3]),
                "95": _coverage(self.target, self.decoded[:, 4], self.decoded[:, 5]),
            },
            "bins": {"edges": plain_numbers(bin_edges(known))},
            "n_excluded_from_mape": int(small_targets(known).sum()),
        }

    def draw(self, stem: Path, offset_km: np.ndarray | None = None) -> None:
        """Write the figures of a regression; ``offset_km`` (N,) adds the residual against the offset."""
        from seisvision.evaluation.figures_regression import draw_scalar

        draw_scalar(self, stem, offset_km)

    def _family(self, value: np.ndarray, level: float, uncertainty: np.ndarray) -> dict[str, Measure]:
        return scalar_metrics(
            self.target,
            value,
            self.tolerance,
            groups=self.source_ids,
            factor=str(self.about["transform"]).startswith("log"),
            intervals=uncertainty[:, 1:],
            level=level,
        )

    def _influences(self) -> dict[str, Callable[[], Influence]]:
        right = np.abs(self.error) <= self.tolerance.width(self.target)
        return self._of_errors(self.headline, self.unit, right)


@dataclass(frozen=True)
class AnglePredictions(_RegressionPredictions):
    """Angles and their standard deviations (N, 2) in degrees; NaN targets have no label.

    ``about`` holds ``period_deg`` (360 or 180) and ``tolerance_deg``.
    """

    needs = ("period_deg", "tolerance_deg")
    parts = ("angle_deg", "sigma")

    @property
    def period_deg(self) -> float:
        """360, or 180 where opposite directions are the same."""
        return float(self.about["period_deg"])

    @property
    def error(self) -> np.ndarray:
        """Wrapped difference, angle minus target (N,), in degrees."""
        return wrapped_difference_deg(self.value, self.target, self.period_deg)

    @property
    def headline(self) -> str:
        """Median absolute error: less is better."""
        return "median_ae_deg"

    @property
    def table_columns(self) -> dict[str, str]:
        """Measures of a results table and their headings, the headline first."""
        tolerance_deg = float(self.about["tolerance_deg"])
        columns = {
            self.headline: "median error (deg)",
            tolerance_name(tolerance_deg): f"within {tolerance_deg:g} deg",
            "bias_deg": "bias (deg)",
            "circular_correlation": "circular correlation",
        }
        return columns | ({"flips_180": "opposite"} if self.period_deg == 360 else {})

    def guess(self, train_target: np.ndarray) -> float:
        """Circular median of the training targets, see `best_constant_deg`."""
        return best_constant_deg(train_target, self.period_deg)

    def details(self) -> dict[str, Any]:
        """``acc_curve``, ``coverage``, ``bins`` and what a table shows."""
        tolerances, shares = angle_curve(self.target, self.value, self.period_deg)
        size, sigma = np.abs(self.error), self.decoded[:, 1]
        return {
            **self.table_details(),
            "acc_curve": {"tolerance_deg": list(tolerances), "share": plain_numbers(shares)},
            "coverage": {"68": _coverage(size, -sigma, sigma), "95": _coverage(size, -sigma, Z_95 * sigma)},
            "bins": {"width_deg": BIN_WIDTH_DEG},
        }

    def draw(self, stem: Path, offset_km: np.ndarray | None = None) -> None:
        """Write the figures of an angle; ``offset_km`` (N,) adds the error against the offset."""
        from seisvision.evaluation.figures_regression import draw_angle

        draw_angle(self, stem, offset_km)

    def _check_shapes(self) -> None:
        super()._check_shapes()
        check_period(self.period_deg)

    def _family(self, value: np.ndarray, level: float, uncertainty: np.ndarray) -> dict[str, Measure]:
        return angle_metrics(
            self.target,
            value,
            period_deg=self.period_deg,
            tolerance_deg=float(self.about["tolerance_deg"]),
            groups=self.source_ids,
            sigma_deg=uncertainty[:, 0],
            level=level,
        )

    def _influences(self) -> dict[str, Callable[[], Influence]]:
        tolerance_deg = float(self.about["tolerance_deg"])
        return self._of_errors(tolerance_name(tolerance_deg), "deg", np.abs(self.error) <= tolerance_deg)


def _coverage(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> float | None:
    known = np.isfinite(value) & np.isfinite(low) & np.isfinite(high)
    return float(((value >= low) & (value <= high))[known].mean()) if known.any() else None
