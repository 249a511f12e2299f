"""Predicted angles with errors of von Mises distributions, from narrow to chance."""

from __future__ import annotations

from functools import partial

import numpy as np
from coverage import Case, IntervalCase

from seisvision.evaluation.intervals import Measure
from seisvision.outputs.angles.measures import angle_metrics


def von_mises_errors(
    rng: np.random.Generator, groups: np.ndarray, concentration: float, one_side: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Angles (N,) all round the circle, or on one side of it, and predictions whose errors are those of the event."""
    n_events = groups[-1] + 1
    side = rng.vonmises(0, 1.5, n_events) if one_side else rng.uniform(-np.pi, np.pi, n_events)
    error = rng.vonmises(0.1 if concentration else 0.0, concentration, n_events)[groups]
    if n_events < len(groups):
        error = error + rng.vonmises(0, max(3 * concentration, 3.0), len(groups))
    target = np.degrees(side[groups])
    return target, target + np.degrees(error)


def measured(target: np.ndarray, prediction: np.ndarray, groups: np.ndarray, n_resamples: int) -> dict[str, Measure]:
    """The measures of a table of results."""
    return angle_metrics(target, prediction, groups=groups, n_resamples=n_resamples)


CASES: list[Case] = [
    IntervalCase(f"{name} errors", partial(von_mises_errors, concentration=kappa, one_side=side), measured, known)
    for name, kappa, side, known in (
        ("narrow (8 degrees)", 50.0, False, None),
        ("wide (50 degrees)", 2.0, False, None),
        ("wide (50 degrees), targets on one side", 2.0, True, None),
        # At chance there is no mean direction, so no interval of one can hold.
        ("chance level", 0.0, False, {"bias_deg": float("inf")}),
    )
]
