"""How often is a verdict wrong, how often is a difference found, and how much too good is the best of several?

``python benchmarks/verdicts.py --draws 400`` prints three tables. Equal models may be called different in 5 % of the
cases; measured shares have a simulation error, which stands beside them. Shares right are about 85 %, an event is hard
for all runs alike, and trainings of one model differ by a spread in points of the share right.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from scipy.stats import norm

from seisvision.evaluation.agreement import agreement_difference
from seisvision.evaluation.differences import (
    Difference,
    Influence,
    area_influence,
    balanced_influence,
    compare_folds,
    compare_runs,
    mean_influence,
    median_influence,
)
from seisvision.evaluation.selection import corrected_best

RIGHT = 0.85
EVENT_SHARE, TRACE_SHARE = 0.6, 0.1
"""Of the variance on the normal scale: what all runs find hard in an event, and in a trace."""
NOMINAL = 5.0
SIZES = (20, 50, 177, 1000)
SEEDS = ((1, 0.0), *((n, spread) for n in (2, 3, 5, 10) for spread in (0.0, 1.0, 2.4, 4.9)))

Measured = Callable[[np.ndarray, np.ndarray, np.ndarray], Influence]
"""Maps scores (N,), which are right above zero, classes (N,) and events (N,) to a measure."""
MEASURES: dict[str, Measured] = {
    "accuracy": lambda score, classes, events: mean_influence((score > 0).astype(float), events, is_share=True),
    "balanced accuracy": lambda score, classes, events: balanced_influence(score > 0, classes, events),
    "ROC AUC": lambda score, classes, events: area_influence(classes == 1, np.where(classes, score, -score), events),
    "mean error": lambda score, classes, events: mean_influence(np.exp(-0.5 * score), events),
    "median error": lambda score, classes, events: median_influence(np.exp(-0.5 * score), events),
    "epicentre error": lambda score, classes, events: median_influence(_epicentre_km(score), events),
    "median angle": lambda score, classes, events: median_influence(np.minimum(180.0, 20 * np.exp(-score)), events),
}


def _epicentre_km(score: np.ndarray) -> np.ndarray:
    """Errors of epicentres, which have a second mode: one in seven lies a hundred times as far, on the wrong side."""
    return np.exp(-0.5 * score) * np.where(score > 0, 1.0, 100.0)


class Events:
    """Test events with their traces, and trainings of models that are tested on them."""

    def __init__(self, rng: np.random.Generator, n_events: int, traces: int) -> None:
        self.rng, self.events = rng, np.repeat(np.arange(n_events), traces)
        self.classes = (np.arange(n_events) % 3 == 0).astype(int)[self.events]
        self.hard = rng.normal(size=n_events)[self.events] * np.sqrt(EVENT_SHARE)
        self.hard = self.hard + rng.normal(size=len(self.events)) * np.sqrt(TRACE_SHARE)

    def run(self, measure: Measured, spread: float, better: float = 0.0, moved: float = 0.0) -> Influence:
        """One training; ``spread`` and ``better`` in points, ``moved`` in points by its training events."""
        points = 100 * norm.pdf(norm.ppf(RIGHT))
        mean = norm.ppf(min(0.999, RIGHT + better / 100)) + (spread * self.rng.normal() + moved) / points
        own = self.rng.normal(size=len(self.events)) * np.sqrt(1 - EVENT_SHARE - TRACE_SHARE)
        return measure(mean + self.hard + own, self.classes, self.events)

    def runs(self, measure: Measured, n: int, spread: float, better: float = 0.0) -> list[Influence]:
        """Several trainings of one model."""
        return [self.run(measure, spread, better) for _ in range(n)]


def differs(found: Difference, n_pairs: int = 1) -> bool:
    """Whether the interval that the product prints excludes zero."""
    low, high = found.interval(1 - 0.05 / n_pairs)
    return low > 0 or high < 0


def two_models(events: Events, measure: Measured, n_runs: int, spread: float, better: float = 0.0) -> bool:
    """Whether two models are called different, the first of which is ``better`` in points."""
    return differs(compare_runs(events.runs(measure, n_runs, spread, better), events.runs(measure, n_runs, spread)))


def five_models(events: Events, measure: Measured, n_runs: int, spread: float) -> bool:
    """Whether any two of five equal models are called different."""
    models = [events.runs(measure, n_runs, spread) for _ in range(5)]
    return any(differs(compare_runs(a, b), 10) for a, b in combinations(models, 2))


def five_folds(rng: np.random.Generator, n_events: int, n_runs: int, spread: float, shared: bool) -> bool:
    """Whether two equal models are called different over five folds.

    What the choice of training events changes is half of what another seed changes, and as alike as the folds' events.

    Args:
        rng: source of chance.
        n_events: in all folds together.
        n_runs: seeds in each fold.
        spread: over seeds, in points.
        shared: whether all folds are tested on the same events, else each on its own.
    """
    measure, same, sides = MEASURES["accuracy"], Events(rng, n_events, 1), ([], [])
    pieces = rng.normal(size=(2, 5)) * spread / 2 / np.sqrt(4)
    for fold in range(5):
        events = same if shared else Events(rng, n_events // 5, 1)
        events.events = events.events + (0 if shared else fold * (n_events // 5))
        for side, own in zip(sides, pieces, strict=True):
            side.append([events.run(measure, spread, moved=own.sum() - own[fold]) for _ in range(n_runs)])
    return differs(compare_folds(*sides, held_out_ratio=0.25))


def two_clusterings(rng: np.random.Generator, n_events: int, traces: int, alike: float) -> bool:
    """Whether two clusterings that follow five classes equally well are called different by their ARI.

    Args:
        rng: source of chance.
        n_events: events.
        traces: of each event, all in one class, each put into a cluster by itself.
        alike: share of the samples in which the second puts a sample where the first does.
    """
    events = np.repeat(np.arange(n_events), traces)
    classes = rng.integers(0, 5, n_events)[events]
    first, second = (np.where(rng.random(len(events)) < 0.6, classes, rng.integers(0, 5, len(events))) for _ in "12")
    second = np.where(rng.random(len(events)) < alike, first, second)
    found = agreement_difference(first, second, classes, events)
    return found["p_value"] is not None and found["p_value"] < 0.05


def print_clusterings(rng: np.random.Generator, draws: int) -> None:
    """Equal clusterings that are called different, in percent."""
    for alike in (0.0, 0.8):
        cells = []
        for n in SIZES:
            some = [share(draws, lambda: two_clusterings(rng, n, traces, alike)) for traces in (1, 3)]  # noqa: B023
            cells.append(f"{some[0]:6.1f} ({some[1]:4.1f})")
        row = " ".join(f"{cell:>14}" for cell in cells)
        print(f"{'ARI of clusters':18} {'two':8} {f'{100 * alike:.0f} % alike':>13} {row}", flush=True)


def share(draws: int, happens: Callable[[], bool]) -> float:
    """How often something happens, in percent."""
    return 100 * float(np.mean([happens() for _ in range(draws)]))


def print_errors(rng: np.random.Generator, draws: int, measures: Sequence[str]) -> list[float]:
    """Equal models that are called different, in percent, by measure, runs, spread and number of events."""
    limit = NOMINAL + 2 * 100 * np.sqrt(0.05 * 0.95 / draws)
    print(f"\nEqual models called different (%): nominal {NOMINAL:g}; above {limit:.1f} would be more than chance")
    print(f"{'measure':18} {'models':8} {'runs':>5} {'spread':>7} " + " ".join(f"{f'n={n}':>14}" for n in SIZES))
    found: list[float] = []
    for name in measures:
        for models, happens in (("two", two_models), ("five", five_models)):
            for n_runs, spread in SEEDS if models == "two" else ((1, 0.0), (2, 2.4), (5, 2.4), (5, 4.9)):
                cells = []
                for n in SIZES:
                    some = [
                        share(draws, lambda: happens(Events(rng, n, traces), MEASURES[name], n_runs, spread))  # noqa: B023
                        for traces in (1, 3)
                    ]
                    found += some
                    cells.append(f"{some[0]:6.1f} ({some[1]:4.1f})")
                row = " ".join(f"{cell:>14}" for cell in cells)
                print(f"{name:18} {models:8} {n_runs:5d} {spread:7.1f} {row}", flush=True)
    for shared in (True, False):
        for n_runs, spread in ((1, 0.0), (1, 2.4), (2, 2.4), (1, 4.9)):
            some = [share(draws, lambda: five_folds(rng, n, n_runs, spread, shared)) for n in (50, 175, 1000)]  # noqa: B023
            found += some
            what = "folds, test" if shared else "folds, val"
            row = " ".join(f"{f'{one:.1f}':>14}" for one in some)
            print(f"{what:18} {'two':8} {n_runs:5d} {spread:7.1f} {'':14} {row}", flush=True)
    return found


def print_power(rng: np.random.Generator, draws: int) -> None:
    """Models that are better and called so, in percent, by runs, spread, difference and number of events."""
    print("\nBetter models called better (%), accuracy")
    print(f"{'runs':>5} {'spread':>7} {'better':>7} " + " ".join(f"{f'n={n}':>8}" for n in SIZES))
    for n_runs, spread in ((1, 0.0), (2, 1.0), (3, 1.0), (5, 1.0), (3, 2.4), (5, 2.4), (10, 2.4), (10, 4.9)):
        for better in (2.0, 5.0, 10.0):
            row = [
                share(draws, lambda: two_models(Events(rng, n, 1), MEASURES["accuracy"], n_runs, spread, better))  # noqa: B023
                for n in SIZES
            ]
            cells = " ".join(f"{one:8.0f}" for one in row)
            print(f"{n_runs:5d} {spread:7.1f} {better:7.1f} {cells}", flush=True)


def print_choice(rng: np.random.Generator, draws: int) -> None:
    """How much too good the best of several models is on the events it was chosen on, before and after correction."""
    print("\nBest of several on the events it was chosen on, minus its true share right (points, +- simulation error)")
    print(f"{'best of':>8} {'spread':>7} " + " ".join(f"{f'n={n}':>24}" for n in SIZES))
    for n_models in (5, 50):
        for spread in (0.0, 2.4):
            cells = []
            for n in SIZES:
                bias = np.array([_bias(rng, n_models, spread, n) for _ in range(max(20, draws // 4))])
                before, after = 100 * bias.mean(0)
                error = 100 * bias.std(0).max() / np.sqrt(len(bias))
                cells.append(f"{f'{before:+.1f} to {after:+.1f} +- {error:.1f}':>24}")
            print(f"{n_models:8d} {spread:7.1f} " + " ".join(cells), flush=True)


def _bias(rng: np.random.Generator, n_models: int, spread: float, n_events: int) -> tuple[float, float]:
    hard = rng.normal(size=n_events) * np.sqrt(EVENT_SHARE)
    means = norm.ppf(RIGHT) + spread / (100 * norm.pdf(norm.ppf(RIGHT))) * rng.normal(size=n_models)
    own = rng.normal(size=(n_models, n_events)) * np.sqrt(1 - EVENT_SHARE)
    found = [mean_influence((mean + hard + one > 0).astype(float), np.arange(n_events), is_share=True)
             for mean, one in zip(means, own, strict=True)]  # fmt: skip
    best = int(np.argmax([one.value for one in found]))
    corrected = corrected_best(found, less_is_better=False)
    assert corrected is not None
    return found[best].value - norm.cdf(means[best]), corrected - norm.cdf(means[best])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200, help="simulations of each cell (default 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measures", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    found = print_errors(rng, arguments.draws, arguments.measures)
    print_clusterings(rng, arguments.draws)
    print_power(rng, arguments.draws)
    print_choice(rng, arguments.draws)
    error = 100 * np.sqrt(0.05 * 0.95 / arguments.draws)
    print(
        f"\n{len(found)} cells of equal models, mean {np.mean(found):.1f} %, largest {max(found):.1f} +- {error:.1f} %"
    )


if __name__ == "__main__":
    main()
