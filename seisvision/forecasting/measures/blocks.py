"""Intervals by drawing blocks of windows again: windows near in time belong to one sequence and are not independent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from seisvision.evaluation.intervals import Measure
from seisvision.seeding import DEFAULT_SEED, numpy_stream

N_RESAMPLES = 400
FEWEST_BLOCKS = 10
"""Below it a bootstrap says little, and no interval is given."""


@dataclass(frozen=True)
class Blocks:
    """Circular blocks (Politis and Romano 1992) of W windows in the order of time.

    Args:
        n_windows: W.
        length: windows in a block; longer than what one sequence lasts.
        n_resamples: R.
        seed: equal seeds draw equal blocks, which makes comparisons paired.
    """

    n_windows: int
    length: int
    n_resamples: int = N_RESAMPLES
    seed: int = DEFAULT_SEED

    @property
    def enough(self) -> bool:
        """Whether there are blocks enough for an interval."""
        return self.n_windows >= FEWEST_BLOCKS * self.length

    def counts(self) -> np.ndarray:
        """How often each window is drawn in each resample, float64 (R, W)."""
        draws = numpy_stream(self.seed, "forecast blocks")
        n_blocks = int(np.ceil(self.n_windows / self.length))
        first = draws.integers(self.n_windows, size=(self.n_resamples, n_blocks))
        window = (first[..., None] + np.arange(self.length)) % self.n_windows
        window = window.reshape(self.n_resamples, -1)[:, : self.n_windows]
        flat = (np.arange(self.n_resamples)[:, None] * self.n_windows + window).ravel()
        drawn = np.bincount(flat, minlength=self.n_resamples * self.n_windows)
        return drawn.reshape(self.n_resamples, self.n_windows).astype(float)

    def ratio(self, above: np.ndarray, below: np.ndarray, level: float = 0.95) -> Measure:
        """Sum of ``above`` (W,) over that of ``below`` (W,), with percentiles."""
        return self.measure(lambda weight: (weight @ above) / (weight @ below), level)

    def measure(self, function: Callable[[np.ndarray], np.ndarray], level: float = 0.95) -> Measure:
        """A function of the weights of windows, (R, W) to (R,), with percentiles."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(function(np.ones((1, self.n_windows)))[0])
            again = function(self.counts()) if self.enough else np.empty(0)
        again = again[np.isfinite(again)]
        if not np.isfinite(value) or len(again) < self.n_resamples / 2:
            return Measure(value, n=self.n_windows)
        ends = np.percentile(again, [50 * (1 - level), 50 * (1 + level)])
        return Measure.with_ends(value, (float(ends[0]), float(ends[1])), self.n_windows, "block bootstrap")

    def spread(self, above: np.ndarray, below: np.ndarray) -> float:
        """Standard deviation of that ratio between resamples; NaN with too few blocks."""
        if not self.enough:
            return float("nan")
        weight = self.counts()
        with np.errstate(divide="ignore", invalid="ignore"):
            again = (weight @ above) / (weight @ below)
        return float(np.nanstd(np.where(np.isfinite(again), again, np.nan), ddof=1))
