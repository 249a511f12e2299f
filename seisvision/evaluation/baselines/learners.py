"""The learners behind the baselines: linear ones on few features, and what the field takes for all of them together.

Gradient boosting on trees is the usual winner on tables of some hundred to some ten thousand rows (Grinsztajn et al.,
2022, Why do tree-based models still outperform deep learning on typical tabular data?), and random forests on
attributes of waveforms are the standard of event classification (Provost et al., 2017, doi:10.1002/2016GL070709). The
settings are fixed beforehand, the same for all data: nothing is tuned.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

LEARNERS = {
    "boosting": "gradient boosting on all hand-made features together",
    "forest": "random forest on all hand-made features together",
}
FEWEST_TRAINING = 10
"""Learners need at least this many training samples with a target."""
RIDGE_STRENGTHS = np.logspace(-3, 3, 13)
BOOSTING: dict[str, Any] = {
    "max_iter": 200,
    "learning_rate": 0.05,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 10,
    "l2_regularization": 1.0,
    "early_stopping": False,
}
FOREST: dict[str, Any] = {"n_estimators": 300, "max_features": "sqrt", "min_samples_leaf": 2}
MOST_ROWS_OF_A_TREE = 5000
"""Trees of a forest see at most so many samples each: a forest on a million traces would take hours otherwise."""


def classifier(name: str, n_training: int, class_weight: Literal["balanced"] | None, seed: int) -> Any:
    """An unfitted classifier: one of :data:`LEARNERS`, and logistic regression under any other name."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name == "boosting":
        return HistGradientBoostingClassifier(class_weight=class_weight, random_state=seed, **BOOSTING)
    if name == "forest":
        weight = "balanced_subsample" if class_weight == "balanced" else None
        return make_pipeline(_medians(), RandomForestClassifier(class_weight=weight, **_forest(n_training, seed)))
    return make_pipeline(_medians(), StandardScaler(), LogisticRegression(max_iter=10_000, class_weight=class_weight))


def regressor(name: str, n_training: int, is_angle: bool, seed: int) -> Any:
    """An unfitted regressor: one of :data:`LEARNERS`, ``two_feature``, and ridge regression under any other name.

    Cosines and sines of angles are fitted in the mean, numbers in the median: a few wild targets must not rule.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    loss = "squared_error" if is_angle else "absolute_error"
    if name == "boosting":
        return HistGradientBoostingRegressor(loss=loss, random_state=seed, **BOOSTING)
    if name == "two_feature":
        return HistGradientBoostingRegressor(
            loss="absolute_error", max_iter=200, learning_rate=0.05, max_depth=3, random_state=seed
        )
    if name == "forest":
        return make_pipeline(_medians(), RandomForestRegressor(**_forest(n_training, seed)))
    return make_pipeline(_medians(), StandardScaler(), RidgeCV(RIDGE_STRENGTHS))


def known_columns(rows: np.ndarray) -> np.ndarray:
    """Numbers of the features that are known of any training sample; of no others can anything be learnt.

    Args:
        rows: features (N, F) of the training samples.
    """
    return np.flatnonzero(np.isfinite(rows).any(axis=0))


def _medians() -> Any:
    from sklearn.impute import SimpleImputer

    return SimpleImputer(strategy="median", keep_empty_features=True)


def _forest(n_training: int, seed: int) -> dict[str, Any]:
    rows = MOST_ROWS_OF_A_TREE if n_training > MOST_ROWS_OF_A_TREE else None
    return {"max_samples": rows, "random_state": seed, **FOREST}
