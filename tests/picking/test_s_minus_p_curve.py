"""S minus P is read as the training events tell, and only as they do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.data.synthesis_local.generator import LocalEventGenerator
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters
from seisvision.evaluation.baselines.feature_table import FeatureTable
from seisvision.outputs.regression_baselines import fit_regression_baselines
from seisvision.picking.s_minus_p import distance_of, fit_distance_curve, pick_distances

ABOUT = {
    "kind": "scalar",
    "name": "offset",
    "target": "path_ep_distance_km",
    "unit": "km",
    "transform": "log1p",
    "tolerance_relative": 0.1,
    "tolerance_absolute": 10.0,
}


def _picked(parameters: LocalSynthesisParameters) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Distances of the table from picks on synthetic traces, true distances, and events."""
    generator = LocalEventGenerator(parameters)
    events = [generator.event(number) for number in range(parameters.n_events)]
    onset_s = np.concatenate([one.p_time_s + one.lead_s for one in events])
    batch = {
        keys.WAVEFORM: np.concatenate([one.waveforms for one in events])[:, None],
        keys.ONSET_S: onset_s[:, None],
        keys.SAMPLING_RATE_HZ: parameters.sampling_rate_hz,
    }
    offset_km = np.concatenate([one.geometry.distance_deg for one in events]) * 111.195
    names = [one.source_id for one in events for _ in one.p_time_s]
    return pick_distances(batch).distance_km, offset_km, names


@pytest.mark.parametrize(
    "settings",
    [{}, {"offset_range_km": (5.0, 60.0), "length_s": 45.0, "magnitude": (2.0, 3.0), "repeat": 0.0}],
    ids=["volcano", "larger earthquakes"],
)
def test_the_bias_of_a_local_set_vanishes(settings: dict[str, Any]) -> None:
    table_km, offset_km, names = _picked(LocalSynthesisParameters(n_events=48, seed=5, **settings))
    names_of = np.array(names)
    fold = np.unique(names_of, return_inverse=True)[1] % 3
    said_km = np.full_like(table_km, np.nan)
    for number in range(3):
        training = fold != number
        curve = fit_distance_curve(table_km[training], offset_km[training], names_of[training].tolist())
        assert "curve" in curve.used and "training traces" in curve.used
        said_km[~training] = curve(table_km)[~training]
    assert np.nanmedian(table_km - offset_km) > 4
    assert abs(np.nanmean(said_km - offset_km)) < 1
    assert np.nanmean(np.abs(said_km - offset_km)) < 0.9 * np.nanmean(np.abs(table_km - offset_km))


def _crust(velocity_km_s: float, n: int, seed: int, reach_km: float = 80.0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Clean S minus P of surface sources in a crust of one velocity, one trace in ten picked wrongly."""
    rng = np.random.default_rng(seed)
    offset_km = rng.uniform(12, reach_km, n)
    delay_s = offset_km / velocity_km_s * np.exp(rng.normal(0, 0.02, n))
    delay_s[rng.random(n) < 0.1] *= 0.5
    return distance_of(delay_s), offset_km, [f"e{i // 5}" for i in range(n)]


@pytest.mark.parametrize("velocity_km_s", [6.0, 9.5])
def test_a_few_pairs_give_the_velocity_of_the_crust(velocity_km_s: float) -> None:
    curve = fit_distance_curve(*_crust(velocity_km_s, 30, 1))
    assert "km per second of S minus P" in curve.used
    assert float(curve.used.split()[0]) == pytest.approx(velocity_km_s, rel=0.03)
    table_km, offset_km, _ = _crust(velocity_km_s, 200, 2)
    assert abs(np.nanmedian(curve(table_km) / offset_km) - 1) < 0.02
    assert np.isnan(curve(np.array([np.nan]))).all()


def test_far_sets_keep_the_table_unless_another_curve_is_better() -> None:
    rng = np.random.default_rng(4)
    offset_km = rng.uniform(500, 6000, 300)
    names = [f"e{i // 5}" for i in range(300)]
    right_km = offset_km * np.exp(rng.normal(0, 0.03, 300))
    assert "ak135" in fit_distance_curve(right_km, offset_km, names).used
    curve = fit_distance_curve(1.3 * right_km, offset_km, names)
    assert "curve" in curve.used
    assert np.median(np.abs(curve(1.3 * right_km) / offset_km - 1)) < 0.05


@pytest.mark.parametrize("n", [0, 9])
def test_with_too_few_pairs_the_table_stays(n: int) -> None:
    table_km, offset_km, names = _crust(8.0, 30, 3)
    table_km[n:] = np.nan
    curve = fit_distance_curve(table_km, offset_km, names)
    assert "ak135" in curve.used and curve(np.array([37.0]))[0] == pytest.approx(37.0)


def test_test_events_never_enter_the_fit() -> None:
    table_km, offset_km, names = _crust(9.0, 120, 6)
    parts, bounds = {}, {"train": (0, 80), "val": (80, 100), "test": (100, 120)}
    for part, (low, high) in bounds.items():
        ids = [str(i) for i in range(low, high)]
        parts[part] = SimpleNamespace(
            ids=SampleIds("trace", ids, names[low:high]), targets={ABOUT["target"]: offset_km[low:high].copy()}
        )

    def fitted(picked_km: np.ndarray) -> Any:
        table = FeatureTable(
            SampleIds("trace", [str(i) for i in range(120)], names), ["distance_km"], picked_km[:, None]
        )
        return fit_regression_baselines({"s_minus_p": table}, ABOUT, parts)["s_minus_p"]

    first = fitted(table_km)
    spoilt = table_km.copy()
    spoilt[100:] *= 5
    parts["test"].targets[ABOUT["target"]] *= 7
    second = fitted(spoilt)
    assert first.description == second.description
    assert np.array_equal(first.predictions["val"].value, second.predictions["val"].value, equal_nan=True)
    assert f"fitted on {np.isfinite(table_km[:80]).sum()} training traces" in first.description
