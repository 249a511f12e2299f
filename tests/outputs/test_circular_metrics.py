import math

import numpy as np
import pytest
from scipy import stats

from seisvision.errors import DataError
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.outputs.angles.measures import angle_curve, angle_metrics, best_constant_deg


def noisy(period_deg: float, n: int = 500, sigma_deg: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    target = rng.normal(0.97 * period_deg, 0.15 * period_deg, n) % period_deg
    return target, (target + rng.normal(4, sigma_deg, n)) % period_deg


def correlation_by_definition(a_deg: np.ndarray, b_deg: np.ndarray, period_deg: float) -> float:
    """Fisher and Lee (1983): all pairs of samples."""
    a, b = (np.asarray(x) * 2 * np.pi / period_deg for x in (a_deg, b_deg))
    sin_a, sin_b = np.sin(a[:, None] - a), np.sin(b[:, None] - b)
    return float((sin_a * sin_b).sum() / np.sqrt((sin_a**2).sum() * (sin_b**2).sum()))


def test_errors_across_north_by_hand() -> None:
    target, prediction = np.array([1.0, 359.0, 190.0, 90.0]), np.array([359.0, 1.0, 10.0, 120.0])
    full = angle_metrics(target, prediction, n_resamples=50)
    assert full["mae_deg"].value == pytest.approx((2 + 2 + 180 + 30) / 4)
    assert full["median_ae_deg"].value == pytest.approx(16)
    assert full["rmse_deg"].value == pytest.approx(math.sqrt((4 + 4 + 180**2 + 900) / 4))
    assert full["acc_tol_15deg"].value == 0.5 and full["flips_180"].value == 0.25
    axial = angle_metrics(target, prediction, period_deg=180, tolerance_deg=30, n_resamples=50)
    assert axial["mae_deg"].value == pytest.approx((2 + 2 + 0 + 30) / 4)
    assert axial["acc_tol_30deg"].value == 1 and "flips_180" not in axial


@pytest.mark.parametrize("period_deg", [360.0, 180.0])
def test_means_and_correlation_equal_scipy(period_deg: float) -> None:
    target, prediction = noisy(period_deg)
    found = angle_metrics(target, prediction, period_deg=period_deg, n_resamples=300)
    half = period_deg / 2
    assert found["bias_deg"].value == pytest.approx(stats.circmean(prediction - target, high=half, low=-half))
    assert found["bias_deg"].low < found["bias_deg"].value < found["bias_deg"].high
    expected = correlation_by_definition(target, prediction, period_deg)
    assert found["circular_correlation"].value == pytest.approx(expected)
    assert 0.5 < expected < 1 and found["circular_correlation"].low < expected < found["circular_correlation"].high
    variance = stats.circvar(target * 2 * np.pi / period_deg)
    lost = np.mean(1 - np.cos((prediction - target) * 2 * np.pi / period_deg))
    assert found["r2"].value == pytest.approx(1 - lost / variance)


def test_the_interval_of_the_correlation_is_about_as_wide_as_that_of_its_resamples() -> None:
    target, prediction = noisy(360.0, 160)
    groups = np.repeat(np.arange(40), 4)
    found = angle_metrics(target, prediction, groups=groups)["circular_correlation"]
    counts = EventBootstrap(groups, n_resamples=300).counts
    resampled = [
        correlation_by_definition(np.repeat(target, row[groups]), np.repeat(prediction, row[groups]), 360.0)
        for row in counts
    ]
    low, high = np.quantile(resampled, [0.025, 0.975])
    assert found.low < found.value < found.high
    assert 0.9 < (found.high - found.low) / (high - low) < 1.5


def test_the_bias_of_guesses_has_no_interval_and_that_of_a_turned_network_has() -> None:
    rng = np.random.default_rng(4)
    target = rng.uniform(0, 360, 200)
    guessed = angle_metrics(target, rng.uniform(0, 360, 200))["bias_deg"]
    assert guessed.kind == "none" and math.isnan(guessed.low) and math.isfinite(guessed.value)
    turned = angle_metrics(target, target + 70 + rng.normal(0, 60, 200))["bias_deg"]
    assert turned.low < 70 < turned.high and turned.high - turned.low < 40


def test_bias_at_the_seam_keeps_its_interval_in_one_piece() -> None:
    rng = np.random.default_rng(1)
    found = angle_metrics(np.zeros(200), 180 + rng.normal(0, 5, 200), n_resamples=300)["bias_deg"]
    assert abs(found.value) == pytest.approx(180, abs=2)
    assert found.high - found.low < 4 and found.low <= found.value <= found.high


def test_curve_and_sectors() -> None:
    target = np.array([5.0, 5.0, 5.0, 355.0])
    prediction = np.array([9.0, 11.0, 45.0, 5.0])
    tolerances, shares = angle_curve(target, prediction)
    assert tolerances == (5, 10, 15, 20, 30, 45) and shares == [0.25, 0.75, 0.75, 0.75, 0.75, 1.0]
    found = angle_metrics(target, prediction, n_resamples=20)
    assert found["bin_acc"].value == 0.25
    assert found["acc_curve_area"].value == pytest.approx(np.trapezoid(shares, tolerances) / 40)


def test_coverage_of_stated_sigmas() -> None:
    rng = np.random.default_rng(2)
    target = rng.uniform(0, 360, 4000)
    found = angle_metrics(
        target, target + rng.normal(0, 10, 4000), sigma_deg=np.full(4000, 10.0), tolerance_deg=20, n_resamples=20
    )
    assert found["coverage_68"].value == pytest.approx(0.683, abs=0.03)
    assert found["coverage_95"].value == pytest.approx(0.95, abs=0.015)
    assert "coverage_68" not in angle_metrics(target, target, sigma_deg=np.full(4000, np.nan), n_resamples=20)


def test_traces_of_one_wrong_event_widen_the_interval() -> None:
    groups = np.repeat(np.arange(30), 20)
    prediction = np.where(groups == 0, 90.0, 5.0)
    by_event = angle_metrics(np.zeros(600), prediction, groups=groups)["acc_tol_15deg"]
    by_trace = angle_metrics(np.zeros(600), prediction)["acc_tol_15deg"]
    assert by_event.high - by_event.low > 3 * (by_trace.high - by_trace.low)


def test_the_best_constant_lies_where_the_angles_are() -> None:
    angles = np.array([350.0, 355.0, 5.0, 12.0, 200.0])
    # By hand: 5 + 0 + 10 + 17 + 155 degrees from 355; 5 costs ten more, because 200 lies nearer to 355.
    assert best_constant_deg(angles) == 355
    assert best_constant_deg(np.array([178.0, 2.0, 1.0]), 180.0) == pytest.approx(1, abs=1)
    with pytest.raises(DataError, match="No training sample"):
        best_constant_deg(np.array([np.nan]))


def test_directions_that_cancel_are_measured_all_the_same() -> None:
    found = angle_metrics(np.array([0.0, 90, 180, 270]), np.array([0.0, 90, 180, 270]), n_resamples=20)
    assert found["circular_correlation"].value == pytest.approx(1) and found["r2"].value == pytest.approx(1)


def test_correlation_of_angles_all_round_the_circle() -> None:
    target = np.random.default_rng(1).uniform(0, 360, 400)
    for turned, expected in ((target + 40, 1.0), (-target, -1.0)):
        found = angle_metrics(target, turned % 360, n_resamples=50)["circular_correlation"]
        assert found.value == pytest.approx(expected) and found.kind == "none"
    alike = angle_metrics(target, np.full(400, 30.0), n_resamples=50)["circular_correlation"]
    assert math.isnan(alike.value)


def test_other_periods_are_refused_and_no_angles_are_undefined() -> None:
    with pytest.raises(DataError, match="period_deg=90"):
        angle_metrics(np.zeros(2), np.zeros(2), period_deg=90)
    with pytest.raises(DataError, match="same one-dimensional shape"):
        angle_metrics(np.zeros(2), np.zeros(3))
    nothing = angle_metrics(np.array([np.nan]), np.array([3.0]))
    assert all(math.isnan(one.value) and one.n == 0 for one in nothing.values())


@pytest.mark.parametrize("target", [[229.30620743572354, 97.12321695499331], [10.0, 50.0], [0.0, 180.0]])
def test_two_events_are_measured(target: list[float]) -> None:
    """Two vectors differ only across their mean, so that their variance along it is zero but for rounding."""
    measures = angle_metrics(np.array(target), np.array([20.0, 130.0]))
    assert measures["median_ae_deg"].n == 2 and not math.isinf(measures["r2"].value)
