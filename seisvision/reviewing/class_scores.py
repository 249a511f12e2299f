"""How well the labels of N samples go with class probabilities of networks that were not trained on these samples.

Self-confidence, normalised margin and the counts of confident learning: Northcutt, Jiang & Chuang (2021), Confident
Learning, doi:10.1613/jair.1.12125. Arrays hold labels int (N,) of K classes and probabilities (N, K).
"""

from __future__ import annotations

import numpy as np

from seisvision.errors import DataError

TOLERANCE = 1e-6
"""A probability may be so much below its threshold, which is a mean of such numbers."""
SMALLEST = 1e-12
"""Probability that a label has at the least, so that its logarithm is a number."""


def check(labels: np.ndarray, probabilities: np.ndarray) -> None:
    """Refuse arrays that do not go together.

    Raises:
        DataError: shapes differ, a label is none of the classes, or a row is no distribution.
    """
    if probabilities.ndim != 2 or len(labels) != len(probabilities):
        raise DataError(
            f"{len(labels)} labels and probabilities {probabilities.shape} do not go together; give (N, K)."
        )
    if len(labels) and not (labels.min() >= 0 and labels.max() < probabilities.shape[1]):
        raise DataError(f"Labels from {labels.min()} to {labels.max()} are not among {probabilities.shape[1]} classes.")
    sums = probabilities.sum(axis=1)
    if not (np.isfinite(sums).all() and np.allclose(sums, 1, atol=1e-3) and (probabilities >= 0).all()):
        raise DataError("Probabilities of a sample must be numbers that add to one; predict these samples again.")


def self_confidence(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Probability (N,) of the label that stands there."""
    return probabilities[np.arange(len(labels)), labels]


def normalised_margin(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Probability of the label less that of the likeliest other class, from 0 to 1 (N,)."""
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return (self_confidence(labels, probabilities) - others.max(axis=1) + 1) / 2


def confident_classes(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The class (N,) that each sample is confidently counted in; -1 where it is in none.

    A sample counts in a class whose probability is at least the mean probability of that class over the samples
    labelled so; where that holds of several classes, in the likeliest. Classes without labelled samples count none.
    """
    n_classes = probabilities.shape[1]
    thresholds = np.array([
        probabilities[labels == k, k].mean() if (labels == k).any() else np.inf for k in range(n_classes)
    ])  # fmt: skip
    passes = probabilities >= np.maximum(thresholds, 2 * TOLERANCE) - TOLERANCE
    n_passed = passes.sum(axis=1)
    found = np.where(n_passed > 1, probabilities.argmax(axis=1), passes.argmax(axis=1))
    return np.where(n_passed > 0, found, -1)


def confident_joint(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Counts int (K, K) of samples by their label (rows) and the class they confidently belong to (columns)."""
    counted = confident_classes(labels, probabilities)
    n_classes = probabilities.shape[1]
    joint = np.zeros((n_classes, n_classes), dtype=int)
    known = counted >= 0
    np.add.at(joint, (labels[known], counted[known]), 1)
    return joint


def likely_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Samples bool (N,) counted confidently in another class, and whose label is not the likeliest class anyway."""
    counted = confident_classes(labels, probabilities)
    return (counted >= 0) & (counted != labels) & (probabilities.argmax(axis=1) != labels)


def n_likely_errors(labels: np.ndarray, probabilities: np.ndarray) -> int:
    """How many labels are likely wrong: the samples beside the diagonal of the confident joint."""
    return int(likely_errors(labels, probabilities).sum())


def log_probabilities(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Logarithm (N,) of the probability of the label."""
    return np.log(np.maximum(self_confidence(labels, probabilities), SMALLEST))
