"""Forecasts as the chance of at least one event by window and cell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seisvision.evaluation.intervals import Measure, wilson_interval
from seisvision.forecasting.measures.blocks import Blocks
from seisvision.forecasting.measures.ties import ends_of_ties


def chance_of_any(rates: np.ndarray) -> np.ndarray:
    """Of one event or more, where events come at ``rates`` independently of each other."""
    return np.asarray(-np.expm1(-rates))


def base_rate(counts: np.ndarray) -> float:
    """Share of windows and cells with an event: the PR AUC of a forecast that knows nothing."""
    return float((counts > 0).mean())


def pr_auc(rates: np.ndarray, counts: np.ndarray, blocks: Blocks) -> Measure:
    """Area under precision over recall (average precision), at the base rate as it is; ties stand together."""
    order = np.argsort(-rates, axis=None, kind="stable")
    score = rates.ravel()[order]
    hit = (counts > 0).ravel()[order].astype(float)
    window = order // rates.shape[1]
    last = ends_of_ties(score)
    # Between two hits nothing changes but the number under alarm, so ties without hits need no step.
    touched = np.diff(np.concatenate([[0], np.cumsum(hit)[last]])) > 0

    def area(weight: np.ndarray) -> np.ndarray:
        values = []
        for row in weight:
            own = row[window]
            found, alarmed = np.cumsum(own * hit)[last], np.cumsum(own)[last]
            gained = np.diff(found, prepend=0.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                precision = np.where(alarmed > 0, found / alarmed, 0)
            values.append((gained * precision)[touched].sum() / found[-1])
        return np.array(values)

    return blocks.measure(area)


def brier_skill(rates: np.ndarray, reference: np.ndarray, counts: np.ndarray, blocks: Blocks) -> Measure:
    """One less the mean squared error of the chances over that of a reference: 0 is no better than it, 1 is perfect."""
    happened = counts > 0
    own, other = (((chance_of_any(one) - happened) ** 2).sum(axis=1) for one in (rates, reference))
    return blocks.measure(lambda weight: 1 - (weight @ own) / (weight @ other))


def reliability(rates: np.ndarray, counts: np.ndarray, n_bins: int = 8) -> list[dict[str, float]]:
    """Chances beside what happened, in bins that hold equal numbers of expected events.

    The intervals take cells to be independent, which cells of one sequence are not.
    """
    chance, happened = chance_of_any(rates).ravel(), (counts > 0).ravel()
    return list(_bins(chance, happened, n_bins))


def _bins(chance: np.ndarray, happened: np.ndarray, n_bins: int) -> Iterator[dict[str, float]]:
    order = np.argsort(chance, kind="stable")
    expected = np.cumsum(chance[order])
    edges = np.searchsorted(expected, expected[-1] * np.arange(1, n_bins) / n_bins)
    for part in np.split(order, edges):
        if len(part):
            n_happened = int(happened[part].sum())
            low, high = wilson_interval(n_happened, len(part))
            yield {
                "n": len(part), "expected": float(chance[part].sum()), "happened": n_happened,
                "chance": float(chance[part].mean()), "frequency": n_happened / len(part), "low95": low, "high95": high,
            }  # fmt: skip
