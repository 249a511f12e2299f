"""What predictions of one value a sample, a number or an angle, have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from seisvision.base.sample_ids import SampleIds
from seisvision.base.units import EVENT
from seisvision.evaluation.calibration import Stated
from seisvision.evaluation.differences import Influence, mean_influence, median_influence
from seisvision.evaluation.intervals import NO_INTERVAL, Measure
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.evaluation.tables import number_text
from seisvision.outputs.predictions import ErrorSizes, Predictions, Table

BASELINE_PREFIX = "baseline_"
NOT_OF_A_CONSTANT = ("pearson", "circular_correlation", "answered")
"""Measures that say nothing about a constant guess."""


@dataclass(frozen=True)
class RegressionPredictions(Predictions):
    """A NaN value is a refusal to predict: measures are of the answered samples, ``answered`` says their share."""

    parts: ClassVar[tuple[str, ...]] = ()
    """Columns of ``decoded``: the value, then its uncertainty."""
    error_chart = "residuals"

    @classmethod
    def width(cls, about: Mapping[str, Any]) -> int:
        """How many numbers ``decoded`` has of a sample: ``parts``, and what a kind puts behind them."""
        return len(cls.parts)

    @classmethod
    def caption(cls, about: Mapping[str, Any], target: Any) -> str:
        """The value in four digits with its unit."""
        return f"{float(target):.4g} {about.get('unit', 'degrees')}"

    @classmethod
    def number_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """``prediction`` and the parts behind it."""
        return ["prediction", *cls.parts[1:]]

    @classmethod
    def training_guess(cls, about: Mapping[str, Any], train_target: np.ndarray) -> float | None:
        """The constant of :meth:`guess`; None where no sample has a value."""
        known = train_target[np.isfinite(train_target)]
        empty = cls.from_decoded(about, SampleIds.of_events([]), np.zeros(0), np.full((0, cls.width(about)), np.nan))
        return float(empty.guess(known)) if len(known) else None

    @classmethod
    def feature_kinds(cls, unit: str, about: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Band powers of events; single traces have the trees only."""
        if unit == EVENT.name:
            return ["band_power"], ["geometry", "physics", "attributes"]
        return [], ["two_feature", "spectral_ratio", "trace_attributes"]

    @classmethod
    def fit_baselines(
        cls, features: Any, about: Mapping[str, Any], parts: Mapping[str, Any], everything: Any, **settings: Any
    ) -> dict[str, Any]:
        """See :func:`~seisvision.outputs.regression_baselines.fit_regression_baselines`."""
        from seisvision.outputs.regression_baselines import fit_regression_baselines

        level, seed = settings["level"], settings["seed"]
        return fit_regression_baselines(features.alone, about, parts, everything=everything, level=level, seed=seed)

    @property
    def unit(self) -> str:
        """Unit of targets and values; may be empty."""
        raise NotImplementedError

    @property
    def axis_limits(self) -> tuple[float, float] | None:
        """Ends of an axis that shows all possible values; None where there are none."""
        return None

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
        uncertainty = self.decoded[:, 1 : len(self.parts)]
        measures = self._family(self.value, level, uncertainty) | self._answered(level) | self._far_errors()
        stated = self.stated() if np.isfinite(uncertainty).any() else None
        if stated is not None:
            measures |= stated.measures(self.source_ids, self.unit, level)
        if train_target is None:
            return measures
        said = np.full(len(self.target), self.guess(train_target))
        baseline = self._family(said, level, np.full_like(uncertainty, np.nan, dtype=float))
        return measures | {
            f"{BASELINE_PREFIX}{name}": one for name, one in baseline.items() if name not in NOT_OF_A_CONSTANT
        }

    def guess(self, train_target: np.ndarray) -> float:
        """The constant that a baseline without any input says."""
        raise NotImplementedError

    def stated(self) -> Stated | None:
        """What the stated uncertainties say of the true values; None where the kind states no distribution."""
        return None

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

    def result_tables(
        self, measures: Mapping[str, Measure], details: Mapping[str, Any], level: float
    ) -> dict[str, Table]:
        """Share right by tolerance, and the stated against the true coverage of intervals."""
        curve = details["acc_curve"]
        stated = [[float(name) / 100, share] for name, share in details["coverage"].items() if share is not None]
        return {
            "tolerance": (list(curve), zip(*curve.values(), strict=True)),
            "reliability": (["stated", "share_inside"], stated),
        }

    def error_sizes(self) -> ErrorSizes:
        """Absolute errors."""
        return ErrorSizes("_".join(filter(None, ["median_ae", self.unit])), np.abs(self.error))

    def answer_text(self, row: int) -> str:
        """The value in four digits; nothing where none was said."""
        value = float(self.value[row])
        return number_text(value) if math.isfinite(value) else ""

    def target_text(self, row: int) -> str:
        """The true value with its unit."""
        return f"{number_text(float(self.target[row]))} {self.unit}"

    def surprising(self, n: int) -> np.ndarray:
        """Error over its stated sigma, largest first; empty where no sigma is predicted."""
        ratio = np.abs(self.error) / np.maximum(self.decoded[:, 1], 1e-12)
        known = np.flatnonzero(np.isfinite(ratio))
        return known[np.argsort(-ratio[known], kind="stable")][:n]

    def worst(self, n: int) -> np.ndarray:
        """Positions of the samples with the largest absolute error."""
        size = np.abs(self.error)
        known = np.flatnonzero(np.isfinite(size))
        return known[np.argsort(-size[known], kind="stable")][:n]

    def _far_errors(self) -> dict[str, Measure]:
        """``p90_ae``: the absolute error that one in ten exceeds."""
        size = np.abs(self.error[self.answered])
        if not len(size):
            return {}
        name = f"p90_ae_{self.unit}" if self.unit else "p90_ae"
        return {name: Measure(float(np.quantile(size, 0.9)), n=len(size), kind=NO_INTERVAL)}

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
        self.check_width(self.width(self.about), ", ".join(self.parts))


def share_inside(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> float | None:
    """Share of the values (N,) between the two ends, where all three are known; None where none is."""
    known = np.isfinite(value) & np.isfinite(low) & np.isfinite(high)
    return float(((value >= low) & (value <= high))[known].mean()) if known.any() else None
