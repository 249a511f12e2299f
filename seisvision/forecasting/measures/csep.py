"""The consistency and comparison tests of CSEP (Schorlemmer et al. 2007; Zechar, Gerstenberger and Rhoades 2010).

Each is told as a quantile: of a consistent forecast it is uniform between 0 and 1. L, CL, S and M are one-sided, small
ones speak against the forecast; N is two-sided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from seisvision.forecasting.measures.gains import check_rates
from seisvision.seeding import DEFAULT_SEED, numpy_stream

N_SIMULATIONS = 1000
DRAWN_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class NumberTest:
    """Both sides of an N test.

    Attributes:
        at_least: chance of as many events or more than happened; small where too few were forecast.
        at_most: chance of as many or fewer; small where too many were forecast.
    """

    at_least: float
    at_most: float

    @property
    def p_value(self) -> float:
        """Two-sided."""
        return min(1.0, 2 * min(self.at_least, self.at_most))


def number_test(expected: float, happened: int) -> NumberTest:
    """N test with a Poisson number, which earthquakes do not have: clusters make it reject the truth too often."""
    return NumberTest(float(stats.poisson.sf(happened - 1, expected)), float(stats.poisson.cdf(happened, expected)))


def number_test_dispersed(expected: float, variance: float, happened: int) -> NumberTest:
    """N test with a negative binomial number of that mean and variance (Kagan 2010); Poisson where it is no larger."""
    if variance <= expected * (1 + 1e-9):
        return number_test(expected, happened)
    size, chance = expected**2 / (variance - expected), expected / variance
    return NumberTest(
        float(stats.nbinom.sf(happened - 1, size, chance)), float(stats.nbinom.cdf(happened, size, chance))
    )


def number_test_drawn(drawn: np.ndarray, happened: int) -> NumberTest:
    """N test with the numbers (R,) of simulations, as of ETAS."""
    n = len(drawn) + 1
    return NumberTest(float(((drawn >= happened).sum() + 1) / n), float(((drawn <= happened).sum() + 1) / n))


def likelihood_test(
    rates: np.ndarray, counts: np.ndarray, conditional: bool = False, seed: int = DEFAULT_SEED
) -> float:
    """L test, or CL where the number of events is that which happened: quantile of the log-likelihood.

    Args:
        rates: of any shape.
        counts: of the same.
        conditional: on the number of events.
        seed: of the simulations.
    """
    check_rates(rates, counts)
    expected, happened = float(rates.sum()), int(counts.sum())
    if conditional:
        if not happened:
            return float("nan")
        rates = rates * (happened / expected)
    draws = numpy_stream(seed, f"csep likelihood {conditional}")
    numbers = np.full(N_SIMULATIONS, happened) if conditional else draws.poisson(expected, N_SIMULATIONS)
    drawn = _drawn_scores(rates.ravel(), numbers, draws)
    own = _score(rates.ravel(), counts.ravel())
    # Equal scores are common where few events come, and count half.
    return float((drawn < own - 1e-9).mean() + 0.5 * (np.abs(drawn - own) <= 1e-9).mean())


def space_test(rates: np.ndarray, counts: np.ndarray, seed: int = DEFAULT_SEED) -> float:
    """S test: where events fell, given their number, windows together (W, C)."""
    return likelihood_test(rates.sum(axis=0), counts.sum(axis=0), conditional=True, seed=seed)


def magnitude_test(magnitude: np.ndarray, least: float, b: float, step: float = 0.1, seed: int = DEFAULT_SEED) -> float:
    """M test: magnitudes (N,) of ``least`` and more against the law of Gutenberg and Richter, in steps."""
    if not len(magnitude):
        return float("nan")
    number = np.floor((magnitude - least) / step + 1e-6).astype(int)
    n_bins = max(int(number.max()) + 1, int(np.ceil(6 / step)))
    edges = 10 ** (-b * step * np.arange(n_bins))
    shares = np.append(edges[:-1] - edges[1:], edges[-1])
    return likelihood_test(shares * len(magnitude), np.bincount(number, minlength=n_bins), conditional=True, seed=seed)


@dataclass(frozen=True)
class PairedTest:
    """T test of two forecasts (Rhoades et al. 2011, doi:10.2478/s11600-011-0013-5).

    Attributes:
        gain: information gain per event of the first, in nats.
        low95, high95: its interval, which takes events to be independent; :mod:`blocks` does not.
        p_value: two-sided.
    """

    gain: float
    low95: float
    high95: float
    p_value: float


def paired_t_test(rates: np.ndarray, other: np.ndarray, counts: np.ndarray) -> PairedTest:
    """Compare what two forecasts (W, C) said of each event."""
    check_rates(rates, counts)
    check_rates(other, counts)
    seen = np.nonzero(counts)
    ratio = np.repeat(np.log(rates[seen] / other[seen]), counts[seen])
    n = len(ratio)
    if n < 2:
        return PairedTest(*([float("nan")] * 4))
    gain = float(ratio.mean() - (rates.sum() - other.sum()) / n)
    error = float(ratio.std(ddof=1) / np.sqrt(n))
    if error == 0:
        return PairedTest(gain, gain, gain, 1.0 if gain == 0 else 0.0)
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    return PairedTest(gain, gain - reach, gain + reach, float(2 * stats.t.sf(abs(gain) / error, n - 1)))


def _score(rates: np.ndarray, counts: np.ndarray) -> float:
    seen = counts > 0
    n = counts[seen]
    return float((n * np.log(rates[seen]) - special.gammaln(n + 1)).sum() - rates.sum())


def _drawn_scores(rates: np.ndarray, numbers: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Log-likelihoods (R,) of catalogues with ``numbers`` events each, drawn from the rates."""
    reached, log_rates, total = np.cumsum(rates), np.log(rates), rates.sum()
    scores = np.empty(len(numbers))
    at_once = max(1, int(DRAWN_AT_ONCE // max(numbers.max(), 1)))
    for low in range(0, len(numbers), at_once):
        part = numbers[low : low + at_once]
        simulation = np.repeat(np.arange(len(part)), part)
        place = np.searchsorted(reached, draws.uniform(0, reached[-1], len(simulation)), side="right")
        place = np.minimum(place, len(rates) - 1)
        cells, n = np.unique(simulation * len(rates) + place, return_counts=True)
        own = n * log_rates[cells % len(rates)] - special.gammaln(n + 1)
        scores[low : low + at_once] = np.bincount(cells // len(rates), weights=own, minlength=len(part)) - total
    return scores
