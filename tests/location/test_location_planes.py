"""Planes in which epicentres are searched: distances, derivatives and minima are those of the sphere and ellipsoid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from made_events import random_events

from seisvision.earth import points
from seisvision.earth.unit_vectors import angle, coordinates_deg, frame, geodesic, moved, unit_vectors
from seisvision.location import epicentres, posterior, starts
from seisvision.location.checks import checked
from seisvision.location.descent import descend
from seisvision.location.locate import Locations, locate
from seisvision.location.plane import COST, SOFTENING_KM, Distances, Plane, descent, plane_about, predicted


def _problem(events: dict[str, np.ndarray], offset_km: np.ndarray, sigma_km: np.ndarray | None) -> Any:
    names = ("back_azimuth_deg", "azimuth_sigma_deg", "common_share", "mask")
    return checked(
        station_latitude_deg=events["station_latitude_deg"],
        station_longitude_deg=events["station_longitude_deg"],
        offset_km=offset_km,
        offset_sigma_km=sigma_km,
        **dict.fromkeys(names),
    ).problem()


def _noisy(events: dict[str, np.ndarray], relative: float = 0.05) -> np.ndarray:
    rng = np.random.default_rng(3)
    offset_km = events["offset_km"] * (1 + relative * rng.normal(size=events["offset_km"].shape))
    offset_km[:, 2] *= 1.4
    return offset_km


@pytest.mark.parametrize("of", [np, torch], ids=["numpy", "torch"])
@pytest.mark.parametrize("away_km", [3.0, 900.0, 15_000.0])
def test_distances_in_a_plane_are_those_on_the_sphere(of: Any, away_km: float) -> None:
    rng = np.random.default_rng(1)
    places = torch.as_tensor(rng.uniform(-1, 1, (7, 2)) * [90, 180])
    stations = torch.as_tensor(rng.uniform(-1, 1, (7, 6, 2)) * [90, 180])
    centre, station = unit_vectors(*places.unbind(-1)), unit_vectors(*stations.unbind(-1))
    far_km = 6371.0 * angle(centre[:, None], station)
    north, east = ((axis[:, None] * station).sum(-1) / (far_km / 6371.0).sin() for axis in frame(centre))
    ways = far_km.T, torch.stack([north.T, east.T])
    ways = [values.numpy() if of is np else values for values in ways]
    north_km = torch.as_tensor(away_km * rng.uniform(-0.7, 0.7, 7))
    east_km = (away_km**2 - north_km.square()).sqrt()
    stretch = math.tan(away_km / 2 / 6371.0) / away_km
    place = (torch.stack([north_km, east_km]) * stretch).float()
    plane = plane_about(*ways, of)
    found, (by_north, by_east) = predicted(plane, place.numpy() if of is np else place, of)
    wanted = 6371.0 * angle(moved(centre, north_km, east_km)[:, None], station).T
    assert np.abs(np.asarray(found) - wanted.numpy()).max() < 5e-7 * 20_000
    assert np.abs(np.hypot(np.asarray(by_north), np.asarray(by_east)) - 1).max() < 1e-3
    # A kilometre in the plane is that on the ground times how much the plane is stretched there.
    place[0] += 20.0 * (1 + (place[0] ** 2 + place[1] ** 2)) / (2 * 6371.0)
    further = predicted(plane, place.numpy() if of is np else place, of)[0]
    slope = (np.asarray(further) - np.asarray(found)) / 20.0
    assert np.median(np.abs(slope - np.asarray(by_north))) < 0.01


@pytest.mark.parametrize("sigmas", [True, False], ids=["known", "estimated"])
@pytest.mark.parametrize("distance_km", [(5.0, 30.0), (30.0, 300.0), (300.0, 6000.0)], ids=str)
def test_minima_are_those_of_steps_on_the_ellipsoid(distance_km: tuple[float, float], sigmas: bool) -> None:
    events = random_events(40, 9, distance_km=distance_km, spread_deg=20)
    offset_km = _noisy(events)
    problem = _problem(events, offset_km, 0.05 * offset_km if sigmas else None)
    event, start = starts.approach(problem)
    found = epicentres.minima(problem, event, start)
    point = torch.from_numpy(found.point.T)
    there = descend(problem.rows(found.event).tensors(), point)
    assert 6371.0 * angle(point, there.point).max() < 0.02
    np.testing.assert_allclose(found.state[COST], there.cost, atol=1e-3)
    way = geodesic(point[:, None], torch.from_numpy(problem.station[found.event]))
    np.testing.assert_allclose(found.distance_km, way.distance_km.T, atol=1e-3)


@pytest.mark.parametrize("sigmas", [True, False], ids=["known", "estimated"])
def test_arrays_and_tensors_say_the_same(monkeypatch: pytest.MonkeyPatch, sigmas: bool) -> None:
    events = random_events(30, 7, distance_km=(20, 900))
    offset_km = _noisy(events, 0.1)

    def located(few: int) -> Locations:
        for module in (starts, epicentres, posterior):
            monkeypatch.setattr(module, "FEW_PAIRS", few)
        place = events["station_latitude_deg"], events["station_longitude_deg"]
        return locate(*place, offset_km, offset_sigma_km=0.1 * offset_km if sigmas else None)

    arrays, tensors = located(10**6), located(0)
    assert torch.allclose(arrays.latitude_deg, tensors.latitude_deg, atol=1e-4)
    assert torch.allclose(arrays.ellipse95.major_km, tensors.ellipse95.major_km, rtol=0.05, equal_nan=True)
    assert arrays.reason == tensors.reason


def _near(station_deg: np.ndarray, point_deg: np.ndarray, error: np.ndarray) -> dict[str, np.ndarray]:
    """Arguments of ``locate`` for distances from points (B, 2) to stations (S, 2), wrong by shares (B, S)."""
    stations, points = (unit_vectors(*torch.as_tensor(one.T)) for one in (station_deg, point_deg))
    offset_km = geodesic(points[:, None], stations).distance_km.numpy() * (1 + error)
    latitude_deg, longitude_deg = (np.tile(one, (len(point_deg), 1)) for one in station_deg.T)
    return {"station_latitude_deg": latitude_deg, "station_longitude_deg": longitude_deg, "offset_km": offset_km}


@pytest.mark.parametrize("errors", ["relative", "equal"])
def test_two_circles_that_do_not_meet_give_the_place_between_them(errors: Any) -> None:
    station_deg = np.array([[42.0, 13.0], [42.0, 13.242]])
    far_deg = np.tile([[42.0, 13.3]], (40, 1))
    error = np.random.default_rng(1).normal(0, 0.05, (40, 2))
    error[:, 0] += 0.3
    found = locate(**_near(station_deg, far_deg, error), errors=errors)
    # The circles are some seven kilometres apart, and no place is nearer to both than half of that.
    assert found.rms_km.max() < 10
    np.testing.assert_allclose(found.latitude_deg, 42.0, atol=0.02)


def test_an_event_alone_has_the_place_that_it_has_among_others() -> None:
    rng = np.random.default_rng(2)
    station_deg = np.array([[42.0, 13.0], [42.3, 13.0]])
    point_deg = np.stack([rng.uniform(41.8, 42.5, 300), rng.uniform(12.6, 13.4, 300)], 1)
    given = _near(station_deg, point_deg, rng.normal(0, 0.02, (300, 2)))
    for sigmas in (None, np.full((300, 2), 1.0)):
        whole = locate(**given, offset_sigma_km=sigmas)
        for row in range(0, 300, 30):
            some = slice(row, row + 1)
            alone = locate(
                **{name: values[some] for name, values in given.items()},
                offset_sigma_km=None if sigmas is None else sigmas[some],
            )
            np.testing.assert_allclose(alone.longitude_deg, whole.longitude_deg[some], atol=2e-3)
            np.testing.assert_allclose(alone.latitude_deg, whole.latitude_deg[some], atol=2e-3)


@pytest.mark.parametrize("sigmas", ["none", "equal", "relative", "too small"])
def test_an_event_has_the_place_and_the_ellipse_that_it_has_among_others(sigmas: str) -> None:
    events = random_events(60, 7, distance_km=(5, 300))
    offset_km = _noisy(events, 0.1)
    sigma_km = {"none": None, "equal": np.full_like(offset_km, 8.0), "relative": 0.1 * offset_km}
    sigma_km["too small"] = np.full_like(offset_km, 0.5)
    place, sigma = (events["station_latitude_deg"], events["station_longitude_deg"]), sigma_km[sigmas]
    whole = locate(*place, offset_km, offset_sigma_km=sigma)
    for row in range(0, 60, 12):
        some = slice(row, row + 1)
        alone = locate(
            *(deg[some] for deg in place), offset_km[some], offset_sigma_km=None if sigma is None else sigma[some]
        )
        # A degree times 1e-5 is a metre.
        np.testing.assert_allclose(alone.latitude_deg, whole.latitude_deg[some], atol=1e-5)
        np.testing.assert_allclose(alone.longitude_deg, whole.longitude_deg[some], atol=1e-5)
        np.testing.assert_allclose(alone.ellipse95.major_km, whole.ellipse95.major_km[some], rtol=0.01)
        assert alone.reason == whole.take(row).reason


def test_descents_that_have_arrived_do_not_move_on_with_others() -> None:
    observed, plane, start = _plane_problem(12)
    together, _ = descent(plane, observed, start, np, 0.5, 50)
    for row in range(12):
        some = np.array([row])
        alone, _ = descent(plane.rows(some), observed.rows(some), start[:, some], np, 0.5, 50)
        np.testing.assert_array_equal(alone[:, 0], together[:, row])


def test_a_descent_goes_on_from_the_state_that_is_known() -> None:
    observed, plane, start = _plane_problem(5)
    place, state = descent(plane, observed, start, np, 0.01, 3)
    further, _ = descent(plane, observed, place, np, 0.01, 50, state)
    anew, _ = descent(plane, observed, place, np, 0.01, 50)
    np.testing.assert_array_equal(further, anew)


def _plane_problem(count: int) -> tuple[Distances, Plane, np.ndarray]:
    """Distances with errors of 5 km at six stations about the centres of planes, and starts some 100 km away."""
    rng = np.random.default_rng(4)
    distance_km, azimuth = rng.uniform(30, 300, (6, count)), rng.uniform(0, 2 * np.pi, (6, count))
    plane = plane_about(distance_km, np.array([np.cos(azimuth), np.sin(azimuth)]), np)
    none, free = np.zeros(count), np.full(count, 4.0)
    offset_km = distance_km + rng.normal(0, 5, distance_km.shape)
    observed = Distances(offset_km, np.full_like(offset_km, 0.2), none, free, True, 0.0).single()
    return observed, plane, rng.normal(0, 0.008, (2, count)).astype(np.float32)


def test_equal_and_proportional_sigmas_are_seen_to_be_that() -> None:
    events = random_events(20, 6)
    softened_km = events["offset_km"] + SOFTENING_KM
    for sigma_km, growth in ((np.full_like(softened_km, 10.0), 0.0), (0.07 * softened_km, 1.0)):
        assert _problem(events, events["offset_km"], sigma_km).growth.tolist() == [growth] * 20


def test_points_as_arrays_are_those_as_tensors() -> None:
    rng = np.random.default_rng(6)
    latitude_deg, longitude_deg = rng.uniform(-90, 90, 50), rng.uniform(-180, 180, 50)
    latitude_deg[:2] = 90, -90
    first = unit_vectors(torch.as_tensor(latitude_deg), torch.as_tensor(longitude_deg))
    np.testing.assert_allclose(points.unit_vectors(latitude_deg, longitude_deg).T, first, atol=1e-15)
    np.testing.assert_allclose(points.coordinates_deg(first.numpy().T), coordinates_deg(first), atol=1e-12)
    np.testing.assert_allclose(points.axes(first.numpy().T)[0].T, frame(first)[0], atol=1e-12)
    np.testing.assert_allclose(points.axes(first.numpy().T)[1].T, frame(first)[1], atol=1e-12)
    way = geodesic(first[2:-1], first[3:])
    ours = points.way_km(first.numpy().T[:, 2:-1], first.numpy().T[:, 3:])
    np.testing.assert_allclose(ours[0], way.north * way.distance_km, atol=1e-3)
    np.testing.assert_allclose(ours[1], way.east * way.distance_km, atol=1e-3)


def test_a_region_beside_a_station_that_says_no_more_is_that_of_many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    events = random_events(40, 12, distance_km=(40, 300))
    near = events["latitude_deg"] + 0.05, events["longitude_deg"]
    events["station_latitude_deg"][:, 0], events["station_longitude_deg"][:, 0] = near
    offset_km = np.abs(_noisy(events, 0.0) + np.random.default_rng(8).normal(0, 8, (40, 12)))
    offset_km[:, 0] = np.abs(5.6 + np.random.default_rng(9).normal(0, 8, 40))
    place, sigma_km = (events["station_latitude_deg"], events["station_longitude_deg"]), np.full_like(offset_km, 8.0)
    counts: list[int] = []
    drawn = posterior.drawn

    def counted(*given: Any) -> Any:
        counts.append(given[4] * len(given[3]))
        return drawn(*given)

    monkeypatch.setattr(posterior, "drawn", counted)
    few = locate(*place, offset_km, offset_sigma_km=sigma_km)
    drawn_few, counts[:] = sum(counts), []
    monkeypatch.setattr(posterior, "LIKE_NORMAL", (np.inf, -np.inf))
    many = locate(*place, offset_km, offset_sigma_km=sigma_km)
    assert drawn_few < 0.6 * sum(counts)
    ratio = few.ellipse95.major_km / many.ellipse95.major_km
    assert 0.97 < ratio.median() < 1.03 and ((ratio - 1).abs() < 0.2).double().mean() > 0.9


def test_one_station_for_every_event_is_refused_in_words() -> None:
    found = locate(np.full((3, 1), 42.0), np.full((3, 1), 13.0), np.full((3, 1), 30.0))
    assert not found.located.any() and all("one distance is a circle" in text for text in found.reason)
