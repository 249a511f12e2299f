"""How good predictions of a number are: one family of measures in physical units, with intervals over events.

What a regression's "accuracy" means is left open in much of the literature; here all readings stand side by side and
the tolerance is part of the name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.errors import DataError
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import N_RESAMPLES, EventBootstrap
from seisvision.seeding import DEFAULT_SEED

CURVE_RELATIVE = (0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.30)
"""Relative tolerances of the tolerance curve."""
CURVE_REFERENCE = 0.10
"""Where the tolerance has no relative part, the absolute one stands for this point of the curve."""
N_BINS = 10
SMALL_TARGET_SHARE = 1e-6
"""Targets nearer to zero than this share of the largest have no meaningful relative error."""


@dataclass(frozen=True)
class Tolerance:
    """What counts as right: an absolute error of at most ``max(relative * |target|, absolute)``.

    Raises:
        DataError: a part is negative.
    """

    relative: float
    absolute: float
    unit: str = ""

    def __post_init__(self) -> None:
        if not (self.relative >= 0 and self.absolute >= 0):
            raise DataError(
                f"The parts of a tolerance must be at least 0; got relative={self.relative}, absolute={self.absolute}. "
                "Give for example relative=0.1, absolute=10."
            )

    @property
    def name(self) -> str:
        """Name of the share within this tolerance, such as ``acc_tol_rel0.10_abs10km``."""
        return f"acc_tol_rel{self.relative:.2f}_abs{self.absolute:g}{self.unit}"

    @property
    def heading(self) -> str:
        """The same in words, such as ``within 10% or 10 km``."""
        parts = [f"{self.relative:.0%}"] if self.relative else []
        parts += [f"{self.absolute:g} {self.unit}".strip()] if self.absolute else []
        return f"within {' or '.join(parts)}"

    def width(self, target: np.ndarray) -> np.ndarray:
        """Largest error that counts as right (N,)."""
        return np.maximum(self.relative * np.abs(target), self.absolute)

    def scaled(self, relative: float) -> Tolerance:
        """Return the tolerance with this relative part; the absolute part shrinks or grows in proportion."""
        factor = relative / (self.relative or CURVE_REFERENCE)
        return Tolerance(self.relative * factor, self.absolute * factor, self.unit)


def scalar_metrics(
    target: np.ndarray,
    prediction: np.ndarray,
    tolerance: Tolerance,
    *,
    groups: Sequence[Any] | np.ndarray | None = None,
    factor: bool = False,
    intervals: np.ndarray | None = None,
    level: float = 0.95,
    seed: int = DEFAULT_SEED,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Measure]:
    """Metrics of predictions of a number, all in the unit of ``tolerance``.

    Args:
        target: (N,) true values; rows that are NaN here or in ``prediction`` are left out.
        prediction: (N,) predicted values.
        tolerance: the tolerance of the headline measure.
        groups: (N,) event of every row; None: every row is an event.
        factor: True for targets whose ratio matters (log targets): adds ``within_factor_2`` over positive targets.
        intervals: (N, 4) low and high ends of the predicted 68 % and 95 % intervals; None or NaN: not predicted.
        level: confidence level of the intervals.
        seed: seed of the bootstrap.
        n_resamples: bootstrap resamples.

    Returns:
        ``acc_tol_rel<r>_abs<a><unit>`` (share within the tolerance), ``median_ae``, ``mae``, ``rmse``, ``bias`` (with
        ``_<unit>``), ``acc_curve_area``, ``one_minus_mape``, ``r2``, ``pearson``, ``bin_acc``, and where they apply
        ``within_factor_2``, ``coverage_68`` and ``coverage_95``. What is not defined is NaN with n = 0. ``rmse``,
        ``r2`` and ``pearson`` have no interval: squares rest on the rarest errors, of which no sample says enough.

    Raises:
        DataError: lengths differ.
    """
    target, prediction = np.asarray(target, float), np.asarray(prediction, float)
    if target.shape != prediction.shape or target.ndim != 1:
        raise DataError(
            f"Targets of shape {target.shape} need predictions of the same one-dimensional shape; got "
            f"{prediction.shape}. Give one number a sample."
        )
    kept = np.isfinite(target) & np.isfinite(prediction)
    events = np.arange(len(target)) if groups is None else np.asarray(groups)
    bootstrap = EventBootstrap(events[kept], level, seed, n_resamples)
    target, prediction = target[kept], prediction[kept]
    error = prediction - target
    suffix = f"_{tolerance.unit}" if tolerance.unit else ""
    relative_known = ~small_targets(target)
    centred, said = _centred(target), _centred(prediction)
    measures = {
        tolerance.name: bootstrap.share(np.abs(error) <= tolerance.width(target)),
        f"median_ae{suffix}": bootstrap.median(np.abs(error)),
        f"mae{suffix}": bootstrap.mean_size(np.abs(error)),
        f"rmse{suffix}": bootstrap.of_means(lambda means: np.sqrt(means[:, 0]), error**2, with_interval=False),
        f"bias{suffix}": bootstrap.mean(error),
        "acc_curve_area": bootstrap.bounded_mean(_areas(target, error, tolerance)),
        "one_minus_mape": _one_minus(bootstrap.mean_size(relative_error(target, error), relative_known)),
        "r2": bootstrap.of_means(_r2, error**2, centred, centred**2, with_interval=False),
        "pearson": bootstrap.of_means(
            _pearson, centred, said, centred**2, said**2, centred * said, with_interval=False
        ),
        "bin_acc": bootstrap.share(_same_bin(target, prediction)),
    }
    if factor:
        measures["within_factor_2"] = _within_factor_2(bootstrap, target, prediction)
    return {**measures, **_coverage(bootstrap, target, None if intervals is None else np.asarray(intervals)[kept])}


def tolerance_curve(
    target: np.ndarray, prediction: np.ndarray, tolerance: Tolerance
) -> tuple[tuple[float, ...], list[float]]:
    """Relative tolerances and the share of finite rows within each; the absolute part goes along in proportion."""
    kept = np.isfinite(target) & np.isfinite(prediction)
    hits = _curve_hits(target[kept], (prediction - target)[kept], tolerance)
    return CURVE_RELATIVE, [float(share) for share in hits.mean(1)] if kept.any() else [math.nan] * len(hits)


def bin_edges(target: np.ndarray, n_bins: int = N_BINS) -> np.ndarray:
    """Edges (n_bins + 1,) of equal-width bins over the range of the finite targets."""
    known = target[np.isfinite(target)]
    return np.linspace(known.min(), known.max(), n_bins + 1) if len(known) else np.full(n_bins + 1, np.nan)


def small_targets(target: np.ndarray) -> np.ndarray:
    """bool (N,): targets too near to zero for a relative error."""
    size = np.abs(target)
    largest = size.max(initial=0.0, where=np.isfinite(size))
    return size <= SMALL_TARGET_SHARE * largest


def relative_error(target: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Absolute error over absolute target (N,); zero for targets too near to zero, which callers leave out."""
    small = small_targets(target)
    return np.where(small, 0.0, np.abs(error) / np.where(small, 1.0, np.abs(target)))


def _curve_hits(target: np.ndarray, error: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """bool (7, N): within every tolerance of the curve."""
    return np.stack([np.abs(error) <= tolerance.scaled(relative).width(target) for relative in CURVE_RELATIVE])


def _areas(target: np.ndarray, error: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """Area under the curve of every sample alone (N,), 1 where it is right at the smallest tolerance."""
    hits = _curve_hits(target, error, tolerance).astype(float)
    return np.trapezoid(hits, CURVE_RELATIVE, axis=0) / (CURVE_RELATIVE[-1] - CURVE_RELATIVE[0])


def _same_bin(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    edges = bin_edges(target)
    of_target = np.clip(np.searchsorted(edges, target, "right"), 1, N_BINS)
    # Bins end at the range of the targets: a prediction beyond it is in no bin.
    of_prediction = np.searchsorted(edges, prediction, "right")
    of_prediction[prediction == edges[-1]] = N_BINS
    return of_target == of_prediction


def _centred(values: np.ndarray) -> np.ndarray:
    """Values minus their mean; exactly zero where all are equal, so that rounding is not taken for a spread."""
    return values - values.mean() if np.ptp(values if len(values) else [0.0]) else np.zeros_like(values)


def _r2(means: np.ndarray) -> np.ndarray:
    squared_error, centred, centred_squared = means.T
    variance = centred_squared - centred**2
    return np.where(_positive(variance, centred_squared), 1 - squared_error / variance, np.nan)


def _pearson(means: np.ndarray) -> np.ndarray:
    a, b, a_squared, b_squared, product = means.T
    variance_a, variance_b = a_squared - a**2, b_squared - b**2
    defined = _positive(variance_a, a_squared) & _positive(variance_b, b_squared)
    return np.where(defined, (product - a * b) / np.sqrt(variance_a * variance_b), np.nan)


def _positive(variance: np.ndarray, squared: np.ndarray) -> np.ndarray:
    """Variances that are more than rounding."""
    return variance > 1e-12 * np.abs(squared)


def _one_minus(measure: Measure) -> Measure:
    if math.isnan(measure.value):
        return measure
    return Measure.with_ends(1 - measure.value, (1 - measure.high, 1 - measure.low), measure.n, measure.kind)


def _within_factor_2(bootstrap: EventBootstrap, target: np.ndarray, prediction: np.ndarray) -> Measure:
    positive = target > 0
    return bootstrap.share(positive & (prediction >= target / 2) & (prediction <= 2 * target), positive)


def _coverage(bootstrap: EventBootstrap, target: np.ndarray, intervals: np.ndarray | None) -> dict[str, Measure]:
    if intervals is None:
        return {}
    found = {}
    for name, (low, high) in {"coverage_68": intervals.T[:2], "coverage_95": intervals.T[2:]}.items():
        predicted = np.isfinite(low) & np.isfinite(high)
        if predicted.any():
            found[name] = bootstrap.share((target >= low) & (target <= high), predicted)
    return found
