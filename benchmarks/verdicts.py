"""How often is a verdict wrong, how often is a difference found, and how much too good is the best of several?

``python benchmarks/verdicts.py --draws 400`` prints the tables; exit 1 where equal models are called different in more
than 6 % of the draws, beyond twice the simulation error. Shares right are about 85 %, an event is hard for all runs
alike, and trainings of one model differ by a spread in points of the share right. With one training a side the verdict
is of two networks, so it is judged without a spread. Cells of one measure, number of events and traces share draws: the
first three of ten trainings are also three. ``--only errors --sizes 177`` does a part.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations, product

import numpy as np
from measuring import tell_machine
from scipy.stats import norm
from verdict_draws import (
    EVENT_SHARE,
    MEAN_SCORE,
    NUMBERS_AT_ONCE,
    POINTS,
    RIGHT,
    TRACE_SHARE,
    Measured,
    Runs,
    areas,
    balanced,
    check,
    class_of,
    differences,
    hard_events,
    means,
    medians,
    scores_of,
)

from seisvision.evaluation.agreement import agreement_difference
from seisvision.evaluation.differences import (
    Influence,
    area_influence,
    balanced_influence,
    compare_folds,
    mean_influence,
    median_influence,
)
from seisvision.evaluation.selection import corrected_best

NOMINAL = 5.0
SIZES = (20, 50, 177, 1000)
SEEDS = (1, 2, 3, 5, 10)
SPREADS = (0.0, 2.4, 4.9)
TRACES = (1, 3)
"""Of an event."""
FIVE = ("accuracy", "median error")
"""Measures for which tables of five models are judged too."""
MOST = 6.0
"""Percent of equal models that may be called different."""
BETTER = (2.0, 5.0, 10.0)
"""Points by which a model is better where power is measured."""
Cell = tuple[str, int, int, float]
"""Measure, number of models, trainings of each, spread."""

# Each for one training, by the product: scores (N,), classes (N,) and events (N,) to a measure.
MEASURES: dict[str, Measured] = {
    "accuracy": lambda score, classes, events: mean_influence((score > 0).astype(float), events, is_share=True),
    "balanced accuracy": lambda score, classes, events: balanced_influence(score > 0, classes, events),
    "ROC AUC": lambda score, classes, events: area_influence(classes == 1, np.where(classes, score, -score), events),
    "mean error": lambda score, classes, events: mean_influence(np.exp(-0.5 * score), events),
    "median error": lambda score, classes, events: median_influence(np.exp(-0.5 * score), events),
    "epicentre error": lambda score, classes, events: median_influence(_epicentre_km(score), events),
    "median angle": lambda score, classes, events: median_influence(np.minimum(180.0, 20 * np.exp(-score)), events),
}


AT_ONCE: dict[str, Callable[[np.ndarray, int], Runs]] = {
    "accuracy": lambda score, traces: means((score > 0).astype(float), traces, True),
    "balanced accuracy": lambda score, traces: balanced(score > 0, traces),
    "ROC AUC": areas,
    "mean error": lambda score, traces: means(np.exp(-0.5 * score), traces, False),
    "median error": lambda score, traces: medians(np.exp(-0.5 * score), traces),
    "epicentre error": lambda score, traces: medians(_epicentre_km(score), traces),
    "median angle": lambda score, traces: medians(np.minimum(180.0, 20 * np.exp(-score)), traces),
}
"""The same of many trainings in many draws: scores (D, M, N) and traces an event."""


def _epicentre_km(score: np.ndarray) -> np.ndarray:
    """Errors of epicentres, which have a second mode: one in seven lies a hundred times as far, on the wrong side."""
    return np.exp(-0.5 * score) * np.where(score > 0, 1.0, 100.0)


class Events:
    """Test events, and trainings of models that are tested on them."""

    def __init__(self, rng: np.random.Generator, n_events: int) -> None:
        self.rng, self.events, self.classes = rng, np.arange(n_events), class_of(n_events)
        self.hard = hard_events(rng, 1, n_events, 1)[0, 0]

    def run(self, measure: Measured, spread: float, moved: float) -> Influence:
        """One training; ``spread`` in points, ``moved`` in points by its training events."""
        own = self.rng.normal(size=len(self.events)) * np.sqrt(1 - EVENT_SHARE - TRACE_SHARE)
        mean = MEAN_SCORE + (spread * self.rng.normal() + moved) / POINTS
        return measure(mean + self.hard + own, self.classes, self.events)


def called_different(
    rng: np.random.Generator, draws: int, n_events: int, traces: int, name: str, spread: float
) -> Counter[Cell]:
    """How often equal models are called different: two of them, or any two in a table of five."""
    count: Counter[Cell] = Counter()
    n_models, most = (5 if name in FIVE else 2), max(SEEDS)
    at_once = max(1, NUMBERS_AT_ONCE // (n_models * most * n_events * traces))
    for first in range(0, draws, at_once):
        hard = hard_events(rng, min(at_once, draws - first), n_events, traces)
        scores = [scores_of(rng, hard, most, spread) for _ in range(n_models)]
        check(scores[0], scores[1], AT_ONCE[name], MEASURES[name], traces)
        models = [AT_ONCE[name](one, traces) for one in scores]
        for n_runs in SEEDS if spread == 0 else SEEDS[1:]:
            count[name, 2, n_runs, spread] += int(_differ(models[0], models[1], n_runs).sum())
            if n_models == 5:
                pairs = [_differ(a, b, n_runs, 1 - 0.05 / 10) for a, b in combinations(models, 2)]
                count[name, 5, n_runs, spread] += int(np.any(pairs, axis=0).sum())
    return count


def _differ(a: Runs, b: Runs, n_runs: int, level: float = 0.95) -> np.ndarray:
    """Bool (D,): the interval excludes zero."""
    value, half = differences(a, b, n_runs, level)
    return np.abs(value) > half


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
    measure, same, sides = MEASURES["accuracy"], Events(rng, n_events), ([], [])
    pieces = rng.normal(size=(2, 5)) * spread / 2 / np.sqrt(4)
    for fold in range(5):
        events = same if shared else Events(rng, n_events // 5)
        events.events = events.events + (0 if shared else fold * (n_events // 5))
        for side, own in zip(sides, pieces, strict=True):
            side.append([events.run(measure, spread, own.sum() - own[fold]) for _ in range(n_runs)])
    low, high = compare_folds(*sides, held_out_ratio=0.25).interval()
    return low > 0 or high < 0


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


def share(draws: int, happens: Callable[[], bool]) -> float:
    """How often something happens, in percent."""
    return 100 * float(np.mean([happens() for _ in range(draws)]))


def simulation_error(draws: int, nominal: float = NOMINAL) -> float:
    """Standard error of a share in points."""
    return float(np.sqrt(nominal * (100 - nominal) / draws))


def print_errors(
    seed: int, draws: int, measures: Sequence[str], sizes: Sequence[int], n_traces: Sequence[int] = TRACES
) -> list[float]:
    """Equal models that are called different, in percent: a table for each number of events."""
    columns = [(n_runs, spread) for n_runs in SEEDS for spread in (SPREADS if n_runs > 1 else SPREADS[:1])]
    found: list[float] = []
    for n in sizes:
        counts: dict[int, Counter[Cell]] = {traces: Counter() for traces in n_traces}
        for traces, name, spread in product(n_traces, measures, SPREADS):
            rng = np.random.default_rng([seed, n, traces, list(MEASURES).index(name), int(10 * spread)])
            counts[traces] += called_different(rng, draws, n, traces, name, spread)
        print(f"\nEqual models called different (%), {n} events of {n_traces} traces; seeds, spread in points")
        print(f"{'':24s}" + "".join(f"{f'{n_runs}, {spread:g}':>13s}" for n_runs, spread in columns))
        for name, models in product(measures, (2, 5)):
            if models == 5 and name not in FIVE:
                continue
            row = ""
            for column in columns:
                some = [100 * counts[traces][name, models, *column] / draws for traces in n_traces]
                row += f"{' '.join(f'{one:.1f}' for one in some):>13s}"
                found += some
            print(f"{name:18s} of {models:<2d} {row}", flush=True)
    return found


def print_folds(seed: int, draws: int) -> list[float]:
    """Equal models that are called different over five folds, in percent."""
    found, sizes = [], (50, 175, 1000)
    print("\nEqual models called different over five folds (%), accuracy; " + ", ".join(f"n={n}" for n in sizes))
    for shared in (True, False):
        for n_runs, spread in ((1, 0.0), (1, 2.4), (2, 2.4), (1, 4.9)):
            rng = np.random.default_rng([seed, n_runs, shared, int(10 * spread)])
            some = [share(draws, lambda: five_folds(rng, n, n_runs, spread, shared)) for n in sizes]  # noqa: B023
            found += some
            what = "shared test events" if shared else "validation events "
            print(f"{what} {n_runs} seeds, spread {spread:g}: " + " ".join(f"{one:5.1f}" for one in some), flush=True)
    return found


def print_clusterings(seed: int, draws: int, sizes: Sequence[int]) -> list[float]:
    """Equal clusterings that are called different, in percent."""
    print("\nARI of equal clusterings called different (%): one trace an event (three)")
    found: list[float] = []
    for alike in (0.0, 0.8):
        row = ""
        for n in sizes:
            rng = np.random.default_rng([seed, n, int(10 * alike)])
            some = [share(draws, lambda: two_clusterings(rng, n, traces, alike)) for traces in TRACES]  # noqa: B023
            row += f"  n={n}: {some[0]:.1f} ({some[1]:.1f})"
            found += some
        print(f"{100 * alike:3.0f} % alike{row}", flush=True)
    return found


def print_power(seed: int, draws: int, sizes: Sequence[int]) -> None:
    """Models that are better and called so, in percent, by runs, spread, difference and number of events."""
    found, measure = Counter(), AT_ONCE["accuracy"]
    for n, spread in product(sizes, SPREADS):
        rng, most = np.random.default_rng([seed, n, int(10 * spread)]), max(SEEDS)
        at_once = max(1, NUMBERS_AT_ONCE // (2 * most * n))
        for first in range(0, draws, at_once):
            hard = hard_events(rng, min(at_once, draws - first), n, 1)
            plain = measure(scores_of(rng, hard, most, spread), 1)
            for better in BETTER:
                runs = measure(scores_of(rng, hard, most, spread, better), 1)
                for n_runs in SEEDS:
                    value, half = differences(runs, plain, n_runs)
                    found[n, n_runs, spread, better] += int((value > half).sum())
    print("\nBetter models called better (%), accuracy")
    print(f"{'seeds':>5s} {'spread':>7s} {'better':>7s} " + " ".join(f"{f'n={n}':>8s}" for n in sizes))
    for n_runs, spread, better in product(SEEDS, SPREADS, BETTER):
        row = " ".join(f"{100 * found[n, n_runs, spread, better] / draws:8.0f}" for n in sizes)
        print(f"{n_runs:5d} {spread:7.1f} {better:7.1f} {row}", flush=True)


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


PARTS = ("errors", "folds", "clusterings", "power", "choice")


def main() -> int:
    """Print the tables; 1 where equal models are called different too often."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200, help="simulations of each cell (default 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measures", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of test events")
    parser.add_argument("--traces", type=int, nargs="+", default=TRACES, help="of an event, in the table of errors")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    asked = parser.parse_args()
    tell_machine()
    started, found = time.process_time(), []
    if "power" in asked.only:
        print_power(asked.seed, asked.draws, asked.sizes)
    if "clusterings" in asked.only:
        found += print_clusterings(asked.seed, asked.draws, asked.sizes)
    if "folds" in asked.only:
        found += print_folds(asked.seed, asked.draws)
    if "errors" in asked.only:
        found += print_errors(asked.seed, asked.draws, asked.measures, asked.sizes, asked.traces)
    if "choice" in asked.only:
        print_choice(np.random.default_rng(asked.seed), asked.draws)
    error, limit = simulation_error(asked.draws), MOST + 2 * simulation_error(asked.draws, MOST)
    if found:
        above = sum(one > limit for one in found)
        print(f"\n{len(found)} cells of equal models, mean {np.mean(found):.1f} %, largest {max(found):.1f} %, "
              f"simulation error {error:.1f} points (one standard error); {above} above {limit:.1f} %")  # fmt: skip
    print(f"{time.process_time() - started:.0f} s of processor time")
    return int(any(one > limit for one in found))


if __name__ == "__main__":
    sys.exit(main())
