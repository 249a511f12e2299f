"""Tabulated travel times against straight rays, textbook formulas, TauP and their own differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.errors import ConfigurationError


def at(table: TravelTimes, phase: int, depth_km, distance_km, elevation_km=0.0) -> list[np.ndarray]:
    """Times and both derivatives at places that broadcast."""
    places = np.broadcast_arrays(*(np.asarray(v, float) for v in (depth_km, distance_km, elevation_km)))
    depth, distance, elevation = (torch.tensor(values) for values in places)
    found = table.times_s(torch.full(depth.shape, phase), depth, distance, elevation)
    return [values.numpy() for values in found]


@pytest.fixture(scope="module")
def crust() -> TravelTimes:
    return TravelTimes.layered([0, 10], [5.0, 8.0], [3.0, 4.6], max_distance_km=100, max_depth_km=25, step_km=0.5)


def chord_km(depth_km, distance_km, elevation_km):
    arc = distance_km / EARTH_RADIUS_KM
    source, station = EARTH_RADIUS_KM - depth_km, EARTH_RADIUS_KM + elevation_km
    return np.hypot(station * np.sin(arc), station * np.cos(arc) - source)


def test_constant_velocities_give_straight_rays():
    depth, distance, elevation = np.array([0, 7.3, -1.2, 30]), np.array([12.0, 0, 80, 900]), np.array([0, 2.1, 0.4, 0])
    time_s = at(TravelTimes.constant(6.0, 3.5), 1, depth, distance, elevation)[0]
    np.testing.assert_allclose(time_s, chord_km(depth, distance, elevation) / 3.5, rtol=1e-9)


@pytest.mark.parametrize("elevation_km", [0.0, 0.37, 1.4, 2.9])
def test_stations_and_sources_above_the_datum_see_straight_rays_in_the_first_layer(elevation_km):
    """No interface within reach: every way is straight, whatever the elevations that are tabulated."""
    table = TravelTimes.layered([0, 30], [5.0, 5.2], [3.0, 3.1], max_distance_km=30, max_depth_km=12)
    depth, distance = np.array([-0.6, 0.0, 0.3, 4.2, 11.0])[:, None], np.array([0.0, 0.4, 2.7, 13.0, 29.0])
    time_s = at(table, 0, depth, distance, elevation_km)[0]
    np.testing.assert_allclose(time_s, chord_km(depth, distance, elevation_km) / 5.0, atol=0.004, rtol=2e-3)


def test_taup_tables_see_straight_rays_above_the_datum():
    table = TravelTimes.taup("iasp91", max_distance_km=20, max_depth_km=4, elevations_km=(0, 2), step_km=1)
    depth, distance = np.array([-1.0, 0.0, 3.5])[:, None], np.array([0.3, 6.0, 15.0])
    time_s = at(table, 0, depth, distance, 1.6)[0]
    np.testing.assert_allclose(time_s, chord_km(depth, distance, 1.6) / 5.8, atol=0.01)


def test_head_waves_come_first_beyond_the_crossover(crust):
    """T = x / v2 + 2 h cos(i) / v1 for a source at the surface, over the direct x / v1."""
    distance = np.array([20.0, 70.0])
    head = distance / 8 + 2 * 10 * np.sqrt(1 - (5 / 8) ** 2) / 5
    np.testing.assert_allclose(at(crust, 0, 0.0, distance)[0], np.minimum(distance / 5, head), rtol=2e-3)
    assert head[0] > distance[0] / 5 and head[1] < distance[1] / 5


def test_a_slow_layer_carries_direct_waves_and_no_head_wave():
    slow = TravelTimes.layered([0, 3, 6], [5.0, 3.0, 5.1], [3.0, 1.8, 3.1], max_distance_km=40, max_depth_km=10)
    path = chord_km(3.0, 0.0, 0.0) / 5.0 + 2.0 / 3.0
    assert at(slow, 0, 5.0, 0.0)[0] == pytest.approx(path, abs=2e-3)
    assert at(slow, 0, 0.0, 30.0)[0] == pytest.approx(30 / 5.0, rel=1e-3)


def test_first_arrivals_are_those_of_taup():
    from obspy.taup import TauPyModel

    table = TravelTimes.taup("ak135", max_distance_km=400, max_depth_km=20, elevations_km=(0, 0), step_km=2.0)
    model = TauPyModel("ak135")
    for depth_km, distance_km in ((3.0, 21.0), (11.0, 95.0), (19.0, 390.0)):
        for phase, name in enumerate(("ttp", "tts")):
            theirs = min(one.time for one in model.get_travel_times(depth_km, np.degrees(distance_km / 6371), [name]))
            assert at(table, phase, depth_km, distance_km)[0] == pytest.approx(theirs, abs=0.02)


def test_derivatives_are_those_of_the_times(crust):
    rng = np.random.default_rng(1)
    depth, distance, elevation = rng.uniform(0, 20, 200), rng.uniform(0.5, 90, 200), rng.uniform(0, 2, 200)
    _, by_depth, by_distance = at(crust, 0, depth, distance, elevation)
    step = 1e-5
    for slope, d, x in ((by_depth, step, 0.0), (by_distance, 0.0, step)):
        up, down = (at(crust, 0, depth + s * d, distance + s * x, elevation)[0] for s in (1, -1))
        np.testing.assert_allclose(slope, (up - down) / (2 * step), atol=1e-6)


def test_times_and_slopes_have_no_steps_between_cells(crust):
    """Across every border of the grid, in both directions."""
    for depth, distance in ((np.full(40, 7.2), np.arange(1, 41) * 0.5), (np.arange(1, 41) * 0.5, np.full(40, 33.3))):
        shift = np.where(np.ptp(depth) == 0, 0.0, 1e-9), np.where(np.ptp(depth) == 0, 1e-9, 0.0)
        before = at(crust, 1, depth - shift[0], distance - shift[1])
        after = at(crust, 1, depth + shift[0], distance + shift[1])
        for one, other in zip(before, after, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    ("top", "vp", "vs", "said"),
    [
        ([1, 5], [5, 6], [3, 3.5], "do not rise from 0"),
        ([0, 5, 5], [5, 6, 7], [3, 3.5, 4], "do not rise"),
        ([0, 5], [5, 6], [3], "give as many of both"),
        ([0, 5], [5, 3], [3, 3.5], "P faster than S"),
        ([0], [5], [float("nan")], "positive"),
    ],
)
def test_layers_that_are_no_model_are_refused(top, vp, vs, said):
    with pytest.raises(ConfigurationError, match=said):
        TravelTimes.layered(top, vp, vs)


def test_unknown_models_and_limits_are_refused():
    with pytest.raises(ConfigurationError, match="iasp91"):
        TravelTimes.taup("iasp92")
    with pytest.raises(ConfigurationError, match="max_distance_km"):
        TravelTimes.layered([0], [5], [3], max_distance_km=5000)
