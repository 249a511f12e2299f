"""Whether stated distributions hold what they say: coverage, likelihood, ranked probability score, sharpness.

Proper scores (nll, crps) reward a distribution that is narrow and right; coverage alone can be had by one that says the
same of every sample (Gneiting, Balabdaoui & Raftery 2007, J. R. Stat. Soc. B 69, 243-268).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from seisvision.angles import wrapped_difference_deg
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap

LEVELS: Final = (0.5, 0.68, 0.9, 0.95)
"""Of the intervals whose coverage is measured."""
N_QUANTILES: Final = 100
"""Quantiles that stand for a distribution in integrals over it."""


@dataclass(frozen=True)
class Stated:
    """What distributions of N values say about the true ones; NaN where one of the two is not known."""

    rank: np.ndarray
    """(N,) probability of smaller values than the true one: uniform from 0 to 1 where the distributions are right."""
    nll: np.ndarray
    """(N,) negative logarithm of the density at the true value, per unit."""
    crps: np.ndarray
    """(N,) continuous ranked probability score, in the unit: the absolute error of a distribution."""
    width95: np.ndarray
    """(N,) width of the 95 % interval, in the unit."""
    sigma: np.ndarray
    """(N,) stated spread."""
    size: np.ndarray
    """(N,) absolute error of the value."""

    def inside(self, level: float) -> np.ndarray:
        """bool (N,): true values inside the central interval of that level."""
        return np.abs(2 * self.rank - 1) <= level

    def shares(self) -> dict[str, float]:
        """Share inside by stated level in per cent: a reliability diagram."""
        known = np.isfinite(self.rank)
        return {f"{level * 100:g}": float(self.inside(level)[known].mean()) for level in LEVELS} if known.any() else {}

    def measures(self, source_ids: Sequence[Any], unit: str, level: float = 0.95) -> dict[str, Measure]:
        """``coverage_50``, ``coverage_90``, ``nll``, ``crps``, ``width_95`` (median) and ``sigma_rank_correlation``.

        Args:
            source_ids: (N,) events; intervals are over them.
            unit: of the values.
            level: of the intervals.
        """
        from scipy import stats  # late, here and below: it takes half a second, and comparisons need it not

        known = np.isfinite(self.rank) & np.isfinite(self.nll)
        if not known.any():
            return {}
        bootstrap = EventBootstrap(np.asarray(source_ids)[known], level)
        suffix = f"_{unit}" if unit else ""
        alike = min(np.ptp(self.sigma[known]), np.ptp(self.size[known])) == 0
        ranks = np.nan if alike else stats.spearmanr(self.sigma[known], self.size[known]).statistic
        return {
            **{f"coverage_{one * 100:g}": bootstrap.share(self.inside(one)[known]) for one in (0.5, 0.9)},
            "nll": bootstrap.mean(self.nll[known]),
            f"crps{suffix}": bootstrap.mean_size(self.crps[known]),
            f"width_95{suffix}": bootstrap.median(self.width95[known]),
            "sigma_rank_correlation": Measure(float(ranks), n=int(known.sum()), kind="none"),
        }


def crps_of_quantiles(target: np.ndarray, quantile: Callable[[float], np.ndarray]) -> np.ndarray:
    """Continuous ranked probability score (N,) of any distribution, as twice its mean quantile loss.

    Args:
        target: (N,) true values.
        quantile: gives the quantiles (N,) of a probability.

    Reference: Laio & Tamea (2007), Hydrol. Earth Syst. Sci. 11, 1267-1277.
    """
    total = np.zeros(len(target))
    for share in (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES:
        above = target - quantile(float(share))
        total += np.where(above >= 0, share * above, (share - 1) * above)
    return 2 * total / N_QUANTILES


def stated_angles(error_deg: np.ndarray, sigma_deg: np.ndarray, period_deg: float) -> Stated:
    """What wrapped normal distributions say, of wrapped errors (N,) and their standard deviations (N,).

    Intervals are as many sigmas to each side as those of a normal distribution, and no wider than the circle. The score
    is that of Grimit et al. (2006), with the angle between two directions as their distance.
    """
    from scipy import stats

    error, sigma = np.asarray(error_deg, float), np.maximum(np.asarray(sigma_deg, float), 1e-6)
    z = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
    deviates = stats.norm.ppf(z)
    to_target, apart = np.zeros(len(error)), np.zeros(len(error))
    for deviate in deviates:
        to_target += np.abs(wrapped_difference_deg(deviate * sigma, -error, period_deg))
        apart += np.abs(wrapped_difference_deg(deviate * math.sqrt(2) * sigma, 0.0, period_deg))
    turns = period_deg * np.arange(-3, 4)
    density = stats.norm.pdf(error[:, None] + turns[None, :], scale=sigma[:, None]).sum(axis=1)
    with np.errstate(divide="ignore"):
        nll = -np.log(np.maximum(density, 1e-300))
    return Stated(
        rank=stats.norm.cdf(error / sigma),
        nll=np.where(np.isfinite(error + sigma), nll, np.nan),
        crps=(to_target - apart / 2) / N_QUANTILES,
        width95=np.minimum(2 * stats.norm.ppf(0.975) * sigma, period_deg),
        sigma=sigma,
        size=np.abs(error),
    )
