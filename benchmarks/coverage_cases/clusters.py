"""Clusterings that follow known classes in some share of the events, or in none."""

from __future__ import annotations

from functools import partial

import numpy as np
from coverage import Case, IntervalCase

from seisvision.evaluation.agreement import agreement_measures
from seisvision.evaluation.intervals import Measure


def noisy_clusters(
    rng: np.random.Generator, groups: np.ndarray, right: float, n_clusters: int, priors: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Clusters and classes (N,): classes by event, clusters too but for one trace in ten."""
    n_classes, n_events = len(priors), groups[-1] + 1
    classes = rng.choice(n_classes, n_events, p=priors)[groups]
    by_event = rng.integers(0, n_clusters, n_events)[groups]
    labels = np.where((rng.random(n_events) < right)[groups], classes % n_clusters, by_event)
    stray = (rng.random(len(groups)) < 0.1) & (n_events < len(groups))
    return np.where(stray, rng.integers(0, n_clusters, len(groups)), labels), classes


def measured(labels: np.ndarray, classes: np.ndarray, groups: np.ndarray, n_resamples: int) -> dict[str, Measure]:
    """The measures of a table of clusterings, without what chance gives, of which there is no interval."""
    found = agreement_measures(labels, classes, groups)
    return {name: measure for name, measure in found.items() if not name.endswith("by_chance")}


# At independence the true mutual information is zero, and purity the share of the commonest class.
NO_AGREEMENT = {"ari": 0.0, "ami": 0.0, "nmi": 0.0, "homogeneity": 0.0, "completeness": 0.0}
EVEN = (0.2,) * 5
CASES: list[Case] = [
    IntervalCase(name, partial(noisy_clusters, right=right, n_clusters=k, priors=priors), measured, known)
    for name, right, k, priors, known in (
        ("clusters by chance", 0.0, 6, EVEN, NO_AGREEMENT),
        ("clusters by chance, two and two (4:1)", 0.0, 2, (0.8, 0.2), NO_AGREEMENT),
        ("clusters of 60 % of the events", 0.6, 6, EVEN, None),
        ("clusters of 97 % of the events", 0.97, 5, EVEN, None),
    )
]
