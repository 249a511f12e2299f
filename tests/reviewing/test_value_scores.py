"""Residuals in sigmas: planted values, picks moved by a second and stations with swapped coordinates are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from opened_benchmarks import benchmark

from seisvision.base.sample_ids import SampleIds
from seisvision.earth.geodesics import geodesic
from seisvision.outputs.angles.predictions import AnglePredictions
from seisvision.outputs.numbers.predictions import ScalarPredictions
from seisvision.outputs.picks.predictions import PickPredictions
from seisvision.reviewing.ranking import rank
from seisvision.reviewing.station_scores import station_scores, swapped_pairs
from seisvision.reviewing.value_scores import SUSPECT_SIGMAS, pick_sigmas, residual_sigmas

__all__ = ["benchmark"]
NUMBER = {"kind": "scalar", "name": "magnitude", "target": "source_magnitude", "unit": "", "transform": "none",
          "tolerance_relative": 0.0, "tolerance_absolute": 0.3}  # fmt: skip
OFFSET = NUMBER | {"name": "offset", "target": "path_ep_distance_km", "unit": "km", "transform": "log1p"}
ANGLE = {"kind": "angle", "name": "baz", "target": "path_back_azimuth_deg", "period_deg": 360.0, "tolerance_deg": 15.0}
PICK = {"kind": "pick", "name": "pick", "phases": ["P", "S"], "max_picks": 2, "max_events": 1, "threshold": 0.3,
        "window_s": 60.0, "apart_s": 0.5}  # fmt: skip


def numbers(
    about: dict, target: np.ndarray, value: np.ndarray, sigma: np.ndarray | None, ids: SampleIds
) -> ScalarPredictions:
    decoded = np.full((len(value), 6), np.nan)
    decoded[:, 0] = value
    if sigma is not None:
        decoded[:, 1:6] = np.stack([sigma, value - sigma, value + sigma, value - 2 * sigma, value + 2 * sigma], 1)
    return ScalarPredictions(about, ids, target, decoded)


def traces(n_events: int, n_stations: int) -> SampleIds:
    ids = [str(row) for row in range(n_events * n_stations)]
    return SampleIds("trace", ids, [f"ev{row // n_stations}" for row in range(len(ids))])


@pytest.mark.parametrize("states_sigma", [True, False])
def test_planted_magnitudes_come_first(states_sigma: bool) -> None:
    rng = np.random.default_rng(1)
    ids = SampleIds.of_events([f"ev{i}" for i in range(500)])
    truth = rng.uniform(1, 5, 500)
    sigma = rng.uniform(0.05, 0.3, 500) if states_sigma else np.full(500, 0.15)
    value = truth + rng.normal(0, 1, 500) * sigma
    target = truth.copy()
    target[:20] += np.where(rng.random(20) < 0.5, -1, 1) * 2.0
    ranked = rank(numbers(NUMBER, target, value, sigma if states_sigma else None, ids))
    assert {one.sample_id for one in ranked[:20]} == {f"ev{i}" for i in range(20)}
    assert sum(one.is_suspect for one in ranked) == pytest.approx(20, abs=1)
    assert ranked[0].column == "source_magnitude" and float(ranked[0].suggested) == pytest.approx(
        truth[int(ranked[0].sample_id[2:])], abs=1.0
    )


def test_a_network_that_is_too_bold_does_not_make_every_label_suspect() -> None:
    rng = np.random.default_rng(2)
    ids = SampleIds.of_events([f"ev{i}" for i in range(400)])
    truth = rng.uniform(1, 5, 400)
    said = numbers(NUMBER, truth, truth + rng.normal(0, 0.5, 400), np.full(400, 0.05), ids)
    assert (np.abs(residual_sigmas(said)) >= SUSPECT_SIGMAS).sum() <= 1


def test_angles_are_compared_around_the_circle() -> None:
    rng = np.random.default_rng(3)
    truth = rng.uniform(0, 360, 300)
    decoded = np.stack([(truth + rng.normal(0, 5, 300)) % 360, np.full(300, 5.0)], 1)
    target = truth.copy()
    target[:5] = (target[:5] + 180) % 360
    ranked = rank(AnglePredictions(ANGLE, traces(100, 3), target, decoded))
    assert {one.sample_id for one in ranked[:5]} == set("01234")
    assert not any(one.is_suspect for one in ranked[5:])


def picks(true_s: np.ndarray, picked_s: np.ndarray, probability: np.ndarray) -> PickPredictions:
    """One pick a phase; P and S (N, 2)."""
    decoded = np.full((len(true_s), 9), np.nan)
    decoded[:, [0, 4]], decoded[:, [2, 6]], decoded[:, 8] = picked_s, probability, probability.max(1)
    ids = [str(row) for row in range(len(true_s))]
    return PickPredictions.from_decoded(PICK, SampleIds("trace", ids, ids), true_s, decoded)


def test_the_benchmark_of_moved_picks_in_short(benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(4)
    true_s = np.sort(rng.uniform(5, 50, (200, 2)), axis=1) + np.array([0, 3])
    said = picks(true_s, true_s + rng.normal(0, 0.05, (200, 2)), rng.uniform(0.4, 1, (200, 2)))
    benchmark("label_values").moved_picks(said, 0.1, 1.0, 1)
    assert "precision at that number 1.00" in capsys.readouterr().out


def test_picks_that_were_moved_by_a_second_are_found() -> None:
    rng = np.random.default_rng(4)
    true_s = np.sort(rng.uniform(5, 50, (400, 2)), axis=1) + np.array([0, 3])
    probability = rng.uniform(0.4, 1, (400, 2))
    picked_s = true_s + rng.normal(0, 1, (400, 2)) * np.where(probability > 0.7, 0.05, 0.12)
    told = true_s.copy()
    told[:20, 0] += np.where(rng.random(20) < 0.5, -1, 1)
    table = pd.DataFrame({f"trace_{phase}_arrival_sample": 100 * told[:, k] for k, phase in enumerate("PS")})
    ranked = rank(picks(told, picked_s, probability), table)
    moved = [one for one in ranked if one.is_suspect]
    assert {(one.sample_id, one.phase) for one in ranked[:20]} == {(str(row), "P") for row in range(20)}
    assert 20 <= len(moved) <= 23, "of 780 others one or two lie beyond four sigmas"
    assert ranked[0].column == "trace_P_arrival_sample"
    assert abs(abs(float(ranked[0].suggested)) - 1) < 0.5, "the advice moves it back"


def test_a_pick_is_corrected_in_the_column_of_the_path_that_came_first() -> None:
    """ETHZ names picks by path: which of Pn and Pg is the first differs from trace to trace."""
    true_s = np.tile([10.0, 20.0], (40, 1)) + np.arange(40)[:, None] * 0.1
    picked_s = true_s + np.random.default_rng(0).normal(0, 0.05, (40, 2))
    arrivals = {f"trace_{name}_arrival_sample": np.full(40, np.nan) for name in ("Pg", "Pn", "P", "Sg")}
    arrivals["trace_Pg_arrival_sample"][:] = 100 * true_s[:, 0]
    arrivals["trace_Pn_arrival_sample"][:10] = 100 * true_s[:10, 0] - np.where(np.arange(10) < 5, 50, -50)
    arrivals["trace_P_arrival_sample"][20:30] = 100 * true_s[20:30, 0] + 3
    ranked = rank(picks(true_s, picked_s, np.full((40, 2), 0.9)), pd.DataFrame(arrivals))
    column_of = {int(one.sample_id): one.column for one in ranked if one.phase == "P"}
    expected = ["Pn"] * 5 + ["Pg"] * 15 + ["P"] * 10 + ["Pg"] * 10
    assert [column_of[row] for row in range(40)] == [f"trace_{name}_arrival_sample" for name in expected]
    s_picks = [one for one in ranked if one.phase == "S"]
    assert len(s_picks) == 40 and not any(one.suggested for one in s_picks), "S was computed: there is nothing to move"


def test_an_arrival_that_the_network_does_not_see_is_asked_about_behind_those_that_moved() -> None:
    true_s = np.tile([10.0, 20.0], (50, 1)) + np.arange(50)[:, None] * 0.1
    picked_s = true_s + np.random.default_rng(0).normal(0, 0.05, (50, 2))
    probability = np.full((50, 2), 0.9)
    probability[0, 0] = 0.1
    true_s[1, 0] += 1
    sigmas, seen_s = pick_sigmas(picks(true_s, picked_s, probability), "P")
    assert np.isnan(seen_s[0]) and abs(sigmas[1]) > sigmas[0] > np.abs(sigmas[2:]).max()


def test_stations_whose_coordinates_were_swapped_are_found_and_named() -> None:
    rng = np.random.default_rng(6)
    n_events, names = 40, [f"XX.S{i:02d}" for i in range(12)]
    true_place = {name: (47 + rng.uniform(-1, 1), -122 + rng.uniform(-1.5, 1.5)) for name in names}
    told_place = true_place | {names[3]: true_place[names[8]], names[8]: true_place[names[3]]}
    source = np.stack([47 + rng.uniform(-1, 1, n_events), -122 + rng.uniform(-1.5, 1.5, n_events)], 1).repeat(12, 0)
    stations = names * n_events

    def offsets(place_of: dict[str, tuple[float, float]]) -> np.ndarray:
        at = np.array([place_of[name] for name in stations])
        return geodesic(source[:, 0], source[:, 1], at[:, 0], at[:, 1])[0]

    predicted_km = offsets(true_place) * np.exp(rng.normal(0, 0.08, len(stations)))
    said = numbers(OFFSET, offsets(told_place), predicted_km, None, traces(n_events, 12))
    scores = station_scores(residual_sigmas(said), stations)
    suspects = [one.name for one in scores if one.is_suspect]
    assert set(suspects) == {names[3], names[8]} == {one.name for one in scores[:2]}
    (swap,) = swapped_pairs(predicted_km, stations, told_place, source, suspects)
    assert set(swap.stations) == {names[3], names[8]} and swap.after < 0.2 * swap.before
    sound = numbers(OFFSET, offsets(true_place), predicted_km, None, traces(n_events, 12))
    assert not [one for one in station_scores(residual_sigmas(sound), stations) if one.is_suspect]
