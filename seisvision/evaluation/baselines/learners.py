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
        boosting = HistGradientBoostingClassifier(class_weight=class_weight, random_state=seed, **BOOSTING)
        return boosting if class_weight is None else WeightedBins(boosting)
    if name == "forest":
        weight = "balanced_subsample" if class_weight == "balanced" else None
        return make_pipeline(_medians(), RandomForestClassifier(class_weight=weight, **_forest(n_training, seed)))
    return make_pipeline(_medians(), StandardScaler(), LogisticRegression(max_iter=10_000, class_weight=class_weight))


class WeightedBins:
    """Gradient boosting on features that are binned beforehand, the same bins in a fraction of the time.

    scikit-learn looks for each edge of each feature by itself where samples have weights: at 500 samples of 36 features
    six times as long as it then needs to grow the trees.

    Args:
        boosting: an unfitted classifier with ``class_weight="balanced"`` and the usual number of bins.
    """

    def __init__(self, boosting: Any) -> None:
        self._boosting = boosting
        self._edges: list[np.ndarray] = []

    @property
    def classes_(self) -> np.ndarray:
        """Class numbers in the order of the probabilities."""
        return self._boosting.classes_

    def fit(self, rows: np.ndarray, target: np.ndarray) -> WeightedBins:
        """Fit features (N, F), NaN where unknown, to class numbers (N,)."""
        from sklearn.utils.class_weight import compute_sample_weight

        weight = compute_sample_weight("balanced", target)
        self._edges = [weighted_edges(column, weight, self._boosting.max_bins) for column in rows.T]
        self._boosting.fit(self._binned(rows), target)
        return self

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        """Class probabilities (N, K) of features (N, F)."""
        return self._boosting.predict_proba(self._binned(rows))

    def _binned(self, rows: np.ndarray) -> np.ndarray:
        """Numbers of bins (N, F); what is unknown stays NaN, for which trees have a side of their own."""
        columns = zip(rows.T, self._edges, strict=True)
        binned = np.column_stack([np.searchsorted(edges, values).astype(float) for values, edges in columns])
        return np.where(np.isnan(rows), np.nan, binned)


def weighted_edges(values: np.ndarray, weight: np.ndarray, n_bins: int) -> np.ndarray:
    """Edges of bins of equal weight, between distinct values where these are no more than bins.

    Args:
        values: of one feature (N,); NaN has no bin.
        weight: of the samples (N,), above zero.
        n_bins: largest number of bins.

    Returns:
        At most ``n_bins - 1`` edges in rising order; a value lies in the bin below an edge that it equals.
    """
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known])]
    ordered, distinct = values[order], np.unique(values[known])
    if len(distinct) <= n_bins:
        return (distinct[:-1] + distinct[1:]) / 2
    # Averaged inverted distribution function: where the sum of weights hits a share, the middle to the next value.
    running = np.cumsum(weight[order])
    share = np.linspace(0, 1, n_bins + 1)[1:-1] * running[-1]
    below = np.searchsorted(running, share, side="left")
    above = np.minimum(np.searchsorted(running, share, side="right"), len(ordered) - 1)
    return (ordered[below] + ordered[above]) / 2


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
