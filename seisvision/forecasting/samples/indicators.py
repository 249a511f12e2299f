"""Numbers that seismologists read off the recent events of a place.

``EightIndicators`` are those of Panakkat and Adeli (2007), of the last ``n_events``
events of a place. ``SpanIndicators`` are seven numbers of each of several spans of time, a long, a middle and a short
one: what SafeNet (Hu et al. 2025) says it uses in kind; its 282 numbers are not published, so these are our own.

A place is a cell or the whole region. What cannot be told is NaN: of a place with too few events, nothing is known.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Protocol

import numpy as np

from seisvision.errors import ConfigurationError
from seisvision.forecasting.samples.histories import Histories

FEWEST = 5
"""Events below which a place says nothing of magnitudes or energy."""
LOG_ENERGY = (11.8, 1.5)
"""log10 of the energy in erg is 11.8 + 1.5 M (Gutenberg and Richter 1956)."""
SHORTEST_DAYS = 1e-3
"""Durations are logarithms, so none is shorter than a minute and a half."""
SMALLEST_EXCESS = 0.02
"""Of the mean magnitude over the least: b-values are at most about 20."""
AT_ONCE = 4096


class Indicators(Protocol):
    """n numbers of each place at any time, from what came before."""

    @property
    def names(self) -> tuple[str, ...]:
        """What the n numbers are."""
        ...

    @property
    def reach_days(self) -> float:
        """How far back they look."""
        ...

    def at(self, observed_days: np.ndarray) -> np.ndarray:
        """Values float32 (L, C + 1, n) at L observed days; NaN where nothing is known."""
        ...


class EightIndicators:
    """Eight numbers of the last events of a place.

    Args:
        histories: of all places.
        least: magnitude from which the catalogue is complete.
        n_events: how many of the last events; fewer where a place had fewer, but five at least.
        memory_days: older events are forgotten, so that what is seen has an end.
        characteristic: magnitude from which an event is called characteristic.
    """

    names = (
        "log duration of the last events",
        "mean magnitude",
        "log rate of square root of energy",
        "b-value",
        "log mean square deviation from the law of Gutenberg and Richter",
        "magnitude deficit",
        "log mean time between characteristic events",
        "variation of these times",
    )

    def __init__(
        self,
        histories: Histories,
        least: float,
        n_events: int = 100,
        memory_days: float = 730.0,
        characteristic: float | None = None,
    ) -> None:
        if n_events < FEWEST or not memory_days > 0:
            raise ConfigurationError(
                f"indicators of the last {n_events} events in {memory_days:g} days are none; give {FEWEST} events or "
                "more and a number of days above 0"
            )
        self._histories, self.reach_days = histories, float(memory_days)
        time, first = histories.time_days, histories.first
        begin = np.repeat(first[:-1], np.diff(first))
        own = np.arange(len(time)) - n_events + 1
        remembered = np.empty(len(time), dtype=int)
        for low, high in pairwise(first):
            remembered[low:high] = low + np.searchsorted(time[low:high], time[low:high] - memory_days)
        start = np.maximum(np.maximum(begin, own), remembered)
        threshold = least + 1.0 if characteristic is None else characteristic
        # An indicator changes with an event and not between, so there is one row for each event.
        self._table = np.full((len(time) + 1, len(self.names)), np.nan, dtype=np.float32)
        for low in range(0, len(time), AT_ONCE):
            rows = np.arange(low, min(low + AT_ONCE, len(time)))
            self._table[rows] = _eight(histories, rows, start[rows], n_events, least, threshold)

    def at(self, observed_days: np.ndarray) -> np.ndarray:
        """Those of the last event of each place, NaN where it lies too far back."""
        behind = self._histories.before(observed_days)
        is_any = behind > self._histories.first[:-1]
        last = np.where(is_any, behind - 1, len(self._table) - 1)
        times = np.append(self._histories.time_days, -np.inf)[last]
        last = np.where(times >= observed_days[:, None] - self.reach_days, last, len(self._table) - 1)
        return self._table[last]


def _eight(
    histories: Histories, rows: np.ndarray, start: np.ndarray, n_events: int, least: float, characteristic: float
) -> np.ndarray:
    """Rows (R, 8) of the events ``rows``, each with those from ``start`` on."""
    n = rows - start + 1
    column = np.arange(n_events)
    place = np.minimum(start[:, None] + column, rows[:, None])
    used = column < n[:, None]
    time, size = histories.time_days[place], np.where(used, histories.magnitude[place], np.nan)
    duration = np.maximum(time[:, -1] - time[:, 0], SHORTEST_DAYS)
    mean = np.nansum(size, axis=1) / n
    root_energy = np.where(used, 10 ** (0.5 * (LOG_ENERGY[0] + LOG_ENERGY[1] * np.nan_to_num(size))), 0).sum(axis=1)
    b = np.log10(np.e) / np.maximum(mean - least, SMALLEST_EXCESS)
    a = np.log10(n) + b * least
    # The largest has one event of its size or more, the next two, and so on.
    falling = -np.sort(-np.where(used, size, -np.inf), axis=1)
    rank = np.log10(column + 1)
    off = np.where(used, rank - (a[:, None] - b[:, None] * np.where(used, falling, 0)), 0)
    deviation = (off**2).sum(axis=1) / np.maximum(n - 1, 1)
    deficit = falling[:, 0] - a / b
    between, variation = _characteristic(np.where(used & (size >= characteristic), time, np.nan), duration)
    found = np.stack(
        [
            np.log10(duration), mean, np.log10(root_energy / duration), b, np.log10(deviation + 1e-6), deficit,
            np.log10(np.maximum(between, SHORTEST_DAYS)), variation,
        ],
        axis=1,
    )  # fmt: skip
    found[n < FEWEST] = np.nan
    return found


def _characteristic(time: np.ndarray, duration: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean time between events and its coefficient of variation (R,), of times (R, n) that are NaN for the others.

    Fewer than two have no time between them, and the whole duration stands for it; fewer than three do not vary, and
    1, as of a Poisson process, stands for that.
    """
    n = np.isfinite(time).sum(axis=1)
    ordered = np.sort(time, axis=1)
    steps = np.diff(ordered, axis=1)
    mean = np.nansum(steps, axis=1) / np.maximum(n - 1, 1)
    squared = np.nansum((steps - mean[:, None]) ** 2, axis=1) / np.maximum(n - 1, 1)
    variation = np.sqrt(squared) / np.maximum(mean, SHORTEST_DAYS)
    return np.where(n >= 2, mean, duration), np.where(n >= 3, variation, 1.0)


class SpanIndicators:
    """Seven numbers of each of several spans before a time.

    Args:
        histories: of all places.
        least: magnitude from which the catalogue is complete.
        spans_days: the spans, such as a month, a year and ten years.

    What they are, span by span: log(1 + number of events); mean and largest magnitude over the least; b-value; log10 of
    the energy in erg; coefficient of variation of the times between events; log10 of the days since the last event.
    """

    KINDS = (
        "log number",
        "mean excess",
        "largest excess",
        "b-value",
        "log energy",
        "variation of intervals",
        "log rest",
    )

    def __init__(
        self, histories: Histories, least: float, spans_days: tuple[float, ...] = (30.0, 365.0, 1825.0)
    ) -> None:
        if not spans_days or min(spans_days) <= 0:
            raise ConfigurationError(f"spans of {list(spans_days)} days are none; give numbers above 0")
        self._histories, self._least, self._spans = histories, least, tuple(map(float, spans_days))
        self.reach_days = max(self._spans)
        self.names = tuple(f"{kind}, {span:g} days" for span in self._spans for kind in self.KINDS)
        # One more at the end, so that a span without events behind the last one has a place.
        excess = np.append(histories.magnitude - least, 0.0)
        step = np.append(np.diff(histories.time_days, prepend=histories.time_days[:1]), 0.0)
        self._excess, self._energy, self._step = excess, 10 ** (LOG_ENERGY[1] * excess), step

    def at(self, observed_days: np.ndarray) -> np.ndarray:
        """Values (L, C + 1, n); of spans without events the numbers that count are 0 and the others NaN."""
        high = self._histories.before(observed_days)
        found = [self._of_span(observed_days, high, span) for span in self._spans]
        return np.concatenate(found, axis=-1).astype(np.float32)

    def _of_span(self, observed_days: np.ndarray, high: np.ndarray, span: float) -> np.ndarray:
        low = self._histories.before(observed_days - span)
        n = high - low
        excess, energy = (_over(np.add, one, low, high) for one in (self._excess, self._energy))
        # The step to the first event of a span is not one between its events.
        after = np.minimum(low + 1, high)
        steps, squares = (_over(np.add, one, after, high) for one in (self._step, self._step**2))
        some, few = n > 0, n >= FEWEST
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = excess / n
            mean_step = steps / (n - 1)
            variance = np.maximum(squares / (n - 1) - mean_step**2, 0)
            rest = observed_days[:, None] - self._histories.time_days[np.maximum(high - 1, 0)]
            values = [
                np.log1p(n),
                np.where(few, mean, np.nan),
                np.where(some, _over(np.maximum, self._excess, low, high), np.nan),
                np.where(few, np.log10(np.e) / np.maximum(mean, SMALLEST_EXCESS), np.nan),
                np.where(some, np.log10(energy), np.nan),
                np.where(few, np.sqrt(variance) / np.maximum(mean_step, SHORTEST_DAYS), np.nan),
                np.log10(np.where(some, np.clip(rest, SHORTEST_DAYS, span), span)),
            ]
        return np.stack(values, axis=-1)


def _over(function: np.ufunc, values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Sum or maximum of the values from ``low`` to ``high``, of any shape; 0 where there is none.

    Differences of running sums would be faster, but a large event elsewhere, or later, would show in their rounding.
    """
    pairs = np.stack([low.ravel(), np.maximum(high.ravel(), low.ravel())], axis=1).ravel()
    found = function.reduceat(values, np.minimum(pairs, len(values) - 1))[::2].reshape(low.shape)
    return np.where(high > low, found, 0.0)
