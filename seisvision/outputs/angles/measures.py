"""How good predictions of an angle are: the family of `seisvision.outputs.numbers.measures` on a circle.

The period is 360 degrees, or 180 where opposite directions are the same. All differences are wrapped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seisvision.angles import wrapped_difference_deg
from seisvision.errors import DataError
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import N_RESAMPLES, EventBootstrap
from seisvision.evaluation.uncertainty.directions import mean_direction_interval, resultant_interval
from seisvision.evaluation.uncertainty.studentised import FISHER
from seisvision.seeding import DEFAULT_SEED

CURVE_DEG = (5.0, 10.0, 15.0, 20.0, 30.0, 45.0)
"""Tolerances of the tolerance curve."""
BIN_WIDTH_DEG = 10.0
FLIP_DEG = 150.0
"""Errors above this are taken for the opposite direction."""
Z_95 = 1.959964
PERIODS_DEG = (360.0, 180.0)


def angle_metrics(
    target_deg: np.ndarray,
    prediction_deg: np.ndarray,
    *,
    period_deg: float = 360.0,
    tolerance_deg: float = 15.0,
    groups: Sequence[Any] | np.ndarray | None = None,
    sigma_deg: np.ndarray | None = None,
    level: float = 0.95,
    seed: int = DEFAULT_SEED,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Measure]:
    """Metrics of predicted angles in degrees.

    Args:
        target_deg: (N,) true angles; rows that are NaN here or in ``prediction_deg`` are left out.
        prediction_deg: (N,) predicted angles.
        period_deg: 360 or 180.
        tolerance_deg: errors up to this count as right in ``acc_tol_<tolerance>deg``.
        groups: (N,) event of every row; None: every row is an event.
        sigma_deg: (N,) predicted standard deviations; None or NaN: not predicted.
        level: confidence level of the intervals.
        seed: seed of the bootstrap.
        n_resamples: bootstrap resamples.

    Returns:
        ``median_ae_deg``, ``mae_deg``, ``rmse_deg``, ``bias_deg`` (circular mean of the differences),
        ``acc_tol_<t>deg``, ``acc_curve_area``, ``circular_correlation`` (Fisher and Lee 1983, Biometrika 70, 327-332;
        it needs no mean direction, which angles all round the circle do not have), ``r2`` (one minus the mean of
        1 - cos(error) over the circular variance
        of the targets), ``bin_acc`` (sectors of 10 degrees), for a period of 360 ``flips_180`` (share of errors above
        150 degrees), and with ``sigma_deg`` the coverages ``coverage_68`` and ``coverage_95`` of one and 1.96 sigma.

    Raises:
        DataError: shapes differ, or the period is neither 360 nor 180.
    """
    target, prediction = np.asarray(target_deg, float), np.asarray(prediction_deg, float)
    check_period(period_deg)
    if target.shape != prediction.shape or target.ndim != 1:
        raise DataError(
            f"Target angles of shape {target.shape} need predictions of the same one-dimensional shape; got "
            f"{prediction.shape}. Give one angle a sample."
        )
    kept = np.isfinite(target) & np.isfinite(prediction)
    events = np.arange(len(target)) if groups is None else np.asarray(groups)
    bootstrap = EventBootstrap(events[kept], level, seed, n_resamples)
    target, prediction = target[kept], prediction[kept]
    error = wrapped_difference_deg(prediction, target, period_deg)
    size = np.abs(error)
    sector = [np.floor(angle % period_deg / BIN_WIDTH_DEG) for angle in (target, prediction)]
    measures = {
        "median_ae_deg": bootstrap.median(size),
        "mae_deg": bootstrap.mean_size(size),
        "rmse_deg": bootstrap.of_means(lambda means: np.sqrt(means[:, 0]), error**2, with_interval=False),
        "bias_deg": _bias(bootstrap, error, period_deg),
        tolerance_name(tolerance_deg): bootstrap.share(size <= tolerance_deg),
        "acc_curve_area": bootstrap.bounded_mean(_areas(size)),
        "circular_correlation": _correlation(bootstrap, target, prediction, period_deg),
        "r2": _r2(bootstrap, target, error, period_deg),
        "bin_acc": bootstrap.share(sector[0] == sector[1]),
    }
    if period_deg == PERIODS_DEG[0]:
        measures["flips_180"] = bootstrap.share(size > FLIP_DEG)
    return {**measures, **_coverage(bootstrap, size, None if sigma_deg is None else np.asarray(sigma_deg)[kept])}


def tolerance_name(tolerance_deg: float) -> str:
    """Name of the share within a tolerance, such as ``acc_tol_15deg``."""
    return f"acc_tol_{tolerance_deg:g}deg"


def angle_curve(
    target_deg: np.ndarray, prediction_deg: np.ndarray, period_deg: float = 360.0
) -> tuple[tuple[float, ...], list[float]]:
    """Tolerances in degrees and the share of finite rows within each."""
    size = np.abs(wrapped_difference_deg(prediction_deg, target_deg, period_deg))
    size = size[np.isfinite(size)]
    return CURVE_DEG, [float((size <= limit).mean()) if len(size) else math.nan for limit in CURVE_DEG]


def best_constant_deg(angle_deg: np.ndarray, period_deg: float = 360.0) -> float:
    """Whole degree with the least mean absolute wrapped difference to the angles: the circular median.

    Raises:
        DataError: there is no finite angle.
    """
    check_period(period_deg)
    angle = np.asarray(angle_deg, float)
    angle = angle[np.isfinite(angle)]
    if not len(angle):
        raise DataError("No training sample has an angle, so there is no constant guess. Check the target column.")
    candidates = np.arange(period_deg)
    cost = [np.abs(wrapped_difference_deg(candidate, angle, period_deg)).mean() for candidate in candidates]
    return float(candidates[int(np.argmin(cost))])


def check_period(period_deg: float) -> None:
    """Refuse a period other than 360 or 180 degrees.

    Raises:
        DataError: it is another.
    """
    if period_deg not in PERIODS_DEG:
        raise DataError(f"period_deg={period_deg} is not allowed; give 360, or 180 for axes without a sign.")


def _bias(bootstrap: EventBootstrap, error: np.ndarray, period_deg: float) -> Measure:
    if not bootstrap.n:
        return Measure(math.nan)
    scale = 2 * np.pi / period_deg
    parts = np.stack([np.cos(error * scale), np.sin(error * scale)], axis=1)
    north, east = parts.mean(0)
    if math.hypot(east, north) < 1e-9:
        return Measure(math.nan)
    # Ends may lie beyond half a period: an interval across the seam stays in one piece.
    low, high = mean_direction_interval(parts, bootstrap.group, bootstrap.level)
    return Measure.with_ends(math.atan2(east, north) / scale, (low / scale, high / scale), bootstrap.n, "Fieller")


def _areas(size: np.ndarray) -> np.ndarray:
    """Area under the tolerance curve of every sample alone (N,)."""
    hits = np.stack([size <= limit for limit in CURVE_DEG]).astype(float)
    return np.trapezoid(hits, CURVE_DEG, axis=0) / (CURVE_DEG[-1] - CURVE_DEG[0])


def _correlation(bootstrap: EventBootstrap, target: np.ndarray, prediction: np.ndarray, period_deg: float) -> Measure:
    a, b = (angle * (2 * np.pi / period_deg) for angle in (target, prediction))
    products = [np.cos(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a) * np.sin(b), np.sin(a) * np.cos(b)]
    doubled = [part(2 * angle) for angle in (a, b) for part in (np.cos, np.sin)]
    return bootstrap.of_means(_correlation_of_means, *products, *doubled, scale=FISHER)


def _correlation_of_means(means: np.ndarray) -> np.ndarray:
    """Sums over all pairs of samples, written as sums over samples."""
    cos_cos, sin_sin, cos_sin, sin_cos, *doubled = means.T
    spread_a, spread_b = (1 - doubled[i] ** 2 - doubled[i + 1] ** 2 for i in (0, 2))
    spread = spread_a * spread_b
    # Where all angles are the same or opposite there is nothing to correlate.
    defined = (spread_a > 1e-12) & (spread_b > 1e-12)
    product = 4 * (cos_cos * sin_sin - cos_sin * sin_cos)
    return np.where(defined, product / np.sqrt(np.where(defined, spread, 1.0)), np.nan)


def _r2(bootstrap: EventBootstrap, target: np.ndarray, error: np.ndarray, period_deg: float) -> Measure:
    """One minus lost over spread, each with an interval of its own.

    Angles all round the circle have a mean vector of chance length, so their spread is biased downwards: its interval
    says so, and the two are combined on the scale of logarithms (Donner and Zou 2012, Statistical Methods in Medical
    Research 21, 347-359, doi:10.1177/0962280210383082).
    """
    if not bootstrap.n:
        return Measure(math.nan)
    scale = 2 * np.pi / period_deg
    lost = bootstrap.mean_size(1 - np.cos(error * scale))
    unit = np.stack([np.cos(target * scale), np.sin(target * scale)], axis=1)
    spread = 1 - math.hypot(*unit.mean(0))
    if spread <= 1e-12:
        return Measure(math.nan)
    length, shortest, longest = resultant_interval(unit, bootstrap.group, bootstrap.level)
    above = math.hypot(_log_ratio(lost.high, lost.value), _log_ratio(1 - length, 1 - longest))
    below = math.hypot(_log_ratio(lost.value, lost.low), _log_ratio(1 - shortest, 1 - length))
    share_lost = lost.value / (1 - length) if length < 1 else math.nan
    ends = 1 - share_lost * math.exp(min(above, 700.0)), 1 - share_lost * math.exp(-below)
    return Measure.with_ends(1 - lost.value / spread, ends, bootstrap.n, "MOVER")


def _log_ratio(larger: float, smaller: float) -> float:
    return math.log(larger / smaller) if larger > 0 and smaller > 0 else math.nan


def _coverage(bootstrap: EventBootstrap, size: np.ndarray, sigma: np.ndarray | None) -> dict[str, Measure]:
    if sigma is None or not np.isfinite(sigma).any():
        return {}
    known = np.isfinite(sigma)
    return {
        "coverage_68": bootstrap.share(size <= sigma, known),
        "coverage_95": bootstrap.share(size <= Z_95 * sigma, known),
    }
