"""What the best of several candidates is worth, where it was chosen on the events that it is measured on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seisvision.evaluation.differences import Influence
from seisvision.seeding import DEFAULT_SEED, numpy_stream

N_RESAMPLES = 1000
FEWEST_EVENTS = 10
"""Of fewer events, too few are left out of a resample to measure anything."""


def corrected_best(candidates: Sequence[Influence], *, less_is_better: bool, seed: int = DEFAULT_SEED) -> float | None:
    """The measure that the best candidate may be expected to have on events that had no say in the choice.

    Events are drawn again, the best on those is taken, and measured on the events that were not drawn; the mean over
    the draws is returned (Tsamardinos et al. 2018, Machine Learning 107, 1895-1922). It tends to be a little too poor,
    because the choice is made with fewer events.

    Args:
        candidates: the measure of each, all on the same events.
        less_is_better: whether the smallest is the best.
        seed: of the draws.

    Returns:
        The measure; None for fewer than two candidates, for fewer than ten events, or where the events differ.
    """
    first = candidates[0].events if candidates else np.zeros(0)
    if len(candidates) < 2 or len(first) < FEWEST_EVENTS:
        return None
    if any(not np.array_equal(one.events, first) or not np.isfinite(one.value) for one in candidates):
        return None
    n, values = len(first), np.array([one.value for one in candidates])
    # Influences are made a little larger than they are, for the sake of variances.
    moved = np.stack([one.by_event for one in candidates], axis=1) * np.sqrt((n - 1) / n)
    rng, sign = numpy_stream(seed, "choice of the best"), 1.0 if less_is_better else -1.0
    counts = rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLES)
    # Rounded, so that equals go to the first and not to the one that is worse on the other events.
    chosen = np.round(sign * (values + (counts - 1.0) @ moved), 9).argmin(1)
    left_out = counts == 0
    # A mean over a part of the events moves by that part's influences, scaled to all.
    scale = n / np.maximum(left_out.sum(1, keepdims=True), 1)
    measured = values + scale * (left_out.astype(float) @ moved)
    return float(measured[np.arange(N_RESAMPLES), chosen].mean())
