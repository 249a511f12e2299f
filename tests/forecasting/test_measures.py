"""Each measure against theory: what is known of it where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score

from seisvision.errors import DataError
from seisvision.forecasting.measures import csep
from seisvision.forecasting.measures.alarms import alarm_scores, best_threshold, molchan
from seisvision.forecasting.measures.blocks import Blocks
from seisvision.forecasting.measures.gains import information_gain, log_likelihoods
from seisvision.forecasting.measures.probabilities import base_rate, brier_skill, chance_of_any, pr_auc, reliability

RATES = np.random.default_rng(0).gamma(0.3, 0.2, (300, 40)) + 1e-4


def drawn(seed: int, rates: np.ndarray = RATES) -> np.ndarray:
    return np.random.default_rng(seed).poisson(rates)


def test_log_likelihoods_are_those_of_poisson() -> None:
    counts = drawn(1)
    assert log_likelihoods(RATES, counts) == pytest.approx(stats.poisson.logpmf(counts, RATES).sum(axis=1))


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_what_is_called_impossible_is_refused(wrong: float) -> None:
    rates = RATES.copy()
    rates[3, 4] = wrong
    with pytest.raises(DataError, match="1 of 12000 rates"):
        log_likelihoods(rates, drawn(1))
    with pytest.raises(DataError, match="shape"):
        log_likelihoods(RATES[1:], drawn(1))


def test_the_gain_of_the_truth_is_what_theory_says_and_its_interval_holds() -> None:
    even = np.full_like(RATES, RATES.mean())
    theory = (RATES * np.log(RATES / even)).sum() / RATES.sum()
    held, least, found = [], [], []
    for seed in range(60):
        gain = information_gain(RATES, even, drawn(seed), Blocks(300, 5))
        held.append(gain.measure.low <= theory <= gain.measure.high)
        least.append(gain.least_seen)
        found.append(gain.measure.value)
    assert np.mean(found) == pytest.approx(theory, abs=3 * np.std(found) / np.sqrt(60))
    assert 0.85 <= np.mean(held) <= 1
    # 1.96 and 0.84 standard deviations of the gain.
    assert np.mean(least) == pytest.approx(2.8 * np.std(found), rel=0.3)


def test_a_gain_as_large_as_the_least_seen_is_found_in_four_of_five() -> None:
    rng = np.random.default_rng(4)
    even = np.full((300, 40), 0.05)
    other = even * rng.choice([0.75, 1.25], even.shape)
    gains = [information_gain(other, even, drawn(seed, other), Blocks(300, 5)) for seed in range(60)]
    theory, least = np.mean([one.measure.value for one in gains]), np.mean([one.least_seen for one in gains])
    power = np.mean([one.measure.low > 0 for one in gains])
    spread = least / (stats.norm.ppf(0.975) + stats.norm.ppf(0.8))
    assert power == pytest.approx(stats.norm.sf(stats.norm.ppf(0.975) - theory / spread), abs=0.15)


def test_too_few_blocks_give_no_interval() -> None:
    found = Blocks(20, 5).ratio(np.ones(20), np.ones(20))
    assert found.value == 1
    assert np.isnan(found.low)


def test_blocks_widen_intervals_of_windows_that_go_together() -> None:
    rng = np.random.default_rng(0)
    together = np.repeat(rng.normal(size=60), 10)
    spreads = [Blocks(600, length).spread(together, np.ones(600)) for length in (1, 30)]
    assert spreads[1] > 2 * spreads[0]
    assert spreads[1] == pytest.approx(1 / np.sqrt(60), rel=0.3)
    assert (Blocks(100, 7).counts().sum(axis=1) == 100).all()


def test_pr_auc_is_that_of_sklearn_and_the_base_rate_of_a_guess() -> None:
    counts = drawn(2)
    found = pr_auc(RATES, counts, Blocks(300, 10))
    assert found.value == pytest.approx(average_precision_score((counts > 0).ravel(), RATES.ravel()))
    assert found.low < found.value < found.high
    tied = np.round(RATES, 1) + 0.01
    assert pr_auc(tied, counts, Blocks(300, 10)).value == pytest.approx(
        average_precision_score((counts > 0).ravel(), tied.ravel())
    )
    assert pr_auc(np.full_like(RATES, 0.1), counts, Blocks(300, 10)).value == pytest.approx(base_rate(counts))


def test_brier_skill_is_positive_of_the_truth_and_punishes_what_is_not_scaled_back() -> None:
    counts, even = drawn(3), np.full_like(RATES, RATES.mean())
    assert brier_skill(RATES, even, counts, Blocks(300, 10)).low > 0
    assert brier_skill(even, even, counts, Blocks(300, 10)).value == 0
    # Rates of a training with events counted ten times: the order is right, the size is not.
    balanced = brier_skill(10 * RATES, even, counts, Blocks(300, 10))
    assert balanced.value < 0
    assert pr_auc(10 * RATES, counts, Blocks(300, 10)).value == pytest.approx(
        pr_auc(RATES, counts, Blocks(300, 10)).value
    )


def test_chances_of_the_truth_are_reliable() -> None:
    bins = [one for seed in range(20) for one in reliability(RATES, drawn(seed))]
    assert 0.88 <= np.mean([one["low95"] <= one["chance"] <= one["high95"] for one in bins]) <= 1
    assert sum(one["n"] for one in reliability(RATES, drawn(0))) == RATES.size
    assert sum(one["expected"] for one in reliability(RATES, drawn(0))) == pytest.approx(chance_of_any(RATES).sum())


def test_molchan_of_a_guess_is_a_half_and_of_knowledge_near_one() -> None:
    area = np.random.default_rng(5).uniform(1, 3, 40)
    blocks = Blocks(300, 10)
    guess = np.tile(area / 100, (300, 1))
    counts = drawn(6, guess)
    assert molchan(guess, counts, area, blocks).skill.value == pytest.approx(0.5)
    knows = np.where(counts > 0, 10.0, 1e-6)
    assert molchan(knows, counts, area, blocks).skill.value > 0.95
    # Where the events went is no skill against a reference that knows it.
    truth = np.tile(np.random.default_rng(7).gamma(0.2, 0.1, 40) + 1e-4, (300, 1))
    counts = drawn(8, truth)
    assert molchan(truth, counts, area, blocks).skill.value > 0.7
    assert molchan(truth, counts, truth, blocks).skill.value == pytest.approx(0.5)
    curve = molchan(RATES, drawn(9), area, blocks)
    assert (np.diff(curve.alarmed) >= 0).all()
    assert (np.diff(curve.missed) <= 1e-12).all()
    assert (curve.alarmed[-1], curve.missed[-1]) == pytest.approx((1, 0))


def test_hits_come_with_the_area_of_their_alarms() -> None:
    chance = np.array([[0.9, 0.1], [0.2, 0.8]])
    counts = np.array([[1, 0], [2, 0]])
    found = alarm_scores(chance, counts, np.array([3.0, 1.0]), 0.5)
    assert (found.hits, found.missed, found.false, found.area) == (1, 1, 1, 0.5)
    assert (found.recall, found.precision, found.f1, found.macro_f1) == (0.5, 0.5, 0.5, 0.5)
    assert best_threshold(chance, counts) == 0.2
    everything = alarm_scores(chance, counts, np.ones(2), 0.0)
    assert (everything.hits, everything.area) == (2, 1.0)


def middle(test: csep.NumberTest) -> float:
    """Between the two sides: numbers are whole, and the sides overlap by the chance of the one that happened."""
    return (test.at_most + 1 - test.at_least) / 2


def uniform(values: list[float]) -> float:
    return float(stats.kstest(values, "uniform").pvalue)


def test_number_tests_are_uniform_under_the_truth() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.poisson(400, 400)
    found = [csep.number_test(400.0, int(n)) for n in numbers]
    assert uniform([middle(one) for one in found]) > 0.01
    assert np.mean([one.p_value < 0.05 for one in found]) == pytest.approx(0.05, abs=0.035)
    clustered = rng.negative_binomial(20, 20 / 420, 400)
    assert np.mean([csep.number_test(400.0, int(n)).p_value < 0.05 for n in clustered]) > 0.4
    wide = [csep.number_test_dispersed(400.0, 400 + 400**2 / 20, int(n)) for n in clustered]
    assert uniform([middle(one) for one in wide]) > 0.01
    samples = rng.negative_binomial(20, 20 / 420, 2000)
    assert uniform([middle(csep.number_test_drawn(samples, int(n))) for n in clustered]) > 0.01


@pytest.mark.parametrize("conditional", [False, True])
def test_likelihood_tests_are_uniform_under_the_truth_and_small_of_a_wrong_map(conditional: bool) -> None:
    rates = RATES[:12]
    found = [csep.likelihood_test(rates, drawn(seed, rates), conditional, seed) for seed in range(120)]
    assert uniform(found) > 0.01
    wrong = rates[:, ::-1]
    assert csep.likelihood_test(wrong, drawn(0, rates), True) < 0.01


def test_space_tests_are_uniform_under_the_truth_and_blind_to_time() -> None:
    rates = RATES[:30]
    found = [csep.space_test(rates, drawn(seed, rates), seed) for seed in range(120)]
    assert uniform(found) > 0.01
    assert csep.space_test(RATES, drawn(5)[::-1]) == csep.space_test(RATES, drawn(5))


def test_magnitude_tests_are_uniform_under_the_law_and_small_of_another_b() -> None:
    rng = np.random.default_rng(0)

    def magnitudes(b: float) -> np.ndarray:
        return 2 + np.floor(rng.exponential(1 / (b * np.log(10)), 150) / 0.1) * 0.1

    found = [csep.magnitude_test(magnitudes(1.0), 2.0, 1.0, seed=seed) for seed in range(80)]
    assert uniform(found) > 0.01
    assert csep.magnitude_test(magnitudes(0.7), 2.0, 1.0) < 0.01
    assert np.isnan(csep.magnitude_test(np.empty(0), 2.0, 1.0))


def test_t_tests_reject_at_their_level_between_equals_and_find_the_better() -> None:
    rng = np.random.default_rng(0)
    rejected = []
    for seed in range(200):
        # Two forecasts, wrong in the same way on average.
        one, other = (RATES * np.exp(rng.normal(0, 0.3, RATES.shape)) for _ in range(2))
        rejected.append(csep.paired_t_test(one, other, drawn(seed)).p_value < 0.05)
    assert np.mean(rejected) == pytest.approx(0.05, abs=0.04)
    better = csep.paired_t_test(RATES, np.full_like(RATES, RATES.mean()), drawn(1))
    assert better.low95 > 0
    assert csep.paired_t_test(RATES, RATES, drawn(1)).p_value == 1.0


def test_pycsep_says_the_same_of_number_and_t_tests() -> None:
    core = pytest.importorskip("csep.core.poisson_evaluations", reason="pycsep is not installed")
    counts, even = drawn(2), np.full_like(RATES, RATES.mean())
    theirs = core._number_test_ndarray(float(RATES.sum()), int(counts.sum()))
    ours = csep.number_test(float(RATES.sum()), int(counts.sum()))
    assert (ours.at_least, ours.at_most) == pytest.approx(theirs)
    seen = np.nonzero(counts)
    of_events = [np.repeat(one[seen], counts[seen]) for one in (RATES, even)]
    pair = core._t_test_ndarray(*of_events, int(counts.sum()), RATES.sum(), even.sum())
    own = csep.paired_t_test(RATES, even, counts)
    assert (own.gain, own.low95, own.high95) == pytest.approx(
        (pair["information_gain"], pair["ig_lower"], pair["ig_upper"])
    )
