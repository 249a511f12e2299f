"""Which settings of a sweep matter: how much worse a forest predicts the measure when a setting is shuffled.

Computed from the runs alone, so it works for grids, random searches and Optuna studies alike, and needs no Optuna.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.runs.comparing.charts import is_number
from seisvision.seeding import DEFAULT_SEED, numpy_stream

FEWEST_CONFIGURATIONS = 12
FEWEST_SETTINGS = 2
N_TREES = 200
N_SHUFFLES = 10
MOST_ROWS = 600
"""Configurations that a forest learns from; more would only make the page slower."""


@dataclass(frozen=True)
class Importance:
    """How much settings matter."""

    explained: float
    """Share of the variance of the measure that the settings explain, on configurations left out (out of bag)."""
    shares: dict[str, float]
    """Drop of the explained share when a setting is shuffled, by setting, the largest first; shares of their sum."""


def importance(settings: dict[str, Sequence[Any]], values: Sequence[float]) -> Importance | None:
    """Importance of settings (M of N values each) for a measure (N); None where there is too little to learn from.

    Reference: Breiman (2001), Random forests, Machine Learning 45, 5-32 (out-of-bag permutation importance).
    """
    measure = np.asarray(values, float)
    known = np.flatnonzero(np.isfinite(measure))
    if len(known) < FEWEST_CONFIGURATIONS or len(settings) < FEWEST_SETTINGS or np.ptp(measure[known]) == 0:
        return None
    from sklearn.ensemble import RandomForestRegressor

    if len(known) > MOST_ROWS:
        known = known[np.linspace(0, len(known) - 1, MOST_ROWS).astype(int)]
    blocks = {key: _columns([given[i] for i in known.tolist()]) for key, given in settings.items()}
    target = measure[known]
    forest = RandomForestRegressor(N_TREES, min_samples_leaf=2, oob_score=True, random_state=DEFAULT_SEED)
    forest.fit(np.concatenate(list(blocks.values()), axis=1), target)
    rng = numpy_stream(DEFAULT_SEED, "setting importance")
    full = _explained(forest, blocks, target)
    drops = {}
    for key, block in blocks.items():
        shuffled = [_explained(forest, {**blocks, key: block[rng.permutation(len(block))]}, target)
                    for _ in range(N_SHUFFLES)]  # fmt: skip
        drops[key] = max(0.0, full - float(np.mean(shuffled)))
    total = sum(drops.values()) or 1.0
    ordered = sorted(drops, key=lambda key: -drops[key])
    return Importance(float(forest.oob_score_), {key: drops[key] / total for key in ordered})


def _explained(forest: Any, blocks: dict[str, np.ndarray], target: np.ndarray) -> float:
    residual = target - forest.predict(np.concatenate(list(blocks.values()), axis=1))
    return 1.0 - float(residual.var() / target.var())


def _columns(given: Sequence[Any]) -> np.ndarray:
    """Values of a setting as columns: numbers as they are, anything else one column a value."""
    if all(is_number(value) for value in given):
        return np.asarray(given, float)[:, None]
    names = sorted({str(value) for value in given})
    return np.array([[float(str(value) == name) for name in names] for value in given])
