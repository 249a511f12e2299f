"""How well clusters agree with known classes: measures that do not ask which cluster stands for which class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

from seisvision.evaluation.intervals import NO_INTERVAL, Measure
from seisvision.evaluation.uncertainty.jackknife import jackknife_difference, jackknife_interval
from seisvision.seeding import DEFAULT_SEED, numpy_stream

MEASURES = ("ari", "ami", "nmi", "homogeneity", "completeness", "purity")
"""Adjusted Rand index (Hubert and Arabie 1985); adjusted mutual information (Vinh, Epps and Bailey 2010, Journal of
Machine Learning Research 11, 2837-2854, over the mean of the entropies), zero where clusters and classes have nothing
to do with each other; mutual information over the mean of the entropies, which is also the V-measure (Rosenberg and
Hirschberg 2007), the harmonic mean of the next two: homogeneity (clusters hold one class) and completeness (classes lie
in one cluster); share of samples in the class that is commonest in their cluster. The last four grow with the number of
clusters, whatever these are: beside NMI and purity stands what chance gives them."""
WITH_INTERVAL = ("ari", "ami", "purity")
"""The others are too large by as much as they vary, unless samples are many and clusters few."""
FEWEST_EVENTS = {"ami": 500, "purity": 50}
"""For an interval; what chance adds to information is not taken off evenly where some cells are nearly empty."""
BY_CHANCE = ("nmi", "purity")
N_SHUFFLES = 100


def agreement_measures(
    labels: np.ndarray, classes: np.ndarray, groups: Sequence[Any], level: float = 0.95, seed: int = DEFAULT_SEED
) -> dict[str, Measure]:
    """The measures, with jackknife intervals over events where these hold, ``nmi_by_chance`` and ``purity_by_chance``.

    Args:
        labels: cluster (N,) of every sample.
        classes: class number (N,); negative where it is not known, and then the sample does not count.
        groups: event (N,) of every sample: whole events are left out.
        level: confidence level.
        seed: seed of the shuffles behind the values by chance.
    """
    known = np.asarray(classes) >= 0
    n = int(known.sum())
    if not n:
        return {name: Measure(math.nan) for name in (*MEASURES, *(f"{name}_by_chance" for name in BY_CHANCE))}
    event = np.unique(np.asarray(groups)[known], return_inverse=True)[1]
    labels, classes = labels[known], classes[known]
    value, without = _values(labels, classes, event)
    shuffled = values_by_chance(labels, classes, event, seed)
    size = np.bincount(event)
    measures = {name: Measure(value[name], n=n, kind=NO_INTERVAL) for name in MEASURES}
    for name in WITH_INTERVAL:
        # Near independence information and purity vary by their squares, which no standard error tells.
        if name == "ari" or (value[name] > shuffled[name].max() and size.size >= FEWEST_EVENTS[name]):
            ends = jackknife_interval(value[name], without[name], level, n**2 / float((size**2).sum()))
            measures[name] = Measure.with_ends(value[name], ends, n, "jackknife")
    by_chance = {f"{name}_by_chance": float(shuffled[name].mean()) for name in BY_CHANCE}
    return measures | {name: Measure(mean, n=n) for name, mean in by_chance.items()}


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
        return {"of": of, "p_value": None, **Measure(math.nan).to_dict()}
    event = np.unique(np.asarray(groups)[known], return_inverse=True)[1]
    mine, mine_without = _values(labels[known], classes[known], event)
    theirs, theirs_without = _values(others[known], classes[known], event)
    value = mine[of] - theirs[of]
    ends, p_value = jackknife_difference(value, mine_without[of] - theirs_without[of], level)
    measure = Measure.with_ends(value, ends, int(known.sum()), "jackknife")
    return {"of": of, "p_value": None if math.isnan(p_value) else p_value, **measure.to_dict()}


def values_by_chance(
    labels: np.ndarray, classes: np.ndarray, event: np.ndarray, seed: int = DEFAULT_SEED
) -> Mapping[str, np.ndarray]:
    """Every measure in shuffles (S,) where events are given the classes of other events.

    Args:
        labels: cluster (N,).
        classes: class number (N,).
        event: (N,) event number from 0.
        seed: of the shuffles.
    """
    rng = numpy_stream(seed, "agreement by chance")
    order = np.argsort(event, kind="stable")
    size = np.bincount(event)
    first = np.cumsum(size) - size
    place = np.arange(len(event)) - np.repeat(first, size)
    labels, classes = (np.unique(values, return_inverse=True)[1][order] for values in (labels, classes))
    shape = labels.max() + 1, classes.max() + 1
    tables = []
    for _ in range(N_SHUFFLES):
        other = np.repeat(rng.permutation(len(size)), size)
        # An event with more samples than the other takes its classes in turn.
        cells = labels * shape[1] + classes[first[other] + place % size[other]]
        tables.append(np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape))
    first_table = tables[0]
    return measures_of_tables(np.array(tables, float), expected_information(first_table.sum(1), first_table.sum(0)))


def cross_table(labels: np.ndarray, classes: np.ndarray, n_clusters: int, n_classes: int) -> np.ndarray:
    """Number of samples (K, classes) by cluster and class; samples of unknown class do not count."""
    known = np.asarray(classes) >= 0
    cells = labels[known] * n_classes + classes[known]
    return np.bincount(cells, minlength=n_clusters * n_classes).reshape(n_clusters, n_classes)


def _values(
    labels: np.ndarray, classes: np.ndarray, event: np.ndarray
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """The measures of the samples, and (G,) of the samples without each event."""
    labels, classes = (np.unique(values, return_inverse=True)[1] for values in (labels, classes))
    shape = labels.max() + 1, classes.max() + 1
    per_event = np.zeros((event.max() + 1, shape[0] * shape[1]))
    np.add.at(per_event, (event, labels * shape[1] + classes), 1)
    # Many events are alike: those of one sample in the same cell.
    kinds, kind = np.unique(per_event, axis=0, return_inverse=True)
    whole = per_event.sum(0)
    tables = np.concatenate([whole[None], whole - kinds]).reshape(-1, *shape)
    kept = tables.sum((1, 2)) > 0
    found = {name: np.full(len(tables), np.nan) for name in MEASURES}
    by_chance = expected_information(tables[0].sum(1), tables[0].sum(0))
    for name, values in measures_of_tables(tables[kept], by_chance).items():
        found[name][kept] = values
    return {name: float(one[0]) for name, one in found.items()}, {name: one[1:][kind] for name, one in found.items()}


def expected_information(rows: np.ndarray, columns: np.ndarray) -> float:
    """Mutual information in nats that tables with these margins have on average by chance (Vinh et al. 2010).

    Args:
        rows: (K,) whole counts.
        columns: (classes,) whole counts.
    """
    n = rows.sum()
    log_factorial = special.gammaln(np.arange(n + 2) + 1)
    total = 0.0
    for a, b in ((int(a), int(b)) for a in rows for b in columns if a and b):
        cell = np.arange(max(1, a + b - int(n)), min(a, b) + 1)
        log_chance = (log_factorial[a] + log_factorial[b] + log_factorial[int(n) - a] + log_factorial[int(n) - b]
                      - log_factorial[int(n)] - log_factorial[cell] - log_factorial[a - cell] - log_factorial[b - cell]
                      - log_factorial[int(n) - a - b + cell])  # fmt: skip
        total += float((cell / n * np.log(n * cell / (a * b)) * np.exp(log_chance)).sum())
    return total


def measures_of_tables(tables: np.ndarray, by_chance: float = math.nan) -> Mapping[str, np.ndarray]:
    """The measures (R,) of cross tables (R, K, classes) of counts; 1 where there is but one cluster or class.

    ``by_chance`` is :func:`expected_information` of the first table; that of the others follows their size.
    """
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
    mean_entropy = (row_entropy + column_entropy) / 2
    chance = by_chance * n[0] / n
    return {
        "ari": ari,
        "ami": _ratio(information - chance, mean_entropy - chance),
        "nmi": _ratio(information, mean_entropy),
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
