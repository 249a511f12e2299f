"""How often the intervals that are printed hold the truth: nominal against measured, for every measure.

``python benchmarks/coverage.py``                  everything, in minutes on one core; exit 1 where a cell is too low
``python benchmarks/coverage.py --only numbers``   one family (classes, numbers, angles, clusters, leaderboard)
``python benchmarks/coverage.py --short``          a twentieth of the draws, up to 177 events

Samples are drawn again and again from populations whose true value is known (from a very large sample of them) and
given to the functions that make the tables; the intervals that hold the truth are counted. ``alone``: every sample is
an event. ``events``: n events of 1 to 12 traces whose errors go together. A cell is the share of given intervals that
hold, in %; in brackets the share of draws with an interval where some have none; a dash where hardly any has one; ``!``
below nominal by more than 2 points, ``+`` above by more than 2.5, both beyond twice the simulation error (last line).
New rows: write a :class:`Case` whose ``holds`` says of each thing that is promised whether one draw kept it, into the
``CASES`` of a module of ``coverage_cases``; ``FAMILIES`` names the modules.
"""

from __future__ import annotations

import argparse
import importlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from measuring import tell_machine

from seisvision.evaluation.intervals import Measure

SIZES = (20, 50, 177, 1000)
ARRANGEMENTS = ("alone", "events")
LEVEL = 95.0
BELOW, ABOVE = 2.0, 2.5
"""Points that a measured coverage may lie under and over the nominal one."""
MOST_TRACES = 12
N_RESAMPLES = 400
N_TRUTH = 200_000
"""Events of the sample that stands for the population."""
LEAST_GIVEN = 0.05
"""Cells where fewer draws have an interval are not judged."""
FAMILIES = ("classes", "numbers", "angles", "clusters", "leaderboard")

Draw = Callable[[np.random.Generator, np.ndarray], tuple[Any, ...]]
"""Draws one sample: arrays (N, ...) for samples whose events (N,) are given."""
Measured = Callable[..., dict[str, Measure]]
"""Maps the arrays of a draw, ``groups`` (N,) and ``n_resamples`` to measures."""


class Case:
    """Something that is promised with a probability; subclasses say what.

    Attributes:
        name: of the population.
        arrangements: of samples in events that it has rows for.
        nominal: promised share, in %; for error rates give 100 minus the rate.
    """

    name: str
    arrangements: Sequence[str] = ARRANGEMENTS
    nominal: float = LEVEL

    def holds(self, rng: np.random.Generator, n_events: int, arrangement: str) -> dict[str, bool | None]:
        """Whether one draw keeps each promise; None where nothing is promised in this draw."""
        raise NotImplementedError


@dataclass
class IntervalCase(Case):
    """Measures of samples from a population, held against those of a very large sample."""

    name: str
    draw: Draw
    measure: Measured
    known: dict[str, float] | None = None
    """True values that no sample gives, such as 0 for a measure whose expectation is not finite."""

    def holds(self, rng: np.random.Generator, n_events: int, arrangement: str) -> dict[str, bool | None]:
        """Whether each interval of one sample holds the truth."""
        groups = event_of_sample(rng, n_events, arrangement)
        found = self.measure(*self.draw(rng, groups), groups=groups, n_resamples=N_RESAMPLES)
        return {name: _inside(measure, self.truth(arrangement).get(name)) for name, measure in found.items()}

    def truth(self, arrangement: str) -> dict[str, float]:
        """Value of every measure in the population."""
        return self._truths[arrangement]

    @cached_property
    def _truths(self) -> dict[str, dict[str, float]]:
        return {arrangement: self._of_population(arrangement) for arrangement in self.arrangements}

    def _of_population(self, arrangement: str) -> dict[str, float]:
        rng = np.random.default_rng(7)
        groups = event_of_sample(rng, N_TRUTH // (1 if arrangement == "alone" else 5), arrangement)
        found = self.measure(*self.draw(rng, groups), groups=groups, n_resamples=2)
        return {name: measure.value for name, measure in found.items()} | (self.known or {})


def event_of_sample(rng: np.random.Generator, n_events: int, arrangement: str) -> np.ndarray:
    """Event (N,) of every sample, by number: one sample each, or 1 to 12."""
    if arrangement == "alone":
        return np.arange(n_events)
    return np.repeat(np.arange(n_events), rng.integers(1, MOST_TRACES + 1, n_events))


def shared_noise(rng: np.random.Generator, groups: np.ndarray, shared: float = 0.8, width: int = 1) -> np.ndarray:
    """Standard normal numbers (N, width) of which the share ``shared`` of the variance is that of the event."""
    own = rng.normal(size=(len(groups), width))
    if len(groups) == groups[-1] + 1:
        return own
    return math.sqrt(shared) * rng.normal(size=(groups[-1] + 1, width))[groups] + math.sqrt(1 - shared) * own


def _inside(measure: Measure, truth: float | None) -> bool | None:
    if not (math.isfinite(measure.low) and math.isfinite(measure.high)) or truth is None or math.isnan(truth):
        return None
    return bool(measure.low - 1e-9 <= truth <= measure.high + 1e-9)


@dataclass
class Cell:
    """Draws of one promise at one number of events."""

    nominal: float
    n_draws: int = 0
    n_given: int = 0
    n_held: int = 0

    def add(self, held: bool | None) -> None:
        """Count one draw."""
        self.n_draws += 1
        self.n_given += held is not None
        self.n_held += held is True

    @property
    def judged(self) -> bool:
        """Whether enough draws have an interval."""
        return self.n_given > LEAST_GIVEN * self.n_draws

    @property
    def coverage(self) -> float:
        """Share of the given intervals that hold, in %."""
        return 100 * self.n_held / self.n_given if self.n_given else math.nan

    @property
    def error(self) -> float:
        """Simulation error of the coverage in points, as if it were nominal."""
        return math.sqrt(self.nominal * (100 - self.nominal) / max(self.n_given, 1))

    @property
    def low(self) -> bool:
        """Below what is promised, by more than the simulation may be off."""
        return self.judged and self.coverage < self.nominal - BELOW - 2 * self.error

    @property
    def high(self) -> bool:
        """Wider than it would have to be."""
        return self.judged and self.coverage > min(self.nominal + ABOVE + 2 * self.error, 99.99)

    def text(self) -> str:
        """Such as ``94.2``, ``94.2 (60)`` or a dash."""
        if not self.judged:
            return "-"
        given = 100 * self.n_given / self.n_draws
        mark = "!" if self.low else "+" if self.high else ""
        return f"{self.coverage:.1f}{mark}" + (f" ({given:.0f})" if given < 99.5 else "")


def measure_case(case: Case, arrangement: str, n_events: int, n_draws: int, seed: int = 0) -> dict[str, Cell]:
    """Coverage of everything that a case promises, by name."""
    rng = np.random.default_rng([seed, n_events])
    cells: dict[str, Cell] = {}
    for _ in range(n_draws):
        for name, held in case.holds(rng, n_events, arrangement).items():
            cells.setdefault(name, Cell(case.nominal)).add(held)
    return cells


def n_draws_of(n_events: int, share: float) -> int:
    """Draws of a cell: the more, the cheaper they are."""
    return max(
        2, round(share * (2000 if n_events <= 20 else 1000 if n_events <= 50 else 600 if n_events <= 200 else 400))
    )


def measure_all(cases: Iterable[Case], sizes: Sequence[int], share: float) -> bool:
    """Print one line a promise; True where no cell is too low."""
    print(f"{'':44s}" + "".join(f"{f'n={n}':>13s}" for n in sizes) + "   draws " + ", ".join(
        str(n_draws_of(n, share)) for n in sizes), flush=True)  # fmt: skip
    good = True
    for case in cases:
        for arrangement in case.arrangements:
            columns = [measure_case(case, arrangement, n, n_draws_of(n, share)) for n in sizes]
            print(f"{case.name}, {arrangement}")
            for name in dict.fromkeys(name for column in columns for name in column):
                cells = [column.get(name, Cell(case.nominal)) for column in columns]
                good &= not any(cell.low for cell in cells)
                print(f"  {name:42s}" + "".join(f"{cell.text():>13s}" for cell in cells), flush=True)
    errors = ", ".join(f"{Cell(LEVEL, n_given=n_draws_of(n, share)).error:.1f}" for n in sizes)
    print(f"simulation error (one standard error of a coverage of {LEVEL:.0f} %): {errors} points")
    return good


def main() -> int:
    """Measure what was asked for; 1 where an interval holds too rarely."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=FAMILIES, nargs="+", default=FAMILIES)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--short", action="store_true", help="a twentieth of the draws, up to 177 events")
    asked = parser.parse_args()
    tell_machine()
    started = time.perf_counter()
    sizes = [n for n in asked.sizes if n <= 177] if asked.short else asked.sizes
    sys.path.insert(0, str(Path(__file__).parent))
    cases = [case for family in asked.only for case in importlib.import_module(f"coverage_cases.{family}").CASES]
    good = measure_all(cases, sizes, 0.05 if asked.short else 1.0)
    print(f"{time.perf_counter() - started:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
