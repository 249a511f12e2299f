"""Studentised bootstrap of functions of means: every resample is measured in its own standard errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy import special

OfMeans = Callable[[np.ndarray], np.ndarray]
"""Maps means (R, M) to one number (R,) each."""
STEP = 1e-5
"""Of the numerical derivatives, in standard deviations of the events."""


@dataclass(frozen=True)
class Scale:
    """Where a measure varies about evenly: the interval is made there and brought back."""

    forward: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray]
    fewest_events: int = 30
    """With fewer, the standard error is too uncertain for skewed errors: no interval."""
    stretch: float = 1.0
    """By how much an interval made there is widened."""


PLAIN = Scale(lambda values: values, lambda values: values, fewest_events=100, stretch=1.06)
"""Of signed errors, whose skewness no logarithm evens out: unwidened, means of log-normal errors held in 91 %."""
LOG = Scale(np.log, np.exp)
"""Of measures that cannot be negative, such as mean absolute errors."""
FISHER = Scale(np.arctanh, np.tanh)
"""Of correlations of bounded values (Fisher 1921, Metron 1, 3-32)."""


def studentised_interval(
    function: OfMeans,
    table: np.ndarray,
    group: np.ndarray,
    chunks: Iterable[np.ndarray],
    level: float = 0.95,
    scale: Scale = PLAIN,
) -> tuple[float, float]:
    """Bootstrap-t interval over events of a function of means (Efron and Tibshirani 1993, section 12.5; Hall 1988,
    Annals of Statistics 16, 927-953, doi:10.1214/aos/1176350933).

    The standard error of the sample and of every resample is that of the linearised measure, summed by event. An end is
    never nearer than Student's t puts it; the quantiles are stretched by t over normal, for few events, and by the
    squared skewness over the number of events, since a few skewed errors resampled show too little of their tail.

    Args:
        function: maps means (R, M) to (R,); may return NaN.
        table: (N, M) the columns whose means it takes.
        group: (N,) event number from 0.
        chunks: resamples as counts of events (some, G).
        level: confidence level.
        scale: where the measure varies evenly.

    Returns:
        The two ends; NaN where there are fewer events than the scale needs, or nothing varies.
    """
    moments = _Moments.of(table, group)
    if moments.n_events < scale.fewest_events:
        return math.nan, math.nan

    def scaled(means: np.ndarray) -> np.ndarray:
        return scale.forward(function(means))

    with np.errstate(divide="ignore", invalid="ignore"):
        value, error = (float(one[0]) for one in moments.measure(scaled, np.ones((1, moments.n_events))))
        resampled = [moments.measure(scaled, counts.astype(float)) for counts in chunks]
        skewness = moments.skewness(scaled)
        deviation = np.concatenate([(values - value) / errors for values, errors in resampled])
    # An error this small is rounding of the numerical derivatives.
    if not (math.isfinite(value) and error > STEP * 1e-3 * max(abs(value), 1e-9)):
        return math.nan, math.nan
    wider = scale.stretch + skewness**2 / moments.n_events
    low, high = wider * np.array(_reach(deviation, moments.n_events - 1, level))
    with np.errstate(over="ignore"):
        # The quantiles change sides: where resamples may lie far above the estimate, the truth may lie far below it.
        ends = scale.back(np.array([value - high * error, value - low * error]))
    return float(ends[0]), float(ends[1])


@dataclass(frozen=True)
class _Moments:
    """Sums (G, M + 1) of the columns and of ones by event, and their products (G, pairs)."""

    sums: np.ndarray
    products: np.ndarray
    pairs: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, table: np.ndarray, group: np.ndarray) -> _Moments:
        columns = [*table.T, np.ones(len(table))]
        sums = np.stack([np.bincount(group, column) for column in columns], axis=1)
        pairs = np.triu_indices(len(columns))
        return cls(sums, sums[:, pairs[0]] * sums[:, pairs[1]], pairs)

    @property
    def n_events(self) -> int:
        return len(self.sums)

    def measure(self, function: OfMeans, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Value and standard error (R,) of resamples given as counts (R, G)."""
        n, (first, second) = self.n_events, self.pairs
        sums, products = counts @ self.sums / n, counts @ self.products / n
        slope = self._slope(function, sums)
        # Only one triangle of the products is kept; what is off the diagonal counts for both.
        times = np.where(first == second, 1.0, 2.0)
        covariance = products - sums[:, first] * sums[:, second]
        variance = (slope[:, first] * slope[:, second] * covariance * times).sum(1) / max(n - 1, 1)
        return function(sums[:, :-1] / sums[:, -1:]), np.sqrt(np.maximum(variance, 0.0))

    def skewness(self, function: OfMeans) -> float:
        """Of what every event adds to the linearised measure."""
        mean = self.sums.mean(0, keepdims=True)
        influence = (self.sums - mean) @ self._slope(function, mean)[0]
        spread = influence.std()
        return float((influence**3).mean() / spread**3) if spread > 0 else 0.0

    def _slope(self, function: OfMeans, sums: np.ndarray) -> np.ndarray:
        """Derivatives (R, M + 1) of the measure by the mean sums of an event."""
        spread = self.sums.std(0)
        steps = STEP * np.where(spread > 0, spread, 1.0)
        found = np.zeros_like(sums)
        for column, step in enumerate(steps):
            if spread[column] == 0:
                continue
            moved = np.zeros(len(steps))
            moved[column] = step
            ahead, behind = (to[:, :-1] / to[:, -1:] for to in (sums + moved, sums - moved))
            found[:, column] = (function(ahead) - function(behind)) / (2 * step)
        return found


def _reach(deviation: np.ndarray, freedom: int, level: float) -> tuple[float, float]:
    """Lower and upper quantile of deviations in standard errors, not nearer than Student's."""
    finite = deviation[np.isfinite(deviation)]
    student = float(special.stdtrit(freedom, 0.5 + level / 2))
    # Resamples that have a value are no fair sample of all where most have none.
    if len(finite) < len(deviation) / 2 or not len(finite):
        return math.nan, math.nan
    stretch = student / float(special.ndtri(0.5 + level / 2))
    low, high = np.quantile(finite, [0.5 - level / 2, 0.5 + level / 2]) * stretch
    return min(float(low), -student), max(float(high), student)
