"""Hypocentres from arrival times: exact data, an independent search, symmetries, wrong, few and missing picks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from seisvision.earth.geodesics import geodesic
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.errors import ConfigurationError, DataError
from seisvision.location.arrivals.checks import checked
from seisvision.location.arrivals.hypocentres import Hypocentres, Prior
from seisvision.location.arrivals.locate import locate_arrivals
from seisvision.location.arrivals.minima import minima
from seisvision.location.arrivals.problem import geocentric_km
from seisvision.location.arrivals.statics import fit_statics
from tests.location.made_arrivals import VP, VS, arrivals, straight_s

TABLE = TravelTimes.constant(VP, VS)
DEPTHS_KM = (0.0, 30.0)


def located(observed: dict[str, Any], **settings: Any) -> Hypocentres:
    return locate_arrivals(**observed, travel_times=TABLE, **({"depth_limits_km": DEPTHS_KM} | settings))


def errors_km(found: Hypocentres, truth: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    place = found.latitude_deg.numpy(), found.longitude_deg.numpy()
    apart_km = geodesic(*place, truth["latitude_deg"], truth["longitude_deg"])[0]
    return apart_km, np.abs(found.depth_km.numpy() - truth["depth_km"])


@pytest.mark.parametrize(
    "centre_deg", [(46.0, 10.0), (-17.0, 180.0), (89.85, 20.0), (-89.88, -100.0)], ids=["alps", "date line", "N", "S"]
)
def test_exact_times_give_the_exact_hypocentre(centre_deg):
    truth, observed = arrivals(centre_deg=centre_deg)
    found = located(observed)
    apart_km, deeper_km = errors_km(found, truth)
    assert apart_km.max() < 0.02 and deeper_km.max() < 0.03
    np.testing.assert_allclose(found.origin_time_s, 1000.0, atol=0.005)
    assert found.reason == [""] * 6 and found.residual_s.abs().max() < 0.01
    assert (found.longitude_deg.abs() <= 180).all()


def test_noisy_events_end_where_a_slow_search_ends():
    """Nelder-Mead over the same Student loss, with geodesics and chords of its own."""
    _, observed = arrivals(3, noise=1.0)
    found = located(observed)
    for event in range(3):
        one = {name: values[event] for name, values in observed.items()}
        velocity = np.where(one["phase"] == "P", VP, VS)

        def cost(place, one=one, velocity=velocity):
            offset_km = geodesic(
                46 + place[0] / 111, 10 + place[1] / 77, one["station_latitude_deg"], one["station_longitude_deg"]
            )[0]
            travel = straight_s(offset_km, place[2], one["station_elevation_km"], velocity)
            return np.log1p(((one["time_s"] - 1000 - place[3] - travel) / one["sigma_s"]) ** 2 / 4).sum()

        start = [(found.latitude_deg[event] - 46) * 111 + 2, (found.longitude_deg[event] - 10) * 77 - 2, 8.0, 0.0]
        best = minimize(cost, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-4, "fatol": 1e-8})
        apart_km = geodesic(
            46 + best.x[0] / 111,
            10 + best.x[1] / 77,
            found.latitude_deg[event].item(),
            found.longitude_deg[event].item(),
        )[0]
        assert apart_km < 0.02
        assert best.x[2] == pytest.approx(found.depth_km[event].item(), abs=0.05)


def test_neither_order_nor_a_turn_of_longitude_nor_company_matters():
    _, observed = arrivals(5, noise=1.0)
    found = located(observed)
    order = np.random.default_rng(1).permutation(observed["time_s"].shape[1])
    shuffled = located({name: values[:, order] for name, values in observed.items()})
    turned = located(observed | {"station_longitude_deg": observed["station_longitude_deg"] - 360})
    alone = located({name: values[2:3] for name, values in observed.items()})
    for name in ("latitude_deg", "longitude_deg", "depth_km", "origin_time_s"):
        np.testing.assert_allclose(getattr(shuffled, name), getattr(found, name), atol=2e-4)
        np.testing.assert_allclose(getattr(turned, name), getattr(found, name), atol=2e-4)
        np.testing.assert_allclose(getattr(alone, name), getattr(found, name)[2:3], atol=1e-6)
    np.testing.assert_allclose(alone.ellipse95.major_km, found.ellipse95.major_km[2:3], rtol=1e-3)


def test_ellipses_hold_the_epicentre_as_often_as_they_say():
    truth, observed = arrivals(400, noise=1.0)
    found = located(observed)
    far_km, azimuth, _ = geodesic(
        found.latitude_deg.numpy(), found.longitude_deg.numpy(), truth["latitude_deg"], truth["longitude_deg"]
    )
    for ellipse, level in ((found.ellipse68, 0.68), (found.ellipse95, 0.95)):
        turn = np.radians(azimuth - ellipse.azimuth_deg.numpy())
        along, across = (
            far_km * np.cos(turn) / ellipse.major_km.numpy(),
            far_km * np.sin(turn) / ellipse.minor_km.numpy(),
        )
        inside = np.mean(along**2 + across**2 < 1)
        assert abs(inside - level) < 3 * np.sqrt(level * (1 - level) / 400)
    deep = np.mean(np.abs(found.depth_km.numpy() - truth["depth_km"]) < found.depth95_km.numpy())
    assert 0.91 < deep < 0.985


def test_a_pick_that_is_five_seconds_late_counts_next_to_nothing():
    truth, observed = arrivals(noise=0.5)
    observed["time_s"][:, 3] += 5.0
    found = located(observed)
    assert errors_km(found, truth)[0].max() < 0.6
    np.testing.assert_allclose(found.residual_s[:, 3], 5.0, atol=0.3)
    assert found.weight[:, 3].max() < 0.01 < 0.5 < found.weight[:, [0, 1, 2]].mean()
    assert errors_km(located(observed, robust=False), truth)[0].min() > 0.6


@pytest.mark.parametrize("with_sigmas", [True, False])
def test_of_eight_first_arrivals_a_wild_one_is_found(with_sigmas: bool):
    truth, observed = arrivals(60, 8, phases=("P",), noise=1.0)
    observed["time_s"][:, 0] += 10.0
    if not with_sigmas:
        observed["sigma_s"] = None
    found = located(observed)
    assert np.median(errors_km(found, truth)[0]) < 0.5
    assert np.mean(errors_km(found, truth)[0] > 3) < 0.1
    assert np.nanmedian(found.ellipse95.major_km.numpy()) < 3
    assert np.median(found.weight[:, 0]) < 0.01 < 0.5 < np.median(found.weight[:, 1:])


def test_sigmas_that_are_far_too_small_are_told_from_a_wild_pick():
    truth, observed = arrivals(200, 8, phases=("P",), noise=1.0)
    observed["sigma_s"] = observed["sigma_s"] / 6
    found, told = located(observed), located(observed | {"sigma_s": 6 * observed["sigma_s"]})
    ratio = found.ellipse95.major_km.numpy() / told.ellipse95.major_km.numpy()
    assert 0.8 < np.nanmedian(ratio) < 2.5
    assert np.median(errors_km(found, truth)[0]) < 1.3 * np.median(errors_km(told, truth)[0])


def test_four_first_arrivals_give_a_place_and_no_ellipse():
    truth, observed = arrivals(4, 4, phases=("P",), distance_km=(4.0, 20.0))
    found = located(observed)
    assert np.median(errors_km(found, truth)[0]) < 0.5
    assert found.ellipse95.major_km.isnan().all()
    assert all("too few picks for an ellipse" in text for text in found.reason)


def test_far_first_arrivals_do_not_resolve_the_depth_and_say_so():
    _, observed = arrivals(3, phases=("P",), distance_km=(150.0, 300.0), noise=1.0)
    found = located(observed)
    assert all("do not resolve the depth" in text and "S times would help" in text for text in found.reason)
    assert found.depth95_km.isnan().all() and found.ellipsoid95.axes_km.isnan().all()
    assert found.ellipse95.major_km.isfinite().all()


def test_too_little_is_refused():
    _, observed = arrivals(3)
    observed["time_s"][0, :] = np.nan
    observed["time_s"][1, 2:8] = observed["time_s"][1, 10:] = np.nan
    observed["time_s"][2, 3:] = np.nan
    found = located(observed)
    assert not found.located.any() and found.latitude_deg.isnan().all()
    assert "no usable pick" in found.reason[0] and "2 stations" in found.reason[1] and "3 picks" in found.reason[2]
    assert found.left_out[2][5] == "time_s=nan is not a number"


def test_picks_that_cannot_be_used_are_listed_and_the_others_located():
    truth, observed = arrivals(2)
    table = TravelTimes.layered([0], [VP], [VS], elevations_km=(0, 2.5), max_distance_km=100)
    observed["phase"] = observed["phase"].astype(object)
    observed["phase"][0, 0], observed["station_elevation_km"][0, 1], observed["sigma_s"][0, 2] = "Lg", 4.2, 0.0
    found = locate_arrivals(**observed, travel_times=table)
    said = found.left_out[0]
    assert set(said) == {0, 1, 2} and "P or S" in said[0] and "within the table" in said[1] and "positive" in said[2]
    assert errors_km(found, truth)[0].max() < 0.1
    assert found.left_out[1] == {}


def test_stations_beyond_the_table_take_the_ellipse_away():
    _, observed = arrivals(2, distance_km=(30.0, 90.0))
    table = TravelTimes.layered([0], [VP], [VS], max_distance_km=50)
    found = locate_arrivals(**observed, travel_times=table)
    assert all("beyond the table of travel times" in text for text in found.reason)
    assert found.ellipse95.major_km.isnan().all()


def test_without_sigmas_their_size_is_estimated():
    truth, observed = arrivals(6, 10, noise=3.0, sigma_s=(0.1, 0.2))
    found = located(observed | {"sigma_s": None})
    assert 2.0 < found.scale.median() < 4.0
    assert errors_km(found, truth)[0].max() < 4.0


def test_stations_that_wait_help_where_two_have_seen_the_wave():
    truth, observed = arrivals(4, 9, phases=("P",), sigma_s=(0.1,), distance_km=(10.0, 40.0), noise=0.3)
    now = np.sort(observed["time_s"], 1)[:, 1:2] + 0.05
    late = observed["time_s"] > now
    observed["time_s"] = np.where(late, now, observed["time_s"])
    with_silence = located(observed, not_yet=late)
    assert (with_silence.n_picks <= 3).all() and with_silence.located.all()
    assert errors_km(with_silence, truth)[0].max() < 25.0
    assert with_silence.ellipse95.major_km.isnan().all()
    assert not located(observed, mask=~late).located.any()


def test_a_prior_decides_what_picks_leave_open():
    truth, observed = arrivals(3, phases=("P",), distance_km=(60.0, 120.0))
    nan = torch.full((3,), torch.nan)
    known = torch.from_numpy(truth["depth_km"])
    found = located(observed, prior=Prior(nan, nan, known, nan, torch.full((3,), 0.2)))
    np.testing.assert_allclose(found.depth_km, known, atol=0.5)
    assert found.depth95_km.max() < 1.0
    with pytest.raises(DataError, match=r"prior.depth_km has shape"):
        located(observed, prior=Prior(nan, nan, known[:2], nan, nan))


def test_limits_of_the_depth_hold_and_are_checked():
    _, observed = arrivals(3, noise=1.0)
    found = located(observed, depth_limits_km=(0.0, 3.0))
    assert (found.depth_km <= 3.0).all() and "at its limit" in found.reason[0]
    with pytest.raises(ConfigurationError, match="depth_limits_km"):
        located(observed, depth_limits_km=(5.0, 2.0))
    with pytest.raises(DataError, match="sigma_s has shape"):
        located(observed | {"sigma_s": observed["sigma_s"][:, :3]})


def test_static_corrections_are_found_on_events_and_taken_off_others():
    rng = np.random.default_rng(2)
    _, one = arrivals(1, 8)
    # The stations of one event, seen from many.
    truth, observed = arrivals(40, 8, noise=0.3)
    for name in ("station_latitude_deg", "station_longitude_deg", "station_elevation_km"):
        observed[name] = np.repeat(one[name], 40, 0)
    offset = geodesic(
        truth["latitude_deg"][:, None], truth["longitude_deg"][:, None],
        observed["station_latitude_deg"], observed["station_longitude_deg"],
    )[0]  # fmt: skip
    velocity = np.where(observed["phase"] == "P", VP, VS)
    late = rng.normal(0, 0.3, 16)
    late -= late.mean()
    travel = straight_s(offset, truth["depth_km"][:, None], observed["station_elevation_km"], velocity)
    observed["time_s"] = 1000 + travel + late
    station = np.tile(np.arange(16), (40, 1))
    statics, _ = fit_statics(lambda some: located({n: v[:20] for n, v in observed.items()}, statics=some), station[:20])
    held = {name: values[20:] for name, values in observed.items()}
    before = located(held).rms_s.mean()
    after = located(held, statics=statics[station[20:]]).rms_s.mean()
    assert after < 0.25 * before


@pytest.mark.parametrize(
    "shape",
    [{"n_stations": 12}, {"n_stations": 6, "phases": ("P",)}, {"n_stations": 8, "azimuth_deg": (0.0, 90.0)}],
    ids=["around", "P only", "one side"],
)
def test_steps_in_single_precision_end_where_those_in_double_precision_do(shape):
    """Layers with jumps, whose times have kinks; only the exact steps know the prior, which says next to nothing."""
    _, observed = arrivals(60, noise=1.0, **shape)
    layers = TravelTimes.layered([0, 2, 15], [4.5, 6.0, 6.6], [2.6, 3.46, 3.8], max_distance_km=120, max_depth_km=30)
    observed["station_elevation_km"] = np.zeros_like(observed["time_s"])
    given = checked(**observed, statics=None, not_yet=None, mask=None)
    problem, _ = given.problem(layers, None, DEPTHS_KM, robust=True)
    exact = minima(replace(problem, prior_sigma_km=torch.full((60, 2), 1e7, dtype=torch.float64))).best
    found = minima(problem).best
    worse = found.cost - exact.cost
    assert (worse > 0.01).double().mean() <= 0.05
    km = torch.linalg.vector_norm(
        geocentric_km(found.point, -found.depth_km) - geocentric_km(exact.point, -exact.depth_km), dim=1
    )
    same = worse.abs() < 1e-3
    assert same.double().mean() > 0.9 and km[same].median() < 0.005 and km[same].quantile(0.9) < 0.1
