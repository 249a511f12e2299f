"""What a classifier got right, with intervals, per class and against guessing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.errors import DataError
from seisvision.evaluation.intervals import Measure, Statistic, bootstrap_interval, wilson_interval
from seisvision.seeding import DEFAULT_SEED

CALIBRATION_BINS = 10
SMALLEST_PROBABILITY = 1e-12
"""Floor of probabilities inside logarithms."""


def classification_metrics(
    target: np.ndarray,
    probability: np.ndarray,
    class_names: Sequence[str],
    level: float = 0.95,
    *,
    train_target: np.ndarray | None = None,
    groups: Sequence[Any] | np.ndarray | None = None,
    seed: int = DEFAULT_SEED,
    n_resamples: int = 1000,
) -> dict[str, Measure]:
    """Metrics of one set of predictions (requirement A-25).

    Args:
        target: int (N,) class numbers; rows with -1 (no label) are left out, and every ``n`` says how many remain.
        probability: (N, K) class probabilities, rows sum to one.
        class_names: K names, used in keys.
        level: confidence level of the intervals.
        train_target: class numbers of the training samples; the commonest one is the majority guess.
        groups: (N,) group of every row where rows are not independent (traces of one event). Proportions then get
            the Wilson interval of as many trials as there are groups, which errs on the wide side.
        seed: seed of the bootstrap.
        n_resamples: bootstrap resamples.

    Returns:
        ``accuracy``, ``balanced_accuracy`` (mean recall of the classes present, bootstrap within classes),
        ``recall_<class>``, ``precision_<class>``, ``roc_auc`` (of class 1 for two classes, else the mean of one class
        against the rest), ``cross_entropy`` (nats), ``expected_calibration_error`` and, with ``train_target``,
        ``majority_baseline_accuracy``. What is not defined, such as the recall of an absent class, is NaN with n = 0.

    Raises:
        DataError: shapes disagree, a class number is out of range or ``probability`` holds no probabilities.
    """
    target, probability = np.asarray(target), np.asarray(probability, float)
    _check(target, probability, class_names)
    labelled = target >= 0
    group = None if groups is None else np.asarray(groups)[labelled]
    target, probability = target[labelled].astype(int), probability[labelled]
    prediction = probability.argmax(1) if len(target) else target
    interval = _Intervals(level, seed, n_resamples)

    measures = {
        "accuracy": interval.proportion(prediction == target, group),
        "balanced_accuracy": interval.bootstrap(_balanced_accuracy, target, prediction, groups=group, classes=target),
        "roc_auc": interval.bootstrap(_roc_auc, target, probability, groups=group, classes=target),
        "cross_entropy": interval.bootstrap(np.mean, _cross_entropy(target, probability), groups=group),
        # No interval: copies of a sample fall into one bin, so the bootstrap of a binned error is biased upwards.
        "expected_calibration_error": Measure(expected_calibration_error(target, probability), n=len(target)),
    }
    for number, name in enumerate(class_names):
        is_class, said = target == number, prediction == number
        measures[f"recall_{name}"] = interval.proportion(said[is_class], None if group is None else group[is_class])
        measures[f"precision_{name}"] = interval.proportion(is_class[said], None if group is None else group[said])
    if train_target is not None:
        guess = majority_class(train_target)
        measures["majority_baseline_accuracy"] = interval.proportion(target == guess, group)
    return measures


def confusion_matrix(target: np.ndarray, prediction: np.ndarray, n_classes: int) -> list[list[int]]:
    """Counts (K, K): row = true class, column = predicted class; rows without label (-1) are left out."""
    target, prediction = np.asarray(target), np.asarray(prediction)
    labelled = target >= 0
    cells = target[labelled].astype(int) * n_classes + prediction[labelled].astype(int)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes).tolist()


def majority_class(train_target: np.ndarray) -> int:
    """Commonest class number of the training samples; the lower number on a tie.

    Raises:
        DataError: no training sample has a label.
    """
    target = np.asarray(train_target)
    if not (target >= 0).any():
        raise DataError("No training sample has a label, so there is no majority class. Check the target column.")
    return int(np.bincount(target[target >= 0].astype(int)).argmax())


@dataclass(frozen=True)
class ReliabilityBins:
    """Stated confidence against share right, in bins of equal width."""

    confidence: np.ndarray
    """Mean probability given to the predicted class, per non-empty bin."""
    accuracy: np.ndarray
    """Share of right predictions, per non-empty bin."""
    count: np.ndarray
    """Samples per non-empty bin."""


def reliability_bins(target: np.ndarray, probability: np.ndarray, n_bins: int = CALIBRATION_BINS) -> ReliabilityBins:
    """Bin labelled samples by the probability of the predicted class (Guo et al. 2017, arXiv:1706.04599)."""
    target, probability = np.asarray(target), np.asarray(probability, float)
    labelled = target >= 0
    target, probability = target[labelled], probability[labelled]
    confidence = probability.max(1) if len(target) else np.zeros(0)
    right = probability.argmax(1) == target if len(target) else np.zeros(0)
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    count = np.bincount(bins, minlength=n_bins)
    full = count > 0
    mean_confidence, share_right = (
        np.bincount(bins, weights, n_bins)[full] / count[full] for weights in (confidence, right)
    )
    return ReliabilityBins(mean_confidence, share_right, count[full])


def expected_calibration_error(target: np.ndarray, probability: np.ndarray, n_bins: int = CALIBRATION_BINS) -> float:
    """Mean gap between stated confidence and share right, weighted by the samples of each bin; NaN without samples."""
    bins = reliability_bins(target, probability, n_bins)
    if not bins.count.sum():
        return math.nan
    return float(np.average(np.abs(bins.confidence - bins.accuracy), weights=bins.count))


@dataclass(frozen=True)
class _Intervals:
    level: float
    seed: int
    n_resamples: int

    def proportion(self, hits: np.ndarray, groups: np.ndarray | None) -> Measure:
        n = len(hits)
        if groups is None or not n:
            return Measure.proportion(int(hits.sum()), n, self.level)
        share = float(hits.mean())
        n_groups = len(np.unique(groups))
        return Measure(share, *wilson_interval(share * n_groups, n_groups, self.level), n)

    def bootstrap(
        self,
        statistic: Statistic,
        *arrays: np.ndarray,
        groups: np.ndarray | None,
        classes: np.ndarray | None = None,
    ) -> Measure:
        if not len(arrays[0]):
            return Measure(math.nan)
        value = float(statistic(*arrays))
        if math.isnan(value):
            return Measure(math.nan)
        strata = None if groups is not None else classes
        low, high = bootstrap_interval(
            statistic,
            *arrays,
            groups=groups,
            strata=strata,
            seed=self.seed,
            n_resamples=self.n_resamples,
            level=self.level,
        )
        return Measure(value, low, high, len(arrays[0]))


def _balanced_accuracy(target: np.ndarray, prediction: np.ndarray) -> float:
    count = np.bincount(target)
    right = np.bincount(target[target == prediction], minlength=len(count))
    return float((right[count > 0] / count[count > 0]).mean())


def _roc_auc(target: np.ndarray, probability: np.ndarray) -> float:
    classes = [1] if probability.shape[1] == 2 else range(probability.shape[1])
    areas = np.array([_area(target == k, probability[:, k]) for k in classes])
    defined = areas[~np.isnan(areas)]
    return float(defined.mean()) if len(defined) else math.nan


def _area(positive: np.ndarray, score: np.ndarray) -> float:
    """Share of (positive, negative) pairs in the right order, ties counted half (Mann and Whitney 1947)."""
    negatives, positives = np.sort(score[~positive]), score[positive]
    if not len(negatives) or not len(positives):
        return math.nan
    below = np.searchsorted(negatives, positives, "left") + np.searchsorted(negatives, positives, "right")
    return float(below.mean() / 2 / len(negatives))


def _cross_entropy(target: np.ndarray, probability: np.ndarray) -> np.ndarray:
    given = probability[np.arange(len(target)), target]
    return -np.log(np.maximum(given, SMALLEST_PROBABILITY))


def _check(target: np.ndarray, probability: np.ndarray, class_names: Sequence[str]) -> None:
    if target.ndim != 1 or probability.shape != (len(target), len(class_names)):
        raise DataError(
            f"Targets of shape {target.shape} and {len(class_names)} classes need probabilities of shape "
            f"({len(target)}, {len(class_names)}); got {probability.shape}."
        )
    if len(target) and (target.max() >= len(class_names) or target.min() < -1):
        raise DataError(
            f"Class numbers run from {target.min()} to {target.max()}; "
            f"allowed are 0 to {len(class_names) - 1} ({', '.join(class_names)}) and -1 for no label."
        )
    if not np.isfinite(probability).all() or (probability < 0).any() or (abs(probability.sum(1) - 1) > 1e-3).any():
        raise DataError("probability holds values that are no probabilities (rows must sum to 1); apply softmax first.")
