"""How good picks are: found or missed, how far off, and how honest their probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from seisvision.evaluation.differences import Influence, area_influence, average, mean_influence
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.outputs.picks.matching import NEAREST_S, Matched, match

THRESHOLDS = np.round(np.arange(0.05, 1.0, 0.05), 2)
N_BINS = 10
OTHER_NEAR_S = 0.5
"""An arrival is named by the most probable pick of any phase this near."""


@dataclass(frozen=True)
class Judged:
    """Picks of N windows and what is true of them.

    Args:
        phases: names of F phases.
        true_s: (N, F, E) arrivals, NaN where nothing is known, far outside where there is none.
        picked_s: (N, F, K) picks.
        probability: (N, F, K) of the picks.
        event: (N,) how probable an event is.
        events: (N,) ids of events.
        window_s: length of the window.
        threshold: probability from which a pick counts.
    """

    phases: Sequence[str]
    true_s: np.ndarray
    picked_s: np.ndarray
    probability: np.ndarray
    event: np.ndarray
    events: np.ndarray
    window_s: float
    threshold: float

    def matched(self, phase: int, tolerance_s: float, threshold: float | None = None) -> Matched:
        """Of one phase, the picks that count."""
        counts = self.probability[:, phase] >= (self.threshold if threshold is None else threshold)
        picked_s = np.where(counts, self.picked_s[:, phase], np.nan)
        return match(self.true_s[:, phase], picked_s, self.window_s, tolerance_s)

    def measures(self, level: float) -> dict[str, Measure]:
        """All measures with intervals over events, the mean F1 over phases first."""
        bootstrap = EventBootstrap(self.events, level)
        found: dict[str, Measure] = {}
        for tolerance_s in NEAREST_S:
            found[f"f1_{tolerance_s:g}s"] = self._mean_f1(bootstrap, tolerance_s)
        for number, phase in enumerate(self.phases):
            for tolerance_s in NEAREST_S:
                one, end = self.matched(number, tolerance_s), f"{tolerance_s:g}s"
                found[f"{phase}_precision_{end}"] = self._share(bootstrap, one.n_hit, one.n_picked)
                found[f"{phase}_recall_{end}"] = self._share(bootstrap, one.n_hit, one.n_true)
                found[f"{phase}_f1_{end}"] = bootstrap.of_means(_f1, one.n_hit, one.n_picked + one.n_true)
            found |= self._residuals(number, phase, level)
            found[f"{phase}_calibration_error"] = Measure(self.reliability(number)[1])
        return found | self._event_or_noise(bootstrap) | self._confusion(bootstrap)

    def _mean_f1(self, bootstrap: EventBootstrap, tolerance_s: float) -> Measure:
        several = [self.matched(number, tolerance_s) for number in range(len(self.phases))]
        # A phase that no window holds, and that is never picked, has no F1.
        several = [one for one in several if one.n_true.any() or one.n_picked.any()]
        if not several:
            return Measure(math.nan)
        columns = [part for one in several for part in (one.n_hit, one.n_picked + one.n_true)]
        return bootstrap.of_means(lambda means: (2 * means[:, ::2] / means[:, 1::2]).mean(1), *columns)

    @staticmethod
    def _share(bootstrap: EventBootstrap, hits: np.ndarray, among: np.ndarray) -> Measure:
        n = int(among.sum())
        if not n:
            return Measure(math.nan)
        if among.max() <= 1:
            return bootstrap.share(hits > 0, among > 0)
        found = bootstrap.of_means(lambda means: means[:, 0] / means[:, 1], hits, among)
        return Measure(found.value, found.low, found.high, n, found.kind)

    def _residuals(self, number: int, phase: str, level: float) -> dict[str, Measure]:
        """Of picks within the widest tolerance."""
        residual_s = self.matched(number, NEAREST_S[-1]).residual_s
        known = np.isfinite(residual_s)
        values = residual_s[known]
        bootstrap = EventBootstrap(np.broadcast_to(self.events[:, None], known.shape)[known], level)
        if not len(values):
            return {}
        # The median deviation about a median that is taken as known.
        around = np.abs(values - np.median(values))
        spread = bootstrap.of_means(_deviation, values, values**2)
        return {
            f"{phase}_residual_mean_s": bootstrap.mean(values),
            f"{phase}_residual_median_s": bootstrap.median(values),
            f"{phase}_residual_mad_s": bootstrap.median(around),
            f"{phase}_residual_std_s": spread,
        }

    @cached_property
    def holds_event(self) -> np.ndarray:
        """(N,) 1 where an arrival is inside, 0 where none is of any known phase, NaN where nothing is known."""
        known = np.isfinite(self.true_s)
        inside = known & (self.true_s >= 0) & (self.true_s < self.window_s)
        some, told = inside.any((1, 2)), known.any((1, 2))
        all_told = known.any(2).all(1)
        return np.where(some, 1.0, np.where(told & all_told, 0.0, np.nan))

    def _event_or_noise(self, bootstrap: EventBootstrap) -> dict[str, Measure]:
        known = np.isfinite(self.holds_event)
        positive = self.holds_event[known] == 1
        if not positive.any() or positive.all():
            return {}
        return {"event_auc": _of_influence(self._auc(), int(known.sum()), bootstrap.level)}

    def _auc(self) -> Influence:
        known = np.isfinite(self.holds_event)
        return area_influence(self.holds_event[known] == 1, self.event[known], self.events[known])

    def _confusion(self, bootstrap: EventBootstrap) -> dict[str, Measure]:
        """Share of arrivals that are named as another phase, and Matthews' correlation of names and phases."""
        if len(self.phases) < 2:
            return {}
        found = {}
        for number, (phase, other) in enumerate(zip(self.phases, self.phases[::-1], strict=True)):
            named = self.named(number)
            arrives, as_other = (np.any(one, axis=1) for one in (named >= 0, named == 1 - number))
            found[f"{phase}_called_{other}"] = bootstrap.share(as_other, arrives)
        (right_p, p_as_s), (s_as_p, right_s) = self.confusion()
        rows, columns = (right_p + p_as_s) * (s_as_p + right_s), (right_p + s_as_p) * (p_as_s + right_s)
        product = rows * columns
        mcc = (right_p * right_s - p_as_s * s_as_p) / math.sqrt(product) if product else math.nan
        return found | {"phase_mcc": Measure(mcc, n=right_p + p_as_s + s_as_p + right_s, kind="none")}

    def named(self, phase: int) -> np.ndarray:
        """(N, E) phase of the most probable pick near each arrival of a phase inside the window; -1 where none is."""
        true_s = self.true_s[:, phase]
        inside = (true_s >= 0) & (true_s < self.window_s)
        near = np.abs(self.picked_s[:, None] - true_s[:, :, None, None]) <= OTHER_NEAR_S
        near &= (self.probability >= self.threshold)[:, None]
        best = np.where(near, self.probability[:, None], -1.0).max(-1)
        return np.where(inside & (best >= 0).any(-1), best.argmax(-1), -1)

    def confusion(self) -> list[list[int]]:
        """Counts by true phase (row) and name (column) of arrivals near which anything was picked."""
        several = [self.named(number) for number in range(len(self.phases))]
        return [[int((named == column).sum()) for column in range(len(self.phases))] for named in several]

    def reliability(self, phase: int) -> tuple[dict[str, list[float]], float]:
        """Picks by probability: mean probability, share within 0.2 s of an arrival, and number; and the mean gap."""
        known = np.isfinite(self.true_s[:, phase]).any(1)
        matched = self.matched(phase, NEAREST_S[1], 0.0)
        probability = self.probability[known, phase]
        counts = np.isfinite(probability)
        values, hits = probability[counts], matched.is_hit[known][counts]
        place = np.minimum((values * N_BINS).astype(int), N_BINS - 1)
        size = np.bincount(place, minlength=N_BINS)
        there = size > 0
        mean = np.bincount(place, values, N_BINS)[there] / size[there]
        share = np.bincount(place, hits, N_BINS)[there] / size[there]
        gap = float((np.abs(mean - share) * size[there]).sum() / size.sum()) if size.sum() else math.nan
        return {"confidence": mean.tolist(), "accuracy": share.tolist(), "count": size[there].tolist()}, gap

    def against_threshold(self, phase: int, tolerance_s: float) -> dict[str, list[float]]:
        """Precision, recall and F1 at :data:`THRESHOLDS`."""
        rows: dict[str, list[float]] = {"threshold": THRESHOLDS.tolist(), "precision": [], "recall": [], "f1": []}
        for threshold in THRESHOLDS:
            one = self.matched(phase, tolerance_s, float(threshold))
            hits, picked, true = int(one.n_hit.sum()), int(one.n_picked.sum()), int(one.n_true.sum())
            rows["precision"].append(hits / picked if picked else math.nan)
            rows["recall"].append(hits / true if true else math.nan)
            rows["f1"].append(2 * hits / (picked + true) if picked + true else math.nan)
        return rows

    def influences(self) -> dict[str, Callable[[], Influence]]:
        """The measures whose differences can be tested."""
        found: dict[str, Callable[[], Influence]] = {"event_auc": self._auc}
        numbers = range(len(self.phases))
        for tolerance_s in NEAREST_S:
            end = f"{tolerance_s:g}s"
            found[f"f1_{end}"] = partial(self._mean_f1_influence, tolerance_s)
            for number, phase in zip(numbers, self.phases, strict=True):
                found[f"{phase}_f1_{end}"] = partial(self._f1_influence, number, tolerance_s)
                found[f"{phase}_recall_{end}"] = partial(self._share_influence, number, tolerance_s, "n_true")
                found[f"{phase}_precision_{end}"] = partial(self._share_influence, number, tolerance_s, "n_picked")
        return found

    def _mean_f1_influence(self, tolerance_s: float) -> Influence:
        return average([self._f1_influence(number, tolerance_s) for number in range(len(self.phases))])

    def _f1_influence(self, number: int, tolerance_s: float) -> Influence:
        one = self.matched(number, tolerance_s)
        return ratio_influence(2 * one.n_hit, one.n_picked + one.n_true, self.events)

    def _share_influence(self, number: int, tolerance_s: float, among: str) -> Influence:
        one = self.matched(number, tolerance_s)
        return ratio_influence(one.n_hit, getattr(one, among), self.events)


def ratio_influence(top: np.ndarray, bottom: np.ndarray, events: np.ndarray) -> Influence:
    """Of a ratio of sums of values (N,), to first order; NaN where there is nothing below."""
    total = float(bottom.sum())
    ratio = float(top.sum()) / total if total else math.nan
    of_zero = mean_influence((top - np.nan_to_num(ratio) * bottom) * (len(top) / max(total, 1.0)), events)
    # As if there were two windows more in which one has the arrival right that the other misses.
    share = mean_influence(np.zeros(max(1, int(total))), np.arange(max(1, int(total))), is_share=True)
    return Influence(ratio, of_zero.events, of_zero.by_event, of_zero.effective, share.floor)


def _of_influence(found: Influence, n: int, level: float) -> Measure:
    from scipy.special import stdtrit

    half = stdtrit(max(1.0, found.effective - 1), 0.5 + level / 2) * math.sqrt(float(found.by_event @ found.by_event))
    ends = max(0.0, found.value - half), min(1.0, found.value + half)
    return Measure.with_ends(found.value, ends, n, "DeLong by event")


def _f1(means: np.ndarray) -> np.ndarray:
    return 2 * means[:, 0] / means[:, 1]


def _deviation(means: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(means[:, 1] - means[:, 0] ** 2, 0))
