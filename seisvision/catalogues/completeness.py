"""Magnitude of completeness: above it every event is in the catalogue, so far as can be told from the magnitudes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.grid import Grid
from seisvision.catalogues.magnitudes import b_value, magnitude_step
from seisvision.errors import DataError
from seisvision.seeding import DEFAULT_SEED, numpy_stream

BIN = 0.1
CURVATURE_CORRECTION = 0.2
"""Maximum curvature lies too low by this on average (Woessner and Wiemer 2005, doi:10.1785/0120040007)."""
STABLE_OVER = 0.5
"""b-values of so many units of magnitude above are averaged (Cao and Gao 2002)."""
FEWEST = 50
"""Magnitudes below which nothing is said."""
N_RESAMPLES = 200
AFTER_LARGE = (4.5, 0.75)
"""Helmstetter, Kagan and Jackson (2006, doi:10.1785/0120050067): after an event of M in California, catalogues are
complete from M - 4.5 - 0.75 log10(days since) on."""
STEPS_PER_DECADE = 4


@dataclass(frozen=True)
class Estimate:
    """A magnitude of completeness with the 95 % interval of a bootstrap over events; NaN where too few say nothing."""

    value: float
    low95: float
    high95: float
    n: int


def maximum_curvature(magnitude: np.ndarray, step: float) -> float:
    """Middle of the fullest bin of 0.1 (or the step, where it is coarser), plus 0.2; NaN below 50 magnitudes."""
    if len(magnitude) < FEWEST:
        return np.nan
    width = max(BIN, step)
    numbers, counts = np.unique(np.floor(magnitude / width + 0.5 + 1e-6), return_counts=True)
    return float(numbers[counts.argmax()] * width + CURVATURE_CORRECTION)


def b_stability(magnitude: np.ndarray, step: float) -> float:
    """Least magnitude whose b-value is within its error of the mean over half a unit above; NaN where none is.

    Cao and Gao (2002, doi:10.1029/2001GL013775) with the errors of Shi and Bolt, as Woessner and Wiemer (2005).
    """
    if len(magnitude) < FEWEST:
        return np.nan
    width = max(BIN, step)
    n_above = round(STABLE_OVER / width)
    cuts = np.arange(np.floor(magnitude.min() / width), np.floor(magnitude.max() / width) + 1) * width
    values = [b_value(magnitude, cut, step) for cut in cuts]
    for at, one in enumerate(values[: len(values) - n_above]):
        above = [other.b for other in values[at : at + n_above + 1]]
        if one.n < FEWEST:
            break
        if abs(np.mean(above) - one.b) <= one.error:
            return float(cuts[at])
    return np.nan


METHODS: dict[str, Callable[[np.ndarray, float], float]] = {
    "maximum curvature": maximum_curvature,
    "b-value stability": b_stability,
}


def estimate(magnitude: np.ndarray, method: str = "maximum curvature", seed: int = DEFAULT_SEED) -> Estimate:
    """Completeness of magnitudes (N,) with an interval.

    Raises:
        DataError: the method is not known.
    """
    if method not in METHODS:
        raise DataError(f"method '{method}' of completeness is not known; allowed: {', '.join(METHODS)}")
    step, find = magnitude_step(magnitude), METHODS[method]
    value = find(magnitude, step)
    if np.isnan(value):
        return Estimate(np.nan, np.nan, np.nan, len(magnitude))
    draws = numpy_stream(seed, f"completeness {method}")
    again = [find(draws.choice(magnitude, len(magnitude)), step) for _ in range(N_RESAMPLES)]
    low, high = np.nanpercentile(again, [2.5, 97.5])
    return Estimate(value, float(low), float(high), len(magnitude))


def in_time(
    catalogue: EventCatalogue, n_events: int = 500, method: str = "maximum curvature"
) -> list[tuple[float, float, Estimate]]:
    """Begin and end (days) and completeness of successive stretches of ``n_events`` events, the last with the rest."""
    n_parts = max(1, len(catalogue) // n_events)
    edges = [n_events * part for part in range(n_parts)] + [len(catalogue)]
    ends = [*catalogue.time_days[edges[1:-1]], catalogue.end_day]
    begins = [catalogue.begin_day, *ends[:-1]]
    parts = [catalogue.magnitude[low:high] for low, high in pairwise(edges)]
    return [
        (float(begin), float(end), estimate(part, method)) for begin, end, part in zip(begins, ends, parts, strict=True)
    ]


def in_space(
    catalogue: EventCatalogue, grid: Grid, fewest: int = FEWEST, method: str = "maximum curvature"
) -> dict[int, Estimate]:
    """Completeness of every cell of a (coarse) grid with at least ``fewest`` events, by the number of the cell."""
    cell = grid.cell_of(catalogue.latitude_deg, catalogue.longitude_deg)
    numbers, counts = np.unique(cell[cell >= 0], return_counts=True)
    return {
        int(number): estimate(catalogue.magnitude[cell == number], method)
        for number in numbers[counts >= max(fewest, FEWEST)]
    }


@dataclass(frozen=True)
class Completeness:
    """Magnitude of completeness as steps in time.

    Args:
        base: from which the catalogue is complete where nothing else is said; the least that ever holds.
        since: days (K,) from which on a step holds, ascending.
        level: (K,) magnitudes of these steps, at least ``base``; before the first step it is ``base``.
    """

    base: float
    since: np.ndarray = field(default_factory=lambda: np.empty(0))
    level: np.ndarray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        """Refuse steps out of order.

        Raises:
            DataError: they are, or lie below the base.
        """
        if len(self.since) != len(self.level) or (np.diff(self.since) < 0).any():
            raise DataError("steps of completeness need a day and a magnitude each, in the order of time")
        if len(self.level) and self.level.min() < self.base - 1e-9:
            raise DataError(
                f"completeness of {self.level.min():g} lies below its base {self.base:g}; the base is the least of all"
            )

    @classmethod
    def from_steps(cls, base: float, steps: Sequence[tuple[float, float]]) -> Completeness:
        """Steps as (day, magnitude)."""
        ordered = sorted(steps)
        return cls(base, np.array([day for day, _ in ordered]), np.array([level for _, level in ordered]))

    def at(self, day: np.ndarray) -> np.ndarray:
        """Magnitude (N,) from which the catalogue is complete at each time."""
        levels = np.concatenate([[self.base], self.level])
        return np.asarray(levels[np.searchsorted(self.since, day, side="right")])

    def after_large(self, catalogue: EventCatalogue, least_magnitude: float | None = None) -> Completeness:
        """The same, raised after large events of the catalogue, when small ones drown in their coda.

        Args:
            catalogue: its events of ``least_magnitude`` and more.
            least_magnitude: default, all that raise it for longer than a minute.
        """
        offset, slope = AFTER_LARGE
        least = self.base + offset + slope * np.log10(1 / 1440) if least_magnitude is None else least_magnitude
        spans = []
        for day, magnitude in zip(catalogue.time_days, catalogue.magnitude, strict=True):
            if magnitude < least:
                continue
            longest = 10 ** ((magnitude - offset - self.base) / slope)
            decades = np.log10(longest * 1440)
            # Until a minute has passed nothing below the event itself is counted on.
            after = np.concatenate(
                [[0.0], np.geomspace(1 / 1440, longest, max(2, int(STEPS_PER_DECADE * decades) + 1))]
            )
            levels = magnitude - offset - slope * np.log10(np.maximum(after[:-1], 1 / 1440))
            spans += [
                (day + begin, day + end, min(level, magnitude))
                for begin, end, level in zip(after[:-1], after[1:], levels, strict=True)
            ]
        return self._raised(spans)

    def _raised(self, spans: list[tuple[float, float, float]]) -> Completeness:
        """With the highest of its own steps and of spans (begin, end, level) at every time."""
        if not spans:
            return self
        begin, end, level = (np.array(column) for column in zip(*spans, strict=True))
        edges = np.unique(np.concatenate([self.since, begin, end]))
        values = self.at(edges)
        first, last = np.searchsorted(edges, begin), np.searchsorted(edges, end)
        for low, high, value in zip(first, last, level, strict=True):
            values[low:high] = np.maximum(values[low:high], value)
        changed = np.concatenate([[True], np.diff(values) != 0])
        return Completeness(self.base, edges[changed], values[changed])

    def pieces(self, begin_day: float, end_day: float) -> list[tuple[float, float, float]]:
        """Begin, end and level of the steps that [begin_day, end_day) is made of."""
        inner = self.since[(self.since > begin_day) & (self.since < end_day)]
        edges = np.concatenate([[begin_day], inner, [end_day]])
        return [
            (float(low), float(high), float(level))
            for low, high, level in zip(edges[:-1], edges[1:], self.at(edges[:-1]), strict=True)
        ]
