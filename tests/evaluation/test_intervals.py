import json
import math

import numpy as np
import pytest
from scipy import stats

from seisvision.errors import DataError
from seisvision.evaluation.intervals import (
    Measure,
    bootstrap_interval,
    mcnemar,
    wilson_interval,
)


@pytest.mark.parametrize(("k", "n"), [(162, 177), (0, 10), (10, 10), (1, 3), (500, 1000)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_interval_equals_scipy(k: int, n: int, level: float) -> None:
    expected = stats.binomtest(k, n).proportion_ci(level, method="wilson")
    assert wilson_interval(k, n, level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_interval_of_the_atlas_result() -> None:
    low, high = wilson_interval(162, 177)
    assert (round(low, 3), round(high, 3)) == (0.865, 0.948)


def test_wilson_interval_without_trials_is_undefined() -> None:
    assert all(math.isnan(end) for end in wilson_interval(0, 0))


@pytest.mark.parametrize(("k", "n", "level"), [(4, 3, 0.95), (-1, 3, 0.95), (1, 3, 95)])
def test_wilson_interval_refuses_nonsense(k: int, n: int, level: float) -> None:
    with pytest.raises(DataError):
        wilson_interval(k, n, level)


def test_bootstrap_covers_the_true_mean_about_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        low, high = bootstrap_interval(np.mean, rng.normal(3.0, 1.0, 60), seed=trial, n_resamples=300, level=0.9)
        hits += low <= 3.0 <= high
    assert 0.83 <= hits / 200 <= 0.95


def test_bootstrap_over_groups_is_wider_than_over_rows_of_like_groups() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat([f"event-{i}" for i in range(30)], 10)
    values = np.repeat(rng.normal(size=30), 10)
    by_row = bootstrap_interval(np.mean, values, n_resamples=500)
    by_group = bootstrap_interval(np.mean, values, groups=groups, n_resamples=500)
    assert by_group[1] - by_group[0] > 2.5 * (by_row[1] - by_row[0])


def test_bootstrap_draws_whole_groups_of_unequal_size() -> None:
    groups = np.array(["b", "a", "b", "c", "b", "c"])
    rows = np.arange(6)

    def check(drawn: np.ndarray) -> float:
        counts = np.bincount(drawn, minlength=6)
        assert counts[0] == counts[2] == counts[4] and counts[3] == counts[5]
        assert counts[0] + counts[1] + counts[3] == 3
        return 0.0

    bootstrap_interval(check, rows, groups=groups, n_resamples=50)


def test_bootstrap_keeps_the_size_of_every_stratum() -> None:
    classes = np.array([0] * 7 + [1] * 2)

    def share(drawn: np.ndarray) -> float:
        return float(drawn.mean())

    low, high = bootstrap_interval(share, classes, strata=classes, n_resamples=100)
    assert low == high == pytest.approx(2 / 9)


def test_bootstrap_repeats_with_the_seed_and_differs_with_another() -> None:
    values = np.random.default_rng(2).normal(size=50)
    first, again, other = (bootstrap_interval(np.mean, values, seed=seed, n_resamples=100) for seed in (1, 1, 2))
    assert first == again != other


def test_bootstrap_of_a_mostly_undefined_statistic_is_undefined() -> None:
    ends = bootstrap_interval(lambda values: math.nan, np.arange(5.0), n_resamples=10)
    assert all(math.isnan(end) for end in ends)
    assert all(math.isnan(end) for end in bootstrap_interval(np.mean, np.zeros(0)))


def test_bootstrap_refuses_unequal_lengths_and_mixed_groups() -> None:
    with pytest.raises(DataError, match="same number of rows"):
        bootstrap_interval(np.mean, np.zeros(3), groups=["a", "b"])
    with pytest.raises(DataError, match="stratum"):
        bootstrap_interval(np.mean, np.zeros(2), groups=["a", "a"], strata=[0, 1])


@pytest.mark.parametrize(("only_a", "only_b", "both"), [(9, 2, 50), (0, 0, 4), (5, 5, 0), (0, 12, 3), (700, 600, 0)])
def test_mcnemar_equals_the_exact_binomial_test(only_a: int, only_b: int, both: int) -> None:
    a = np.repeat([True, False, True], [only_a, only_b, both])
    b = np.repeat([False, True, True], [only_a, only_b, both])
    result = mcnemar(a, b)
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert (result.n_only_a, result.n_only_b) == (only_a, only_b)
    assert result.p_value == pytest.approx(expected, abs=1e-12)


def test_measure_survives_json_with_undefined_values() -> None:
    for measure in (Measure(math.nan), Measure.proportion(162, 177), Measure(1.5, math.nan, math.nan, 7)):
        back = Measure.from_dict(json.loads(json.dumps(measure.to_dict(), allow_nan=False)))
        assert repr(back) == repr(measure)
