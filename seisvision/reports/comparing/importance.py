"""Which settings of a sweep matter: how much worse a forest predicts the measure when a setting is shuffled.

Computed from the runs alone, so it works for grids, random searches and Optuna studies alike, and needs no Optuna.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.pages.charts import is_number
from seisvision.seeding import DEFAULT_SEED, numpy_stream

FEWEST_CONFIGURATIONS = 12
FEWEST_SETTINGS = 2
N_TREES = 100
N_PARTS = 5
N_SHUFFLES = 10
MOST_ROWS = 600
"""Configurations that a forest learns from; more would only make the page slower."""


@dataclass(frozen=True)
class Importance:
    """How much settings matter."""

    explained: float
    """Share of the variance of the measure that the settings explain, on configurations that no forest learnt from."""
    shares: dict[str, float]
    """What of the explained share falls to each setting, the largest first: by how much it drops when the setting is
    shuffled. They add up to ``explained``, or are all zero where nothing is explained."""


def importance(settings: dict[str, Sequence[Any]], values: Sequence[float]) -> Importance | None:
    """Importance of settings (M of N values each) for a measure (N); None where there is too little to learn from.

    Each of five parts of the configurations is predicted by a forest that learnt from the others. Shuffled among
    configurations that it learnt from, a setting that is mere noise would seem to matter: trees know them by heart.

    Reference: Breiman (2001), Random forests, Machine Learning 45, 5-32 (permutation importance on cases left out).
    """
    measure = np.asarray(values, float)
    known = np.flatnonzero(np.isfinite(measure))
    if len(known) < FEWEST_CONFIGURATIONS or len(settings) < FEWEST_SETTINGS or np.ptp(measure[known]) == 0:
        return None
    if len(known) > MOST_ROWS:
        known = known[np.linspace(0, len(known) - 1, MOST_ROWS).astype(int)]
    blocks = [_columns([given[i] for i in known.tolist()]) for given in settings.values()]
    plain, shuffled = _squared_errors(blocks, measure[known])
    variance = float(measure[known].var())
    explained = 1.0 - float(plain.mean()) / variance
    drops = np.clip((shuffled.mean(1) - plain.mean()) / variance, 0.0, None)
    shares = drops / (drops.sum() or 1.0) * max(0.0, explained)
    found = sorted(zip(settings, shares.tolist(), strict=True), key=lambda one: -one[1])
    return Importance(explained, dict(found))


def _squared_errors(blocks: Sequence[np.ndarray], target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors (N,) of each configuration, predicted by a forest that did not see it, and (M, N) the same, mean
    over shuffles of each setting among the configurations left out together."""
    from sklearn.ensemble import RandomForestRegressor

    inputs = np.concatenate(blocks, axis=1)
    ends = np.cumsum([block.shape[1] for block in blocks])
    rng = numpy_stream(DEFAULT_SEED, "setting importance")
    plain, shuffled = np.empty(len(target)), np.empty((len(blocks), len(target)))
    for out in np.array_split(rng.permutation(len(target)), N_PARTS):
        forest = RandomForestRegressor(N_TREES, min_samples_leaf=2, random_state=DEFAULT_SEED)
        kept = np.setdiff1d(np.arange(len(target)), out)
        forest.fit(inputs[kept], target[kept])
        asked = [inputs[out]]
        for block, end in zip(blocks, ends, strict=True):
            for _ in range(N_SHUFFLES):
                changed = inputs[out].copy()
                changed[:, end - block.shape[1] : end] = block[rng.permutation(out)]
                asked.append(changed)
        errors = np.square(forest.predict(np.concatenate(asked)).reshape(len(asked), -1) - target[out])
        plain[out] = errors[0]
        shuffled[:, out] = errors[1:].reshape(len(blocks), N_SHUFFLES, -1).mean(1)
    return plain, shuffled


def _columns(given: Sequence[Any]) -> np.ndarray:
    """Values of a setting as columns: numbers as they are, anything else one column a value."""
    if all(is_number(value) for value in given):
        return np.asarray(given, float)[:, None]
    names = sorted({str(value) for value in given})
    return np.array([[float(str(value) == name) for name in names] for value in given])
