"""What clusters have in common: summaries of physical columns, and the columns that explain the clusters best."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2_contingency

from seisvision import spreadsheets
from seisvision.seeding import DEFAULT_SEED, numpy_stream

N_BINS = 6
NOTABLE = 0.3
"""Cramer's V from which a column says much about the clusters."""
LEVEL = 0.01
NEIGHBOURS = 10
MOST_NEIGHBOURS = 20_000
"""Among so many points neighbours are looked for; the search takes the product of this and the number of points."""


@dataclass(frozen=True)
class Column:
    """A property of the N samples.

    Args:
        name: with its unit.
        values: numbers (N,), NaN where not known, or names (N,), "" where not known.
        confound: whether it belongs to the network, the file or the clock and not to the source.
    """

    name: str
    values: np.ndarray
    confound: bool = False

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers."""
        return np.issubdtype(self.values.dtype, np.number)

    @property
    def codes(self) -> np.ndarray:
        """Value number (N,): equally full bins of numbers; what is not known is a value of its own."""
        if not self.is_number:
            return np.unique(self.values.astype(str), return_inverse=True)[1]
        known = np.isfinite(self.values)
        codes = np.zeros(len(self.values), int)
        if known.any():
            edges = np.unique(np.quantile(self.values[known], np.linspace(0, 1, N_BINS + 1)[1:-1]))
            codes[known] = 1 + np.searchsorted(edges, self.values[known], side="right")
        return np.unique(codes, return_inverse=True)[1]


@dataclass(frozen=True)
class Explained:
    """How much a column says about the clusters."""

    name: str
    confound: bool
    cramers_v: float
    """0 nothing to 1 everything, without bias (Bergsma 2013, J. Korean Stat. Soc. 42, 323-328)."""
    information: float
    """Mutual information over the entropy of the clusters; grows with the number of values."""
    p_value: float
    """Chi-squared test of independence; small counts make it rough."""
    n_values: int

    @property
    def notable(self) -> bool:
        """Whether the column tells clusters apart, beyond chance and enough to matter."""
        return self.cramers_v >= NOTABLE and self.p_value < LEVEL


def explain_clusters(labels: np.ndarray, columns: Sequence[Column]) -> list[Explained]:
    """Columns with more than one value, by how much they say about the clusters, most first."""
    found = []
    for column in columns:
        table = _counts(labels, column.codes)
        if min(table.shape) < 2:
            continue
        test = chi2_contingency(table, correction=False)
        found.append(
            Explained(
                column.name,
                column.confound,
                _cramers_v(float(test.statistic), table),
                _information(table),
                float(test.pvalue),
                table.shape[1],
            )
        )
    return sorted(found, key=lambda one: -one.cramers_v)


def warn_of_confounds(explained: Sequence[Explained]) -> str | None:
    """A sentence where a property of network, file or clock explains the clusters better than the sources do."""
    confounds = [one for one in explained if one.confound and one.notable]
    if not confounds:
        return None
    best = max([one.cramers_v for one in explained if not one.confound], default=0.0)
    if confounds[0].cramers_v < best:
        return None
    names = ", ".join(f"{one.name} (Cramer's V {one.cramers_v:.2f})" for one in confounds[:3])
    return f"The clusters follow the recording more than the source: {names}."


def summarise_clusters(labels: np.ndarray, columns: Sequence[Column]) -> tuple[list[str], list[list[Any]]]:
    """Head and one row a cluster: size, medians of numbers, commonest names with their share."""
    rows: list[list[Any]] = []
    for cluster in np.unique(labels):
        members = labels == cluster
        cells: list[Any] = [int(cluster), int(members.sum())]
        for column in columns:
            cells.append(_typical(column.values[members]))
        rows.append(cells)
    return ["cluster", "samples", *[column.name for column in columns]], rows


def isolation(points: np.ndarray) -> np.ndarray:
    """How empty the surroundings of each point are (N,): its share among all of the distance to its 10th neighbour.

    1 is the loneliest point. Complements the distance from the centre, which calls the rim of a wide cluster strange.
    Of more than `MOST_NEIGHBOURS` points it is an estimate: the 10th neighbour is looked for among as many of them, the
    same random ones every time. It sees wider surroundings, so a few lonely points together count as lonely.

    Args:
        points: float (N, P).
    """
    from sklearn.neighbors import NearestNeighbors

    n_neighbours = min(NEIGHBOURS, len(points) - 1)
    if n_neighbours < 1:
        return np.zeros(len(points))
    if len(points) <= MOST_NEIGHBOURS:
        distance = NearestNeighbors(n_neighbors=n_neighbours).fit(points).kneighbors()[0][:, -1]
    else:
        chosen = np.zeros(len(points), bool)
        chosen[numpy_stream(DEFAULT_SEED, "isolation").permutation(len(points))[:MOST_NEIGHBOURS]] = True
        among = NearestNeighbors(n_neighbors=n_neighbours + 1).fit(points[chosen])
        # A point that was chosen is its own nearest neighbour.
        distances = among.kneighbors(points)[0]
        distance = np.where(chosen, distances[:, -1], distances[:, -2])
    return (np.argsort(np.argsort(distance, kind="stable"), kind="stable") + 1) / len(points)


def sizes_over_time(labels: np.ndarray, time_s: np.ndarray) -> tuple[list[str], dict[str, list[int]]]:
    """Names of months, or of years where there would be more than 36 months, and counts by cluster.

    Args:
        labels: int (N,).
        time_s: seconds since 1970 (N,), NaN where not known.
    """
    known = np.isfinite(time_s)
    if not known.any():
        return [], {}
    stamps = time_s[known].astype("datetime64[s]")
    unit = "datetime64[M]" if np.ptp(stamps.astype("datetime64[M]").astype(int)) < 36 else "datetime64[Y]"
    number = stamps.astype(unit).astype(int)
    bins = np.arange(number.min(), number.max() + 1)
    names = [str(one) for one in bins.astype(unit)]
    counts = {
        str(cluster): np.bincount(number[labels[known] == cluster] - bins[0], minlength=len(bins)).tolist()
        for cluster in np.unique(labels)
    }
    return names, counts


def cross_rows(labels: np.ndarray, names: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    """Head and one row a cluster: how many samples of every class; samples without a class are counted last."""
    classes = sorted({name for name in names if name})
    rows = []
    for cluster in np.unique(labels):
        counts = Counter(name for name, label in zip(names, labels, strict=True) if label == cluster)
        rows.append([int(cluster), *[counts[name] for name in classes], counts[""]])
    return ["cluster", *classes, "no label"], rows


def table_text(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as CSV, empty where a number is not known."""
    text = io.StringIO()
    writer = spreadsheets.Writer(text)
    writer.writerow(head)
    writer.writerows([["" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row] for row in rows])
    return text.getvalue()


def columns_of(values: Mapping[str, np.ndarray], confounds: Sequence[str]) -> list[Column]:
    """Columns of which at least one value is known."""
    found = [Column(name, array, name in confounds) for name, array in values.items()]
    return [one for one in found if (np.isfinite(one.values) if one.is_number else one.values != "").any()]


def _counts(labels: np.ndarray, codes: np.ndarray) -> np.ndarray:
    _, rows = np.unique(labels, return_inverse=True)
    shape = int(rows.max()) + 1, int(codes.max()) + 1
    return np.bincount(rows * shape[1] + codes, minlength=shape[0] * shape[1]).reshape(shape)


def _cramers_v(statistic: float, table: np.ndarray) -> float:
    n, (rows, columns) = int(table.sum()), table.shape
    if n < 2:
        return 0.0
    share = max(0.0, statistic / n - (rows - 1) * (columns - 1) / (n - 1))
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return min(1.0, math.sqrt(share / least)) if least > 0 else 0.0


def _information(table: np.ndarray) -> float:
    joint = table / table.sum()
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    filled = joint > 0
    mutual = (joint[filled] * np.log(joint[filled] / expected[filled])).sum()
    clusters = joint.sum(axis=1)
    return float(mutual / -(clusters[clusters > 0] * np.log(clusters[clusters > 0])).sum())


def _typical(values: np.ndarray) -> Any:
    if np.issubdtype(values.dtype, np.number):
        known = values[np.isfinite(values)]
        return float(f"{np.median(known):.5g}") if len(known) else math.nan
    (name, count), *_ = Counter(values.tolist()).most_common(1)
    return f"{name or 'not known'} ({count / len(values):.0%})"
