"""How far a number can be trusted: Wilson and bootstrap intervals, and paired comparisons of two models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from seisvision.errors import DataError
from seisvision.seeding import DEFAULT_SEED, numpy_stream

Statistic = Callable[..., float]
"""Maps arrays of equal length (rows are samples) to one number."""

MIN_FINITE_SHARE = 0.5
"""A bootstrap interval is given only where at least this share of the resamples has a defined statistic."""


NO_INTERVAL = "none"
"""Kind of interval of a value whose interval would not hold at this number of events, and so is not given."""


@dataclass(frozen=True)
class Measure:
    """A value with its interval and the number of samples behind it; NaN where it is not defined."""

    value: float
    low: float = math.nan
    high: float = math.nan
    n: int = 0
    kind: str = ""
    """How the interval was made, such as ``Wilson``; ``none`` where none holds; empty where nobody said."""

    @classmethod
    def proportion(cls, k: int, n: int, level: float = 0.95) -> Measure:
        """``k`` successes in ``n`` trials with the Wilson interval; NaN for ``n = 0``."""
        return cls(k / n if n else math.nan, *rare_wilson_interval(k, n, level), n, "Wilson" if n else "")

    @classmethod
    def with_ends(cls, value: float, ends: tuple[float, float], n: int, kind: str) -> Measure:
        """A value with the interval of this kind; of kind ``none`` where its ends are not finite."""
        known = math.isfinite(ends[0]) and math.isfinite(ends[1])
        return cls(value, *(ends if known else (math.nan, math.nan)), n, kind if known else NO_INTERVAL)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN becomes None, and an empty kind is left out."""
        numbers = {key: value for key, value in asdict(self).items() if key != "kind"}
        plain = {key: None if math.isnan(value) else value for key, value in numbers.items()}
        return plain | ({"kind": self.kind} if self.kind else {})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Measure:
        """Inverse of `to_dict`."""
        value, low, high = (
            math.nan if values.get(key) is None else float(values[key]) for key in ("value", "low", "high")
        )
        return cls(value, low, high, int(values.get("n") or 0), str(values.get("kind") or ""))


@dataclass(frozen=True)
class McNemar:
    """Exact McNemar test of two models on the same samples."""

    n_only_a: int
    """Samples that only the first model has right."""
    n_only_b: int
    """Samples that only the second model has right."""
    p_value: float
    """Two-sided probability of a split at least this uneven if both were equally good."""


def wilson_interval(k: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927, J. Am. Stat. Assoc. 22, 209-212, without continuity correction).

    Args:
        k: number of successes, 0 to ``n``.
        n: number of trials; 0 gives (NaN, NaN).
        level: confidence level, between 0 and 1.

    Raises:
        DataError: ``k`` is outside [0, n] or ``level`` outside (0, 1).
    """
    _check_level(level)
    if not 0 <= k <= n:
        raise DataError(f"A proportion needs 0 <= k <= n; got k={k}, n={n}. Count successes and trials again.")
    if n == 0:
        return math.nan, math.nan
    z2 = NormalDist().inv_cdf(0.5 + level / 2) ** 2
    share = k / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # The two ends are known exactly; rounding would leave 1e-17 and 0.9999.
    return (0.0 if k == 0 else centre - half), (1.0 if k == n else centre + half)


def rare_wilson_interval(k: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson interval whose end towards 0 or 1 is that of a Poisson number where one to three samples differ.

    Wilson's own holds in only 85 % of draws where twenty samples expect a sixth of an error (Brown, Cai and DasGupta
    2001, Statistical Science 16, 101-133, section 4.1.1, doi:10.1214/ss/1009213286).

    Args:
        k: number of successes, 0 to ``n``; whole or, of an effective number of trials, between.
        n: number of trials; 0 gives (NaN, NaN).
        level: confidence level.
    """
    low, high = wilson_interval(k, n, level)
    few = 2.5 if n <= 50 else 3.5
    if 1e-9 < k <= few:
        low = min(low, _poisson_end(k, level) / n)
    if 1e-9 < n - k <= few:
        high = max(high, 1 - _poisson_end(n - k, level) / n)
    return low, high


def bootstrap_interval(
    statistic: Statistic,
    *arrays: np.ndarray,
    groups: Sequence[Any] | np.ndarray | None = None,
    strata: Sequence[Any] | np.ndarray | None = None,
    seed: int = DEFAULT_SEED,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    Args:
        statistic: called with the resampled ``arrays``; may return NaN where it is not defined.
        arrays: arrays (N, ...) whose rows belong together.
        groups: (N,) group of every row, such as its event: whole groups are drawn, because rows of one group are not
            independent. None: every row is its own group.
        strata: (N,) stratum of every row, such as its class; as many groups are drawn in each as it has.
        seed: base seed of the resamples.
        n_resamples: number of resamples.
        level: confidence level.

    Returns:
        The two ends; NaN where there are no rows or the statistic is undefined in most resamples.

    Raises:
        DataError: lengths differ, a group lies in two strata or a parameter is out of range.
    """
    _check_level(level)
    rows = _Resampler(_common_length(*arrays, groups, strata), groups, strata)
    rng = numpy_stream(seed, "bootstrap")
    values = np.array([statistic(*_take(arrays, rows.draw(rng))) for _ in range(n_resamples if rows.n else 0)])
    return percentile_ends(values, level)


def mcnemar(correct_a: np.ndarray, correct_b: np.ndarray) -> McNemar:
    """Exact McNemar test (McNemar 1947, Psychometrika 12, 153-157) on the samples where two models differ.

    Args:
        correct_a: bool (N,), True where the first model is right.
        correct_b: bool (N,), the same samples for the second model.

    Raises:
        DataError: lengths differ.
    """
    _common_length(correct_a, correct_b)
    a, b = np.asarray(correct_a, bool), np.asarray(correct_b, bool)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    n = only_a + only_b
    tail = sum(math.comb(n, i) for i in range(min(only_a, only_b) + 1))
    # Integers until the last step: 2**n overflows a float from n = 1024.
    return McNemar(only_a, only_b, min(1.0, float(2 * tail / 2**n)) if n else 1.0)


class _Resampler:
    """Draws row numbers: whole groups with replacement, stratum by stratum."""

    def __init__(self, n: int, groups: Any, strata: Any) -> None:
        self.n = n
        group = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
        self._order = np.argsort(group, kind="stable")
        self._counts = np.bincount(group) if n else np.zeros(0, int)
        self._starts = np.cumsum(self._counts) - self._counts
        self._strata = self._groups_by_stratum(np.zeros(n) if strata is None else np.asarray(strata), group)

    def _groups_by_stratum(self, strata: np.ndarray, group: np.ndarray) -> list[np.ndarray]:
        stratum = np.unique(strata, return_inverse=True)[1]
        of_group = stratum[self._order[self._starts]]
        mixed = np.flatnonzero(stratum != of_group[group])
        if len(mixed):
            raise DataError(
                f"Row {mixed[0]} has another stratum than the rest of its group; "
                "resample by group or by stratum, not both."
            )
        return [np.flatnonzero(of_group == s) for s in np.unique(of_group)]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        chosen = np.concatenate([members[rng.integers(0, len(members), len(members))] for members in self._strata])
        lengths = self._counts[chosen]
        first = np.repeat(self._starts[chosen] - (np.cumsum(lengths) - lengths), lengths)
        return self._order[first + np.arange(lengths.sum())]


def _take(arrays: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(array)[rows] for array in arrays]


def percentile_ends(values: np.ndarray, level: float) -> tuple[float, float]:
    """Ends of the percentile interval of resampled values (R,); NaN where most are undefined."""
    finite = values[np.isfinite(values)]
    if not len(finite) or len(finite) < MIN_FINITE_SHARE * len(values):
        return math.nan, math.nan
    low, high = np.quantile(finite, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def _poisson_end(count: float, level: float) -> float:
    """One-sided lower end of the mean of a Poisson number."""
    from scipy import special  # late: tables and sweeps, which show no interval of their own making, need it not

    return float(special.gammaincinv(count, 1 - level))


def _common_length(*arrays: Any) -> int:
    lengths = {len(array) for array in arrays if array is not None}
    if len(lengths) != 1:
        raise DataError(
            f"Arrays of one comparison need the same number of rows; got {sorted(lengths)}. "
            "Order both by the same sample ids first."
        )
    return lengths.pop()


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise DataError(f"level={level} is not a confidence level; give a number between 0 and 1, such as 0.95.")
