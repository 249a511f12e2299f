"""What a classifier got right, with intervals, per class and against guessing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.errors import DataError
from seisvision.evaluation.intervals import NO_INTERVAL, Measure
from seisvision.evaluation.resampling import N_RESAMPLES, EventBootstrap
from seisvision.evaluation.uncertainty.proportions import mean_of_parts, share_part
from seisvision.evaluation.uncertainty.roc_area import area_part
from seisvision.seeding import DEFAULT_SEED

CALIBRATION_BINS = 10
FEWEST_EVENTS_OF_CROSS_ENTROPY = 500
"""With fewer, one confident error that was not met would leave the interval."""
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
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Measure]:
    """Metrics of one set of predictions (requirement A-25).

    Args:
        target: int (N,) class numbers; rows with -1 (no label) are left out, and every ``n`` says how many remain.
        probability: (N, K) class probabilities, rows sum to one.
        class_names: K names, used in keys.
        level: confidence level of the intervals.
        train_target: class numbers of the training samples; the commonest one is the majority guess.
        groups: (N,) event of every row where rows are not independent (traces of one event); None: each its own.
        seed: seed of the bootstrap.
        n_resamples: bootstrap resamples.

    Returns:
        ``accuracy``, ``balanced_accuracy`` (mean recall of the classes present),
        ``recall_<class>``, ``precision_<class>``, ``roc_auc`` (of class 1 for two classes, else the mean of one class
        against the rest), ``cross_entropy`` (nats), ``expected_calibration_error`` and, with ``train_target``,
        ``majority_baseline_accuracy``. Shares have Wilson's interval, their mean and the area those of
        `seisvision.evaluation.uncertainty`; cross entropy has none below 500 events, calibration error none at all.
        What is not defined, such as the recall of an absent class, is NaN with n = 0.

    Raises:
        DataError: shapes disagree, a class number is out of range or ``probability`` holds no probabilities.
    """
    target, probability = np.asarray(target), np.asarray(probability, float)
    _check(target, probability, class_names)
    labelled = target >= 0
    events = np.arange(len(target)) if groups is None else np.asarray(groups)
    bootstrap = EventBootstrap(events[labelled], level, seed, n_resamples)
    target, probability = target[labelled].astype(int), probability[labelled]
    prediction = probability.argmax(1) if len(target) else target
    measures = {
        "accuracy": bootstrap.share(prediction == target),
        "balanced_accuracy": _balanced_accuracy(bootstrap, target, prediction),
        "roc_auc": _roc_auc(bootstrap, target, probability),
        "cross_entropy": _mean_cross_entropy(bootstrap, target, probability),
        # No interval: copies of a sample fall into one bin, so the bootstrap of a binned error is biased upwards.
        "expected_calibration_error": Measure(
            expected_calibration_error(target, probability), n=len(target), kind=NO_INTERVAL
        ),
    }
    for number, name in enumerate(class_names):
        is_class, said = target == number, prediction == number
        measures[f"recall_{name}"] = bootstrap.share(said, is_class)
        measures[f"precision_{name}"] = bootstrap.share(is_class, said)
    if train_target is not None:
        guess = majority_class(train_target)
        measures["majority_baseline_accuracy"] = bootstrap.share(target == guess)
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


def _balanced_accuracy(bootstrap: EventBootstrap, target: np.ndarray, prediction: np.ndarray) -> Measure:
    if not len(target):
        return Measure(math.nan)
    right = target == prediction
    parts = [
        share_part(right, target == number, bootstrap.group, bootstrap.n_groups, bootstrap.level)
        for number in np.unique(target)
    ]
    value, low, high = mean_of_parts(parts, bootstrap.level)
    return Measure(value, low, high, len(target), "MOVER of Wilson")


def _roc_auc(bootstrap: EventBootstrap, target: np.ndarray, probability: np.ndarray) -> Measure:
    classes = [1] if probability.shape[1] == 2 else range(probability.shape[1])
    parts = [
        area_part(target == k, probability[:, k], bootstrap.group, bootstrap.n_groups, bootstrap.level) for k in classes
    ]
    defined = [part for part in parts if part is not None]
    if not defined:
        return Measure(math.nan)
    value, low, high = mean_of_parts(defined, bootstrap.level)
    return Measure(value, low, high, len(target), "Newcombe 5" if len(defined) == 1 else "MOVER of Newcombe 5")


def _mean_cross_entropy(bootstrap: EventBootstrap, target: np.ndarray, probability: np.ndarray) -> Measure:
    if bootstrap.n_groups >= FEWEST_EVENTS_OF_CROSS_ENTROPY:
        return bootstrap.mean_size(_cross_entropy(target, probability))
    return bootstrap.of_means(lambda means: means[:, 0], _cross_entropy(target, probability), with_interval=False)


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
