"""Bootstrap over events for many measures at once: the resamples are drawn once and only weigh the samples.

A resample of events is a row of counts, so a mean is a product of two matrices and a median a walk along sorted values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from scipy import special

from seisvision.errors import DataError
from seisvision.evaluation.intervals import Measure, percentile_ends
from seisvision.evaluation.uncertainty.proportions import event_share_interval
from seisvision.evaluation.uncertainty.studentised import LOG, PLAIN, OfMeans, Scale, studentised_interval
from seisvision.seeding import DEFAULT_SEED, numpy_stream

N_RESAMPLES = 2000
ROWS_AT_ONCE = 128
"""Resamples handled together, which bounds the memory."""
KEPT_BYTES = 64_000_000
"""Resamples up to this size are kept, so that many tests on the same number of events draw them once."""


class EventBootstrap:
    """Bootstrap over groups of samples (Efron and Tibshirani 1993, chapters 8, 12 and 13).

    Means and functions of them are studentised, medians and paired differences take percentiles, shares are Wilson's.

    Args:
        groups: (N,) event of every sample: traces of one event are not independent, so whole events are drawn.
        level: confidence level of the intervals.
        seed: seed of the resamples; equal groups and seed give equal resamples, which makes comparisons paired.
        n_resamples: R.

    Raises:
        DataError: ``level`` is not between 0 and 1.
    """

    def __init__(
        self,
        groups: Sequence[Any] | np.ndarray,
        level: float = 0.95,
        seed: int = DEFAULT_SEED,
        n_resamples: int = N_RESAMPLES,
    ) -> None:
        if not 0 < level < 1:
            raise DataError(f"level={level} is not a confidence level; give a number between 0 and 1, such as 0.95.")
        self.n = len(groups)
        names, self.group = np.unique(np.asarray(groups), return_inverse=True)
        self.n_groups = len(names)
        self.level, self.seed, self.n_resamples = level, seed, n_resamples

    @property
    def independent(self) -> bool:
        """True where every sample is an event of its own."""
        return self.n_groups == self.n

    def share(self, hits: np.ndarray, among: np.ndarray | None = None) -> Measure:
        """Proportion of ``hits``, bool (N,), among the samples marked by ``among`` (N,), else of all.

        The Wilson interval; of samples that share events, with the number of independent trials that vary as much.
        """
        chosen = np.ones(self.n, bool) if among is None else np.asarray(among, bool)
        hit = np.asarray(hits, bool)[chosen]
        group = self.group[chosen]
        if len(np.unique(group)) == len(group):
            return Measure.proportion(int(hit.sum()), len(hit), self.level)
        ends = event_share_interval(hit.astype(float), group, self.level)
        return Measure.with_ends(float(hit.mean()), ends, len(hit), "Wilson by event")

    def bounded_mean(self, values: np.ndarray) -> Measure:
        """Mean of ``values`` (N,) between 0 and 1, with the interval of a share that varies as much."""
        if not self.n:
            return Measure(math.nan)
        ends = event_share_interval(np.asarray(values, float), self.group, self.level)
        return Measure.with_ends(float(np.mean(values)), ends, self.n, "Wilson by event")

    def mean(self, values: np.ndarray, among: np.ndarray | None = None, scale: Scale = PLAIN) -> Measure:
        """Mean of ``values`` (N,) over the samples marked by ``among``, else over all."""
        if among is None:
            return self.of_means(lambda means: means[:, 0], values, scale=scale)
        chosen = np.asarray(among, bool)
        measure = self.of_means(_first_over_second, np.where(chosen, values, 0.0), chosen, scale=scale)
        return replace(measure, n=int(chosen.sum()))

    def mean_size(self, sizes: np.ndarray, among: np.ndarray | None = None) -> Measure:
        """Mean of values (N,) that are never negative, such as absolute errors."""
        return self.mean(sizes, among, LOG)

    def of_means(
        self, function: OfMeans, *columns: np.ndarray, scale: Scale = PLAIN, with_interval: bool = True
    ) -> Measure:
        """A measure that is a function of the means of M columns (N,), such as a correlation.

        Args:
            function: maps means (R, M) to (R,) and may return NaN where the measure is not defined.
            columns: (N,) each.
            scale: where the measure varies evenly.
            with_interval: False for measures that rest on the rarest errors, of which no sample says enough.
        """
        if not self.n:
            return Measure(math.nan)
        table = np.stack([np.asarray(column, float) for column in columns], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(function(table.mean(0, keepdims=True))[0])
        if not math.isfinite(value):
            return Measure(math.nan)
        ends = math.nan, math.nan
        if with_interval:
            ends = studentised_interval(function, table, self.group, self._chunks(), self.level, scale)
        return Measure.with_ends(value, ends, self.n, "studentised bootstrap")

    def median(self, values: np.ndarray) -> Measure:
        """Median of ``values`` (N,), with percentiles widened for few events.

        Hesterberg 2015, The American Statistician 69, 371-386, doi:10.1080/00031305.2015.1089789.
        """
        if not self.n:
            return Measure(math.nan)
        ends = math.nan, math.nan
        if self.n_groups > 1:
            ends = percentile_ends(self.medians(values), expanded_level(self.level, self.n_groups))
        return Measure.with_ends(float(np.median(values)), ends, self.n, "bootstrap")

    def measure(self, value: float, resampled: np.ndarray) -> Measure:
        """``value`` with the interval of its resamples (R,); undefined, with n = 0, where the value is."""
        if not math.isfinite(value):
            return Measure(math.nan)
        # One event says nothing of how much another would differ.
        ends = percentile_ends(resampled, self.level) if self.n_groups > 1 else (math.nan, math.nan)
        return Measure.with_ends(value, ends, self.n, "bootstrap")

    def means(self, table: np.ndarray) -> np.ndarray:
        """Means (R, M) of the columns of ``table`` (N, M) in every resample."""
        sums = np.stack([np.bincount(self.group, column, self.n_groups) for column in table.T], axis=1)
        size = np.bincount(self.group, minlength=self.n_groups)
        weighed = [counts.astype(float) @ np.column_stack([sums, size]) for counts in self._chunks()]
        totals = np.concatenate(weighed)
        return totals[:, :-1] / totals[:, -1:]

    def medians(self, values: np.ndarray) -> np.ndarray:
        """Medians (R,) of ``values`` (N,) in every resample, exactly those of the repeated values."""
        order = np.argsort(values, kind="stable")
        ordered, group = np.asarray(values, float)[order], self.group[order]
        found = []
        for counts in self._chunks():
            reached = counts[:, group].cumsum(1, dtype=np.int32)
            total = reached[:, -1:]
            lower, upper = ((reached <= place).sum(1) for place in ((total - 1) // 2, total // 2))
            found.append((ordered[lower] + ordered[upper]) / 2)
        return np.concatenate(found)

    @cached_property
    def counts(self) -> np.ndarray:
        """How often every event is in every resample, uint16 (R, n_groups)."""
        small = self.n_resamples * self.n_groups * COUNT_BYTES <= KEPT_BYTES
        return (_kept_counts if small else _draw_counts)(self.seed, self.n_resamples, self.n_groups)

    def _chunks(self) -> Iterator[np.ndarray]:
        for start in range(0, self.n_resamples, ROWS_AT_ONCE):
            yield self.counts[start : start + ROWS_AT_ONCE]


def _draw_counts(seed: int, n_resamples: int, n_groups: int) -> np.ndarray:
    rng = numpy_stream(seed, "event bootstrap")
    counts = np.empty((n_resamples, n_groups), np.uint16)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, n_groups, n_groups), minlength=n_groups)
    counts.flags.writeable = False
    return counts


_kept_counts = lru_cache(maxsize=2)(_draw_counts)
COUNT_BYTES = np.dtype(np.uint16).itemsize


def expanded_level(level: float, n_groups: int) -> float:
    """Level at which percentiles reach as far as Student's t does with the standard error of so few events."""
    reach = special.stdtrit(n_groups - 1, 0.5 + level / 2) * math.sqrt(n_groups / (n_groups - 1))
    return float(2 * special.ndtr(reach) - 1)


def _first_over_second(means: np.ndarray) -> np.ndarray:
    return means[:, 0] / means[:, 1]
