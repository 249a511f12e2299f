"""Jackknife over events, for measures that resampling with copies would bias, such as agreement by pairs."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from seisvision.evaluation.intervals import rare_wilson_interval

FEWEST_EVENTS = 30
"""With fewer, the standard error is too uncertain."""
GOOD = 0.5
"""Agreement above which the interval is that of a share."""
SETTLED = 0.5
"""Largest bias, in standard errors, of measures whose interval is given."""


def jackknife(value: float, without: np.ndarray) -> tuple[float, float]:
    """Bias and standard error of a measure (Efron and Tibshirani 1993, chapter 11).

    Args:
        value: of all events.
        without: (G,) values with each event left out.
    """
    n_events = len(without)
    bias = (n_events - 1) * (float(without.mean()) - value)
    return bias, math.sqrt((n_events - 1) / n_events * float(((without - without.mean()) ** 2).sum()))


def jackknife_interval(
    value: float, without: np.ndarray, level: float = 0.95, most_trials: float = math.inf
) -> tuple[float, float]:
    """Interval of a measure that is at most 1, about its value without bias.

    On Fisher's scale, and of good agreement, which rests on the few events that differ, Wilson's with as many trials as
    vary as much.

    Samples without replacement hold no copies, which would agree with each other. Where the bias is as large as chance,
    as that of mutual information near independence, or nothing differs, there is no interval.

    Args:
        value: of all events.
        without: (G,) values with each event left out.
        level: confidence level.
        most_trials: number of independent samples if those of an event were copies; good agreement rests on few events
            whose dependence cannot be told.
    """
    if len(without) < FEWEST_EVENTS:
        return math.nan, math.nan
    bias, error = jackknife(value, without)
    centre = value - bias
    if not error > 1e-9 or abs(centre) >= 1 or abs(bias) > SETTLED * error:
        return math.nan, math.nan
    reach = float(special.stdtrit(len(without) - 1, 0.5 + level / 2)) * error
    if centre > GOOD:
        # Trials whose share has the same standard error.
        n_trials = centre * (1 - centre) * (float(special.ndtri(0.5 + level / 2)) / reach) ** 2
        n_trials = min(n_trials, most_trials)
        return rare_wilson_interval(centre * n_trials, n_trials, level)
    # The slope of Fisher's transform carries the error over to its scale.
    reach /= 1 - centre**2
    return math.tanh(math.atanh(centre) - reach), math.tanh(math.atanh(centre) + reach)


def jackknife_difference(value: float, without: np.ndarray, level: float = 0.95) -> tuple[tuple[float, float], float]:
    """Interval of a difference about zero or not, by Student's t, and its two-sided p-value; 1 where nothing varies."""
    _, error = jackknife(value, without)
    if not error > 1e-12:
        return (math.nan, math.nan), 1.0 if value == 0 else math.nan
    freedom = len(without) - 1
    reach = float(special.stdtrit(freedom, 0.5 + level / 2)) * error
    return (value - reach, value + reach), 2 * float(special.stdtr(freedom, -abs(value) / error))
