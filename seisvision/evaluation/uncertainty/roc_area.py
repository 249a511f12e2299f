"""Area under the receiver operating characteristic with an interval that stays finite where nothing is wrong."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special

from seisvision.evaluation.uncertainty.proportions import Part

FEW_DISCORDANT = 5.0
"""With fewer samples of the rarer class out of order, the spread of the scores does not tell the variance."""
EDGE = 1e-12


def area_part(
    positive: np.ndarray, score: np.ndarray, group: np.ndarray, n_events: int, level: float = 0.95
) -> Part | None:
    """Area of one class against the rest, ties counted half (Mann and Whitney 1947); None where one side is empty.

    The interval holds the areas whose distance from the estimate is likely under the variance of Hanley and McNeil
    (Newcombe 2006, Statistics in Medicine 25, 559-573, method 5, doi:10.1002/sim.2324): [0.88, 1] for twenty samples in
    perfect order. The variance is enlarged to that of DeLong et al. 1988 (Biometrics 44, 837-845, doi:10.2307/2531595),
    summed over events (Obuchowski 1997, Biometrics 53, 567-578, doi:10.2307/2533958); it is made smaller only where
    enough samples are out of order. Where too few are, samples of one event count as copies.

    Args:
        positive: bool (N,).
        score: (N,) larger for the class.
        group: (N,) event number from 0 to ``n_events - 1``.
        n_events: G.
        level: confidence level.
    """
    sizes = int(positive.sum()), int((~positive).sum())
    if not min(sizes):
        return None
    influence_of_sample, value = _influences(positive, score)
    influence = np.bincount(group, influence_of_sample, n_events)
    copies = _copies(positive, group), _copies(~positive, group)
    model = _variance(value, *sizes)
    n_seen = len(np.unique(group))
    found = n_seen / max(n_seen - 1, 1) * float((influence**2).sum())
    # More than 1 where the samples of an event go together.
    factor = found / model if model > 0 else 1.0
    rarer = min(size / many for size, many in zip(sizes, copies, strict=True))
    if rarer * (1 - max(value, 1 - value)) < FEW_DISCORDANT:
        as_copies = [size / many for size, many in zip(sizes, copies, strict=True)]
        # At the ends of the scale both variances are zero, and their ratio is what is wanted.
        middle = min(max(value, 0.01), 0.99)
        factor = max(factor, _variance(middle, *as_copies) / _variance(middle, *sizes))
    return Part(value, *_ends(value, sizes, factor, level), influence)


def _influences(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, float]:
    """What every sample adds to the deviation of the area (N,) (DeLong's structural components), and the area."""
    positives, negatives = score[positive], score[~positive]
    above = _share_below(negatives, positives)
    value = float(above.mean())
    influence = np.empty(len(score))
    influence[positive] = (above - value) / len(positives)
    influence[~positive] = (1 - _share_below(positives, negatives) - value) / len(negatives)
    return influence, value


def _share_below(others: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Share of ``others`` below each score, ties counted half."""
    ordered = np.sort(others)
    return (np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")) / (2 * len(others))


def _copies(chosen: np.ndarray, group: np.ndarray) -> float:
    """By how much fewer the samples would be if those of an event were copies of each other."""
    size = np.bincount(group[chosen]).astype(float)
    return float((size**2).sum() / size.sum())


def _variance(area: float, n_positive: float, n_negative: float) -> float:
    """Hanley and McNeil 1982 with sizes exchanged for their mean, as Newcombe's method 5 has it."""
    more = (n_positive + n_negative) / 2 - 1
    spread = 1 + more * (1 - area) / (2 - area) + more * area / (1 + area)
    return area * (1 - area) / (n_positive * n_negative) * spread


def _ends(value: float, sizes: tuple[int, int], factor: float, level: float) -> tuple[float, float]:
    quantile = float(special.ndtri(0.5 + level / 2))

    def excess(area: float) -> float:
        return (area - value) ** 2 - quantile**2 * factor * _variance(area, *sizes)

    def end(outer: float) -> float:
        inner = value + math.copysign(EDGE, outer - value)
        if abs(outer - value) < 10 * EDGE or excess(outer) <= 0 or excess(inner) >= 0:
            return outer
        return float(optimize.brentq(excess, *sorted((outer, inner))))

    # At an end of the scale the variance is zero too: the other root is the interval's end.
    low = 0.0 if value <= 0 else end(EDGE)
    high = 1.0 if value >= 1 else end(1 - EDGE)
    return (0.0 if low <= 2 * EDGE else low), (1.0 if high >= 1 - 2 * EDGE else high)
