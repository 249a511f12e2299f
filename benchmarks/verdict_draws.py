"""Many draws of two or more models at once, for ``verdicts.py``.

Arrays of draws by the formulae of :mod:`seisvision.evaluation.differences`, where a run at a time would take hours;
:func:`check` holds them against the functions of the product themselves. Events have equal numbers of traces, next to
each other, and scores have no ties.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit
from scipy.stats import norm

from seisvision.evaluation.differences import BANDWIDTH, Influence, compare_runs

RIGHT = 0.85
EVENT_SHARE, TRACE_SHARE = 0.6, 0.1
"""Of the variance on the normal scale: what all runs find hard in an event, and in a trace."""
MEAN_SCORE = float(norm.ppf(RIGHT))
POINTS = float(100 * norm.pdf(MEAN_SCORE))
"""By which the share right grows with the mean score."""
NUMBERS_AT_ONCE = 3_000_000

Measured = Callable[[np.ndarray, np.ndarray, np.ndarray], Influence]


def class_of(n_events: int) -> np.ndarray:
    """Class (G,) of every event: one in three is the second."""
    return (np.arange(n_events) % 3 == 0).astype(int)


def hard_events(rng: np.random.Generator, draws: int, n_events: int, traces: int) -> np.ndarray:
    """What all runs find hard (D, 1, N)."""
    by_event = np.repeat(rng.normal(size=(draws, 1, n_events)), traces, axis=2) * np.sqrt(EVENT_SHARE)
    return by_event + rng.normal(size=(draws, 1, n_events * traces)) * np.sqrt(TRACE_SHARE)


def scores_of(
    rng: np.random.Generator, hard: np.ndarray, n_runs: int, spread: float, better: float = 0.0
) -> np.ndarray:
    """Scores (D, M, N) of trainings of one model, right above zero; ``spread`` and ``better`` in points."""
    mean = float(norm.ppf(min(0.999, RIGHT + better / 100)))
    own = rng.normal(size=(len(hard), n_runs, hard.shape[2])) * np.sqrt(1 - EVENT_SHARE - TRACE_SHARE)
    return own + hard + (mean + spread / POINTS * rng.normal(size=(len(hard), n_runs, 1)))


@dataclass(frozen=True)
class Runs:
    """A measure of M trainings in D draws, and what each event adds to its error."""

    value: np.ndarray
    """(D, M)."""
    by_event: np.ndarray
    """(D, M, G)."""
    floor: float


def _runs(value: np.ndarray, moved: np.ndarray, traces: int, counts: Sequence[float] = ()) -> Runs:
    """``moved`` (D, M, N) summed by event; ``counts`` as in the product."""
    n = moved.shape[2] // traces
    by_event = moved.reshape(*moved.shape[:2], n, traces).sum(3) * np.sqrt(n / (n - 1))
    return Runs(value, by_event, sum(2 / (one / traces + 2) ** 2 for one in counts) / max(1, len(counts)) ** 2 / traces)


def means(values: np.ndarray, traces: int, is_share: bool) -> Runs:
    """Of a mean of ``values`` (D, M, N)."""
    value, n = values.mean(2), values.shape[2]
    return _runs(value, (values - value[..., None]) / n, traces, [n] if is_share else [])


def balanced(hits: np.ndarray, traces: int) -> Runs:
    """Of the mean recall of both classes; ``hits`` bool (D, M, N)."""
    classes = np.repeat(class_of(hits.shape[2] // traces), traces)
    recalls = [hits[..., classes == k].mean(2) for k in (0, 1)]
    counts = [int((classes == k).sum()) for k in (0, 1)]
    moved = np.empty(hits.shape)
    for k in (0, 1):
        moved[..., classes == k] = (hits[..., classes == k] - recalls[k][..., None]) / (2 * counts[k])
    return _runs((recalls[0] + recalls[1]) / 2, moved, traces, counts)


def areas(score: np.ndarray, traces: int) -> Runs:
    """Of the area under the ROC curve; ``score`` (D, M, N) says how right an answer is."""
    positive = np.repeat(class_of(score.shape[2] // traces), traces) == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    order = np.where(positive, score, -score).argsort(2)
    is_one = positive[order]
    below, above = (~is_one).cumsum(2) / zeros, 1 - is_one.cumsum(2) / ones
    value = np.where(is_one, below, 0.0).sum(2) / ones
    ordered = np.where(is_one, (below - value[..., None]) / ones, (above - value[..., None]) / zeros)
    moved = np.empty(score.shape)
    np.put_along_axis(moved, order, ordered, 2)
    found = _runs(value, moved, traces, [ones, zeros])
    return Runs(found.value, found.by_event, found.floor / 4)


def medians(values: np.ndarray, traces: int) -> Runs:
    """Of a median of ``values`` (D, M, N)."""
    ordered, last = np.sort(values, 2), values.shape[2] - 1

    def quantile(share: np.ndarray) -> np.ndarray:
        place = share * last
        low = np.minimum(place.astype(int), last - 1)
        ends = (np.take_along_axis(ordered, (low + more)[..., None], 2)[..., 0] for more in (0, 1))
        return next(ends) * (1 - place + low) + next(ends) * (place - low)

    value = np.median(values, 2)
    side = _runs(value, np.sign(values - value[..., None]) / (2 * values.shape[2]), traces)
    reach = np.minimum(0.5, BANDWIDTH * np.sqrt(np.square(side.by_event).sum(2)))
    density = (quantile(0.5 + reach) - quantile(0.5 - reach)) / (2 * reach)
    return Runs(value, side.by_event * density[..., None], 0.0)


def differences(a: Runs, b: Runs, n: int, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Differences (D,) of the means of the first ``n`` trainings of both sides, and half widths of their intervals."""
    dof, sides = a.by_event.shape[2] - 1, [(one.value[:, :n], one.by_event[:, :n]) for one in (a, b)]
    value = sides[0][0].mean(1) - sides[1][0].mean(1)
    mine, theirs = (moved.mean(1) for _, moved in sides)
    floor, reach = max(a.floor, b.floor), stdtrit(dof, 0.5 + level / 2)
    if n == 1:
        return value, reach * np.sqrt(np.square(mine - theirs).sum(1) + floor)
    within = sum((np.square(moved.sum(1)).sum(1) - np.square(moved).sum((1, 2))) / (n * (n - 1)) for _, moved in sides)
    events = np.maximum(0.0, within - 2 * (mine * theirs).sum(1)) + floor / n
    parts = [values.var(1, ddof=1) / n for values, _ in sides]
    total, squares = sum(parts), sum(np.square(one) for one in parts) / (n - 1)
    spread_dof = np.where(squares > 0, np.square(total) / np.where(squares > 0, squares, 1), n - 1)
    return value, np.sqrt(stdtrit(spread_dof, 0.5 + level / 2) ** 2 * total + reach**2 * events)


def check(a: np.ndarray, b: np.ndarray, several: Callable[[np.ndarray, int], Runs], one: Measured, traces: int) -> None:
    """Hold the first draw of scores (D, M, N) of two models against what the product says of it.

    Raises:
        AssertionError: they differ.
    """
    events = np.repeat(np.arange(a.shape[2] // traces), traces)
    classes = class_of(a.shape[2] // traces)[events]
    for n in (1, a.shape[1]):
        value, half = differences(several(a[:1], traces), several(b[:1], traces), n)
        found = compare_runs(*([one(run, classes, events) for run in side[0][:n]] for side in (a, b)))
        np.testing.assert_allclose([value[0], half[0]], [found.value, found.half_width()], rtol=1e-6, atol=1e-12)
