"""The number of clusters, or "no structure", with a confidence, and the clusters that all runs agree on.

A network trained with K pseudo-labels pulls its features into K heaps, on noise as well, so no index on the features of
one run can find K. The heaps of runs with other K and other seeds lie elsewhere, however, unless the data themselves
have a gap there. So the features of all runs are put side by side: invented boundaries blur, shared ones stay, and
:mod:`seisvision.clustering.valleys` counts the groups. This is done again and again with half of the runs and most of
the events; the median is the recommendation, how often the same number comes out the confidence. Finally clusters of
so many groups must be nearly the same whichever run's features they are made of, or there is no structure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from seisvision.clustering.stability import mean_agreement
from seisvision.clustering.valleys import FEW_CELLS, Groups, find_groups, most_groups
from seisvision.errors import DataError
from seisvision.seeding import DEFAULT_SEED, numpy_stream, stream_seed

N_REPEATS = 20
EVENT_SHARE = 0.9
STRUCTURE_SHARE = 0.8
"""Less often than this more than one group: no structure."""
AGREEMENT = 0.45
"""Smaller mean adjusted Rand index of the clusters of different runs: no structure."""
MOST_DIMENSIONS = 8
VARIANCE_SHARE = 0.9
RUN_DIMENSIONS = 16
FEWEST_POINTS = 40
SAME_NETWORK = 0.01
"""Features that differ by less than this share of their spread are of one network, computed twice."""


@dataclass(frozen=True)
class KChoice:
    """How many groups there are.

    Args:
        k: the recommended number, the median of the repeats; None where there is no structure.
        confidence: what :attr:`confidence_of` says.
        agreement: mean adjusted Rand index of clusters of ``k`` groups made from one run each, where there are groups
            that valleys part; NaN for a single network.
        counts: number of groups to the number of repeats that found it.
        labels: int (N,), consensus of the repeats that found ``k`` groups, numbered by size; zeros without structure.
        certainty: float (N,), share of these repeats that put the sample where the consensus does.
        n_networks: how many networks with features of their own were asked.
        most: the largest number that so many samples can show.
    """

    k: int | None
    confidence: float
    agreement: float
    counts: dict[int, int]
    labels: np.ndarray
    certainty: np.ndarray
    n_networks: int
    most: int

    @property
    def is_floor(self) -> bool:
        """Whether there may be more groups than ``k``, because so many samples cannot show more."""
        return self.k is not None and self.k >= self.most

    @property
    def number(self) -> str:
        """The recommended number in words."""
        if self.k is None:
            return "no structure"
        return f"at least {self.k}" if self.is_floor else str(self.k)

    @property
    def confidence_of(self) -> str:
        """What the confidence is."""
        if self.k is not None:
            return f"of the repeats find just {self.k} groups"
        if self._n_several < STRUCTURE_SHARE * sum(self.counts.values()):
            return "of the repeats find a single group"
        return "is 1 minus the agreement between networks (mean adjusted Rand index)"

    @property
    def _n_several(self) -> int:
        return sum(self.counts.values()) - self.counts.get(1, 0)

    def sentence(self) -> str:
        """The recommendation for people."""
        repeats = sum(self.counts.values())
        if self.k is not None:
            low, high = min(self.counts), max(self.counts)
            name = f"At least {self.k} groups" if self.is_floor else f"K = {self.k}"
            text = f"{name}: found in {self.counts[self.k]} of {repeats} repeats, which find {low} to {high} groups"
            if self.is_floor:
                text += f"; {len(self.labels):,} samples cannot show more"
            if self.n_networks == 1:
                text += "; seen by one network only, which makes groups of its own"
            return f"{text}."
        if self._n_several < STRUCTURE_SHARE * repeats:
            several = f"{self._n_several} of {repeats} repeats"
            text = f"No structure: only {several} find more than one group that a valley parts"
            if self.most < FEW_CELLS:
                text += f"; so few samples ({len(self.labels)}) show only groups that lie far apart"
            return f"{text}."
        return f"No structure: every run has groups of its own (adjusted Rand index {self.agreement:.2f} between runs)."


def choose_k(features: Sequence[np.ndarray], seed: int = DEFAULT_SEED, n_repeats: int = N_REPEATS) -> KChoice:
    """Find the number of groups in the features of one or more runs over the same samples.

    Args:
        features: per run float (N, F_r), of the same N samples in the same order.
        seed: of all draws.
        n_repeats: how often it is counted.

    Raises:
        DataError: too few samples, or runs over different samples.
    """
    _check(features)
    runs = _different_scores(features)
    groups = [_repeat(runs, seed, number) for number in range(n_repeats)]
    numbers = sorted(int(labels.max()) + 1 for labels in groups)
    counts = dict(sorted(Counter(numbers).items()))
    several = [number for number in numbers if number > 1]
    k, agreement = 1, math.nan
    # A repeat sees a part of the samples, and can show no more groups than that part.
    asked = {"n_networks": len(runs), "most": most_groups(round(EVENT_SHARE * len(runs[0])))}
    if len(several) >= STRUCTURE_SHARE * n_repeats:
        # The lower of two middle numbers claims less.
        k = several[(len(several) - 1) // 2]
        agreement = _agreement(runs, k, seed)
    if k == 1 or agreement < AGREEMENT:
        n_samples = len(runs[0])
        confidence = 1 - len(several) / n_repeats if k == 1 else 1 - max(0.0, agreement)
        return KChoice(None, confidence, agreement, counts, np.zeros(n_samples, int), np.ones(n_samples), **asked)
    labels, certainty = _consensus([labels for labels in groups if labels.max() + 1 == k])
    return KChoice(k, counts[k] / n_repeats, agreement, counts, labels, certainty, **asked)


def pooled_points(features: Sequence[np.ndarray]) -> np.ndarray:
    """Leading principal components (N, P) of the features of all runs, each run counting the same."""
    _check(features)
    return principal_scores(np.hstack(_different_scores(features)), MOST_DIMENSIONS, VARIANCE_SHARE)


def principal_scores(features: np.ndarray, most: int, share: float) -> np.ndarray:
    """Principal components (N, P) of features (N, F): ``share`` of the variance, at most ``most``; not whitened."""
    features = np.asarray(features, float)
    centred = features - features.mean(axis=0)
    left, strength, _ = np.linalg.svd(centred, full_matrices=False)
    variance = np.cumsum(strength**2)
    if not variance[-1] > 0:
        return np.zeros((len(features), 1))
    wanted = int(np.searchsorted(variance / variance[-1], share - 1e-12)) + 1
    return (left * strength)[:, : min(wanted, most)]


def _check(features: Sequence[np.ndarray]) -> None:
    sizes = {len(one) for one in features}
    if len(sizes) != 1:
        raise DataError(f"features of {len(features)} runs with {sorted(sizes)} samples cannot be put side by side")
    if min(sizes) < FEWEST_POINTS:
        raise DataError(f"{min(sizes)} samples are too few to count groups in; at least {FEWEST_POINTS} are needed")
    if not all(np.isfinite(one).all() for one in features):
        raise DataError("features that are not finite cannot be clustered; look at the losses of the runs")


def _different_scores(features: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Scores of every network once: runs that differ only in their last clustering have nearly the same features."""
    different: list[np.ndarray] = []
    for one in features:
        if not any(_are_of_one_network(one, other) for other in different):
            different.append(one)
    return [_scaled_scores(one) for one in different]


def _are_of_one_network(one: np.ndarray, other: np.ndarray) -> bool:
    """Not bitwise: the same training on an accelerator need not give the same bits."""
    if one.shape != other.shape:
        return False
    spread = np.linalg.norm(one - one.mean(axis=0))
    return bool(np.linalg.norm(one - other) <= SAME_NETWORK * spread)


def _agreement(runs: list[np.ndarray], k: int, seed: int) -> float:
    """Mean adjusted Rand index of k-means clusters of every run; NaN for a single one."""
    state = stream_seed(seed, "agreement of runs") % 2**32
    return mean_agreement([KMeans(k, n_init=5, random_state=state).fit_predict(scores) for scores in runs])


def _scaled_scores(features: np.ndarray) -> np.ndarray:
    scores = principal_scores(features, RUN_DIMENSIONS, 0.95)
    scale = np.sqrt((scores**2).sum(axis=1).mean())
    return scores / scale if scale > 0 else scores


def _repeat(runs: list[np.ndarray], seed: int, number: int) -> np.ndarray:
    """Groups (N,) found in half of the runs and most of the samples; the others are assigned to the nearest."""
    rng = numpy_stream(seed, "count groups", number)
    chosen = rng.permutation(len(runs))[: (len(runs) + 1) // 2]
    points = principal_scores(np.hstack([runs[run] for run in chosen]), MOST_DIMENSIONS, VARIANCE_SHARE)
    inside = np.sort(rng.permutation(len(points))[: round(EVENT_SHARE * len(points))])
    groups: Groups = find_groups(points[inside], stream_seed(seed, "groups", number))
    return groups.assign(points)


def _consensus(labellings: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Most frequent label (N,) after matching numbers to the most typical labelling, and its share (N,)."""
    n_groups = int(labellings[0].max()) + 1
    # One labelling has to lend its numbers to the votes; an odd one would blur them all.
    likeness = [np.mean([adjusted_rand_score(one, other) for other in labellings]) for one in labellings]
    reference = labellings[int(np.argmax(likeness))]
    votes = np.zeros((len(reference), n_groups))
    for labels in labellings:
        shared = np.bincount(labels * n_groups + reference, minlength=n_groups**2).reshape(n_groups, n_groups)
        # Numbers mean nothing from one labelling to the next: groups are the same that share most samples (Kuhn 1955).
        _, matched = linear_sum_assignment(-shared)
        votes[np.arange(len(labels)), matched[labels]] += 1
    final = votes.argmax(axis=1)
    order = np.argsort(-np.bincount(final, minlength=n_groups), kind="stable")
    number = np.empty(n_groups, int)
    number[order] = np.arange(n_groups)
    return number[final], votes.max(axis=1) / len(labellings)
