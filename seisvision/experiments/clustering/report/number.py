"""Everything that is asked about the number of clusters of a set of runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.cluster import KMeans

from seisvision.clustering.choose import KChoice, choose_k, pooled_points
from seisvision.clustering.gap import gap_statistic
from seisvision.clustering.indices import Indices, cluster_indices
from seisvision.clustering.stability import bootstrap_stability, mean_agreement
from seisvision.clustering.valleys import FEW_CELLS, find_groups
from seisvision.experiments.clustering.report.runs import ClusterRun
from seisvision.records.finding import LeftOut
from seisvision.seeding import DEFAULT_SEED, numpy_stream, stream_seed

MOST_SAMPLES = 2000
"""Indices, gap and stability are computed on so many samples; the groups are counted on all."""
FEW_NETWORKS = 4
"""With fewer different networks than this the report warns."""

COLUMNS = {
    "k": "K",
    "runs": "runs",
    "cross_entropy": "cross-entropy",
    "cross_entropy_over_ln_k": "cross-entropy / ln train_k",
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
        """The numbers of clusters that were asked for."""
        return [row["k"] for row in self.rows]

    @property
    def told_apart(self) -> list[int]:
        """What ``train_k`` was where it was not K; empty where every K has networks of its own."""
        return sorted({run.train_k for run in self.runs if run.train_k != run.k})


def judge_number(runs: Sequence[ClusterRun], left_out: Sequence[LeftOut], seed: int = DEFAULT_SEED) -> NumberReport:
    """Ask all rules.

    Args:
        runs: clustering runs over the same samples.
        left_out: folders to list.
        seed: of all draws.
    """
    ks = sorted({run.k for run in runs})
    features = [run.features for run in one_per_network(runs)]
    choice = choose_k(features, seed)
    points = pooled_points(features)
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
    report = NumberReport(list(runs), list(left_out), choice, rows, {})
    return replace(report, verdicts=_verdicts(report, gap.best))


def one_per_network(runs: Sequence[ClusterRun]) -> list[ClusterRun]:
    """The first run of every network, in their order."""
    return list({run.network: run for run in reversed(runs)}.values())[::-1]


def _row_of_runs(k: int, runs: list[ClusterRun], seed: int) -> dict[str, Any]:
    """Means over the runs with K clusters."""
    own: list[Indices] = [cluster_indices(run.points.astype(float), run.labels, seed) for run in runs]
    first = pooled_points([runs[0].features])
    return {
        "k": k,
        "runs": len(runs),
        "cross_entropy": float(np.mean([run.cross_entropy for run in runs])),
        "cross_entropy_over_ln_k": float(np.mean([run.cross_entropy / math.log(run.train_k) for run in runs])),
        "kmeans_loss": float(np.mean([run.kmeans_loss for run in runs])),
        "own_silhouette": float(np.mean([one.silhouette for one in own])),
        "own_groups": find_groups(first, seed).n,
        "seeds_ari": mean_agreement([run.labels for run in one_per_network(runs)]),
    }


def _verdicts(report: NumberReport, gap_best: int) -> dict[str, str]:
    rows = report.rows
    by = {key: {row["k"]: row[key] for row in rows if math.isfinite(row[key])} for key in COLUMNS}
    smallest = {key: _best(by[key], smallest=True) for key in ("cross_entropy", "kmeans_loss", "davies_bouldin")}
    largest = {
        key: _best(by[key], smallest=False)
        for key in ("own_silhouette", "silhouette", "calinski_harabasz", "seeds_ari", "stability_corrected")
    }
    return {
        "recommended": report.choice.number,
        # Networks that learnt another number have one loss for every K, and the tie is no answer.
        "min_loss, cross-entropy (paper)": "-" if report.told_apart else smallest["cross_entropy"],
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
    if report.told_apart:
        return _without_cross_entropy(report)
    said = [report.verdicts[name] for name in ("min_loss, cross-entropy (paper)", "min_loss, k-means (paper)")]
    text = f"The smallest loss would say K = {said[0]} by cross-entropy and K = {said[1]} by k-means loss"
    at_ends = [one for one in said if one.isdigit() and int(one) in ends]
    if len(report.ks) > 1 and len(at_ends) == 2:
        text += ", the ends of the range that was tried, whatever the data"
    return f"{text}."


def _without_cross_entropy(report: NumberReport) -> str:
    said, told_apart = report.verdicts["min_loss, k-means (paper)"], ", ".join(map(str, report.told_apart))
    text = f"The smallest loss would say K = {said} by k-means loss"
    if len(report.ks) > 1 and said == str(report.ks[-1]):
        text += ", the largest that was tried, whatever the data"
    return (
        f"{text}. Cross-entropy says nothing of K here: the networks learnt to tell task.train_k = {told_apart} "
        "clusters apart whatever K was; train with task.train_k=null for networks of every K."
    )


def warnings(report: NumberReport) -> list[str]:
    """What makes the recommendation weaker than it looks."""
    choice, found = report.choice, []
    if choice.n_networks < FEW_NETWORKS:
        shared = "" if choice.n_networks == len(report.runs) else f" in {len(report.runs)} runs"
        found.append(
            f"Only {choice.n_networks} different network(s){shared}: the heaps that a network makes cannot be told "
            "from gaps in the data. Train other numbers of clusters and seeds "
            "(-m task.k='range(2,13)' task.train_k=null seed=3407,3408,3409)."
        )
    if len({run.seed for run in report.runs}) < 2:
        found.append("Only one seed: nothing is known of how far independent runs agree.")
    if choice.is_floor:
        found.append(
            f"There may be more than {choice.k} groups: {len(choice.labels):,} samples are cut into {choice.most} "
            "cells at most, so no larger number can come out. More samples can show more."
        )
    elif choice.most <= FEW_CELLS:
        found.append(
            f"{len(choice.labels):,} samples are few: small groups are easily missed, and no more than {choice.most} "
            "can be counted."
        )
    if choice.confidence < 0.7:
        found.append(
            f"The confidence is low: {choice.confidence:.0%} {choice.confidence_of}. Take the number as a range."
        )
    return found
