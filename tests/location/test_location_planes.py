"""Planes in which epicentres are searched: distances, derivatives and minima are those of the sphere and ellipsoid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from made_events import random_events

from seisvision.earth.unit_vectors import angle, frame, geodesic, moved, unit_vectors
from seisvision.location import epicentres, posterior, starts
from seisvision.location.checks import checked
from seisvision.location.descent import descend
from seisvision.location.locate import Locations, locate
from seisvision.location.plane import COST, plane_about, predicted


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


def test_one_station_for_every_event_is_refused_in_words() -> None:
    found = locate(np.full((3, 1), 42.0), np.full((3, 1), 13.0), np.full((3, 1), 30.0))
    assert not found.located.any() and all("one distance is a circle" in text for text in found.reason)
