"""Events are located from arrival times alone, whether or not anybody knows where the stations stand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seisvision.evaluation.baselines import learnt_times as module
from seisvision.evaluation.baselines.learnt_times import FEWEST_EVENTS, LearntTimes, learnt_times

S = 12
SPEED_KM_S = np.array([6.0, 3.4])


@pytest.fixture(scope="module")
def world() -> dict[str, np.ndarray]:
    """110 events about 12 stations, whose recordings begin at any time; a tenth of the picks is wrong."""
    rng = np.random.default_rng(3407)
    station_km = rng.uniform(-60, 60, (S, 2))
    place_km = np.column_stack([rng.uniform(-50, 50, (110, 2)), rng.uniform(3, 9, 110)])
    way_km = np.sqrt(((place_km[:, None, :2] - station_km) ** 2).sum(-1) + place_km[:, 2:] ** 2)
    time_s = way_km[..., None] / SPEED_KM_S + rng.normal(0, 0.2, (S, 1)) + rng.uniform(5, 60, (110, 1, 1))
    time_s += rng.normal(0, 0.05, time_s.shape)
    wrong = rng.random(time_s.shape) < 0.1
    time_s = np.where(wrong, rng.uniform(0, 100, time_s.shape), time_s).reshape(110, -1)
    time_s[rng.random(time_s.shape) < 0.1] = np.nan
    return {"time_s": time_s, "place_km": place_km, "station_km": station_km}


def learn(world: dict[str, np.ndarray], station_km: np.ndarray, n: int = 80, **settings: Any) -> LearntTimes | None:
    number = np.arange(2 * S)
    return learnt_times(world["time_s"][:n], number // 2, number % 2, world["place_km"][:n], station_km, **settings)


@pytest.fixture(scope="module")
def learnt(world: dict[str, np.ndarray]) -> LearntTimes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_JUDGED", 15)
        found = learn(world, np.full((S, 2), np.nan))
    assert found is not None
    return found


def test_events_of_later_times_are_located_without_places_of_stations(world, learnt) -> None:
    off_km = learnt.locate(world["time_s"][80:], learnt.bandwidth_km).place_km - world["place_km"][80:]
    away_km = np.hypot(*off_km[:, :2].T)
    # Always saying the middle is 37 km off; 20 times of .05 s at 6 and 3.4 km/s allow some .2 km.
    assert np.median(away_km) < 0.5
    assert (away_km < 2).mean() > 0.9


def test_regions_are_wider_where_times_contradict_each_other(world, learnt) -> None:
    """The misfit of an event tells that it is off, which its curvature alone does not."""
    found = learnt.locate(world["time_s"][80:], None)
    wrong = world["time_s"][80:].copy()
    wrong[:, ::3] += np.random.default_rng(1).normal(0, 3, wrong[:, ::3].shape)
    worse = learnt.locate(wrong, None)
    area_km2 = [np.sqrt(np.linalg.det(one.covariance_km2[:, :2, :2])) for one in (found, worse)]
    assert np.median(area_km2[1] / area_km2[0]) > 3
    assert np.linalg.eigvalsh(found.covariance_km2).min() > 0


def test_known_stations_stay_and_depths_that_few_training_events_have_are_not_said(world) -> None:
    """They are no 0 km; epicentres are still found."""
    place_km = world["place_km"].copy()
    place_km[FEWEST_EVENTS - 1 :, 2] = np.nan
    found = learn({**world, "place_km": place_km}, world["station_km"], n=40, bandwidth_km=None)
    assert found is not None and found.depth_km is None
    np.testing.assert_array_equal(found.station_km[::2], world["station_km"])
    located = found.locate(world["time_s"][80:], None)
    assert np.isnan(located.place_km[:, 2]).all() and np.isnan(located.covariance_km2[:, 2]).all()
    assert np.median(np.hypot(*(located.place_km - world["place_km"][80:])[:, :2].T)) < 1


def test_stations_and_velocities_are_found(world, learnt) -> None:
    found_km = learnt.station_km[::2]
    assert np.median(np.hypot(*(found_km - world["station_km"]).T)) < 2
    np.testing.assert_allclose(np.median(1 / learnt.slowness_s_km.reshape(-1, 2), 0), SPEED_KM_S, rtol=0.05)


def test_the_origin_time_is_not_used(world, learnt) -> None:
    later, now = (learnt.locate(world["time_s"][80:84] + add_s, learnt.bandwidth_km) for add_s in (1000, 0))
    np.testing.assert_allclose(later.place_km, now.place_km, atol=0.05)


def test_too_few_times_give_no_place_and_too_few_events_nothing(world, learnt) -> None:
    few = world["time_s"][80:82].copy()
    few[0, 3:] = np.nan
    found = learnt.locate(few, None)
    for values in found:
        assert np.isnan(values[0]).all() and np.isfinite(values[1]).all()
    assert learn(world, np.full((S, 2), np.nan), n=FEWEST_EVENTS - 1) is None
