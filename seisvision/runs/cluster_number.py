"""Everything that is asked about the number of clusters of a set of runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.cluster import KMeans

from seisvision.clustering.choose import KChoice, choose_k, pooled_points
from seisvision.clustering.gap import gap_statistic
from seisvision.clustering.indices import Indices, cluster_indices
from seisvision.clustering.stability import bootstrap_stability, mean_agreement
from seisvision.clustering.valleys import find_groups
from seisvision.runs.cluster_runs import ClusterRun
from seisvision.runs.comparing.collect import LeftOut
from seisvision.seeding import DEFAULT_SEED, numpy_stream, stream_seed

MOST_SAMPLES = 2000
"""Indices, gap and stability are computed on so many samples; the groups are counted on all."""

COLUMNS = {
    "k": "K",
    "runs": "runs",
    "cross_entropy": "cross-entropy",
    "cross_entropy_over_ln_k": "cross-entropy / ln K",
    "kmeans_loss": "k-means loss",
    "own_silhouette": "silhouette (own features)",
    "own_groups": "groups in own features",
    "seeds_ari": "ARI between seeds",
    "silhouette": "silhouette",
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin",
    "gap": "gap",
    "gap_error": "gap, standard error",
    "stability_ari": "bootstrap ARI",
    "stability_expected": "bootstrap ARI of a cloud",
    "stability_corrected": "bootstrap ARI, corrected",
}
"""Columns of the table by K. Those from ``silhouette`` on are of k-means on the features of all runs together."""


@dataclass(frozen=True)
class NumberReport:
    """The number of clusters as several rules see it.

    Args:
        runs: what was read.
        left_out: folders that were not, with reasons.
        choice: the recommendation.
        rows: one a K with the keys of `COLUMNS`.
        verdicts: rule to the number it gives, in words.
    """

    runs: list[ClusterRun]
    left_out: list[LeftOut]
    choice: KChoice
    rows: list[dict[str, Any]]
    verdicts: dict[str, str]

    @property
    def ks(self) -> list[int]:
        """The numbers of clusters that were trained."""
        return [row["k"] for row in self.rows]


def judge_number(runs: Sequence[ClusterRun], left_out: Sequence[LeftOut], seed: int = DEFAULT_SEED) -> NumberReport:
    """Ask all rules.

    Args:
        runs: clustering runs over the same samples.
        left_out: folders to list.
        seed: of all draws.
    """
    ks = sorted({run.k for run in runs})
    choice = choose_k([run.features for run in runs], seed)
    points = pooled_points([run.features for run in runs])
    chosen = np.sort(numpy_stream(seed, "judged samples").permutation(len(points))[:MOST_SAMPLES])
    points = points[chosen]
    tried = [1, *[k for k in ks if 1 < k < len(points)]]
    gap, stability = gap_statistic(points, tried, seed), bootstrap_stability(points, tried[1:], seed)
    rows = []
    for k in ks:
        row = _row_of_runs(k, [run for run in runs if run.k == k], seed)
        if k in tried[1:]:
            labels = KMeans(k, n_init=5, random_state=stream_seed(seed, "judge") % 2**32).fit_predict(points)
            row |= cluster_indices(points, labels, seed).to_dict()
            at, of = tried.index(k), tried[1:].index(k)
            row |= {"gap": float(gap.gap[at]), "gap_error": float(gap.error[at])}
            row |= {
                "stability_ari": float(stability.ari[of]),
                "stability_expected": float(stability.expected[of]),
                "stability_corrected": float(stability.corrected[of]),
            }
        rows.append({key: row.get(key, math.nan) for key in COLUMNS})
    return NumberReport(list(runs), list(left_out), choice, rows, _verdicts(rows, choice, gap.best))


def _row_of_runs(k: int, runs: list[ClusterRun], seed: int) -> dict[str, Any]:
    """Means over the runs with K clusters."""
    own: list[Indices] = [cluster_indices(run.points, run.labels, seed) for run in runs]
    cross_entropy = float(np.mean([run.cross_entropy for run in runs]))
    first = pooled_points([runs[0].features])
    return {
        "k": k,
        "runs": len(runs),
        "cross_entropy": cross_entropy,
        "cross_entropy_over_ln_k": cross_entropy / math.log(k) if k > 1 else math.nan,
        "kmeans_loss": float(np.mean([run.kmeans_loss for run in runs])),
        "own_silhouette": float(np.mean([one.silhouette for one in own])),
        "own_groups": find_groups(first, seed).n,
        "seeds_ari": mean_agreement([run.labels for run in runs]),
    }


def _verdicts(rows: list[dict[str, Any]], choice: KChoice, gap_best: int) -> dict[str, str]:
    by = {key: {row["k"]: row[key] for row in rows if math.isfinite(row[key])} for key in COLUMNS}
    smallest = {key: _best(by[key], smallest=True) for key in ("cross_entropy", "kmeans_loss", "davies_bouldin")}
    largest = {
        key: _best(by[key], smallest=False)
        for key in ("own_silhouette", "silhouette", "calinski_harabasz", "seeds_ari", "stability_corrected")
    }
    return {
        "recommended": "no structure" if choice.k is None else str(choice.k),
        "min_loss, cross-entropy (paper)": smallest["cross_entropy"],
        "min_loss, k-means (paper)": smallest["kmeans_loss"],
        "silhouette on each run's own features": largest["own_silhouette"],
        "silhouette on all runs' features": largest["silhouette"],
        "Calinski-Harabasz on all runs' features": largest["calinski_harabasz"],
        "Davies-Bouldin on all runs' features": smallest["davies_bouldin"],
        "gap statistic, 1-SE rule": "no structure" if gap_best == 1 else str(gap_best),
        "bootstrap stability, corrected": largest["stability_corrected"],
        "agreement between seeds": largest["seeds_ari"],
    }


def _best(values: dict[int, float], *, smallest: bool) -> str:
    if not values:
        return "-"
    return str((min if smallest else max)(values, key=lambda k: values[k]))


def paper_sentence(report: NumberReport) -> str:
    """What the smallest loss would have said, and why that is no evidence."""
    ends = {report.ks[0], report.ks[-1]}
    said = [report.verdicts[name] for name in ("min_loss, cross-entropy (paper)", "min_loss, k-means (paper)")]
    text = f"The smallest loss would say K = {said[0]} by cross-entropy and K = {said[1]} by k-means loss"
    at_ends = [one for one in said if one.isdigit() and int(one) in ends]
    if len(report.ks) > 1 and len(at_ends) == 2:
        text += ", the ends of the range that was tried, whatever the data"
    return f"{text}."
