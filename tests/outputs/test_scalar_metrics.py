import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from seisvision.errors import DataError
from seisvision.evaluation.intervals import rare_wilson_interval, wilson_interval
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.outputs.numbers.measures import CURVE_RELATIVE, Tolerance, bin_edges, scalar_metrics, tolerance_curve

KM = Tolerance(0.1, 10.0, "km")


def noisy(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = rng.lognormal(6, 1, n)
    return target, target * rng.lognormal(0.02, 0.1, n)


def test_values_equal_scikit_learn_and_scipy() -> None:
    target, prediction = noisy()
    found = scalar_metrics(target, prediction, KM, n_resamples=50)
    expected = {
        "median_ae_km": reference.median_absolute_error(target, prediction),
        "mae_km": reference.mean_absolute_error(target, prediction),
        "rmse_km": reference.root_mean_squared_error(target, prediction),
        "r2": reference.r2_score(target, prediction),
        "one_minus_mape": 1 - reference.mean_absolute_percentage_error(target, prediction),
        "pearson": stats.pearsonr(target, prediction).statistic,
        "bias_km": np.mean(prediction) - np.mean(target),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)
    assert {one.n for one in found.values()} == {400}


def test_tolerance_has_a_relative_and_an_absolute_part_and_names_both() -> None:
    target = np.array([20.0, 20.0, 500.0, 500.0, 500.0])
    prediction = np.array([30.0, 30.1, 550.0, 550.1, 440.0])
    found = scalar_metrics(target, prediction, KM, n_resamples=20)["acc_tol_rel0.10_abs10km"]
    assert (found.value, found.n) == (2 / 5, 5)
    assert (found.low, found.high) == pytest.approx(rare_wilson_interval(2, 5))


def test_tolerance_curve_scales_both_parts_and_meets_the_headline() -> None:
    target, prediction = noisy()
    tolerances, shares = tolerance_curve(target, prediction, KM)
    assert tolerances == (0.01, 0.02, 0.05, 0.10, 0.15, 0.20, 0.30)
    found = scalar_metrics(target, prediction, KM, n_resamples=20)
    assert shares[3] == found[KM.name].value
    assert shares == sorted(shares)
    by_hand = np.mean(np.abs(prediction - target) <= np.maximum(0.3 * target, 30))
    assert shares[-1] == by_hand
    area = np.trapezoid(shares, tolerances) / (tolerances[-1] - tolerances[0])
    assert found["acc_curve_area"].value == pytest.approx(area)


def test_a_tolerance_without_relative_part_is_the_middle_of_its_curve() -> None:
    _, shares = tolerance_curve(np.array([100.0, 100.0]), np.array([109.0, 119.0]), Tolerance(0, 10, "km"))
    assert shares == [0, 0, 0, 0.5, 0.5, 1, 1]


def test_bins_span_the_targets_and_hold_their_upper_end() -> None:
    target = np.arange(0.0, 101.0)
    assert bin_edges(target) == pytest.approx(np.arange(0, 101, 10))
    prediction = target.copy()
    prediction[[0, 5, 100]] = [-1.0, 12.0, 101.0]
    found = scalar_metrics(target, prediction, Tolerance(0.1, 1), n_resamples=20)["bin_acc"]
    assert found.value == pytest.approx(98 / 101)


def test_small_targets_have_no_relative_error() -> None:
    found = scalar_metrics(np.array([0.0, 10.0, 100.0]), np.array([5.0, 11.0, 80.0]), KM, n_resamples=20)
    assert found["one_minus_mape"].n == 2
    assert found["one_minus_mape"].value == pytest.approx(1 - 0.15)


def test_factor_two_is_of_positive_targets() -> None:
    target, prediction = np.array([10.0, 10.0, 10.0, 0.0]), np.array([20.0, 4.9, 5.0, 0.0])
    found = scalar_metrics(target, prediction, KM, factor=True, n_resamples=20)["within_factor_2"]
    assert (found.value, found.n) == (pytest.approx(2 / 3), 3)
    assert "within_factor_2" not in scalar_metrics(target, prediction, KM, n_resamples=20)


def test_coverage_counts_targets_inside_the_predicted_intervals() -> None:
    rng = np.random.default_rng(1)
    target = rng.normal(size=4000)
    ends = np.tile([-1.0, 1.0, -1.959964, 1.959964], (4000, 1))
    ends[:1000] = np.nan
    found = scalar_metrics(target, np.zeros(4000), Tolerance(0, 1), intervals=ends, n_resamples=20)
    assert found["coverage_68"].n == 3000
    assert found["coverage_68"].value == pytest.approx(0.683, abs=0.03)
    assert found["coverage_95"].value == pytest.approx(0.95, abs=0.015)


def test_missing_targets_and_predictions_are_left_out_and_counted() -> None:
    target, prediction = np.array([1.0, np.nan, 3.0, 4.0]), np.array([1.0, 2.0, np.nan, 5.0])
    assert scalar_metrics(target, prediction, KM, n_resamples=20)["mae_km"].n == 2
    nothing = scalar_metrics(np.array([np.nan]), np.array([1.0]), KM)
    assert all(math.isnan(one.value) and one.n == 0 for one in nothing.values())


def test_a_constant_guess_has_no_correlation_and_no_r2_above_zero() -> None:
    target = np.random.default_rng(0).normal(50, 5, 200)
    found = scalar_metrics(target, np.full(200, 0.1 + np.median(target)), KM, n_resamples=50)
    assert math.isnan(found["pearson"].value) and found["r2"].value <= 0
    same = scalar_metrics(np.full(9, 0.1), np.full(9, 0.3), KM, n_resamples=20)
    assert math.isnan(same["r2"].value)


def test_one_wrong_event_of_twenty_traces_widens_the_interval() -> None:
    n_events, n_traces = 40, 20
    groups = np.repeat([f"event-{i}" for i in range(n_events)], n_traces)
    target = np.full(n_events * n_traces, 1000.0)
    one_event, scattered = target.copy(), target.copy()
    one_event[:n_traces] = 2000.0
    scattered[::n_events] = 2000.0
    by_event = scalar_metrics(target, one_event, KM, groups=groups)
    by_trace = scalar_metrics(target, one_event, KM)
    spread = scalar_metrics(target, scattered, KM, groups=groups)
    width, naive, of_scattered = (found[KM.name].high - found[KM.name].low for found in (by_event, by_trace, spread))
    assert by_event[KM.name].value == pytest.approx(by_trace[KM.name].value)
    # The design effect of wholly dependent traces is the number of traces, sqrt(20) = 4.5 times as wide, and one event
    # of forty may have been five.
    assert 3 < width / naive < 8 and width > 2 * of_scattered
    assert by_event["mae_km"].high > 2 * by_trace["mae_km"].high


def test_resamples_of_events_equal_those_of_repeated_rows() -> None:
    rng = np.random.default_rng(2)
    groups = rng.integers(0, 25, 150)
    values = rng.normal(size=150)
    bootstrap = EventBootstrap(groups, n_resamples=40)
    names = np.unique(groups)
    for counts, mean, median in zip(
        bootstrap.counts, bootstrap.means(values[:, None])[:, 0], bootstrap.medians(values), strict=True
    ):
        repeated = np.concatenate(
            [np.tile(values[groups == name], n) for name, n in zip(names, counts, strict=True) if n]
        )
        assert mean == pytest.approx(repeated.mean())
        assert median == pytest.approx(np.median(repeated))


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_intervals_agree_with_the_plain_bootstrap(statistic: str) -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(120), 4)
    values = np.repeat(rng.normal(size=120), 4) + 0.3 * rng.normal(size=480)
    fast = getattr(EventBootstrap(groups), statistic)(values)
    by_group = values.reshape(120, 4)
    drawn = [getattr(np, statistic)(by_group[rng.integers(0, 120, 120)]) for _ in range(2000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert fast.low == pytest.approx(low, abs=0.05) and fast.high == pytest.approx(high, abs=0.05)


def test_a_share_of_all_or_nothing_keeps_an_honest_interval() -> None:
    groups = np.repeat(np.arange(12), 20)
    all_right = EventBootstrap(groups).share(np.ones(240, bool))
    assert (all_right.low, all_right.high) == pytest.approx(wilson_interval(12, 12))
    assert all_right.n == 240


@pytest.mark.parametrize(("relative", "absolute"), [(-0.1, 1), (0, -1), (math.nan, 1)])
def test_senseless_tolerances_are_refused(relative: float, absolute: float) -> None:
    with pytest.raises(DataError, match="tolerance"):
        Tolerance(relative, absolute)


def test_shapes_and_levels_are_checked() -> None:
    with pytest.raises(DataError, match="same one-dimensional shape"):
        scalar_metrics(np.zeros(3), np.zeros(2), KM)
    with pytest.raises(DataError, match="confidence level"):
        scalar_metrics(np.zeros(3), np.zeros(3), KM, level=95)
    assert len(CURVE_RELATIVE) == 7


def test_one_event_has_no_interval() -> None:
    target = np.linspace(100, 200, 12)
    found = scalar_metrics(target, target + 5, Tolerance(0.1, 10, "km"), groups=["only"] * 12, n_resamples=50)
    measure = found["median_ae_km"]
    assert measure.value == pytest.approx(5) and math.isnan(measure.low) and math.isnan(measure.high)
    assert found["acc_tol_rel0.10_abs10km"].low < 0.3
