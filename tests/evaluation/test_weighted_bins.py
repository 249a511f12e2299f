"""Bins of weighted samples: those of scikit-learn, which looks for each edge by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from seisvision.evaluation.baselines.learners import BOOSTING, WeightedBins, classifier, weighted_edges


def features(n: int, n_classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training features, their classes of unequal numbers, and further features."""
    rng = np.random.default_rng(n)
    target = np.minimum(rng.geometric(0.5, n) - 1, n_classes - 1)
    rows = rng.normal(size=(2 * n, 5)) + np.concatenate([target, target])[:, None] * [0.5, 0, 0.2, 0, 0]
    rows[:, 1] = rows[:, 1].round(1)  # few distinct values
    rows[rng.random(2 * n) < 0.2, 2] = np.nan
    rows[:, 3] = np.where(rng.random(2 * n) < 0.7, 0.0, rows[:, 3])  # most of them one value
    return rows[:n], target, rows[n:]


@pytest.mark.parametrize(("n", "n_classes"), [(120, 2), (700, 2), (700, 3)])
def test_weighted_boosting_says_what_that_of_scikit_learn_says(n: int, n_classes: int) -> None:
    few: dict[str, Any] = {**BOOSTING, "max_iter": 10}
    rows, target, others = features(n, n_classes)
    plain = HistGradientBoostingClassifier(class_weight="balanced", random_state=1, **few).fit(rows, target)
    binned = WeightedBins(HistGradientBoostingClassifier(class_weight="balanced", random_state=1, **few))
    binned.fit(rows, target)
    assert np.array_equal(binned.classes_, plain.classes_)
    for asked in (rows, others):
        difference = np.abs(binned.predict_proba(asked) - plain.predict_proba(asked))
        # An edge may differ in its last digit, and the weights that meet it with it.
        assert (difference > 1e-9).any(1).mean() < 0.02, difference.max()


def test_edges_part_samples_into_bins_of_equal_weight() -> None:
    weight = np.array([1.0, 1.0, 1.0, 1.0, 4.0])
    assert weighted_edges(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), weight, 2).tolist() == [4.5]
    assert weighted_edges(np.array([1.0, 1.0, np.nan, 3.0, 3.0]), weight, 4).tolist() == [2.0]
    assert weighted_edges(np.full(5, np.nan), weight, 4).tolist() == []


def test_only_weighted_classifiers_are_binned_beforehand() -> None:
    assert isinstance(classifier("boosting", 100, "balanced", 1), WeightedBins)
    assert isinstance(classifier("boosting", 100, None, 1), HistGradientBoostingClassifier)
