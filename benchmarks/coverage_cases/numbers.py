"""Predicted numbers with errors of light and of heavy tails."""

from __future__ import annotations

from functools import partial

import numpy as np
from coverage import Case, IntervalCase, shared_noise
from scipy import special

from seisvision.evaluation.intervals import Measure
from seisvision.outputs.numbers.measures import Tolerance, scalar_metrics

KM = Tolerance(0.1, 10.0, "km")


def normal_errors(rng: np.random.Generator, groups: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Targets (N,) of standard deviation 20 and predictions with normal errors."""
    target = 100 + 20 * shared_noise(rng, groups)[:, 0]
    return target, target + size * shared_noise(rng, groups)[:, 0]


def student_errors(rng: np.random.Generator, groups: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """The same with errors of Student's t with three degrees of freedom, whose fourth moment is infinite."""
    target = 100 + 20 * shared_noise(rng, groups)[:, 0]
    rank = special.ndtr(shared_noise(rng, groups)[:, 0])
    return target, target + size * special.stdtrit(3, np.clip(rank, 1e-15, 1 - 1e-15))


def distance_errors(rng: np.random.Generator, groups: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Log-normal distances in km with errors in proportion."""
    target = np.exp(5 + shared_noise(rng, groups)[:, 0])
    return target, target * np.exp(size * shared_noise(rng, groups)[:, 0])


def measured(target: np.ndarray, prediction: np.ndarray, groups: np.ndarray, n_resamples: int) -> dict[str, Measure]:
    """The measures of a table of results; of ``bin_acc`` none, since its bins are those of the sample."""
    found = scalar_metrics(target, prediction, KM, groups=groups, factor=True, n_resamples=n_resamples)
    return {name: measure for name, measure in found.items() if name != "bin_acc"}


CASES: list[Case] = [
    IntervalCase(name, partial(draw, size=size), measured)
    for name, draw, size in (
        ("normal errors, small", normal_errors, 4.0),
        ("normal errors, large", normal_errors, 20.0),
        ("Student t3 errors", student_errors, 8.0),
        ("log-normal distances, 10 %", distance_errors, 0.1),
        ("log-normal distances, factor of two", distance_errors, 0.7),
    )
]
