"""Is one model better than another? Differences of measures whose uncertainty holds events and training runs.

A measure moves when other events are drawn, and when the network is trained again. How far each event moves it is its
influence; runs that were tested on the same events share that part, and only the spread over runs tells the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

BANDWIDTH = 2.0
"""Standard errors on either side of a median between which the density of the values is measured."""
SMALLEST_P = 1e-12


@dataclass(frozen=True)
class Influence:
    """A measure of one run and what each event adds to its error.

    The covariance of two runs is the sum of the products of their influences over the events that both were tested on.
    """

    value: float
    events: np.ndarray
    """(G,) names, sorted."""
    by_event: np.ndarray
    """(G,) sums over the samples of each event."""
    effective: float
    """Events of equal size that would tell as much; G where all have the same number of samples."""
    floor: float = 0.0
    """Least variance of a difference: where all answers agree, influences say nothing (Bonett and Price 2012)."""


@dataclass(frozen=True)
class Part:
    """An independent source of the uncertainty of a difference."""

    variance: float
    dof: float
    """Degrees of freedom of that variance."""


@dataclass(frozen=True)
class Difference:
    """A difference of two means with the sources of its uncertainty."""

    value: float
    parts: tuple[Part, ...]
    is_of_models: bool
    """True where the spread over training runs is in it; else it speaks of these trained networks only."""

    def half_width(self, level: float = 0.95) -> float:
        """Half the width of the interval: the root of the sum of squares of those of the parts, each by Student's t.

        That holds at least ``level`` whatever the shares of the parts (Banerjee 1960, Sankhya 22, 357-358); degrees of
        freedom after Satterthwaite would be many just where few runs happen to agree.
        """
        from scipy.special import stdtrit

        return math.sqrt(sum(stdtrit(one.dof, 0.5 + level / 2) ** 2 * one.variance for one in self.parts))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Both ends."""
        half = self.half_width(level)
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """One minus the level of the interval that just touches zero, so that both always say the same."""
        from scipy.optimize import brentq
        from scipy.special import stdtr

        known = [one for one in self.parts if one.variance > 0]
        if not known:
            return 1.0 if self.value == 0 else 0.0
        if len(known) == 1:
            return float(2 * stdtr(known[0].dof, -abs(self.value) / math.sqrt(known[0].variance)))

        def gap(log_p: float) -> float:
            return self.half_width(1 - math.exp(log_p)) - abs(self.value)

        smallest = math.log(SMALLEST_P)
        return SMALLEST_P if gap(smallest) <= 0 else math.exp(brentq(gap, smallest, 0.0, xtol=1e-9))


def compare_runs(a: Sequence[Influence], b: Sequence[Influence]) -> Difference:
    """Mean of several runs minus that of others, all tested on the same events.

    Seeds are not pairs: equal numbers do not make trainings of two configurations alike. The spread over runs is that
    of the means of each side (Welch 1947, Biometrika 34, 28-35); it holds what differs between runs on single events,
    so the part of the events is only what the runs of a side have in common, as for readers who see the same cases
    (Hillis 2014, Stat. Med. 33, 330-360). With a single run on a side the spread is not known and left out.

    Args:
        a: runs of one configuration.
        b: runs of the other.
    """
    value, dof = _mean_value(a) - _mean_value(b), _dof([*a, *b])
    floor = max(one.floor for one in (*a, *b))
    mine, theirs = _mean_by_event(a), _mean_by_event(b)
    if min(len(a), len(b)) < 2:
        moved = mine - theirs
        return Difference(value, (Part(float(moved @ moved) + floor, dof),), False)
    within = sum(_common_variance([one.by_event for one in side]) for side in (a, b))
    # Answers that several runs give are finer than right or wrong, and so is what they may hide.
    events = max(0.0, within - 2 * float(mine @ theirs)) + floor / min(len(a), len(b))
    return Difference(value, (_spread_part([[one.value for one in side] for side in (a, b)]), Part(events, dof)), True)


def compare_folds(
    a: Sequence[Sequence[Influence]], b: Sequence[Sequence[Influence]], held_out_ratio: float
) -> Difference:
    """Mean difference over K folds, each with one or more runs of both sides that learnt from the same events.

    Folds share training events, so their spread is too small; there is no unbiased estimator (Bengio and Grandvalet
    2004, JMLR 5, 1089-1105). It is corrected as in Nadeau and Bengio (2003, Machine Learning 52, 239-281).

    Args:
        a: runs of one configuration, fold by fold.
        b: runs of the other on the same folds.
        held_out_ratio: events that a fold holds out for each that it learns from.
    """
    folds = list(zip(a, b, strict=True))
    values = [_mean_value(one) - _mean_value(other) for one, other in folds]
    names = np.unique(np.concatenate([one[0].events for one in a]))
    moved = np.zeros((len(folds), len(names)))
    for row, (one, other) in zip(moved, folds, strict=True):
        row[np.searchsorted(names, one[0].events)] = _mean_by_event(one) - _mean_by_event(other)
    runs = [run for fold in folds for side in fold for run in side]
    n = len(folds)
    spread = Part(float(np.var(values, ddof=1)) * (1 / n + held_out_ratio), n - 1.0)
    events = Part(max(0.0, _common_variance(moved)) + max(run.floor for run in runs) / n, _dof(runs))
    return Difference(float(np.mean(values)), (spread, events), True)


def mean_influence(values: np.ndarray, events: Sequence[str] | np.ndarray, *, is_share: bool = False) -> Influence:
    """Of a mean of ``values`` (N,) over samples of ``events`` (N,); ``is_share`` where they are 0 or 1."""
    value = float(np.mean(values))
    return _influence(value, (values - value) / len(values), events, [len(values)] if is_share else [])


def balanced_influence(hits: np.ndarray, classes: np.ndarray, events: Sequence[str] | np.ndarray) -> Influence:
    """Of the mean recall of the classes present; ``hits`` bool (N,), ``classes`` int (N,)."""
    count = np.bincount(classes)
    recall = np.bincount(classes, hits, len(count)) / np.maximum(count, 1)
    n_classes = int((count > 0).sum())
    moved = (hits - recall[classes]) / (n_classes * count[classes])
    return _influence(float(recall[count > 0].mean()), moved, events, count[count > 0].tolist())


def area_influence(positive: np.ndarray, score: np.ndarray, events: Sequence[str] | np.ndarray) -> Influence:
    """Of the area under the ROC curve (DeLong et al. 1988, Biometrics 44, 837-845); NaN where a class is missing."""
    ones, zeros = np.sort(score[positive]), np.sort(score[~positive])
    if not len(ones) or not len(zeros):
        return _influence(math.nan, np.zeros(len(score)), events, [])
    # Share of the other class on the wrong side of each sample, ties counted half.
    above = 1 - (np.searchsorted(ones, score, "left") + np.searchsorted(ones, score, "right")) / (2 * len(ones))
    below = (np.searchsorted(zeros, score, "left") + np.searchsorted(zeros, score, "right")) / (2 * len(zeros))
    value = float(below[positive].mean())
    moved = np.where(positive, (below - value) / len(ones), (above - value) / len(zeros))
    found = _influence(value, moved, events, [len(ones), len(zeros)])
    # A sample seldom goes from one end of the order to the other.
    return replace(found, floor=found.floor / 4)


def average(several: Sequence[Influence]) -> Influence:
    """Of the mean of measures of the same samples, without those that are not defined."""
    known = [one for one in several if not math.isnan(one.value)] or list(several)
    value, moved = float(np.mean([one.value for one in known])), _mean_by_event(known)
    return replace(known[0], value=value, by_event=moved, floor=max(one.floor for one in known))


def median_influence(values: np.ndarray, events: Sequence[str] | np.ndarray) -> Influence:
    """Of a median: the side of it on which a sample lies, in units of the density there (Woodruff 1952, J. Am. Stat.
    Assoc. 47, 635-646)."""
    value = float(np.median(values))
    side = _influence(value, np.sign(values - value) / (2 * len(values)), events, [])
    error = math.sqrt(float(side.by_event @ side.by_event))
    if error == 0:
        return side
    reach = min(0.5, BANDWIDTH * error)
    low, high = np.quantile(values, [0.5 - reach, 0.5 + reach])
    return replace(side, by_event=side.by_event * float(high - low) / (2 * reach))


def _influence(
    value: float, by_sample: np.ndarray, events: Sequence[str] | np.ndarray, counts: Sequence[int]
) -> Influence:
    """Sum over the samples of each event; ``counts`` are those of the shares that the value is a mean of."""
    names, group = np.unique(np.asarray(events), return_inverse=True)
    size = np.bincount(group)
    n = len(names)
    by_event = np.bincount(group, by_sample, n) * math.sqrt(n / max(1, n - 1))
    per_event = size.sum() / n
    # As if there were two events more, in each of which one model has a sample right that the other has wrong.
    floor = sum(2 / (count / per_event + 2) ** 2 for count in counts) / max(1, len(counts)) ** 2 / per_event
    return Influence(value, names, by_event, float(size.sum() ** 2 / np.square(size).sum()), floor)


def _common_variance(by_event: Sequence[np.ndarray] | np.ndarray) -> float:
    """Mean covariance of different runs (M, G): what other events would change in all of them alike."""
    table = np.asarray(by_event)
    total, n = table.sum(0), len(table)
    return float(total @ total - np.square(table).sum()) / (n * (n - 1))


def _spread_part(sides: Sequence[Sequence[float]]) -> Part:
    """Of the difference of two means over runs, with Welch's degrees of freedom."""
    found = [(float(np.var(side, ddof=1)) / len(side), len(side) - 1) for side in sides]
    total = sum(variance for variance, _ in found)
    squares = sum(variance**2 / dof for variance, dof in found)
    return Part(total, total**2 / squares if squares > 0 else float(min(dof for _, dof in found)))


def _mean_by_event(runs: Sequence[Influence]) -> np.ndarray:
    return np.mean([one.by_event for one in runs], axis=0)


def _mean_value(runs: Sequence[Influence]) -> float:
    return float(np.mean([one.value for one in runs]))


def _dof(runs: Sequence[Influence]) -> float:
    """Degrees of freedom of a variance over events."""
    return max(1.0, min(one.effective for one in runs) - 1)
