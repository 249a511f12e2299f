"""Predictions of one model, and the paired comparison of two models on the same samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.errors import DataError
from seisvision.evaluation.intervals import McNemar, Measure, mcnemar, paired_bootstrap_difference
from seisvision.seeding import DEFAULT_SEED


@dataclass(frozen=True)
class ClassPredictions:
    """What a classifier said about N samples."""

    source_ids: list[str]
    """N ids, each once."""
    target: np.ndarray
    """int (N,) true class numbers; -1 where there is no label."""
    probability: np.ndarray
    """float (N, K) class probabilities."""

    @property
    def correct(self) -> np.ndarray:
        """bool (N,): True where the likeliest class is the true one."""
        return self.probability.argmax(1) == self.target


@dataclass(frozen=True)
class PairedComparison:
    """Two models on the same samples."""

    accuracy_difference: Measure
    """Accuracy of the first minus accuracy of the second, with the paired bootstrap interval."""
    test: McNemar
    """Exact McNemar test on the samples where they differ."""


def compare_predictions(
    a: Any, b: Any, level: float = 0.95, seed: int = DEFAULT_SEED, n_resamples: int = 2000
) -> PairedComparison:
    """Compare two classifiers on the labelled samples, one by one: that two intervals overlap says little.

    Raises:
        DataError: the predictions are not about the same samples, or disagree on the true classes.
    """
    a, b = _labelled(a), _labelled(b)
    row = {source_id: i for i, source_id in enumerate(b.source_ids)}
    if set(row) != set(a.source_ids) or len(row) != len(a.source_ids):
        different = sorted(set(row) ^ set(a.source_ids))
        raise DataError(
            f"A paired comparison needs both models on the same samples, each once; {len(a.source_ids)} and "
            f"{len(b.source_ids)} samples were given and {len(different)} ids are in one only "
            f"({', '.join(different[:3]) or 'ids are repeated'}). Evaluate both on the same split."
        )
    order = np.array([row[source_id] for source_id in a.source_ids], dtype=int)
    if not np.array_equal(a.target, b.target[order]):
        raise DataError("The two models were given different true classes. Evaluate both with the same labels.")
    correct_a, correct_b = a.correct, b.correct[order]
    difference = paired_bootstrap_difference(
        np.mean, [correct_a], [correct_b], seed=seed, n_resamples=n_resamples, level=level
    )
    return PairedComparison(difference, mcnemar(correct_a, correct_b))


def _labelled(said: Any) -> ClassPredictions:
    known = np.flatnonzero(said.target >= 0)
    return ClassPredictions([said.source_ids[i] for i in known], said.target[known], said.probability[known])
