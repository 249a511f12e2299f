"""How well clusters agree with known classes: measures that do not ask which cluster stands for which class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import ROWS_AT_ONCE, EventBootstrap, two_sided_p

MEASURES = ("ari", "nmi", "homogeneity", "completeness", "purity")
"""Adjusted Rand index (Hubert and Arabie 1985); mutual information over the mean of the entropies, which is also the
V-measure (Rosenberg and Hirschberg 2007), the harmonic mean of the next two: homogeneity (clusters hold one class) and
completeness (classes lie in one cluster); share of samples in the class that is commonest in their cluster. Purity and
homogeneity grow with the number of clusters, whatever these are."""


def agreement_measures(
    labels: np.ndarray, classes: np.ndarray, groups: Sequence[Any], level: float = 0.95
) -> dict[str, Measure]:
    """The measures with bootstrap intervals over events.

    Args:
        labels: cluster (N,) of every sample.
        classes: class number (N,); negative where it is not known, and then the sample does not count.
        groups: event (N,) of every sample: whole events are drawn.
        level: confidence level.
    """
    known = np.asarray(classes) >= 0
    n = int(known.sum())
    if not n:
        return {name: Measure(float("nan")) for name in MEASURES}
    bootstrap = EventBootstrap(np.asarray(groups)[known], level)
    value, resampled = _values(bootstrap, labels[known], classes[known])
    return {name: bootstrap.measure(float(value[name]), resampled[name]) for name in MEASURES}


def agreement_difference(
    labels: np.ndarray,
    others: np.ndarray,
    classes: np.ndarray,
    groups: Sequence[Any],
    level: float = 0.95,
    of: str = "ari",
) -> dict[str, Any]:
    """Measure ``of`` of ``labels`` minus that of ``others`` on the same samples, with interval and p-value."""
    known = np.asarray(classes) >= 0
    if not known.any():
        return {"of": of, "p_value": None, **Measure(float("nan")).to_dict()}
    bootstrap = EventBootstrap(np.asarray(groups)[known], level)
    mine, mine_resampled = _values(bootstrap, labels[known], classes[known])
    theirs, theirs_resampled = _values(bootstrap, others[known], classes[known])
    resampled = mine_resampled[of] - theirs_resampled[of]
    measure = bootstrap.measure(float(mine[of] - theirs[of]), resampled)
    return {"of": of, "p_value": two_sided_p(resampled), **measure.to_dict()}


def cross_table(labels: np.ndarray, classes: np.ndarray, n_clusters: int, n_classes: int) -> np.ndarray:
    """Number of samples (K, classes) by cluster and class; samples of unknown class do not count."""
    known = np.asarray(classes) >= 0
    cells = labels[known] * n_classes + classes[known]
    return np.bincount(cells, minlength=n_clusters * n_classes).reshape(n_clusters, n_classes)


def _values(
    bootstrap: EventBootstrap, labels: np.ndarray, classes: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The measures of the samples, and (R,) of every resample."""
    labels, classes = (np.unique(values, return_inverse=True)[1] for values in (labels, classes))
    shape = labels.max() + 1, classes.max() + 1
    per_event = np.zeros((bootstrap.n_groups, shape[0] * shape[1]))
    np.add.at(per_event, (bootstrap.group, labels * shape[1] + classes), 1)
    value = {name: found[0] for name, found in measures_of_tables(per_event.sum(0).reshape(1, *shape)).items()}
    chunks = [
        measures_of_tables(
            (bootstrap.counts[first : first + ROWS_AT_ONCE].astype(float) @ per_event).reshape(-1, *shape)
        )
        for first in range(0, bootstrap.n_resamples, ROWS_AT_ONCE)
    ]
    return value, {name: np.concatenate([chunk[name] for chunk in chunks]) for name in MEASURES}


def measures_of_tables(tables: np.ndarray) -> Mapping[str, np.ndarray]:
    """The measures (R,) of cross tables (R, K, classes) of counts; 1 where there is but one cluster or class."""
    rows, columns = tables.sum(2), tables.sum(1)
    n = rows.sum(1)
    pairs, row_pairs, column_pairs = (
        (values * (values - 1) / 2).reshape(len(tables), -1).sum(1) for values in (tables, rows, columns)
    )
    expected = row_pairs * column_pairs / np.maximum(n * (n - 1) / 2, 1)
    span = (row_pairs + column_pairs) / 2 - expected
    # Everything in one cluster and one class, or every sample by itself: perfect agreement by convention.
    ari = np.where(span > 0, (pairs - expected) / np.where(span > 0, span, 1), 1.0)
    row_entropy, column_entropy = _entropy(rows), _entropy(columns)
    information = np.maximum(row_entropy + column_entropy - _entropy(tables.reshape(len(tables), -1)), 0.0)
    return {
        "ari": ari,
        "nmi": _ratio(information, (row_entropy + column_entropy) / 2),
        "homogeneity": _ratio(information, column_entropy),
        "completeness": _ratio(information, row_entropy),
        "purity": tables.max(2).sum(1) / n,
    }


def _entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy (R,) in nats of counts (R, M)."""
    share = counts / counts.sum(1, keepdims=True)
    return -(share * np.log(np.where(share > 0, share, 1.0))).sum(1)


def _ratio(information: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.where(scale > 1e-12, information / np.maximum(scale, 1e-12), 1.0)
